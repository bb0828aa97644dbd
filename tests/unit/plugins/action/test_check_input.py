# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""check_input with the specifications and defaults of the real roles."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.template import Templar
from ansible.utils.display import Display
from ansible_collections.gatehouse.ollama.plugins.action import check_input as plugin

from tests.collection import ROOT
from tests.unit.conftest import Playbook, check_input

SECRET = "http://me:a-secret-password@proxy.example.com:3128"
STRONG = "pXk29vQzLr4TnB8sWm1Yc"
KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n"
EMPTY_PLAN: dict[str, Any] = {
    "instances": [],
    "accelerators": [],
    "images": [],
    "unversioned": [],
    "model_services": [],
}


class Checker:
    """Runs the action in this process, on the controller's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loader = DataLoader()
        self.loader.set_basedir(str(folder))

    def __call__(self, role: str, **changes: Any) -> dict[str, Any]:
        path = ROOT / "roles" / role
        known = self.loader.load_from_file(str(path / "defaults/main.yml"), trusted_as_template=True)
        known |= {f"{role}_{name}": value for name, value in changes.items()}
        known |= {"inventory_dir": str(self.folder), "groups": {}, "role_path": str(path)}
        # By these, a node of what gateways share is reached.
        host = {"inventory_hostname": "gate1", "ansible_host": "192.0.2.21"}
        known |= {**host, "hostvars": {"gate1": host}}
        return self.run(role, known)

    def run(self, role: str, variables: dict[str, Any]) -> dict[str, Any]:
        task = Task.load({"gatehouse.ollama.check_input": {"role": role}})
        templar = Templar(loader=self.loader, variables=variables)
        action = plugin.ActionModule(task, MagicMock(), MagicMock(), self.loader, templar, None)
        result: dict[str, Any] = action.run(task_vars=variables)
        return result

    def told(self, role: str, **changes: Any) -> list[str]:
        """The lines of the message, none if nothing is wrong."""
        return [line for line in str(self(role, **changes).get("msg", "")).splitlines() if line]


@pytest.fixture
def check(tmp_path: Path) -> Checker:
    return Checker(tmp_path)


@pytest.mark.parametrize("role", plugin.RULES)
def test_the_defaults_of_each_role_are_right(check: Checker, role: str) -> None:
    assert check.told(role) == []


def test_a_play_without_the_role_is_told_so(check: Checker) -> None:
    with pytest.raises(AnsibleActionFail, match="only as a task of a role"):
        check.run("docker_engine", {})


def test_all_that_is_wrong_is_told_at_once_in_the_order_of_the_specification(check: Checker) -> None:
    said = check.told(
        "ollama_server",
        imgae="x",
        accelerator="tpu",
        environment={"OLLAMA_HOST": SECRET},
        num_parallel="many",
        cpu_limit="x",
        dir="/opt",
        require_gpu=True,
    )
    assert [line.split(": ")[0] for line in said] == [
        "ollama_server_imgae",
        "ollama_server_dir",
        "ollama_server_accelerator",
        "ollama_server_environment",
        "ollama_server_num_parallel",
        "ollama_server_cpu_limit",
    ]
    assert said[2] == "ollama_server_accelerator: it must be cpu, nvidia, amd or vulkan"
    assert "a-secret-password" not in str(said)


@pytest.mark.parametrize("role", ["ollama_server", "ollama_gateway"])
@pytest.mark.parametrize("size", ["1.5g", "512m", "512M", "1gb", "1GiB", "536870912", 536870912, "0.5g", ""])
def test_each_role_takes_a_size_of_memory_that_docker_takes(check: Checker, role: str, size: Any) -> None:
    assert check.told(role, memory_limit=size) == []


@pytest.mark.parametrize("role", ["ollama_server", "ollama_gateway"])
@pytest.mark.parametrize("size", ["lots", "1.5x", "5m", "0", "-1g", "1bb", "1.5.5g", "512m\n"])
def test_each_role_refuses_what_docker_takes_for_no_memory(check: Checker, role: str, size: str) -> None:
    assert check.told(role, memory_limit=size) == [
        f"{role}_memory_limit: it must be a size of 6m or more, such as 512m or 1.5g, or empty for no limit"
    ]


def test_a_value_of_a_vault_or_template_that_is_not_there_is_told_by_its_variable(check: Checker) -> None:
    loader = check.loader
    path = check.folder / "vars.yml"
    path.write_text('clients: [{name: alice, password: "{{ vault_alice }}"}]\n')
    clients = loader.load_from_file(str(path), trusted_as_template=True)["clients"]
    (line,) = check.told("ollama_gateway", clients=clients)
    assert line.startswith("ollama_gateway_clients: its value cannot be made: ")
    assert "'vault_alice' is undefined" in line


def test_the_key_of_a_repository_may_be_a_file_and_is_returned_as_text(check: Checker) -> None:
    (check.folder / "files").mkdir()
    (check.folder / "files" / "docker.asc").write_text(KEY)
    for given in (KEY, "docker.asc", str(check.folder / "files" / "docker.asc")):
        assert check("docker_engine", repository_key=given)["repository_key"] == KEY
    assert check("nvidia_runtime")["repository_key"] == ""
    (check.folder / "other").write_text("no key")
    for given in ("missing.asc", str(check.folder / "other")):
        (line,) = check.told("nvidia_runtime", repository_key=given)
        assert line.startswith("nvidia_runtime_repository_key: it must be a public key in ASCII armour, or the path")


def test_the_servers_are_returned_and_the_environment_is_shown_nowhere(playbook: Playbook) -> None:
    task = check_input("ollama_server", environment="{{ environment_of_server }}")
    run = playbook.run([task], "-vvv", environment_of_server={"HTTPS_PROXY": SECRET, "OLLAMA_KEEP_ALIV": "1m"})
    (result,) = run.only
    assert result["changed"] is False
    assert result["instances"][0]["environment"]["HTTPS_PROXY"] == SECRET
    assert result["accelerators"] == [
        {"service": "ollama", "accelerator": "cpu", "devices": [], "place": "ollama_server_devices"}
    ]
    assert result["images"] == [task["vars"]["ollama_server_image"]]
    assert "a-secret-password" not in run.output
    assert "is OLLAMA_KEEP_ALIVE meant?" in " ".join(run.output.split())


def test_what_is_removed_need_not_be_right_but_where_it_is(check: Checker) -> None:
    server = check("ollama_server", state="absent", image="x", memory_limit="x")
    assert {name: server[name] for name in EMPTY_PLAN} == EMPTY_PLAN
    assert check.told("ollama_gateway", state="absent", auth="basic", clients=["x"], bind="eth0", user_id=1) == []
    assert check.told("ollama_gateway", state="absent", port="abc", tls="nonsense", clients="[[[" + "[" * 5000) == []
    for role in ("ollama_server", "ollama_gateway"):
        said = check.told(role, state="absent", dir="/", network="a b")
        assert {line.split(": ")[0] for line in said} == {f"{role}_dir", f"{role}_network"}


@pytest.mark.parametrize(
    "password", ["zz{%k29vQzLr4TnB8sWm1Yc", "k29vQzLr4TnB8sWm1Yc{{", "a{{ 1/0 }}k29vQzLr4TnB8sWm1Yc"]
)
def test_a_password_that_looks_like_a_template_is_told_and_not_quoted(check: Checker, password: str) -> None:
    path = check.folder / "vars.yml"
    path.write_text(json.dumps({"clients": [{"name": "alice", "password": password}]}))
    clients = check.loader.load_from_file(str(path), trusted_as_template=True)["clients"]
    (line,) = check.told("ollama_gateway", auth="basic", clients=clients)
    assert line.startswith("ollama_gateway_clients: its value cannot be made: it has {{, {% or {# and is no template")
    assert "k29" not in line


def test_a_password_in_an_upstream_is_not_quoted(check: Checker) -> None:
    (line,) = check.told("ollama_gateway", upstreams=["http://admin:hunter2@10.0.0.5:11434"])
    assert "***@10.0.0.5:11434" in line
    assert "hunter2" not in line


@pytest.mark.parametrize("value", [{"tokens_per_day": 7}, '{"tokens_per_day": "7"}', "{'tokens_per_day': 7}"])
def test_limits_are_read_from_each_spelling_and_their_names_returned(check: Checker, value: Any) -> None:
    clients = '[{"name": "alice", "keys": [{"id": "k"}], "limits": {"keep_alive": "0", "tokens_per_day": null}}]'
    assert check("ollama_gateway", default_limits=value)["limits"] == ["tokens_per_day"]
    assert check("ollama_gateway", default_limits=value, clients=clients)["limits"] == ["keep_alive", "tokens_per_day"]


@pytest.mark.parametrize("value", ["planted", "[60]", '{"planted', ["planted"], 60])
def test_limits_that_are_no_dictionary_are_told_and_not_quoted(check: Checker, value: Any) -> None:
    (line,) = check.told("ollama_gateway", default_limits=value)
    assert line.startswith('ollama_gateway_default_limits: it must be a dictionary, such as {"a": "b"}')
    assert "planted" not in line


def test_limits_of_models_that_a_client_may_not_use_are_a_warning(
    check: Checker, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(Display, "warning", lambda _, text: said.append(text))
    limits = {"models": {"llama3*": {"tokens_per_day": 1}}}
    client = {"name": "alice", "keys": [{"id": "k"}], "models": ["tiny"], "limits": limits}
    assert check.told("ollama_gateway", clients=[client]) == []
    (warning,) = said
    assert warning.startswith(
        "ollama_gateway_clients[0] (alice): limits: llama3* means none of the client's models (tiny)"
    )


@pytest.mark.parametrize("value", ["true", '"yes"', "'On'", "1"])
def test_that_a_key_may_stand_in_the_path_is_read_from_each_spelling(check: Checker, value: str) -> None:
    clients = "[{name: alice, keys: [{id: cli, in_path: " + value + "}]}]"
    (line,) = check.told("ollama_gateway", clients=clients)
    assert line.startswith("ollama_gateway_clients[0].keys[0] (alice.cli): in_path needs HTTPS")
    assert check.told("ollama_gateway", clients=clients, tls="self_signed") == []


@pytest.mark.parametrize("path", ["secrets", "~nobody-of-that-name/secrets"])
def test_a_folder_of_secrets_that_is_no_absolute_path_is_told_with_the_rest(check: Checker, path: str) -> None:
    said = check.told("ollama_gateway", secrets_dir=path, ca_dir=path, tls="self_signed", port=0)
    assert [line.split(": ")[0] for line in said] == [
        "ollama_gateway_secrets_dir",
        "ollama_gateway_port",
        "ollama_gateway_ca_dir",
    ]
    assert "must be an absolute path" in said[0]


def test_ten_thousand_keys_take_seconds(check: Checker) -> None:
    keys = [{"id": f"k{number}", "secret": f"{STRONG}{number:05d}"} for number in range(10_000)]
    began = time.process_time()
    assert check.told("ollama_gateway", clients=[{"name": "alice", "keys": keys}]) == []
    assert time.process_time() - began < 5
