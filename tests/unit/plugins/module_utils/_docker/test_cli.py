# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker, DockerError


class Host:
    """Stands for the AnsibleModule on a host whose docker answers as told; without an answer there is no Docker."""

    def __init__(self, *answers: tuple[int, str, str]) -> None:
        self.answers = list(answers)
        self.asked: list[list[str]] = []

    def get_bin_path(self, name: str) -> str | None:
        return f"/usr/bin/{name}" if self.answers else None

    def run_command(self, args: list[str]) -> tuple[int, str, str]:
        self.asked.append(args)
        return self.answers.pop(0)


def test_a_host_without_docker_says_so() -> None:
    docker = Docker(Host())
    assert not docker.is_installed
    with pytest.raises(DockerError, match="`docker ps` fails: Docker is not installed"):
        docker.read("ps")


def test_what_fails_is_named_by_its_first_words_and_by_what_docker_said() -> None:
    with pytest.raises(DockerError, match=r"^`docker network create` fails: no room$"):
        Docker(Host((1, "", "no room\n"))).read("network", "create", "--label=secret", "ollama")
    with pytest.raises(DockerError, match="it ends with 3"):
        Docker(Host((3, "", ""))).read("ps")


@pytest.mark.parametrize("said", ["Error: No such container: b", "Error response from daemon: network b not found"])
def test_one_that_is_gone_meanwhile_is_left_out(said: str) -> None:
    assert Docker(Host((1, '[{"Id": "a"}]\n', said))).inspect("container", "a", "b") == [{"Id": "a"}]
    assert Docker(Host((1, "[]\n", said))).inspect("container", "b") == []


@pytest.mark.parametrize(
    "said",
    [
        "Cannot connect to the Docker daemon",
        "failed to connect to the docker API at unix:///run/docker.sock: connect: no such file or directory",
        "error during connect: dial tcp: lookup nothere.invalid: no such host",
        "context not found: open /root/.docker/contexts/meta/x/meta.json: no such file or directory",
    ],
)
def test_an_engine_that_does_not_answer_is_not_taken_for_one_that_has_nothing(said: str) -> None:
    with pytest.raises(DockerError, match="`docker volume inspect` fails"):
        Docker(Host((1, "[]\n", said))).inspect("volume", "models")


def test_without_a_container_of_the_project_nothing_is_inspected() -> None:
    host = Host((0, "\n", ""))
    assert Docker(host).containers("gatehouse-ollama", "--all") == []
    label = "label=com.docker.compose.project=gatehouse-ollama"
    assert host.asked == [["/usr/bin/docker", "ps", "--quiet", "--no-trunc", "--filter", label, "--all"]]


def test_a_throw_away_container_may_do_nothing_that_is_not_asked_for() -> None:
    host = Host((0, "one\n", ""))
    assert Docker(host).throw_away("image:1", "sh", "-c", "id", options=["--user=0:0"]).stdout == "one"
    command = host.asked[0]
    assert command[-5:] == ["--entrypoint=sh", "--user=0:0", "image:1", "-c", "id"]
    limits = {"--rm", "--pull=never", "--network=none", "--read-only", "--cap-drop=ALL"}
    assert limits | {"--security-opt=no-new-privileges"} <= set(command)
