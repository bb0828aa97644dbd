# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of a server takes no new request until who drained it lets go; whether it is missed is said."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker import hold
from ansible_collections.gatehouse.ollama.plugins.modules import door_drain as module

from tests.unit.plugins.modules.ended import answer

HERE, ELSEWHERE = {"takes": True, "models": ["a", "b", "c"]}, {"takes": True, "models": ["a"]}
DRAINED, NOT_ASKED = {"takes": False, "models": ["a", "b"]}, {"unreachable": True, "msg": "no route"}


class Host:
    """A host with a door that has these requests, one number for each look; none is silence."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.looks: list[int | None] = [0]
        self.models = ["a", "b"]
        self.fails = False
        self.there = self.runs = True
        self.warnings: list[str] = []
        self.told: dict[str, float] = {}
        self.answers = [200]

    @property
    def file(self) -> Path:
        return self.folder / "drain.json"

    @property
    def holders(self) -> dict[str, Any]:
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def command(self, command: list[str]) -> tuple[int, str, str]:
        if self.fails:
            return 1, "", "it is broken"
        if command[1] == "ps":
            return 0, "1234" if self.there else "", ""
        if command[1] == "container":
            mounts = [{"Destination": "/etc/gatehouse/state", "Source": str(self.folder)}]
            name = "/gatehouse-ollama-door-1"
            return 0, json.dumps([{"Id": "1234", "Name": name, "Mounts": mounts, "State": {"Running": self.runs}}]), ""
        count = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        said = {"draining": bool(self.holders), "tags": [{"name": name} for name in self.models]}
        said["gateways"] = self.told
        said |= {} if count is None else {"in_flight": {"a": count}}
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return 0, f"HTTP/1.1 {status} As it is\r\n\r\n{json.dumps(said)}\036", ""

    def run(self, state: str, **options: Any) -> dict[str, Any]:
        return answer(module, {"state": state, **options})


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    made = Host(tmp_path)
    monkeypatch.setattr(basic.AnsibleModule, "get_bin_path", lambda self, name: name)
    monkeypatch.setattr(basic.AnsibleModule, "run_command", lambda self, command: made.command(command))
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda self, text: made.warnings.append(text))
    monkeypatch.setattr(module, "STEP", 0)
    monkeypatch.setattr(module, "NOTICE", 0.05)
    return made


def test_it_takes_no_new_request_until_none_runs_and_then_takes_them_again(host: Host) -> None:
    assert host.run("asked")["takes"]
    said = host.run("held")
    assert (said["changed"], said["takes"]) == (True, False)
    host.looks = [None, 2, 1, 0]
    said = host.run("drained", required=True)
    assert (said["running"], said["changed"], said["takes"]) == (0, False, False)
    assert said["line"] == "takes no new request, and none is running"
    said = host.run("released", required=True)
    assert (said["changed"], said["takes"], said["line"]) == (True, True, "takes requests again")
    assert not host.file.exists()
    said = host.run("released", required=True)
    assert (said["changed"], said["line"]) == (False, "was not drained")


def test_what_an_operator_drains_lasts_for_years_and_is_not_renewed(host: Host) -> None:
    host.run("held")
    (span,) = host.holders.values()
    assert span["until"] - time.time() > 5 * 365 * 86400
    before = host.file.read_text()
    assert not host.run("held")["changed"]
    assert host.file.read_text() == before


def test_a_deploy_drains_for_a_while_and_leaves_what_an_operator_drains(host: Host) -> None:
    host.run("held")
    host.run("held", holder="deploy", longest=100)
    span = host.holders["deploy"]
    assert span["until"] - span["since"] == 100
    said = host.run("released", holder="deploy")
    assert (said["takes"], list(host.holders)) == (False, ["operator"])
    assert said["line"] == "takes no request yet, as it is drained by operator too"
    assert host.run("released")["takes"]


def test_a_hold_whose_time_is_up_drains_nothing(host: Host) -> None:
    host.file.write_text(json.dumps({"deploy": {"since": 100, "until": 200}}))
    assert host.run("asked")["takes"]
    assert host.run("drained")["line"] == "takes requests"
    assert not host.run("released", holder="deploy")["changed"]
    assert not host.file.exists()


def test_requests_that_run_on_are_told_and_the_server_stays_drained(host: Host) -> None:
    host.run("held")
    host.looks = [3]
    said = host.run("drained", drain_timeout=0, required=True)
    assert said["failed"]
    assert said["msg"].startswith("3 requests were still running after 0 seconds (a: 3). The server stays drained")
    assert "gatehouse.ollama.undrain" in said["msg"]
    assert "operator" in host.holders
    said = host.run("drained", drain_timeout=0)
    assert (said["running"], host.warnings) == (
        3,
        ["3 requests were still running after 0 seconds (a: 3); those are cut off when their server is replaced"],
    )


def test_a_door_that_does_not_tell_is_not_waited_for_for_ever(host: Host) -> None:
    host.run("held")
    host.looks = [None]
    assert host.run("drained", drain_timeout=0)["running"] == -1
    assert "did not tell" in host.run("drained", drain_timeout=0, required=True)["msg"]


def test_one_that_does_not_run_is_drained_for_when_it_does(host: Host) -> None:
    host.runs = False
    assert host.run("held")["changed"]
    assert host.run("drained", required=True)["line"] == "does not run, and takes no request when it does"


@pytest.mark.parametrize("state", ["asked", "held", "drained", "released"])
def test_a_host_without_a_door_is_a_failure_only_where_there_has_to_be_one(host: Host, state: str) -> None:
    host.there = False
    said = host.run(state)
    assert (said["door"], said["changed"], said["takes"], said["spared"]) == (False, False, False, False)
    said = host.run(state, required=True)
    assert said["failed"]
    assert said["msg"].startswith("This server has no door")
    assert "ollama_server_door_bind" in said["msg"]


@pytest.mark.parametrize("state", ["asked", "held", "drained", "released"])
def test_a_broken_docker_is_a_failure_only_where_there_has_to_be_a_door(host: Host, state: str) -> None:
    host.fails = True
    assert host.run(state)["door"] is False
    assert host.warnings == ["The door of this host cannot be asked: `docker ps --quiet` fails: it is broken"]
    assert host.run(state, required=True)["msg"] == host.warnings[0]


def test_check_mode_changes_nothing_and_waits_for_nothing(host: Host) -> None:
    assert host.run("held", _ansible_check_mode=True)["changed"]
    assert not host.file.exists()
    host.run("held")
    assert not host.run("held", _ansible_check_mode=True)["changed"]
    host.looks = [4]
    said = host.run("drained", _ansible_check_mode=True, required=True)
    assert said["line"] == "would take no new request, and would be waited for until none runs"
    said = host.run("released", _ansible_check_mode=True)
    assert (said["changed"], said["line"]) == (True, "would take requests again")
    assert "operator" in host.holders


def test_it_says_which_gateways_came_lately(host: Host) -> None:
    host.told = {"one": time.time(), "two": time.time() - 1, "gone": time.time() - 100}
    assert host.run("asked")["gateways"] == ["one", "two"]


def test_gateways_that_came_before_have_come_again_before_another_server_is_drained(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.run("held", holder="deploy")
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            host.told = {"one": time.time() + 1, "two": time.time() + 1}

    host.told = {"one": time.time() - 1, "two": time.time() - 1}
    monkeypatch.setattr(hold.time, "sleep", sleep)
    assert host.run("released", holder="deploy", gateways=["one", "two"])["takes"]
    assert (len(slept), host.warnings) == (3, [])
    # Nor is anybody waited for where none came before, or where it goes on being drained.
    host.told = {}
    host.run("released", holder="deploy")
    host.run("held", holder="deploy")
    host.run("held")
    host.run("released", holder="deploy", gateways=["one"])
    assert len(slept) == 3


def test_a_gateway_that_does_not_come_again_is_not_waited_for_for_ever(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN", 0)
    host.run("held", holder="deploy")
    assert host.run("released", holder="deploy", gateways=["one"])["changed"]
    assert host.warnings == [
        "Not all of the gateways one have asked within 0 seconds whether this server takes requests again"
    ]


@pytest.mark.parametrize(
    ("others", "spared"),
    [
        ([HERE], True),
        ([ELSEWHERE, NOT_ASKED, {"takes": True, "models": ["b"]}], True),
        # Those that others cannot answer would be refused.
        ([ELSEWHERE], False),
        ([DRAINED, NOT_ASKED, {}], False),
        ([], False),
        (None, False),
    ],
)
def test_a_server_can_be_spared_if_others_that_take_requests_have_all_its_models(
    host: Host, others: Any, spared: bool
) -> None:
    assert host.run("asked", others=others)["spared"] is spared


def test_a_server_that_is_drained_already_can_be_spared(host: Host) -> None:
    host.run("held")
    assert host.run("asked", others=[])["spared"]


def test_one_that_does_not_answer_is_asked_again_and_counts_as_the_last_one_all_the_same(host: Host) -> None:
    host.answers = [503, 503, 200]
    said = host.run("asked", others=[])
    assert (said["takes"], said["spared"], host.answers) == (True, False, [200])
    host.answers = [503]
    said = host.run("asked", others=[])
    assert (said["takes"], said["spared"]) == (False, False)


def test_who_drains_the_last_server_is_warned(host: Host) -> None:
    host.run("held")
    host.run("drained", others=[HERE])
    assert host.warnings == []
    host.run("drained", others=[DRAINED])
    host.run("drained", others=[ELSEWHERE])
    assert [text.partition(":")[0] for text in host.warnings] == [
        "No other server takes requests now",
        "No other server that takes requests has b",
    ]
