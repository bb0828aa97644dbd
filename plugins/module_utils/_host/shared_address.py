# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a host gets addresses that it shares, and by which of its own it speaks with the others. Pure functions."""

from __future__ import annotations

import ipaddress
import json
import typing as t
import zlib

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

# The highest that one has which does not own the address.
_HIGHEST = 254
_VARIABLE = "ollama_gateway_virtual_addresses"

Interface = t.Union[ipaddress.IPv4Interface, ipaddress.IPv6Interface]
Address = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


class NoPlace(GatehouseError):
    """The host cannot have the address; the text says why and what would be right."""


class Own(t.NamedTuple):
    """An address that the host has."""

    interface: str
    address: Interface


class Place(t.NamedTuple):
    """Where the shared addresses go. Of the others, `peers`, who has more `priority` is faster to take them over."""

    interface: str
    source: str
    peers: list[str]
    priority: int


def read_own(text: str) -> list[Own]:
    """What `ip -json address show` prints. An address without a link, as loopback's, counts too."""
    found = []
    for link in json.loads(text or "[]"):
        for one in link.get("addr_info", []):
            if one.get("family") in ("inet", "inet6"):
                found.append(Own(str(link["ifname"]), ipaddress.ip_interface(f"{one['local']}/{one['prefixlen']}")))
    return found


def router_id(addresses: t.Iterable[str]) -> int:
    """A number from 1 to 255, the same for the same addresses in any order."""
    return 1 + zlib.crc32(",".join(sorted(addresses)).encode()) % 255


def place(shared: t.Sequence[Interface], interface: str, others: t.Iterable[Address], own: t.Sequence[Own]) -> Place:
    """Raises NoPlace. `others` may have addresses of this host among them; `own` has none that it shares already."""
    ips = {one.ip for one in shared}
    taken = [one for one in own if one.address.ip in ips]
    if taken:
        raise NoPlace(
            f"{_VARIABLE}: {taken[0].address.ip} is this host's own already, at {taken[0].interface}. One that is "
            "shared must be no host's own: take another, or remove it from the host's network configuration."
        )
    here = interface or _of_network(shared[0], own)
    if here not in [one.interface for one in own]:
        names = ", ".join(sorted({one.interface for one in own}))
        raise NoPlace(f"ollama_gateway_virtual_interface: {here} has no address here. Those that have are {names}.")
    others = set(others)
    source = _source(shared[0], here, own, others)
    peers = others - {one.address.ip for one in own}
    everybody = sorted({source, *peers}, key=int)
    if len(everybody) >= _HIGHEST:
        raise NoPlace("ollama_gateway_peers: fewer than 254 gateways can share an address.")
    return Place(
        interface=here,
        source=str(source),
        peers=[str(one) for one in everybody if one != source],
        priority=_HIGHEST - everybody.index(source),
    )


def _of_network(wanted: Interface, own: t.Sequence[Own]) -> str:
    """The interface with an address of the same network."""
    for one in own:
        if one.address.version == wanted.version and one.address.ip in wanted.network:
            return one.interface
    raise NoPlace(
        f"{_VARIABLE}: no interface of this host has an address of the network {wanted.network}, in which {wanted.ip} "
        "is. Take an address of a network that the gateways are in, or name the interface in "
        "ollama_gateway_virtual_interface."
    )


def _source(wanted: Interface, interface: str, own: t.Sequence[Own], peers: t.Collection[Address]) -> Address:
    """By which address the others know this host: one that they are told of, or else one of the network."""
    possible = [one.address.ip for one in own if one.interface == interface and one.address.version == wanted.version]
    known = [one for one in possible if one in peers]
    near = [one for one in possible if one in wanted.network]
    for found in (*known, *near, *possible):
        return found
    raise NoPlace(f"ollama_gateway_virtual_interface: {interface} has no address of IPv{wanted.version} here.")
