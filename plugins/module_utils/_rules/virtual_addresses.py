# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses that the gateways of an inventory share: what the variables about them mean together."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules import common

PREFIX = "ollama_gateway_"
_VARIABLE = PREFIX + "virtual_addresses"
# What the kernel takes, without what would mean something in a file of keepalived.
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,14}\Z")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\Z")
_CIDR = re.compile(r"[0-9A-Fa-f:.]+/[0-9]{1,3}\Z")
_LAST_ID = 255

Interface = t.Union[ipaddress.IPv4Interface, ipaddress.IPv6Interface]
Address = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


def judge(values: t.Mapping[str, t.Any], problems: Problems) -> list[str]:
    """Whether a gateway with these variables can share addresses. Returns warnings; none for one that shares none."""
    if not values["virtual_addresses"]:
        return []
    shared = _read(values["virtual_addresses"], problems)
    _judge_bind(values["bind"], shared, problems)
    peers = values["peers"]
    _judge_peers(peers, shared, problems)
    rights = {
        "virtual_interface": common.unless(
            values["virtual_interface"] == "" or _INTERFACE.match(values["virtual_interface"]),
            "the name of a network interface such as eth0, or empty for the one with an address of the same network",
        ),
        "virtual_router_id": common.unless(
            0 <= values["virtual_router_id"] <= _LAST_ID, "from 1 to 255, or 0 for a number made of the addresses"
        ),
    }
    problems += common.wrong(PREFIX, rights)
    if len({str(peer) for peer in peers}) > 1:
        return []
    who = f"only {peers[0]} is" if peers else "no gateway is"
    return [
        f"{_VARIABLE}: {who} in {PREFIX}peers, so that nobody takes an address over; name all gateways that "
        "share it, by the group ollama_gateways or in that variable"
    ]


def _read(texts: t.Sequence[t.Any], problems: Problems) -> list[Interface]:
    """Those of the addresses that are some."""
    found: list[Interface] = []
    for text in texts:
        one = _interface(text)
        if one is None:
            example = "such as 10.0.0.100/24 or fd00::100/64"
            problems.add(_VARIABLE, f"{text} must be an address that a host can have, with its network, {example}")
        elif str(one.ip) != str(text).partition("/")[0]:
            problems.add(_VARIABLE, f"{text} must be written {one}")
        elif one.ip in [other.ip for other in found]:
            problems.add(_VARIABLE, f"{text} is there twice")
        else:
            found.append(one)
    if len({one.version for one in found}) > 1:
        text = "all must be of IPv4 or all of IPv6, since a gateway listens at one of the two"
        problems.add(_VARIABLE, text)
    return found


def _interface(text: t.Any) -> Interface | None:
    """The address in CIDR form that this text is; None for one that no host can have, or without its network."""
    if not isinstance(text, str) or not _CIDR.match(text):
        return None
    try:
        one = ipaddress.ip_interface(text)
    except ValueError:
        return None
    ip, network = one.ip, one.network
    cannot = ip.is_unspecified or ip.is_loopback or ip.is_multicast or ip.is_link_local or ip.is_reserved
    # The first and the last of a network stand for all of it.
    is_edge = network.num_addresses > 2 and ip in (network.network_address, network.broadcast_address)
    return None if cannot or is_edge else one


def _judge_bind(bind: str, shared: t.Sequence[Interface], problems: Problems) -> None:
    """Whether the gateway listens at all of them. What is no address is told by another rule."""
    try:
        address = ipaddress.ip_address(bind)
    except ValueError:
        return
    missed = [one for one in shared if not _listens(address, one)]
    if missed:
        everywhere = type(missed[0].ip)(0)
        one = f" or {missed[0].ip}" if len(shared) == 1 else ""
        text = f"a gateway at {bind} does not listen at {missed[0].ip} of {_VARIABLE}; it must be {everywhere}{one}"
        problems.add(PREFIX + "bind", text)
    elif not address.is_unspecified and str(address) != bind:
        problems.add(PREFIX + "bind", f"it must be written {address}, as in {_VARIABLE}")


def _listens(bind: Address, one: Interface) -> bool:
    return bind.version == one.version and (bind.is_unspecified or bind == one.ip)


def _judge_peers(peers: t.Sequence[t.Any], shared: t.Sequence[Interface], problems: Problems) -> None:
    variable = PREFIX + "peers"
    for peer in peers:
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            if not isinstance(peer, str) or not _HOST.match(peer):
                problems.add(variable, f"{peer} must be an address of a gateway, or a name that the hosts know")
            continue
        if address in [one.ip for one in shared]:
            text = f"{address} is where the gateway of a host is reached; one that is shared must be no host's own"
            problems.add(_VARIABLE, text)
