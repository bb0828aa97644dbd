# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible_collections.gatehouse.ollama.plugins.modules import wall_gateway as module

from tests.unit.plugins.module_utils._wall.test_gateway import container
from tests.unit.plugins.modules.ended import Ended

NETWORKS = [{"Name": "ollama", "Internal": True}, {"Name": "default", "Internal": False}]


class Host:
    """A host with a gateway, as Docker tells of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clients = folder / "run"
        self.clients.mkdir()
        self.left, self.fails = [""], ""
        self.live: tuple[dict[str, Any], dict[str, Any]] | None = None
        self.asked: list[str] = []

    def command(self, command: list[str]) -> tuple[int, str, str]:
        self.asked.append(" ".join(command[1:3]))
        if command[1] == self.fails:
            return 1, "", "it is broken"
        if command[1] == "ps":
            return 0, "\n".join(self.left), ""
        if command[1] == "network" and command[2] == "inspect":
            return 0, json.dumps(NETWORKS), ""
        if command[1] == "container":
            return 0, json.dumps([self.pod()] * len(command[3:])), ""
        return 0, "", ""

    def pod(self) -> dict[str, Any]:
        networks = {"ollama": {"IPAddress": "10.0.0.2"}, "default": {"IPAddress": "172.18.0.3"}}
        return {**container(self.folder), "Name": "/gateway-1", "NetworkSettings": {"Networks": networks}}

    def run(self, **options: Any) -> dict[str, Any]:
        arguments = {"project": "gateway", "folder": str(self.folder), "clients": str(self.clients), **options}
        with patch_module_args(arguments), pytest.raises(Ended) as ended:
            module.main()
        return ended.value.result


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    def end(self: basic.AnsibleModule, **result: Any) -> None:
        raise Ended(result)

    made = Host(tmp_path)
    monkeypatch.setattr(basic.AnsibleModule, "exit_json", end)
    monkeypatch.setattr(basic.AnsibleModule, "fail_json", lambda self, **result: end(self, failed=True, **result))
    monkeypatch.setattr(basic.AnsibleModule, "run_command", lambda self, command: made.command(command))
    monkeypatch.setattr(basic.AnsibleModule, "get_bin_path", lambda self, name: f"/usr/bin/{name}")
    monkeypatch.setattr(module, "PATIENCE", 0)
    monkeypatch.setattr(module.containers, "has_networks", lambda docker, project, folder: made.pod())
    monkeypatch.setattr(module.containers, "only_live", lambda docker, project, folder: (made.pod(), made.pod()))
    monkeypatch.setattr(module.gateway, "wrong_mounts", lambda live, folder: [])
    monkeypatch.setattr(module.gateway, "runs_what_is_there", lambda pid, folders: True)
    monkeypatch.setattr(module, "_listens", lambda address: True)
    return made


def test_it_is_reached_where_the_host_has_an_address_and_reaches_the_servers(host: Host) -> None:
    assert host.run()["address"] == "172.18.0.3"
    assert [one for one in host.asked if one.startswith(("create", "network connect", "start"))] == [
        "create --name=gateway-wall",
        "network connect",
        "start gateway-wall",
    ]


def test_one_that_was_left_is_removed_first(host: Host) -> None:
    host.left = ["5678"]
    host.run()
    assert host.asked.index("rm --force") < host.asked.index("create --name=gateway-wall")


def test_one_that_is_to_be_tried_out_has_the_networks_of_the_running_one_and_nothing_else_of_it(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[list[str]] = []
    command = host.command

    def noted(words: list[str]) -> tuple[int, str, str]:
        made.append(words)
        return command(words)

    monkeypatch.setattr(host, "command", noted)
    assert host.run(image="new:2", options=["--read-only"], program=["nginx"])["address"] == "172.18.0.3"
    (create,) = [words for words in made if words[1] == "create"]
    own = ["--name=gateway-wall", "--label=gatehouse.ollama.wall", "--network=default", "--no-healthcheck"]
    ending = ["-c", create[10], "wall", "--kill-after=10", "600", "nginx"]
    assert create[2:] == [*own, "--read-only", "--entrypoint=bash", "new:2", *ending]


def test_where_nothing_runs_nothing_is_tried_out(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.containers, "has_networks", lambda docker, project, folder: {})
    assert host.run(image="new:2")["address"] == ""
    assert "create --name=gateway-wall" not in host.asked


def test_a_gateway_that_has_not_read_its_files_is_the_error(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.gateway, "runs_what_is_there", lambda pid, folders: False)
    message = host.run()["msg"]
    assert "does not run what is on disk" in message
    assert "`docker exec gateway-1 bash -c 'kill -HUP 1'`" in message
    assert "create --name=gateway-wall" not in host.asked


def test_one_that_cannot_start_is_removed(host: Host) -> None:
    host.fails, host.left = "start", ["5678"]
    assert host.run()["msg"] == "`docker start gateway-wall` fails: it is broken."
    assert host.asked[-1] == "rm --force"


def test_it_goes_together_with_its_clients(host: Host) -> None:
    host.left = ["5678"]
    assert host.run(state="absent", _ansible_check_mode=True)["changed"] is True
    assert host.clients.is_dir()
    assert host.run(state="absent")["changed"] is True
    assert not host.clients.exists()
    host.left = [""]
    assert host.run(state="absent")["changed"] is False


def test_its_clients_go_also_where_docker_fails(host: Host) -> None:
    host.clients.mkdir(exist_ok=True)
    host.fails = "ps"
    assert host.run(state="absent")["failed"]
    assert not host.clients.exists()
