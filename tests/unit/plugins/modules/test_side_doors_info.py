# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks import doors
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Answer
from ansible_collections.gatehouse.ollama.plugins.modules import side_doors_info as module

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
    assert module.published([CONTAINER]) == {18434}
    assert module.published([{"NetworkSettings": {"Ports": None, "Networks": None}}]) == set()


def test_a_container_has_an_address_in_each_of_its_networks() -> None:
    assert module.container_addresses([CONTAINER]) == {"172.19.0.2", "172.18.0.3", "fd00::3"}


def test_a_bridge_is_the_router_of_its_network() -> None:
    networks = [
        {"IPAM": {"Config": [{"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}]}},
        {"IPAM": {"Config": None}},
        {"IPAM": {"Config": [{"Subnet": "172.19.0.0/16"}]}},
    ]
    assert module.bridge_addresses(networks) == {"172.18.0.1"}


def test_every_address_is_a_door_on_every_port_but_link_local_ones() -> None:
    found = module.doors(["192.0.2.1", "fe80::1%eth0", "2001:db8::1"], {11434, 18434}, "host")
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
    monkeypatch.setattr(module, "asked", lambda _server: Client([tiny]))
    labels = {"com.docker.compose.service": "ollama-1"}
    running = {"Id": "1", "Name": "/ollama", "State": {"Running": True, "Pid": 7}, "Config": {"Labels": labels}}
    other = {**running, "Config": {"Labels": {"com.docker.compose.service": "egress"}}}
    (found,) = module.identities([running, other])
    server = doors.Server(found["version"], frozenset(found["models"]))
    for models, known in (
        ([tiny], "proven"),
        ([{**tiny, "digest": "b" * 64}, tiny], "proven"),
        ([{**tiny, "modified_at": "2026-11-26T12:00:00.123456789Z"}], "not"),
        ([], "not"),
    ):
        listed = Answer(b"HTTP/1.0 200 OK\r\n\r\n" + json.dumps({"models": models}, separators=(",", ":")).encode())
        assert doors.compare("0.32.15", listed, [server]) == known
