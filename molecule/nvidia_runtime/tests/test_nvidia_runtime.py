# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers use the GPUs, and in whichever order Docker and the toolkit come, the options of both are there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

from tests.client import playbook, told
from tests.lab import images
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
DOCKER_FIRST = SCENARIO.host("docker_first")
TOOLKIT_FIRST = SCENARIO.host("toolkit_first")
both = pytest.mark.parametrize("host", [DOCKER_FIRST, TOOLKIT_FIRST], ids=["docker_first", "toolkit_first"])

DAEMON_JSON = "/etc/docker/daemon.json"
CDI = "/etc/cdi/nvidia.yaml"
GPUS = "/etc/fake-nvidia/gpus.csv"
SOURCE = "/etc/apt/sources.list.d/nvidia-container-toolkit.sources"
IMAGE = images.official_name("nginx")
UUID = "GPU-6a7e0000-0000-4000-8000-00000000000"
RUNTIME = {"nvidia": {"path": "nvidia-container-runtime", "args": []}}


def converge(host: str, *options: str, **variables: Any) -> tuple[int, str]:
    """Run the role on one host with these variables besides its own; return the exit code and what was said."""
    arguments = ["--limit", host, "--tags", "nvidia_runtime", "--extra-vars", json.dumps(variables), *options]
    done = playbook(SCENARIO.inventory, "../molecule/nvidia_runtime/converge", *arguments)
    return done.returncode, told(done)


def expect(host: str, change: bool, **variables: Any) -> None:
    """Run the role and expect it to do well, and to change something or nothing."""
    code, said = converge(host, **variables)
    assert code == 0, said
    assert ("changed=0" not in said) == change, said


def refuse(host: str, words: list[str], **variables: Any) -> None:
    """Expect an error that has these words, before anything is changed."""
    code, said = converge(host, **variables)
    assert code == 2, said
    assert [word for word in words if word not in said] == [], said
    assert "changed=0" in said


def options(host: Host) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(host.file(DAEMON_JSON).content)
    return found


def started(host: Host) -> str:
    return host.check_output("systemctl show docker --property ActiveEnterTimestampMonotonic")


def toolkit_version(host: Host) -> str:
    return host.check_output("nvidia-ctk --version").split()[-1]


def in_container(host: Host, *how: str, command: str = "nvidia-smi -L") -> str:
    """What a container that is started like this says."""
    return host.check_output(f"docker run --rm {' '.join(how)} --entrypoint sh {IMAGE} -c '{command}'")


@both
def test_the_options_of_both_roles_are_in_one_file(host: Host) -> None:
    found = options(host)
    assert found["registry-mirrors"] == ["http://10.213.0.2:5000"]
    assert found["runtimes"] == RUNTIME


@both
def test_nvidias_own_tool_would_change_nothing(host: Host) -> None:
    extra = "--cdi.enabled" if host is DOCKER_FIRST else "--nvidia-set-as-default"
    wanted = host.check_output(f"nvidia-ctk runtime configure --runtime=docker --dry-run {extra} 2> /dev/null")
    assert json.loads(wanted) == options(host)


@both
def test_the_running_docker_offers_the_runtime(host: Host) -> None:
    assert "nvidia" in json.loads(host.check_output("docker info --format '{{json .Runtimes}}'"))


def test_the_default_runtime_is_nvidias_only_where_asked_for() -> None:
    asked = "docker info --format '{{.DefaultRuntime}}'"
    assert (DOCKER_FIRST.check_output(asked), TOOLKIT_FIRST.check_output(asked)) == ("runc", "nvidia")


@both
def test_a_container_starts_with_the_runtime(host: Host) -> None:
    assert in_container(host, "--runtime=nvidia", command="echo started") == "started"
    assert UUID + "0" in in_container(host, "--runtime=nvidia", "--env=NVIDIA_VISIBLE_DEVICES=all")


@both
def test_a_container_that_asks_for_all_gpus_sees_all(host: Host) -> None:
    gpus = 2 if host is DOCKER_FIRST else 1
    assert in_container(host, "--gpus=all").count("GPU ") == gpus


def test_a_container_that_asks_for_one_gpu_by_its_uuid_sees_that_one() -> None:
    said = in_container(DOCKER_FIRST, f"--gpus=device={UUID}1")
    assert UUID + "1" in said
    assert UUID + "0" not in said


def test_a_container_is_given_a_gpu_by_the_container_device_interface() -> None:
    said = in_container(DOCKER_FIRST, "--device=nvidia.com/gpu=1")
    assert UUID + "1" in said
    assert UUID + "0" not in said


@both
def test_a_container_that_asks_for_no_gpu_sees_none(host: Host) -> None:
    assert in_container(host, command="ls /dev | grep -c nvidia || true") == "0"


def test_the_toolkit_has_the_wanted_version_or_the_newest() -> None:
    assert (toolkit_version(DOCKER_FIRST), toolkit_version(TOOLKIT_FIRST)) == ("1.17.8", "1.18.1")


def test_another_wanted_version_is_installed_in_both_directions() -> None:
    before = started(DOCKER_FIRST)
    for version in ("1.18.1", "1.17.8"):
        expect("docker_first", change=True, nvidia_runtime_version=version)
        assert toolkit_version(DOCKER_FIRST) == version
        package = DOCKER_FIRST.package("libnvidia-container1")
        assert package.version == f"{version}-1"
    assert started(DOCKER_FIRST) == before


def test_without_a_wanted_version_the_installed_one_stays() -> None:
    expect("docker_first", change=False, nvidia_runtime_version="")
    assert toolkit_version(DOCKER_FIRST) == "1.17.8"


class TestOrder:
    """Whoever writes daemon.json first, the others find their place in it."""

    @pytest.fixture(autouse=True)
    def _as_before(self) -> Iterator[None]:
        TOOLKIT_FIRST.check_output(f"cp -p {DAEMON_JSON} {DAEMON_JSON}.whole")
        yield
        TOOLKIT_FIRST.check_output(f"mv {DAEMON_JSON}.whole {DAEMON_JSON}")
        # systemd refuses the fourth start within a minute.
        TOOLKIT_FIRST.check_output("systemctl reset-failed docker && systemctl restart docker")

    def run(self, **variables: Any) -> dict[str, Any]:
        done = playbook(
            SCENARIO.inventory,
            "../molecule/nvidia_runtime/converge",
            "--limit=toolkit_first",
            "--extra-vars",
            json.dumps(variables),
        )
        assert done.returncode == 0, told(done)
        assert TOOLKIT_FIRST.service("docker").is_running
        return options(TOOLKIT_FIRST)

    def test_new_options_of_the_engine_leave_the_runtime_alone(self) -> None:
        found = self.run(docker_engine_daemon_options={"log-opts": {"max-size": "10m"}, "features": {"buildkit": True}})
        assert found["runtimes"] == RUNTIME
        assert found["log-opts"] == {"max-size": "10m"}
        assert found["registry-mirrors"] == ["http://10.213.0.2:5000"]

    def test_what_nvidias_own_tool_wrote_is_taken_over(self) -> None:
        TOOLKIT_FIRST.check_output(f"rm {DAEMON_JSON}")
        TOOLKIT_FIRST.check_output("nvidia-ctk runtime configure --runtime=docker --cdi.enabled")
        found = self.run()
        assert found["runtimes"] == RUNTIME
        assert found["features"] == {"cdi": True}
        assert found["default-runtime"] == "nvidia"
        assert found["registry-mirrors"] == ["http://10.213.0.2:5000"]


def test_the_description_of_the_gpus_is_made_anew_when_the_driver_changed_and_only_then() -> None:
    before, daemon = DOCKER_FIRST.file(CDI).content, started(DOCKER_FIRST)
    DOCKER_FIRST.check_output(f"sed -i.whole s/550.54.14/570.133.20/ {GPUS}")
    try:
        expect("docker_first", change=True)
        assert b"570.133.20" in DOCKER_FIRST.file(CDI).content
        expect("docker_first", change=False)
    finally:
        DOCKER_FIRST.check_output(f"mv {GPUS}.whole {GPUS}")
    expect("docker_first", change=True)
    assert DOCKER_FIRST.file(CDI).content == before
    assert started(DOCKER_FIRST) == daemon


class TestDriver:
    """A driver that will not do is refused, before anything is changed, with what was seen."""

    @pytest.fixture
    def failing(self) -> Iterator[None]:
        DOCKER_FIRST.check_output("touch /etc/fake-nvidia/failure")
        yield
        DOCKER_FIRST.check_output("rm /etc/fake-nvidia/failure")

    @pytest.fixture
    def missing(self) -> Iterator[None]:
        DOCKER_FIRST.check_output("mv /usr/bin/nvidia-smi /usr/bin/nvidia-smi.away")
        yield
        DOCKER_FIRST.check_output("mv /usr/bin/nvidia-smi.away /usr/bin/nvidia-smi")

    @pytest.mark.usefixtures("missing")
    def test_a_host_without_driver_is_refused(self) -> None:
        refuse("docker_first", ["no NVIDIA driver", "550", "owner of the host"], nvidia_runtime_version="1.18.1")

    @pytest.mark.usefixtures("failing")
    def test_a_driver_that_fails_is_refused_with_what_it_said(self) -> None:
        refuse("docker_first", ["Failed to initialize NVML: Unknown Error"], nvidia_runtime_version="1.18.1")

    def test_an_old_driver_is_refused_by_its_version(self) -> None:
        refuse(
            "docker_first",
            ["nvidia_runtime_minimum_driver", "550.54.14", "570"],
            nvidia_runtime_minimum_driver="570",
            nvidia_runtime_version="1.18.1",
        )

    def test_deploying_with_gpus_looks_at_the_driver_before_anything_else(self) -> None:
        variables = {
            "ollama_server_instances": [{"name": "gpu0", "accelerator": "nvidia"}],
            "docker_engine_daemon_options": {"debug": True},
            "nvidia_runtime_minimum_driver": "570",
        }
        done = playbook(SCENARIO.inventory, "deploy", "--extra-vars", json.dumps(variables))
        assert done.returncode == 2, told(done)
        assert "nvidia_runtime_minimum_driver" in told(done)
        assert "changed=0" in told(done)


class TestRepository:
    """What is no repository, or not signed by its key, is refused."""

    @pytest.fixture
    def repaired(self) -> Iterator[None]:
        yield
        code, said = converge("docker_first")
        assert code == 0, said

    def test_an_address_without_a_repository_is_refused_by_name(self) -> None:
        before = DOCKER_FIRST.file(SOURCE).content
        refuse(
            "docker_first", ["nvidia_runtime_repository_url"], nvidia_runtime_repository_url="http://10.213.0.3/none"
        )
        assert DOCKER_FIRST.file(SOURCE).content == before

    def test_a_key_that_comes_with_packages_over_plain_http_is_refused(self) -> None:
        refuse("docker_first", ["nvidia_runtime_repository_key", "begins with https"], nvidia_runtime_repository_key="")

    @pytest.mark.usefixtures("repaired")
    def test_a_repository_that_its_key_did_not_sign_is_not_trusted(self) -> None:
        code, said = converge(
            "docker_first",
            nvidia_runtime_repository_url="http://10.213.0.3/libnvidia-container-foreign",
            nvidia_runtime_version="1.18.1",
        )
        assert code == 2, said
        assert "nvidia_runtime_repository_url" in said
        assert toolkit_version(DOCKER_FIRST) == "1.17.8"

    def test_a_version_that_does_not_exist_is_refused_by_name(self) -> None:
        refuse("docker_first", ["nvidia_runtime_version", "9.9.9"], nvidia_runtime_version="9.9.9")
        assert toolkit_version(DOCKER_FIRST) == "1.17.8"


def test_a_toolkit_of_the_host_is_left_alone() -> None:
    before = started(DOCKER_FIRST), DOCKER_FIRST.file(DAEMON_JSON).content
    expect("docker_first", change=False, nvidia_runtime_source="host", nvidia_runtime_default=True)
    assert (started(DOCKER_FIRST), DOCKER_FIRST.file(DAEMON_JSON).content) == before


def test_a_mistyped_variable_is_refused_with_the_right_one() -> None:
    refuse("docker_first", ["is nvidia_runtime_repository_url meant"], nvidia_runtime_repo_url="http://x")


def test_what_is_no_version_is_refused() -> None:
    refuse("docker_first", ["nvidia_runtime_version", "such as 1.18.1"], nvidia_runtime_version="latest")
