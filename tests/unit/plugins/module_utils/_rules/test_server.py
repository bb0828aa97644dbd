# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules import environment, image
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules import server as rules

from tests.compose import describe

ROLE = Path(__file__).resolve().parents[5] / "roles" / "ollama_server"
DEFAULTS = yaml.safe_load((ROLE / "defaults/main.yml").read_text(encoding="utf-8"))
FIRST, SECOND = "GPU-6a7e0000-0000-4000-8000-000000000000", "GPU-6a7e0000-0000-4000-8000-000000000001"


def read(**changes: Any) -> tuple[rules.Servers, list[str]]:
    """The role's defaults, with changes."""
    arguments = {name[len(rules.PREFIX) :]: value for name, value in DEFAULTS.items()}
    problems = Problems()
    return rules.read({**arguments, **changes}, problems), list(dict.fromkeys(problems))


def problems(**changes: Any) -> list[str]:
    return read(**changes)[1]


def servers(**changes: Any) -> list[dict[str, Any]]:
    found, wrong = read(**changes)
    assert wrong == []
    return found.instances


def test_the_defaults_are_one_server_without_a_problem_or_a_warning() -> None:
    found, wrong = read()
    assert (wrong, found.warnings, found.unversioned) == ([], [], [])
    (one,) = found.instances
    assert (one["service"], one["aliases"]) == ("ollama", ["ollama", "ollama-listen"])
    assert one["environment"]["OLLAMA_HOST"] == "ollama-listen:11434"
    assert one["environment"]["OLLAMA_NO_CLOUD"] == "1"
    assert one["environment"]["NVIDIA_VISIBLE_DEVICES"] == "void"


def test_the_image_that_gets_a_suffix_for_amd_is_the_default_of_the_role() -> None:
    assert DEFAULTS["ollama_server_image"] == image.DEFAULT_IMAGE


def test_every_setting_is_an_input_of_the_role_and_known_to_ollama() -> None:
    assert [one.variable for one in environment.SETTINGS if one.variable not in DEFAULTS] == []
    assert [one.name for one in environment.SETTINGS if one.name not in environment.KNOWN] == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image": "docker.io/ollama/ollama:latest"}, ["ollama_server_image", "pinned tag"]),
        ({"image": "ollama"}, ["ollama_server_image", "pinned tag"]),
        ({"image": "docker.io/ollama/ollama:0.17.0"}, ["ollama_server_image", "0.17.1", "CVE-2026-7482"]),
        ({"image": "docker.io/ollama/ollama:0.17.1-rc2"}, ["ollama_server_image", "CVE-2026-7482"]),
        ({"image": "ollama/ollama:0.18.0", "minimum_version": "0.30.0"}, ["ollama_server_minimum_version 0.30.0"]),
        ({"minimum_version": "newest"}, ["ollama_server_minimum_version", "0.17.1"]),
        ({"dir": "/opt"}, ["ollama_server_dir", "/opt/gatehouse/ollama"]),
        ({"models_dir": "models"}, ["ollama_server_models_dir", "/srv/ollama-models", "or empty"]),
        ({"models_dir": "/etc/models"}, ["ollama_server_models_dir", "belongs to the system"]),
        ({"models_dir": "/opt/gatehouse"}, ["ollama_server_models_dir", "apart from ollama_server_dir"]),
        ({"network": "a b"}, ["ollama_server_network"]),
        ({"publish": "0.0.0.0:11434"}, ["ollama_server_publish", "127.0.0.1:11434"]),
        ({"publish": "127.300.0.1:11434"}, ["ollama_server_publish", "127.0.0.1:11434"]),
        ({"publish": "127.0.0.1:0"}, ["ollama_server_publish", "127.0.0.1:11434"]),
        ({"publish": "[::1]:65536"}, ["ollama_server_publish", "127.0.0.1:11434"]),
        ({"user_id": -1}, ["ollama_server_user_id", "60881"]),
        ({"devices": [0]}, ["ollama_server_devices", "accelerator is cpu"]),
        ({"accelerator": "nvidia", "devices": [0]}, ["ollama_server_devices: 0", "nvidia-smi -L"]),
        ({"accelerator": "nvidia", "devices": [FIRST, FIRST]}, ["ollama_server_devices", FIRST, "twice"]),
        ({"accelerator": "vulkan", "devices": [FIRST]}, ["ollama_server_devices", "vulkaninfo"]),
        ({"accelerator": "amd", "image": "mirror.example.com/ollama:0.32.15"}, ["ollama_server_image", "rocm"]),
        ({"require_gpu": True}, ["ollama_server_require_gpu", "nvidia, amd or vulkan"]),
        ({"environment": ["A=1"]}, ["ollama_server_environment", "dictionary"]),
        ({"environment": {"A B": "1"}}, ["ollama_server_environment: A B"]),
        ({"environment": {"A": ["secret"]}}, ["ollama_server_environment: A"]),
        ({"environment": {"OLLAMA_HOST": ":1"}}, ["ollama_server_environment: OLLAMA_HOST", "ollama_server_publish"]),
        ({"environment": {"OLLAMA_MODELS": "/models"}}, ["ollama_server_environment: OLLAMA_MODELS", "volume"]),
        (
            {"environment": {"OLLAMA_MAX_QUEUE": 9}, "max_queue": 8},
            ["ollama_server_environment: OLLAMA_MAX_QUEUE", "ollama_server_max_queue", "8"],
        ),
        (
            {"accelerator": "vulkan", "environment": {"OLLAMA_VULKAN": False}},
            ["OLLAMA_VULKAN", "contradicts"],
        ),
        (
            {"accelerator": "amd", "devices": [0], "environment": {"ROCR_VISIBLE_DEVICES": "1"}},
            ["ollama_server_devices", "ROCR_VISIBLE_DEVICES", "contradicts"],
        ),
        ({"keep_alive": "5 minutes"}, ["ollama_server_keep_alive", '"5m"']),
        ({"load_timeout": True}, ["ollama_server_load_timeout", '"5m"']),
        ({"num_parallel": "many"}, ["ollama_server_num_parallel", "whole number"]),
        ({"max_loaded_models": -1}, ["ollama_server_max_loaded_models", "whole number"]),
        ({"context_length": True}, ["ollama_server_context_length", "whole number"]),
        ({"gpu_overhead": 1.5}, ["ollama_server_gpu_overhead", "whole number"]),
        ({"flash_attention": "always"}, ["ollama_server_flash_attention", "true, false"]),
        ({"kv_cache_type": "q8_0"}, ["ollama_server_kv_cache_type", "ollama_server_flash_attention: true"]),
        (
            {"kv_cache_type": "q4_0", "flash_attention": False},
            ["ollama_server_kv_cache_type", "ollama_server_flash_attention: true"],
        ),
        ({"models": ["tiny", "no such thing"]}, ["ollama_server_models[1]", "name"]),
        ({"models": [{"name": "tiny", "sistem": "x"}]}, ["ollama_server_models[0]", "sistem", "system"]),
        ({"memory_limit": "lots"}, ["ollama_server_memory_limit", "512m"]),
        ({"cpu_limit": "0"}, ["ollama_server_cpu_limit", "1.5"]),
        ({"models": ["tiny", {"name": "a", "digest": "x"}]}, ["ollama_server_models[1].digest", "12 digits"]),
        ({"instances": ["a"]}, ["ollama_server_instances[0]", "dictionary"]),
        ({"instances": [{}]}, ["ollama_server_instances[0]", "name"]),
        ({"instances": [{"name": "A_1"}]}, ["ollama_server_instances[0]", "lowercase"]),
        ({"instances": [{"name": "a-listen"}]}, ["ollama_server_instances[0]", "listen"]),
        ({"instances": [{"name": "a"}, {"name": "a"}]}, ["ollama_server_instances[1]", "twice"]),
        ({"instances": [{"name": "a", "device": []}]}, ["ollama_server_instances[0] (a)", "device", "devices"]),
        ({"instances": [{"name": "a", "accelerator": "gpu"}]}, ["ollama_server_instances[0] (a).accelerator"]),
        ({"instances": [{"name": "a", "devices": [1]}]}, ["ollama_server_instances[0] (a).devices"]),
        ({"instances": [{"name": "a", "memory_limit": "x"}]}, ["ollama_server_instances[0] (a).memory_limit"]),
        (
            {"instances": [{"name": "a", "environment": {"HOME": "/"}}]},
            ["ollama_server_instances[0] (a).environment: HOME"],
        ),
    ],
    ids=str,
)
def test_what_cannot_be_is_told_with_its_place_and_what_would_be_right(
    changes: dict[str, Any], words: list[str]
) -> None:
    (only,) = problems(**changes)
    assert [word for word in words if word not in only] == [], only
    assert "secret" not in only


def test_all_problems_are_told_at_once_and_each_once() -> None:
    wrong = problems(image="ollama", keep_alive="x", instances=[{"name": "a"}, {"name": "b"}], require_gpu=True)
    assert len(wrong) == len(set(wrong)) == 4


def test_settings_become_the_variables_of_ollama_and_what_is_left_out_does_not() -> None:
    (one,) = servers(
        keep_alive=-1, num_parallel=4, flash_attention=True, kv_cache_type="q8_0", load_timeout="10m", gpu_overhead=0
    )
    named = {setting.name for setting in environment.SETTINGS} & set(one["environment"])
    assert {name: one["environment"][name] for name in named} == {
        "OLLAMA_KEEP_ALIVE": "-1",
        "OLLAMA_NUM_PARALLEL": "4",
        "OLLAMA_FLASH_ATTENTION": "1",
        "OLLAMA_KV_CACHE_TYPE": "q8_0",
        "OLLAMA_LOAD_TIMEOUT": "10m",
    }


def test_a_setting_may_be_repeated_by_the_environment_and_be_otherwise_for_one_instance() -> None:
    instances = [{"name": "a"}, {"name": "b", "environment": {"OLLAMA_NUM_PARALLEL": 2}}]
    found = servers(num_parallel=4, environment={"OLLAMA_NUM_PARALLEL": "4"}, instances=instances)
    assert [one["environment"]["OLLAMA_NUM_PARALLEL"] for one in found] == ["4", "2"]


def test_an_unknown_name_of_ollamas_is_warned_about_with_the_nearest_known_one() -> None:
    known = dict.fromkeys(environment.KNOWN - environment.OWN.keys(), "1")
    found, wrong = read(environment={**known, "HTTPS_PROXY": "http://a:b@c", "OLLAMA_NUM_PARALEL": "2"})
    assert wrong == []
    (warning,) = found.warnings
    assert "ollama_server_environment: OLLAMA_NUM_PARALEL" in warning
    assert "is OLLAMA_NUM_PARALLEL meant?" in warning


def test_a_mirror_of_ollamas_own_image_has_its_tags() -> None:
    assert read(image="registry.example.com:5000/mirror/ollama/ollama:0.32.15")[0].unversioned == []


@pytest.mark.parametrize(
    "name",
    [
        "docker.io/ollama/ollama@sha256:" + "0" * 64,
        "registry.example.com:5000/ollama:ours",
        "ollama:rocm",
        "registry.example.com/ollama:1.0-ours",
    ],
)
def test_an_image_whose_tag_does_not_tell_the_version_is_asked_later(name: str) -> None:
    found, wrong = read(image=name)
    assert (found.unversioned, wrong) == ([name], [])
    assert image.version_problem(name, "0.17.1", "0.17.1") == (True, None)
    assert "CVE-2026-7482" in str(image.version_problem(name, "0.17.1", "0.13.5")[1])


def test_an_older_version_is_accepted_by_who_lowers_the_minimum() -> None:
    assert problems(image="docker.io/ollama/ollama:0.16.3-rocm", minimum_version="0.16.0", accelerator="amd") == []


def test_instances_share_what_they_do_not_say_for_themselves() -> None:
    instances = [
        {"name": "gpu0", "devices": [FIRST]},
        {"name": "gpu1", "devices": [SECOND], "memory_limit": "4g", "environment": {"A": True}},
        {"name": "rest", "accelerator": "cpu", "cpu_limit": 2.5},
    ]
    found = servers(accelerator="nvidia", instances=instances, memory_limit="16g", publish="127.0.0.1:11434")
    assert [one["service"] for one in found] == ["ollama-gpu0", "ollama-gpu1", "ollama-rest"]
    assert [one["devices"] for one in found] == [[FIRST], [SECOND], []]
    assert [one["memory_limit"] for one in found] == ["16g", "4g", "16g"]
    assert [one["cpu_limit"] for one in found] == ["", "", "2.5"]
    assert [one["environment"].get("A") for one in found] == [None, "true", None]
    assert [one["environment"]["NVIDIA_VISIBLE_DEVICES"] for one in found] == [FIRST, SECOND, "void"]
    # All answer by the one name, listen by their own, and the first alone removes what is unused and is published.
    assert [one["aliases"] for one in found] == [
        ["ollama", one["service"], one["service"] + "-listen"] for one in found
    ]
    assert [one["environment"]["OLLAMA_HOST"] for one in found] == [
        "0.0.0.0:11434",
        "ollama-gpu1-listen:11434",
        "ollama-rest-listen:11434",
    ]
    assert [one["publish"] for one in found] == ["127.0.0.1:11434", "", ""]
    assert [one["environment"].get("OLLAMA_NOPRUNE") for one in found] == [None, "1", "1"]


def test_two_servers_on_one_gpu_are_warned_about() -> None:
    instances = [{"name": "a", "devices": [FIRST]}, {"name": "b", "devices": [FIRST]}]
    found, wrong = read(accelerator="nvidia", instances=instances)
    assert wrong == []
    assert "ollama_server_instances[1] (b)" in found.warnings[0]


def test_each_accelerator_chooses_its_gpus_in_its_own_way() -> None:
    instances = [
        {"name": "amd", "accelerator": "amd", "devices": [1, "GPU-a1b2c3d4"]},
        {"name": "vulkan", "accelerator": "vulkan", "devices": [0]},
        {"name": "all", "accelerator": "nvidia"},
    ]
    amd, vulkan, everything = servers(instances=instances)
    assert amd["image"] == image.DEFAULT_IMAGE + "-rocm"
    assert amd["environment"]["ROCR_VISIBLE_DEVICES"] == "1,GPU-a1b2c3d4"
    assert vulkan["image"] == image.DEFAULT_IMAGE
    assert vulkan["environment"]["GGML_VK_VISIBLE_DEVICES"] == "0"
    assert vulkan["environment"]["OLLAMA_VULKAN"] == "1"
    assert everything["environment"]["NVIDIA_VISIBLE_DEVICES"] == "all"


def test_one_server_keeps_the_models_for_all_unless_some_are_to_be_loaded_by_each() -> None:
    instances = [{"name": "a"}, {"name": "b"}]
    assert read(instances=instances, models=["tiny"])[0].model_services == ["ollama-a"]
    loaded = [{"name": "tiny", "keep_alive": -1}]
    assert read(instances=instances, models=loaded)[0].model_services == ["ollama-a", "ollama-b"]


PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY")


def test_the_health_check_goes_around_a_proxy() -> None:
    """Ollama's command is a Go program: it takes NO_PROXY, or no_proxy where that is empty, as a list of names."""
    instances = [{"name": "a"}, {"name": "b", "environment": {"no_proxy": "10.0.0.0/8, .lan"}}]
    for one in servers(environment={"HTTP_PROXY": "http://p:1"}, instances=instances):
        around = one["environment"]["NO_PROXY"].split(",")
        assert one["environment"]["OLLAMA_HOST"].partition(":")[0] in around
        assert set(one["aliases"]) < set(around)
        assert one["environment"]["no_proxy"] == one["environment"]["NO_PROXY"]
        assert one["environment"]["HTTP_PROXY"] == "http://p:1"
    assert around[:2] == ["10.0.0.0/8", ".lan"]


def test_no_proxy_comes_into_the_environment_that_nobody_asked_for() -> None:
    """Docker's client adds those of root's configuration that the description leaves out."""
    (one,) = servers(environment={"https_proxy": "http://p:1"})
    asked = {name: one["environment"][name] for upper in PROXIES for name in (upper, upper.lower())}
    assert asked == {**dict.fromkeys(asked, ""), "https_proxy": "http://p:1"}


@pytest.mark.parametrize("egress", ["any", "registry", "none"])
def test_each_choice_of_egress_is_taken(egress: str) -> None:
    assert problems(egress=egress) == []


@pytest.mark.parametrize(
    "host",
    [
        *("https://registry.ollama.ai", "registry.ollama.ai:443", "registry.ollama.ai/v2", "*.ollama.ai", "10.0.0.1"),
        *("Registry.ollama.ai", "registry ollama", "registry.ollama.ai;", "a..b", "-a.example", "a" * 64 + ".example"),
        *("", 7, "{{ host }}", 'a" b;', "registry.ollama.ai\n"),
    ],
    ids=repr,
)
def test_what_is_no_host_name_is_refused_by_its_place(host: object) -> None:
    (problem,) = problems(egress_hosts=["registry.ollama.ai", host])
    assert problem.startswith("ollama_server_egress_hosts[1]: it must be a host name")


def test_a_list_of_hosts_to_connect_to_is_needed() -> None:
    assert problems(egress_hosts=[]) == [
        "ollama_server_egress_hosts: it must be a list of host names, such as [registry.ollama.ai]"
    ]


def test_an_image_of_the_way_out_without_a_pinned_tag_is_refused() -> None:
    (problem,) = problems(egress_image="docker.io/openresty/openresty:latest")
    assert "ollama_server_egress_image" in problem


@pytest.mark.parametrize("egress", ["registry", "none"])
def test_a_published_port_needs_the_network_that_leads_out(egress: str) -> None:
    (problem,) = problems(egress=egress, publish="127.0.0.1:11434")
    assert problem.startswith("ollama_server_publish: it needs ollama_server_egress any")
    assert problems(egress="any", publish="127.0.0.1:11434") == []


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY"])
def test_a_proxy_contradicts_a_choice_of_egress(name: str) -> None:
    (problem,) = problems(egress="registry", environment={name: "http://user:password@proxy.example:3128"})
    assert name in problem
    assert "password" not in problem
    assert problems(environment={name: "http://proxy.example:3128"}) == []


def test_models_are_at_the_top_of_a_folder_of_the_users_and_below_that_of_a_volume() -> None:
    (volume,), (folder,) = servers(), servers(models_dir="/srv/ollama-models")
    assert volume["environment"]["OLLAMA_MODELS"] == "/home/ollama/.ollama/models"
    assert folder["environment"]["OLLAMA_MODELS"] == "/home/ollama/.ollama"


def test_a_folder_of_the_users_takes_the_place_of_the_volume_in_what_compose_reads() -> None:
    for text, mounts, volumes in (
        (describe([], []), ["ollama:/home/ollama/.ollama"], {"ollama": None}),
        (
            describe([], [], ollama_server_models_dir="/srv/my models"),
            [
                {
                    "type": "bind",
                    "source": "/srv/my models",
                    "target": "/home/ollama/.ollama",
                    "bind": {"create_host_path": False},
                }
            ],
            None,
        ),
    ):
        read = yaml.safe_load(text)
        assert (read["services"]["ollama"]["volumes"], read.get("volumes")) == (mounts, volumes)
