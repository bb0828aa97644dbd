# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network between servers and gateway is internal, and goes only where nobody else made or needs it.

And one task may see to the network, a volume and containers that lost a network, and shows what changes of each.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible_collections.gatehouse.ollama.plugins.modules import compose_project as module

from tests.unit.plugins.modules.ended import answer

LABEL = "gatehouse.ollama.network"
# One that belongs to a network that is gone.
STOPPED = {
    "Name": "/ours-1",
    "Config": {"Labels": {}},
    "State": {"Running": False},
    "NetworkSettings": {"Networks": {"gone": {"NetworkID": "0a"}}},
}
HEADERS = {"before_header": "ollama", "after_header": "ollama"}


class Engine:
    """A Docker with networks, by name whether they are internal and have our label, and containers in them."""

    def __init__(self) -> None:
        self.networks: dict[str, tuple[bool, bool]] = {"bridge": (False, False), "ollama2": (False, True)}
        self.containers: list[tuple[str, str, str]] = []
        self.created: list[str] = []
        self.removed: list[str] = []
        self.fails = ""

    def answer(self, command: list[str]) -> tuple[int, str, str]:
        _program, *words = command
        if self.fails and " ".join(words).startswith(self.fails):
            return 1, "", "it is broken"
        filters = dict(word.split("=", 2)[1:] for word in words if word.startswith("--filter="))
        lines: list[str] = []
        if words == ["network", "ls", "--no-trunc", "--quiet"]:
            lines = ["another"]
        elif words[:2] == ["network", "ls"]:
            assert words[-1] == "--format={{.Name}} {{.Internal}}"
            for name, (internal, ours) in self.networks.items():
                if re.search(filters["name"], name) and (ours or filters.get("label") != LABEL):
                    lines.append(f"{name} {str(internal).lower()}")
        elif words[:2] == ["ps", "--all"]:
            assert words[-1] == '--format={{.Names}} {{.Label "com.docker.compose.project"}}'
            lines = [f"{name} {project}" for name, network, project in self.containers if network == filters["network"]]
        elif words[:2] == ["ps", "--quiet"]:
            lines = [name for name, _network, project in self.containers if words[-2].endswith(f"project={project}")]
        elif words[1:2] == ["inspect"]:
            kind, _inspect, *names = words
            lines = [json.dumps([STOPPED] * len(names) if kind == "container" else [])]
        elif words[:2] == ["network", "create"]:
            self.created.append(" ".join(words[2:]))
        elif words[:2] == ["network", "rm"]:
            self.removed.append(words[2])
        return 0, "\n".join(lines), ""

    def run(self, check: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {"network": "ollama", "label": LABEL, "_ansible_check_mode": check, **options}
        return answer(module, arguments)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    monkeypatch.setattr(basic.AnsibleModule, "get_bin_path", lambda self, name: name)
    monkeypatch.setattr(basic.AnsibleModule, "run_command", lambda self, command: made.answer(command))
    return made


def test_a_network_is_created_that_nobody_gets_into_from_outside_and_check_mode_says_so(engine: Engine) -> None:
    """Another one with a longer name is not taken for it."""
    told = engine.run(check=True)
    assert (told["changed"], engine.created) == (True, [])
    assert engine.run()["changed"] is True
    options = "--internal --opt=com.docker.network.bridge.inhibit_ipv4=true --label=gatehouse.ollama.network"
    assert engine.created == [f"{options} ollama"]
    assert told["diff"] == [{**HEADERS, "before": "", "after": "network: ollama\n"}]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("found", [(True, True), (True, False), (False, False)])
def test_one_that_is_there_stays_as_it_is(engine: Engine, found: tuple[bool, bool], check: bool) -> None:
    engine.networks["ollama"] = found
    told = engine.run(check)
    assert (told["changed"], told["diff"]) == (False, [])
    assert engine.created == []


@pytest.mark.parametrize("check", [False, True])
def test_one_that_leads_out_is_refused_where_there_is_to_be_no_way_out(engine: Engine, check: bool) -> None:
    assert engine.run(check=True, egress="registry")["changed"] is True
    engine.networks["ollama"] = (True, False)
    assert engine.run(check, egress="none")["changed"] is False
    engine.networks["ollama"] = (False, True)
    assert engine.run(check, egress="any")["changed"] is False
    assert engine.run(check, egress="registry")["msg"] == (
        "ollama_server_network: the Docker network ollama is there and is not internal, so that whoever is in it gets "
        "out, whatever ollama_server_egress says, which is registry. Name another network, which the role then "
        "creates, or remove this one."
    )
    assert engine.created == []


def test_one_task_may_see_to_all_and_shows_what_changes_of_each(engine: Engine, tmp_path: Path) -> None:
    engine.containers = [("ours-1", "gone", "ours")]
    volume = {"volume": "models", "user_id": 7, "image": "ollama:1"}
    told = engine.run(check=True, project="ours", project_src=str(tmp_path), **volume)
    assert [(one["before_header"], one["before"], one["after"]) for one in told["diff"]] == [
        ("ollama", "", "network: ollama\n"),
        ("ours_models", "", "owner: 7:7\n"),
        ("ours", "container: ours-1\n", ""),
    ]
    assert told["changed"] is True


def test_one_that_is_ours_and_that_nobody_needs_is_removed_and_check_mode_says_so(engine: Engine) -> None:
    engine.networks["ollama"] = (True, True)
    engine.containers = [("stranger", "other", "")]
    told = engine.run(check=True, state="absent")
    assert (told["changed"], engine.removed) == (True, [])
    assert told["diff"] == [{**HEADERS, "before": "network: ollama\n", "after": ""}]
    assert engine.run(state="absent")["changed"] is True
    assert engine.removed == ["ollama"]


@pytest.mark.parametrize("check", [False, True])
def test_one_that_is_not_ours_or_not_there_is_not_removed(engine: Engine, check: bool) -> None:
    assert engine.run(check, state="absent")["changed"] is False
    engine.networks["ollama"] = (True, False)
    assert engine.run(check, state="absent")["changed"] is False
    assert engine.removed == []


@pytest.mark.parametrize("check", [False, True])
def test_one_that_another_container_needs_is_not_removed(engine: Engine, check: bool) -> None:
    engine.networks["ollama"] = (True, True)
    engine.containers = [("by-hand", "ollama", ""), ("web-1", "ollama", "web"), ("ours-1", "other", "ours")]
    told = engine.run(check, state="absent", projects=["ours"])
    assert (told["changed"], told["needed_by"]) == (False, ["by-hand", "web-1"])
    assert engine.removed == []


def test_check_mode_knows_that_the_containers_of_the_role_would_be_gone_by_then(engine: Engine) -> None:
    """And only check mode: one that is still there in a real run needs its network."""
    engine.networks["ollama"] = (True, True)
    engine.containers = [("gateway-1", "ollama", "gatehouse-gateway"), ("ollama-1", "ollama", "gatehouse-ollama")]
    assert engine.run(check=True, state="absent", projects=["gatehouse-gateway"])["needed_by"] == ["ollama-1"]
    both = ["gatehouse-ollama", "gatehouse-gateway"]
    told = engine.run(check=True, state="absent", projects=both)
    assert (told["changed"], told["projects"]) == (True, both)
    assert engine.run(state="absent", projects=both)["changed"] is False


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("network ls", {}),
        ("network create", {}),
        ("network ls", {"state": "absent"}),
        ("ps", {"state": "absent", "network": "ollama2"}),
        ("network rm", {"state": "absent", "network": "ollama2"}),
    ],
)
def test_a_docker_that_fails_is_an_error(engine: Engine, command: str, options: dict[str, Any]) -> None:
    engine.fails = command
    told = engine.run(**options)
    assert told["failed"] is True
    assert re.fullmatch(rf"`docker {command}.*` fails: it is broken", told["msg"])


def test_networks_of_others_have_any_name_and_lines_may_be_empty(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.networks["my ollama net"] = (False, False)
    assert engine.run()["changed"]
    engine.networks["ollama"] = (True, True)
    answer = engine.answer
    monkeypatch.setattr(engine, "answer", lambda command: (0, answer(command)[1] + "\n\n", ""))
    assert engine.run(state="absent")["changed"]
