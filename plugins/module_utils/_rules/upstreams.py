# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which servers the gateway can be told to go to. Pure functions.

nginx asks the DNS of the Docker network for names, while it runs. It reads no hosts file: neither that of the host nor
that of the container, which is where Docker writes names such as host.docker.internal.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

VARIABLE = "ollama_gateway_upstreams"
DOORS = "ollama_gateway_doors"

_FORM = re.compile(r"(?P<host>[A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})\Z")
# Of a server behind a door: the name of a host in the inventory, and perhaps of an instance.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}\Z")
# Names of the machine itself in hosts files, and names that Docker alone gives.
_OWN = ("localhost", "ip6-localhost", "ip6-loopback", "localhost.localdomain")
_DOCKERS = ("host-gateway",)
_OWN_DOMAIN = ".localhost"
_DOCKERS_DOMAIN = ".docker.internal"

_FORM_TEXT = 'it is %s. It must be a list of at least one server as host and port, such as ["ollama:11434"]'
_DOOR_TEXT = (
    'it must be a dictionary with a name and an address, such as {name: gpu1, address: "10.0.0.5:11443"}; '
    "\"{{ groups['ollama_servers'] | gatehouse.ollama.doors(hostvars) }}\" makes the list from the inventory"
)
_HOST_TEXT = (
    "For a server on the host itself write the address of one of the host's interfaces, such as 192.0.2.10:11434, or "
    "that of Docker's bridge (`ip -4 address show docker0`, 172.17.0.1 as a rule), and let it listen there "
    "(OLLAMA_HOST); for one in a container, that container's name in ollama_gateway_network"
)
_HOSTS_FILE_TEXT = (
    "%s: %s stands in /etc/hosts of the host (%s), and no DNS server knows it. The gateway asks DNS alone, and would "
    "answer 502 for good. Write the address, such as %s, or have the name in DNS"
)
_UNKNOWN_TEXT = (
    "%s: the gateway finds no address for %s, neither as the name of a container in ollama_gateway_network nor in DNS. "
    "Requests to it get 502 until there is one"
)


def host(upstream: str) -> str:
    """The name or address of a server, without brackets and port."""
    return upstream.rpartition(":")[0].strip("[]")


def address(name: str) -> t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address, None]:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def problems(upstreams: t.Sequence[object]) -> list[str]:
    """Servers that the gateway never reaches, by what is written alone."""
    if not upstreams:
        return ["%s: %s" % (VARIABLE, _FORM_TEXT % "empty")]
    found = [_problem(one) for one in upstreams]
    return ["%s[%d]: %s" % (VARIABLE, place, text) for place, text in enumerate(found) if text]


def _problem(upstream: object) -> str | None:
    form = _FORM.match(upstream) if isinstance(upstream, str) else None
    if not form or not 1 <= int(form.group("port")) <= 65535:
        # What is before an @ may be a password.
        return _FORM_TEXT % re.sub(r".*@", "***@", str(upstream), flags=re.DOTALL)
    name = form.group("host").strip("[]").lower().rstrip(".")
    there = address(name)
    if there is None and (":" in name or re.match(r"[0-9.]+\Z", name)):
        return "%s is no IP address" % name
    if name in _OWN or name.endswith(_OWN_DOMAIN) or (there and (there.is_loopback or there.is_unspecified)):
        return "%s is, in the gateway's container, the container itself. %s" % (name, _HOST_TEXT)
    if name in _DOCKERS or name.endswith(_DOCKERS_DOMAIN):
        return "%s is known to Docker's hosts files alone, which nginx does not read. %s" % (name, _HOST_TEXT)
    return None


def door_problems(doors: t.Sequence[object], engine: str) -> list[str]:
    """What is wrong with the doors of servers on several hosts."""
    found: list[str] = []
    if doors and engine != "openresty":
        found.append(
            "%s: it needs ollama_gateway_engine openresty, since nginx reads no bodies and cannot tell which model is "
            "asked for" % DOORS
        )
    seen: set[object] = set()
    for place, door in enumerate(doors):
        text = _door_problem(door, seen)
        if text:
            found.append("%s[%d]: %s" % (DOORS, place, text))
    return found


def _door_problem(door: object, seen: set[object]) -> str | None:
    if not isinstance(door, dict) or set(door) != {"name", "address"}:
        return _DOOR_TEXT
    if not isinstance(door["name"], str) or not _NAME.match(door["name"]):
        return "the name must have letters, digits, dots, hyphens and underscores, such as gpu1"
    form = _FORM.match(door["address"]) if isinstance(door["address"], str) else None
    there = address(host(door["address"])) if form else None
    if not form or there is None or not 1 <= int(form.group("port")) <= 65535:
        return "the address must be an IP address and a port, such as 10.0.0.5:11443 or [fd00::5]:11443"
    if there.is_loopback or there.is_unspecified:
        return "%s is, in the gateway's container, the container itself; write the address of the server's host" % there
    for one in (door["name"], door["address"]):
        if one in seen:
            return "%s is there twice" % one
        seen.add(one)
    return None


def names(upstreams: t.Iterable[str]) -> list[str]:
    """The servers that are looked up, each once."""
    return list(dict.fromkeys(host(one) for one in upstreams if address(host(one)) is None))


def hosts_file(text: str) -> dict[str, str]:
    """Address by name, in small letters, as in hosts(5); the first line that has a name counts."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        for name in words[1:]:
            found.setdefault(name.lower(), words[0])
    return found


def unknown(name: str, upstreams: t.Iterable[str], hosts: t.Mapping[str, str]) -> tuple[bool, str]:
    """For a name that has no address in the gateway's network: whether that is for good, and the words for it."""
    here = hosts.get(name.lower())
    if not here:
        return False, _UNKNOWN_TEXT % (VARIABLE, name)
    place = address(here)
    if place is None or place.is_loopback:
        instead = "192.0.2.10 (an address of the host on which the server listens)"
    else:
        port = next(one.rpartition(":")[2] for one in upstreams if host(one) == name)
        instead = ("[%s]:%s" if place.version == 6 else "%s:%s") % (here, port)
    return True, _HOSTS_FILE_TEXT % (VARIABLE, name, here, instead)
