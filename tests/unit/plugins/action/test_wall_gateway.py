# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients of a throw-away gateway: made up and written before it runs, and one of them revoked once it does."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible_collections.gatehouse.ollama.plugins.action.wall_gateway import ActionModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import HostFileError

from tests.unit.conftest import Playbook

# 2026-11-29T12:00:00Z by the clock of the host.
NOW = 1795953600
RUNS = {"changed": True, "address": "172.18.0.3", "image": "sha256:1"}


class Host:
    """A host on which these modules end so."""

    def __init__(self, **ends: dict[str, Any]) -> None:
        self.ends: dict[str, dict[str, Any]] = {"folder_files": {"changed": True}, "wall_gateway": RUNS, **ends}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.time = f"{NOW}\n"
        self.connection = MagicMock(_play_context=MagicMock(no_log=False))

    def module(self, module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        assert task_vars == {}
        name = module_name.rpartition(".")[2]
        assert self.connection._play_context.no_log is (name == "folder_files"), "hashes stand in no log"
        self.asked.append((name, module_args))
        return self.ends[name]

    def run(self, monkeypatch: pytest.MonkeyPatch, **options: Any) -> dict[str, Any]:
        def command(_action: ActionModule, _command: str) -> dict[str, str]:
            return {"stdout": self.time, "stderr": "no date"}

        monkeypatch.setattr(ActionModule, "_execute_module", lambda _action, **given: self.module(**given))
        monkeypatch.setattr(ActionModule, "_low_level_execute_command", command)
        defaults = {name: spec.get("default") for name, spec in ActionModule.ARGUMENTS.items()}
        arguments = {**defaults, "project": "gateway", "clients": "/run/gateway-wall", "group": "60880", **options}
        action = object.__new__(ActionModule)
        action._connection = self.connection
        return ActionModule.apply(action, arguments, {})

    @property
    def written(self) -> list[dict[str, str]]:
        """The files, as they were before the gateway ran and after."""
        assert [name for name, _options in self.asked] == ["folder_files", "wall_gateway", "folder_files"]
        first, last = self.asked[0][1], self.asked[2][1]
        about = {"path": "/run/gateway-wall", "group": "60880", "mode": "u=rwX,g=rX,o="}
        assert {**first, "files": None} == {**last, "files": None} == {**about, "files": None}
        return [first["files"], last["files"]]


def test_one_client_is_revoked_while_the_gateway_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps its rights, so that nothing but its credentials is in its way."""
    host = Host()
    host.run(monkeypatch)
    before, after = host.written
    assert sorted(before) == sorted(after) == ["api_keys", "clients.json", "htpasswd"]
    for name in ("api_keys", "htpasswd"):
        assert "gatehouse-wall-revoked" in before[name]
        assert "gatehouse-wall-revoked" not in after[name]
        assert "gatehouse-wall-admin" in after[name]
    assert before["clients.json"] == after["clients.json"]
    assert "gatehouse-wall-revoked" in after["clients.json"]


def test_what_it_returns_is_printed_by_nobody_and_holds_other_credentials_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = (Host().run(monkeypatch) for _ in range(2))
    assert (first["address"], first["_ansible_no_log"]) == ("172.18.0.3", True)
    assert {one["name"] for one in first["credentials"] if not one["valid"]} == {"expired", "revoked"}
    assert {one["value"] for one in first["credentials"]}.isdisjoint({one["value"] for one in second["credentials"]})


def test_the_clock_of_the_host_tells_what_has_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the expired key, which is meant to be refused, is no warning."""
    host = Host()
    assert "warnings" not in host.run(monkeypatch, auth="bearer")
    expires = set(re.findall(r"expires=(\S+)", host.written[0]["api_keys"]))
    assert expires == {"2026-11-29T12:15:00Z", "2026-11-29T11:59:00Z"}
    host.time = "date: not found"
    with pytest.raises(HostFileError, match="the host does not tell its time: no date"):
        host.run(monkeypatch)


@pytest.mark.parametrize(("auth", "file"), [("basic", "htpasswd"), ("bearer", "api_keys")])
def test_plain_nginx_has_files_of_scopes_and_nobody_is_limited_to_models(
    monkeypatch: pytest.MonkeyPatch, auth: str, file: str
) -> None:
    host = Host()
    made = host.run(monkeypatch, auth=auth, engine="nginx")
    assert {name.partition("/")[0] for name in host.written[0]} == {"clients.json", "scopes", file}
    assert [one for one in made["credentials"] if one["models"]] == []


def test_a_gateway_that_cannot_run_is_told_and_no_credential_is(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = {"failed": True, "msg": "The running gateway does not run what is on disk."}
    assert Host(wall_gateway=failed).run(monkeypatch) == failed
    with pytest.raises(HostFileError, match="clients: No space left"):
        Host(folder_files={"failed": True, "msg": "No space left"}).run(monkeypatch)


def test_to_remove_it_no_clients_are_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()
    assert host.run(monkeypatch, state="absent") == RUNS
    assert [name for name, _options in host.asked] == ["wall_gateway"]


def test_a_user_sees_why_there_can_be_no_such_gateway_and_no_secret(playbook: Playbook, tmp_path: Path) -> None:
    """Also with -vvv. The files are closed to others."""
    clients = tmp_path / "wall"
    options = {"project": "gatehouse-none", "folder": str(tmp_path), "clients": str(clients), "group": str(os.getgid())}
    # Without Docker, whatever this machine has.
    task = {"gatehouse.ollama.wall_gateway": options, "environment": {"PATH": str(tmp_path)}}
    run = playbook.run([task], "-vvv", "--diff")
    assert run.only[0]["msg"] == f"No gateway runs as {tmp_path}/compose.yaml describes it."
    assert run.only[0]["msg"] in run.output
    modes = {path.name: path.stat().st_mode & 0o777 for path in (clients, *clients.iterdir())}
    assert modes == {"wall": 0o750, "api_keys": 0o640, "clients.json": 0o640, "htpasswd": 0o640}
    hashes = [line.split(":")[-1] for line in (clients / "htpasswd").read_text().splitlines()]
    assert [one for one in hashes if one in run.output] == []
