# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which containers can never start again, and which are cut off, for somebody removed or disconnected their network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker import stale
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker, DockerError

OLD, NEW, OTHER = "a1", "b2", "c3"
# Two networks; in the first the service has a name that it shares.
COMPOSE = {
    "services": {
        "server": {"networks": {"clients": {"aliases": ["ollama"]}, "default": None}},
        "hermit": {"network_mode": "none"},
    },
    "networks": {"clients": {"name": "net0", "external": True}, "default": {"name": "net1"}},
}


def container(
    name: str, running: bool, *networks: str, aliases: Any = ("ollama",), service: str = "server", **labels: str
) -> Any:
    known = {f"net{number}": {"NetworkID": one, "Aliases": aliases} for number, one in enumerate(networks)}
    return {
        "Name": "/" + name,
        "Config": {"Labels": {"com.docker.compose.service": service, **labels}},
        "State": {"Running": running},
        "NetworkSettings": {"Networks": known},
    }


class Host:
    """Stands for the AnsibleModule on a host with these containers, and the networks NEW and OTHER."""

    def __init__(self, *containers: dict[str, Any], fails: bool = False, check_mode: bool = False) -> None:
        self.containers = containers
        self.fails = fails
        self.check_mode = check_mode
        self.changes: list[list[str]] = []

    def get_bin_path(self, name: str) -> str:
        return name

    def run_command(self, args: list[str]) -> tuple[int, str, str]:
        if self.fails:
            return 1, "", "Cannot connect to the Docker daemon"
        if args[1] in ("stop", "rm"):
            self.changes.append(args[1:])
        answers = {
            "ps": "\n".join(one["Name"] for one in self.containers),
            "network": f"{NEW}\n{OTHER}\n",
            "container": json.dumps(self.containers),
            "compose": json.dumps(COMPOSE),
        }
        return 0, answers.get(args[1], ""), ""


Look = Callable[[Host], tuple[list[str], list[str]]]


@pytest.fixture
def find(tmp_path: Path) -> Look:
    (tmp_path / "compose.yaml").touch()
    return lambda host: stale.find(Docker(host), "gatehouse-ollama", str(tmp_path))


@pytest.mark.parametrize(
    ("containers", "dead"),
    [
        ([container("whole", False, NEW, OTHER)], []),
        ([container("lost-one", False, NEW, OLD), container("whole", False, NEW, OTHER)], ["lost-one"]),
        ([container("runs", True, OLD, NEW)], []),
        ([container("never-ran", False, "", NEW)], []),
        ([], []),
    ],
    ids=["all networks are there", "one of its networks is gone", "it runs", "it never ran", "there is none"],
)
def test_what_is_stopped_and_lost_a_network_cannot_start(
    find: Look, containers: list[dict[str, Any]], dead: list[str]
) -> None:
    assert find(Host(*containers)) == (dead, [])


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize(
    ("containers", "cut_off"),
    [
        ([container("whole", True, NEW, OTHER)], []),
        ([container("cut", True, NEW), container("whole", True, NEW, OTHER)], ["cut"]),
        ([container("alone", True)], ["alone"]),
        ([container("nameless", True, NEW, OTHER, aliases=None)], ["nameless"]),
        ([container("orphan", True, service="gone"), container("hermit", True, service="hermit")], []),
        ([container("by-hand", True, **{"com.docker.compose.oneoff": "True"})], []),
    ],
    ids=[
        *("it is in all", "it is not in one", "it is in none", "connected again by hand", "no service with networks"),
        "of docker compose run",
    ],
)
def test_what_is_not_in_a_network_of_its_service_by_its_names_is_cut_off(
    find: Look, containers: list[dict[str, Any]], cut_off: list[str], running: bool
) -> None:
    containers = [{**one, "State": {"Running": running}} for one in containers]
    assert find(Host(*containers)) == ([], cut_off)


def test_a_docker_that_does_not_answer_is_an_error(find: Look) -> None:
    with pytest.raises(DockerError, match="docker ps"):
        find(Host(fails=True))


@pytest.mark.parametrize("check", [False, True])
def test_what_runs_is_stopped_first_and_check_mode_only_names_what_goes(tmp_path: Path, check: bool) -> None:
    (tmp_path / "compose.yaml").touch()
    host = Host(container("dead", False, NEW, OLD), container("cut", True, NEW), check_mode=check)
    assert stale.remove(Docker(host), "gatehouse-ollama", str(tmp_path)) == (["dead", "cut"], [])
    assert host.changes == ([] if check else [["stop", "cut"], ["rm", "dead", "cut"]])


def test_what_is_cut_off_and_may_be_at_work_can_be_kept_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").touch()
    host = Host(container("dead", False, NEW, OLD), container("cut", True, NEW))
    assert stale.remove(Docker(host), "gatehouse-ollama", str(tmp_path), keeps=True) == (["dead"], ["cut"])
    assert host.changes == [["rm", "dead"]]
