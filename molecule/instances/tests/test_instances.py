# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two servers on one host, each with one GPU, stand behind one gateway, and it is proven that they use their GPUs."""

from __future__ import annotations

import json
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.client import Gateway, playbook, told
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
HOST = SCENARIO.host("gate")
GATEWAY = Gateway(SCENARIO.url("gate"))
KEY = "a-key-of-alice-with-enough-characters"
INSTANCES = SCENARIO.variables("gate")["ollama_server_instances"]
ENVIRONMENT = SCENARIO.variables("gate")["ollama_server_environment"]
CONTAINERS = ["gatehouse-ollama-ollama-gpu0-1", "gatehouse-ollama-ollama-gpu1-1"]
IMAGE = "docker.io/ollama/ollama:0.32.15"
VOLUME = "/var/lib/docker/volumes/gatehouse-ollama_ollama/_data"


def deploy(folder: Path, *options: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Deploy the servers with some variables otherwise; the caller judges the exit code."""
    extra = folder / "variables.json"
    extra.write_text(json.dumps(variables))
    return playbook(SCENARIO.inventory, "deploy", "--tags=ollama_server", f"--extra-vars=@{extra}", *options)


@dataclass
class Otherwise:
    """What was seen when one server as root was to replace two, half on the GPU and then whole; and the way back."""

    half: subprocess.CompletedProcess[str]
    after_half: list[str]
    not_of_ollama_after_half: str
    loaded: str
    whole: subprocess.CompletedProcess[str]
    containers: list[str]
    not_of_root: str
    checked: str
    not_of_root_after_check: str


@pytest.fixture(scope="module")
def otherwise(tmp_path_factory: pytest.TempPathFactory) -> Otherwise:
    folder = tmp_path_factory.mktemp("otherwise")
    one_as_root = {"ollama_server_user_id": 0, "ollama_server_instances": INSTANCES[:1]}
    environment = {**ENVIRONMENT, "STANDIN_VRAM_SHARE": "0.5"}
    names = "docker ps --all --format '{{.Names}}' --filter name=gatehouse-ollama"
    of_others = f"find {VOLUME} ! -uid "
    try:
        return Otherwise(
            half=deploy(folder, **one_as_root, ollama_server_environment=environment),
            after_half=sorted(HOST.check_output(names).split()),
            not_of_ollama_after_half=HOST.check_output(of_others + "60881"),
            loaded=inside(CONTAINERS[0], "ollama ps"),
            whole=deploy(folder, **one_as_root),
            containers=HOST.check_output(names).split(),
            not_of_root=HOST.check_output(of_others + "0"),
            checked=told(deploy(folder, "--check", "--diff")),
            not_of_root_after_check=HOST.check_output(of_others + "0"),
        )
    finally:
        done = deploy(folder)
        assert done.returncode == 0, told(done)


def inside(container: str, command: str) -> str:
    return str(HOST.check_output("docker exec %s sh -c %s", container, command))


def generate() -> int:
    body = {"model": "tiny", "prompt": "hi", "stream": False}
    headers = {"Authorization": f"Bearer {KEY}"}
    return requests.post(f"{GATEWAY.url}/api/generate", json=body, headers=headers, timeout=30).status_code


def answered(container: str) -> int:
    """How many prompts a server answered so far."""
    return inside(container, "cat /tmp/requests").count('"/api/generate"')


def wait_for_health(container: str, wanted: str) -> None:
    deadline = time.monotonic() + 90
    while HOST.check_output("docker inspect -f '{{.State.Health.Status}}' %s", container) != wanted:
        assert time.monotonic() < deadline, f"{container} does not become {wanted}"
        time.sleep(1)


def test_each_container_has_its_own_gpu_and_no_other() -> None:
    for number, container in enumerate(CONTAINERS):
        assert re.findall(r"UUID: (\S+)\)", inside(container, "nvidia-smi -L")) == INSTANCES[number]["devices"]
        nodes = inside(container, "ls /dev | grep -E '^nvidia[0-9]'").split()
        assert nodes == [f"nvidia{number}"]


def test_the_device_nodes_are_those_of_the_container_and_not_of_the_toolkit_alone() -> None:
    for number, container in enumerate(CONTAINERS):
        listed = HOST.check_output(
            "docker inspect -f '{{range .HostConfig.Devices}}{{.PathOnHost}} {{end}}' %s", container
        )
        assert listed.split() == ["/dev/nvidiactl", "/dev/nvidia-uvm", f"/dev/nvidia{number}"]


def test_each_server_runs_without_rights_and_writes_its_models_alone() -> None:
    for container in CONTAINERS:
        assert inside(container, "id -u; id -g").split() == ["60881", "60881"]
        assert re.findall(r"Cap(?:Eff|Bnd):\s*(\d+)", inside(container, "cat /proc/1/status")) == ["0" * 16] * 2
        inside(container, "touch ~/.ollama/probe && rm ~/.ollama/probe && ! touch ~/probe /etc/probe 2>/dev/null")


def test_both_servers_answer_through_the_gateway_and_have_the_same_models() -> None:
    before = [answered(container) for container in CONTAINERS]
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _number: generate(), range(40))) == {200}
    assert [now - then > 5 for now, then in zip(map(answered, CONTAINERS), before, strict=True)] == [True, True]
    assert ["tiny:latest" in inside(container, "ollama list") for container in CONTAINERS] == [True, True]


def test_a_server_that_stops_is_left_out_within_seconds() -> None:
    """What was on its way to it may fail; nobody waits for it after that."""
    try:
        HOST.run_expect([0], f"docker stop --time 1 {CONTAINERS[1]}")
        time.sleep(3)
        start = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(lambda _number: generate(), range(20))) == {200}
        assert time.monotonic() - start < 5
    finally:
        HOST.run_expect([0], f"docker start {CONTAINERS[1]}")
        wait_for_health(CONTAINERS[1], "healthy")


def test_a_server_whose_model_is_not_on_the_gpu_fails_the_play_with_what_it_saw(otherwise: Otherwise) -> None:
    said = told(otherwise.half)
    assert otherwise.half.returncode == 2, said
    expected = ["ollama_server_require_gpu", "ollama-gpu0: of tiny:latest", "size_vram", "inference compute"]
    expected += ["GPU 0: NVIDIA L4", "/dev/nvidia0"]
    assert [word for word in expected if word not in said] == [], said
    assert otherwise.loaded.splitlines()[1:] == [], "what was loaded stayed"


def test_the_servers_that_used_their_gpus_serve_again_and_own_their_models(otherwise: Otherwise) -> None:
    assert "what ran before serves again" in told(otherwise.half)
    assert otherwise.after_half == CONTAINERS
    assert otherwise.not_of_ollama_after_half == ""


def test_an_instance_that_is_off_the_list_goes(otherwise: Otherwise) -> None:
    assert otherwise.whole.returncode == 0, told(otherwise.whole)
    assert otherwise.containers == CONTAINERS[:1]


def test_models_of_a_server_that_ran_as_root_are_handed_over(otherwise: Otherwise) -> None:
    assert otherwise.not_of_root == ""
    assert "-owner: 0:0 +owner: 60881:60881" in otherwise.checked
    assert otherwise.not_of_root_after_check == "", "check mode changed something"
    assert HOST.check_output(f"find {VOLUME} ! -uid 60881") == ""
    assert ["tiny:latest" in inside(container, "ollama list") for container in CONTAINERS] == [True, True]


def test_a_lost_gpu_makes_its_container_unhealthy_and_no_other() -> None:
    wait_for_health(CONTAINERS[1], "healthy")
    failure = "/run/fake-nvidia/" + HOST.check_output("docker inspect -f '{{.Id}}' %s", CONTAINERS[1]) + "/failure"
    HOST.run_expect([0], f"touch {failure}")
    try:
        wait_for_health(CONTAINERS[1], "unhealthy")
        log = HOST.check_output("docker inspect -f '{{json .State.Health.Log}}' %s", CONTAINERS[1])
        assert "Failed to initialize NVML: Unknown Error" in log
        wait_for_health(CONTAINERS[0], "healthy")
    finally:
        HOST.run_expect([0], f"rm {failure}")
    wait_for_health(CONTAINERS[1], "healthy")


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    said = told(done)
    assert done.returncode == 2, said
    assert [word for word in words if word not in said] == [], said
    assert set(re.findall(r"changed=(\d+)", said.split("PLAY RECAP")[1])) == {"0"}, said


def test_a_gpu_that_the_host_does_not_have_is_refused_by_name(tmp_path: Path) -> None:
    instances = [{"name": "gpu0", "devices": ["GPU-ffffffff-0000-4000-8000-000000000000"]}]
    done = deploy(tmp_path, ollama_server_instances=instances)
    refused(
        done, "ollama_server_instances[0] (gpu0).devices: GPU-ffffffff-0000", "no such GPU", INSTANCES[1]["devices"][0]
    )


def test_an_image_whose_tag_does_not_tell_is_asked_for_its_version(tmp_path: Path) -> None:
    HOST.run_expect([0], f"docker tag {IMAGE} docker.io/ollama/ollama:ours")
    variables = {"ollama_server_image": "docker.io/ollama/ollama:ours", "ollama_server_minimum_version": "1.0.0"}
    refused(
        deploy(tmp_path, **variables), "ollama_server_image", "Ollama 0.32.15", "ollama_server_minimum_version 1.0.0"
    )
