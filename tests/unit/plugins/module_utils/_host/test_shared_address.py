# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a shared address goes on a host, and what all hosts make of the same list."""

from __future__ import annotations

import ipaddress
import json

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._host.shared_address import (
    NoPlace,
    Own,
    Place,
    place,
    read_own,
    router_id,
)

SHARED = [ipaddress.ip_interface("10.0.0.100/24")]
PRINTED = json.dumps(
    [
        {"ifname": "lo", "addr_info": [{"family": "inet", "local": "127.0.0.1", "prefixlen": 8}]},
        {"ifname": "docker0", "addr_info": [{"family": "inet", "local": "172.17.0.1", "prefixlen": 16}]},
        {
            "ifname": "eth0",
            "addr_info": [
                {"family": "inet", "local": "10.0.0.2", "prefixlen": 24},
                {"family": "inet6", "local": "fd00::2", "prefixlen": 64},
                {"family": "inet6", "local": "fe80::2", "prefixlen": 64},
                {},
            ],
        },
        {"ifname": "eth1", "addr_info": [{"family": "inet", "local": "192.0.2.2", "prefixlen": 28}]},
    ]
)
OWN = read_own(PRINTED)


def ips(*texts: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    return [ipaddress.ip_address(text) for text in texts]


def test_addresses_of_a_host_are_read_with_their_interfaces() -> None:
    assert [one.interface for one in OWN] == ["lo", "docker0", "eth0", "eth0", "eth0", "eth1"]
    assert read_own("") == []


def test_it_goes_to_the_interface_of_its_network_and_the_others_are_told_from_this_host() -> None:
    found = place(SHARED, "", ips("10.0.0.1", "10.0.0.2", "192.0.2.2", "10.0.0.3"), OWN)
    assert found == Place("eth0", "10.0.0.2", ["10.0.0.1", "10.0.0.3"], 253)
    six = place([ipaddress.ip_interface("fd00::100/64")], "", ips("fd00::1", "fd00::2"), OWN)
    assert six == Place("eth0", "fd00::2", ["fd00::1"], 253)


def test_a_list_without_this_host_does() -> None:
    assert place(SHARED, "", ips("10.0.0.1"), OWN) == Place("eth0", "10.0.0.2", ["10.0.0.1"], 253)
    assert place(SHARED, "", [], OWN) == Place("eth0", "10.0.0.2", [], 254)


def test_hosts_with_the_same_list_have_different_priorities() -> None:
    everybody = ips("10.0.0.1", "10.0.0.2", "10.0.0.3")
    own = [[Own("eth0", ipaddress.ip_interface(f"{one}/24"))] for one in everybody]
    assert [place(SHARED, "", everybody, one).priority for one in own] == [254, 253, 252]


def test_an_interface_that_is_named_needs_no_address_of_the_network() -> None:
    found = place([ipaddress.ip_interface("203.0.113.9/32")], "eth1", ips("192.0.2.2", "192.0.2.3"), OWN)
    assert (found.interface, found.source, found.peers) == ("eth1", "192.0.2.2", ["192.0.2.3"])


def test_an_address_of_no_network_of_the_host_is_an_error_that_says_what_to_name() -> None:
    with pytest.raises(
        NoPlace, match=r"no interface .* of the network 203.0.113.0/24, .*ollama_gateway_virtual_interface"
    ):
        place([ipaddress.ip_interface("203.0.113.9/24")], "", [], OWN)


@pytest.mark.parametrize(
    ("interface", "reason"), [("eth9", "eth9 has no address here"), ("eth1", "no address of IPv6")]
)
def test_an_interface_that_does_not_do_is_an_error_by_its_name(interface: str, reason: str) -> None:
    with pytest.raises(NoPlace, match=f"^ollama_gateway_virtual_interface: .*{reason}"):
        place([ipaddress.ip_interface("fd00::100/64")], interface, [], OWN)


def test_a_hosts_own_address_cannot_be_shared() -> None:
    with pytest.raises(NoPlace, match=r"10\.0\.0\.2 is this host's own already, at eth0"):
        place([ipaddress.ip_interface("10.0.0.2/24")], "", [], OWN)


def test_the_same_addresses_have_the_same_number_in_any_order() -> None:
    one, other = router_id(["10.0.0.100/24", "10.0.0.101/24"]), router_id(["10.0.0.101/24", "10.0.0.100/24"])
    assert one == other
    assert {1 <= router_id([f"10.0.0.{last}/24"]) <= 255 for last in range(1, 255)} == {True}
