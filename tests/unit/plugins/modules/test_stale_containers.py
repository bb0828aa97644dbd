# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which containers can never start again, for somebody removed their network."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.modules import stale_containers as module

OLD, NEW, OTHER = "a1", "b2", "c3"


def container(name: str, running: bool, *networks: str) -> dict[str, Any]:
    known = {f"net{number}": {"NetworkID": one} for number, one in enumerate(networks)}
    return {"Name": "/" + name, "State": {"Running": running}, "NetworkSettings": {"Networks": known}}


class Host:
    """Stands for the AnsibleModule on a host with these containers, and the networks NEW and OTHER."""

    def __init__(self, *containers: dict[str, Any], fails: bool = False) -> None:
        self.containers = containers
        self.fails = fails
        self.params = {"project": "gatehouse-ollama"}

    def run_command(self, args: list[str]) -> tuple[int, str, str]:
        if self.fails:
            return 1, "", "Cannot connect to the Docker daemon"
        answers = {
            "ps": "\n".join(one["Name"] for one in self.containers),
            "network": f"{NEW}\n{OTHER}\n",
            "inspect": json.dumps(self.containers),
        }
        return 0, answers[args[1]], ""


@pytest.mark.parametrize(
    ("containers", "stale"),
    [
        ([container("whole", False, NEW, OTHER)], []),
        ([container("lost-one", False, NEW, OLD), container("whole", False, NEW)], ["lost-one"]),
        ([container("runs", True, OLD)], []),
        ([container("never-ran", False, "", NEW)], []),
        ([], []),
    ],
    ids=["all networks are there", "one of its networks is gone", "it runs", "it never ran", "there is none"],
)
def test_only_what_is_stopped_and_lost_a_network_is_removed(containers: list[dict[str, Any]], stale: list[str]) -> None:
    assert module.stale(Host(*containers)) == stale


def test_a_docker_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(module.DockerError, match="docker ps"):
        module.stale(Host(fails=True))
