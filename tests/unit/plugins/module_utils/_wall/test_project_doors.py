# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall import project_doors
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks import doors
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Answer

CONTAINER: dict[str, Any] = {
    "NetworkSettings": {
        "Ports": {"11434/tcp": [{"HostIp": "0.0.0.0", "HostPort": "18434"}], "80/tcp": None},
        "Networks": {
            "ollama": {"IPAddress": "172.19.0.2", "GlobalIPv6Address": ""},
            "default": {"IPAddress": "172.18.0.3", "GlobalIPv6Address": "fd00::3"},
        },
    }
}


def test_the_ports_that_lead_to_a_container_are_those_that_are_published() -> None:
    assert project_doors.published([CONTAINER]) == {18434}
    assert project_doors.published([{"NetworkSettings": {"Ports": None, "Networks": None}}]) == set()


def test_a_container_has_an_address_in_each_of_its_networks() -> None:
    assert project_doors.container_addresses([CONTAINER]) == {"172.19.0.2", "172.18.0.3", "fd00::3"}


def test_a_bridge_is_the_router_of_its_network() -> None:
    networks = [
        {"IPAM": {"Config": [{"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}]}},
        {"IPAM": {"Config": None}},
        {"IPAM": {"Config": [{"Subnet": "172.19.0.0/16"}]}},
    ]
    assert project_doors.bridge_addresses(networks) == {"172.18.0.1"}


ROUTES = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 192.0.2.0
        /24 link UNICAST
Local:
  +-- 0.0.0.0/0 3 0 5
           |-- 192.0.2.1
              /32 host LOCAL
           |-- 192.0.2.255
              /32 link BROADCAST
     |-- 127.0.0.0
        /8 host LOCAL
"""


def test_the_addresses_of_a_host_are_those_that_its_kernel_takes_for_its_own(tmp_path: Path) -> None:
    with pytest.raises(GatehouseError, match="cannot be told"):
        project_doors.own_addresses(str(tmp_path))
    (tmp_path / "fib_trie").write_text(ROUTES, encoding="ascii")
    assert project_doors.own_addresses(str(tmp_path)) == {"192.0.2.1"}
    (tmp_path / "if_inet6").write_text("20010db8000000000000000000000001 02 40 00 80 eth0\n", encoding="ascii")
    assert project_doors.own_addresses(str(tmp_path)) == {"192.0.2.1", "2001:db8::1"}
    assert "127.0.0.1" in project_doors.own_addresses()


def test_every_address_is_a_door_on_every_port_but_link_local_ones() -> None:
    found = project_doors.doors(["192.0.2.1", "fe80::1%eth0", "2001:db8::1"], {11434, 18434}, "host")
    assert [(door["host"], door["port"]) for door in found] == [
        ("192.0.2.1", 11434),
        ("192.0.2.1", 18434),
        ("2001:db8::1", 11434),
        ("2001:db8::1", 18434),
    ]


class Client:
    """A server with these models."""

    def __init__(self, models: list[dict[str, Any]]) -> None:
        self.models = models

    def version(self) -> str:
        return "0.32.15"

    def tags(self) -> list[dict[str, Any]]:
        return self.models


def test_a_server_is_known_again_by_what_it_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after a download; and one with the same models from another day is another one."""
    tiny = {"name": "tiny:latest", "modified_at": "2026-11-25T12:00:00.123456789Z", "digest": "a" * 64}
    monkeypatch.setattr(project_doors, "client_of", lambda *_server: Client([tiny]))
    labels = {"com.docker.compose.service": "ollama-1"}
    running = {"Id": "1", "Name": "/ollama", "State": {"Running": True, "Pid": 7}, "Config": {"Labels": labels}}
    other = {**running, "Config": {"Labels": {"com.docker.compose.service": "egress"}}}
    (found,) = project_doors.identities([running, other])
    server = doors.Server(found["version"], frozenset(found["models"]))
    for models, known in (
        ([tiny], "proven"),
        ([{**tiny, "digest": "b" * 64}, tiny], "proven"),
        ([{**tiny, "modified_at": "2026-11-26T12:00:00.123456789Z"}], "not"),
        ([], "not"),
    ):
        listed = Answer(b"HTTP/1.0 200 OK\r\n\r\n" + json.dumps({"models": models}, separators=(",", ":")).encode())
        assert doors.compare("0.32.15", listed, [server]) == known


class Docker:
    """A host with these containers, in a network of its own."""

    def __init__(self, *containers: dict[str, Any]) -> None:
        self._containers = list(containers)

    def containers(self, project: str) -> list[dict[str, Any]]:
        assert project == "ollama"
        return self._containers

    def read(self, *_args: str) -> str:
        return "1"

    def inspect(self, *_args: str) -> list[dict[str, Any]]:
        return [{"IPAM": {"Config": [{"Gateway": "172.18.0.1"}]}}]


def look(monkeypatch: pytest.MonkeyPatch, *containers: dict[str, Any]) -> project_doors.Doors:
    monkeypatch.setattr(project_doors, "identities", lambda found: [{"version": str(len(found))} for _one in found])
    monkeypatch.setattr(project_doors, "own_addresses", lambda: {"192.0.2.10", "172.18.0.1"})
    docker: Any = Docker(*containers)
    return project_doors.look(docker, "ollama")


def test_what_leads_to_a_server_depends_on_where_one_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    found = look(monkeypatch, CONTAINER)
    inner = {("172.18.0.3", 11434), ("172.19.0.2", 11434), ("fd00::3", 11434)}
    own = {(host, port) for host in ("127.0.0.1", "::1", "172.18.0.1", "192.0.2.10") for port in (11434, 18434)}
    assert {(door["host"], door["port"]) for door in found.here} == own | inner
    assert {door["place"] for door in found.here} == {"here"}
    places = {door["host"]: door["place"] for door in found.elsewhere}
    assert places == {"192.0.2.10": "host", **dict.fromkeys(["172.18.0.1", *(host for host, _ in inner)], "network")}
    assert found.servers == [{"version": "1"}]


def test_without_a_server_that_can_be_known_again_there_is_nothing_to_look_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GatehouseError, match=r"^No server of the Compose project ollama runs on this host$"):
        look(monkeypatch)

    def silent(_containers: list[dict[str, Any]]) -> None:
        raise GatehouseError("Ollama in the container ollama does not answer")

    monkeypatch.setattr(project_doors, "identities", silent)
    docker: Any = Docker(CONTAINER)
    with pytest.raises(GatehouseError, match=r"^It cannot be told by what the server could be known again: Ollama in"):
        project_doors.look(docker, "ollama")
