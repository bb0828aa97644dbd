# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be adopted is found, and stopped last: so that it stays stopped, and can be started again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible_collections.gatehouse.ollama.plugins.modules import adoption as module

from tests.unit.plugins.modules.ended import answer

VOLUME = {
    "Type": "volume",
    "Name": "x_data",
    "Source": "/var/lib/docker/volumes/x_data/_data",
    "Destination": "/root/.ollama",
}


def container(name: str, image: str, running: bool, policy: str, **more: Any) -> dict[str, Any]:
    return {
        "Name": f"/{name}",
        "State": {"Running": running},
        "Config": {"Image": image, "Labels": {}, "Env": []},
        "HostConfig": {"RestartPolicy": {"Name": policy}, **more.pop("host", {})},
        "Mounts": [],
        **more,
    }


class Host:
    """A host with the guide's two containers, or with a service."""

    def __init__(self) -> None:
        self.running = True
        self.proxy_runs = True
        self.policy = "unless-stopped"
        self.changes: list[str] = []
        self.unit = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nUser=root\nEnvironment="

    def answer(self, command: list[str], **_: Any) -> tuple[int, str, str]:
        words = command[1:]
        if words[0] == "show":
            return 0, self.unit, ""
        if words[0] == "ps":
            return 0, "" if "project=gatehouse-gateway" in " ".join(words) and not self.running else "an-id", ""
        if words[:2] == ["container", "inspect"]:
            ports = {"host": {"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8880"}]}}}
            found = [
                container(
                    "nginx_proxy",
                    "nginx:latest",
                    self.running and self.proxy_runs,
                    self.policy,
                    **{"host": {**ports["host"]}},
                ),
                container("ollama", "ollama/ollama", self.running, self.policy, Mounts=[VOLUME]),
            ]
            return 0, json.dumps(found), ""
        self.changes.append(" ".join(words))
        return 0, "", ""

    def run(self, check: bool = False, **options: Any) -> dict[str, Any]:
        return answer(module, {"compose_dir": "/root/guide", "_ansible_check_mode": check, **options})


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host()
    monkeypatch.setattr(basic.AnsibleModule, "get_bin_path", lambda self, name: name)
    monkeypatch.setattr(basic.AnsibleModule, "run_command", lambda self, command, **options: made.answer(command))
    return made


def test_what_there_is_is_found_and_nothing_changed(host: Host) -> None:
    told = host.run()
    assert (told["changed"], host.changes) == (False, [])
    assert told["models"] == [{"path": VOLUME["Source"], "below": "models"}]
    assert (told["ports"], told["running"]) == ([8880], ["nginx_proxy", "ollama"])
    assert told["leftovers"] == ["docker rm nginx_proxy ollama", "docker volume rm x_data"]
    assert 1024 <= told["free_port"] <= 65535
    assert told["proxies"] == ["nginx_proxy"]
    # What is stopped holds no port, though the rest of the project runs: it is the new gateway's by now.
    host.proxy_runs = False
    told = host.run()
    assert (told["ports"], told["running"], told["proxies"]) == ([], ["ollama"], [])
    host.running = False
    assert host.run()["ports"] == []


def test_files_that_the_user_names_count(host: Host) -> None:
    told = host.run(htpasswd_file="/srv/users", api_keys_file="/srv/keys")
    assert (told["htpasswd"], told["api_keys"]) == ("/srv/users", "/srv/keys")
    assert told["found"][-2:] == ["users: /srv/users", "keys: /srv/keys"]


def test_where_two_files_may_be_meant_nothing_is_adopted_until_one_is_named(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.compose, "find", lambda docker, folder: module.compose.Project(users_files=["/a", "/b"]))
    assert host.run()["msg"] == "adopt_htpasswd_file has to say which file has the users: /a or /b"
    assert host.run(htpasswd_file="/b")["htpasswd"] == "/b"
    assert not host.run(state="stopped").get("failed")


def test_what_is_stopped_stays_stopped_and_is_not_removed(host: Host) -> None:
    host.policy = "always"
    assert host.run(check=True, state="stopped")["stopped"] == ["nginx_proxy", "ollama"]
    assert host.changes == []
    assert host.run(state="stopped", parts="proxies")["stopped"] == ["nginx_proxy"]
    assert host.changes == ["update --restart=unless-stopped nginx_proxy", "stop nginx_proxy"]
    host.running = False
    told = host.run(state="stopped")
    assert (told["changed"], len(host.changes)) == (False, 2)


def test_it_is_started_again_once_what_has_its_port_is_stopped(host: Host) -> None:
    assert host.run(state="started", started=["nginx_proxy"], instead_of="gatehouse-gateway")["changed"] is True
    assert host.changes == ["stop an-id", "start nginx_proxy"]


def test_a_service_is_found_stopped_and_started_again(host: Host) -> None:
    told = host.run(compose_dir="")
    assert told["models"] == [{"path": "/root/.ollama", "below": "models"}]
    assert (told["ports"], told["running"]) == ([], ["ollama.service"])
    assert host.run(compose_dir="", state="stopped")["stopped"] == ["ollama.service"]
    assert host.run(compose_dir="", state="started", started=["ollama.service"])["changed"] is True
    assert host.changes == ["disable --now ollama.service", "enable --now ollama.service"]


def test_where_there_is_nothing_it_is_said(host: Host) -> None:
    host.unit = "LoadState=not-found"
    assert host.run(compose_dir="")["msg"].startswith("There is nothing to adopt on this host: ")
