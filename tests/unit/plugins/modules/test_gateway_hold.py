# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests wait at the gateway of a host while a server is replaced; a host without one is no failure."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker import hold
from ansible_collections.gatehouse.ollama.plugins.modules import gateway_hold as module

from tests.unit.plugins.modules.ended import answer


class Host:
    """A host with a gateway that has these requests at servers, one number for each look; none is silence."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.looks: list[int | None] = [0]
        self.fails = False
        self.names = ["gatehouse-gateway-gateway-1"]
        self.asked: list[list[str]] = []
        self.settings({"engine": "openresty", "wait_timeout": 60})
        (folder / "clients").mkdir()

    def settings(self, settings: Any) -> None:
        (self.folder / "conf").mkdir(exist_ok=True)
        (self.folder / "conf/settings.json").write_text(json.dumps(settings))

    @property
    def file(self) -> Path:
        return self.folder / "clients/hold.json"

    def command(self, command: list[str]) -> tuple[int, str, str]:
        self.asked.append(command[1:])
        if self.fails:
            return 1, "", "it is broken"
        if command[1] == "ps":
            return 0, "1234", ""
        if command[1] == "container":
            mounts = [
                {"Destination": f"/etc/gatehouse/{name}", "Source": str(self.folder / name)}
                for name in ("clients", "conf")
            ]
            return 0, json.dumps([{"Id": name, "Name": f"/{name}", "Mounts": mounts} for name in self.names]), ""
        count = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        since = json.loads(self.file.read_text())["llm"]["since"]
        return (1, "", "no such file") if count is None else (0, f"{since} {count} 3\n", "")

    def run(self, state: str, **options: Any) -> dict[str, Any]:
        return answer(module, {"state": state, "holder": "llm", **options})


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    made = Host(tmp_path)
    monkeypatch.setattr(basic.AnsibleModule, "get_bin_path", lambda self, name: name)
    monkeypatch.setattr(basic.AnsibleModule, "run_command", lambda self, command: made.command(command))
    monkeypatch.setattr(module, "STEP", 0)
    monkeypatch.setattr(module, "NOTICE", 0.05)
    return made


def test_it_holds_until_no_server_has_a_request_and_lets_go(host: Host) -> None:
    host.looks = [None, 2, 1, 0]
    said = host.run("held", longest=100)
    assert (said["held"], said["changed"], len(host.looks)) == (True, True, 4)
    span = json.loads(host.file.read_text())["llm"]
    assert span["until"] - span["since"] == 100
    assert abs(time.time() - span["since"]) < 5
    said = host.run("drained")
    assert (said["held"], said["running"], said["changed"], host.looks) == (True, 0, False, [0])
    assert host.run("released")["held"]
    assert not host.file.exists()
    assert not host.run("released")["changed"]


def test_what_runs_when_the_time_is_up_is_told(host: Host) -> None:
    host.looks = [4]
    host.run("held")
    assert host.run("drained", drain_timeout=0)["running"] == 4


def test_the_time_counts_from_the_begin_of_the_hold_at_all_gateways(host: Host) -> None:
    host.looks = [4]
    now = int(time.time())
    host.file.write_text(json.dumps({"llm": {"since": now - 100, "until": now + 100}}))
    begun = time.monotonic()
    assert host.run("drained", drain_timeout=90)["running"] == 4
    assert time.monotonic() - begun < 30


def test_who_holds_nothing_waits_for_nothing(host: Host) -> None:
    host.looks = [4]
    said = host.run("drained")
    assert (said["held"], said["running"], said["changed"]) == (False, 0, False)
    now = int(time.time())
    host.file.write_text(json.dumps({"another": {"since": now, "until": now + 100}}))
    assert host.run("drained")["held"] is False


def test_one_that_was_replaced_and_still_ends_is_not_asked(host: Host) -> None:
    host.names = ["gatehouse-gateway-draining-1", "gatehouse-gateway-gateway-1"]
    host.run("held")
    host.run("drained")
    assert {command[1] for command in host.asked if command[0] == "exec"} == {"gatehouse-gateway-gateway-1"}
    host.asked, host.names = [], ["one", "other"]
    host.run("drained")
    assert {command[1] for command in host.asked if command[0] == "exec"} == {"one", "other"}


def test_a_gateway_that_does_not_tell_is_not_waited_for_for_ever(host: Host) -> None:
    host.looks = [None]
    host.run("held")
    assert host.run("drained", drain_timeout=0)["running"] == -1


@pytest.mark.parametrize(
    "settings",
    [{"engine": "nginx"}, {"engine": "openresty"}, {"engine": "openresty", "wait_timeout": 0}, [], "text", 7],
)
def test_where_no_request_can_wait_nothing_is_held(host: Host, settings: Any) -> None:
    host.settings(settings)
    for state in ("held", "drained"):
        said = host.run(state)
        assert (said["held"], said["changed"]) == (False, False)
    assert not host.file.exists()


def test_a_host_without_docker_or_with_a_broken_one_is_no_failure(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.fails = True
    for state in ("held", "drained", "released"):
        assert host.run(state)["held"] is False
    monkeypatch.setattr(basic.AnsibleModule, "get_bin_path", lambda self, name: None)
    for state in ("held", "drained", "released"):
        assert host.run(state)["held"] is False


def test_check_mode_writes_nothing(host: Host) -> None:
    assert host.run("held", _ansible_check_mode=True)["changed"]
    assert not host.file.exists()
    host.run("held")
    host.looks = [4]
    assert host.run("drained", _ansible_check_mode=True)["running"] == 0
    assert host.run("released", _ansible_check_mode=True)["changed"]
    assert host.file.exists()


def test_nobody_holds_for_more_than_a_day(host: Host) -> None:
    host.run("held", longest=10**9)
    span = json.loads(host.file.read_text())["llm"]
    assert span["until"] - span["since"] == 86400


def test_a_full_disk_is_no_failure(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_source: str, _target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert host.run("held")["held"] is False


def test_one_that_locks_its_folder_for_good_is_no_failure(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.run("held")
    monkeypatch.setattr(hold, "PATIENCE", 0.1)
    locked = os.open(host.folder / "clients", os.O_RDONLY)
    fcntl.flock(locked, fcntl.LOCK_SH)
    assert host.run("held")["held"] is False
    assert host.run("released")["held"] is False
    os.close(locked)
    assert host.run("released")["held"]
