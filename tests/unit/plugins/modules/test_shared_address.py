# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host knows where it shares an address, and says clearly where it cannot."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._host.shared_address import NoPlace
from ansible_collections.gatehouse.ollama.plugins.modules import shared_address as module

from tests.unit.conftest import Direct

SHARED = ipaddress.ip_interface("10.0.0.100/24")
FILE = "vrrp_instance x {\n    virtual_ipaddress {\n        10.0.0.100/24\n    }\n}\n"


def known_as(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Any name has these addresses."""
    found: list[Any] = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 0)) for one in addresses]

    def look_up(*_: Any) -> list[Any]:
        if not found:
            raise socket.gaierror("no such name")
        return found

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def test_an_address_stands_for_itself() -> None:
    assert [str(one) for one in module.look_up("10.0.0.2", SHARED)] == ["10.0.0.2"]


@pytest.mark.parametrize(
    ("addresses", "taken"),
    [
        (["10.0.0.2", "192.0.2.2"], ["10.0.0.2"]),
        (["192.0.2.2"], ["192.0.2.2"]),
        # A host's own name, in its hosts file.
        (["127.0.1.1"], []),
    ],
)
def test_of_a_name_the_address_in_the_network_is_taken(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], taken: list[str]
) -> None:
    known_as(monkeypatch, *addresses)
    assert [str(one) for one in module.look_up("gate2", SHARED)] == taken


def test_a_gateway_that_nobody_knows_is_an_error_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    known_as(monkeypatch)
    with pytest.raises(NoPlace, match=r"^ollama_gateway_peers: gate2 has no address of IPv4 for this host"):
        module.look_up("gate2", SHARED)


def test_only_what_the_role_wrote_makes_an_address_one_that_is_shared(tmp_path: Path) -> None:
    file = tmp_path / "keepalived.conf"
    assert not module.shares(str(file), "10.0.0.100")
    file.write_text(FILE)
    assert module.shares(str(file), "10.0.0.100")
    assert not module.shares(str(file), "10.0.0.10")
    assert not module.shares(str(file), "10.0.0.1")


def test_a_host_of_no_such_network_changes_nothing_and_says_so(direct: Direct, tmp_path: Path) -> None:
    options = {"addresses": ["203.0.113.77/30"], "peers": ["203.0.113.78"], "shared_in": str(tmp_path / "none")}
    run = direct.run([{"gatehouse.ollama.shared_address": options}])
    assert run.only[0]["failed"]
    assert "no interface of this host has an address of the network 203.0.113.76/30" in run.only[0]["msg"]
