# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the servers of a Compose project could be reached past their gateway, and by what they can be known again."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.client import Client
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.place import choose, client_of
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks.doors import model

# For a short answer of a server that may be busy.
_TIMEOUT = 30.0
_LOOPBACK = ("127.0.0.1", "::1")
# That of Ollama.
_PORT = 11434

Dict = t.Dict[str, t.Any]


class Doors(t.NamedTuple):
    """In the form of the options of the module wall: `here` from the host itself, `elsewhere` from any other host."""

    here: t.List[Dict]
    elsewhere: t.List[Dict]
    servers: t.List[Dict]


def look(docker: Docker, project: str) -> Doors:
    """Those of the project. Raises GatehouseError."""
    containers = docker.containers(project)
    bridges = bridge_addresses(docker.inspect("network", *docker.read("network", "ls", "--quiet").split()))
    try:
        servers = identities(containers)
    except GatehouseError as error:
        raise GatehouseError(f"It cannot be told by what the server could be known again: {error}") from None
    if not servers:
        raise GatehouseError(f"No server of the Compose project {project} runs on this host")
    inner = doors(container_addresses(containers), {_PORT}, "network")
    ports = {_PORT} | published(containers)
    addresses = own_addresses() | set(_LOOPBACK)
    outer = {one for one in addresses - bridges if not ipaddress.ip_address(one.split("%")[0]).is_loopback}
    return Doors(
        here=doors(addresses, ports, "here") + [dict(door, place="here") for door in inner],
        elsewhere=doors(outer, ports, "host") + doors(addresses & bridges, ports, "network") + inner,
        servers=servers,
    )


def own_addresses(folder: str = "/proc/net") -> set[str]:
    """All addresses of this host, as the kernel lists them (proc_net(5)). Raises GatehouseError if it lists none."""
    found = set(re.findall(r"([0-9.]+)\s+/32 host LOCAL", _text(f"{folder}/fib_trie")))
    if not found:
        raise GatehouseError(f"The addresses of this host cannot be told: {folder}/fib_trie lists none")
    numbers = re.findall(r"^[0-9a-f]{32}", _text(f"{folder}/if_inet6"), re.MULTILINE)
    return found | {str(ipaddress.IPv6Address(int(number, 16))) for number in numbers}


def _text(path: str) -> str:
    """Nothing where the kernel has no such protocol, or does not tell."""
    with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
        return file.read()
    return ""


def published(containers: list[Dict]) -> set[int]:
    """The ports of the host that lead to the containers, as `docker inspect` describes them."""
    bindings = [b for c in containers for b in (c["NetworkSettings"]["Ports"] or {}).values() if b]
    return {int(one["HostPort"]) for several in bindings for one in several}


def container_addresses(containers: list[Dict]) -> set[str]:
    """The addresses of the containers, as `docker inspect` describes them."""
    networks = [n for c in containers for n in (c["NetworkSettings"]["Networks"] or {}).values()]
    return {n[key] for n in networks for key in ("IPAddress", "GlobalIPv6Address") if n.get(key)}


def bridge_addresses(networks: list[Dict]) -> set[str]:
    """The addresses of the host in its Docker networks, as `docker network inspect` describes them."""
    configs = [config for network in networks for config in (network.get("IPAM") or {}).get("Config") or []]
    return {config["Gateway"].split("/")[0] for config in configs if config.get("Gateway")}


def doors(addresses: t.Iterable[str], ports: set[int], place: str) -> list[Dict]:
    """Every address with every port, but for addresses that need an interface to be named."""
    usable = sorted({one for one in addresses if not ipaddress.ip_address(one.split("%")[0]).is_link_local})
    return [dict(host=address, port=port, place=place) for address in usable for port in sorted(ports)]


def identity(client: Client) -> Dict:
    """By what a server can be known again: nobody else has the same models since the same nanosecond."""
    models = [model(str(one.get("modified_at")), str(one.get("digest"))) for one in client.tags()]
    return dict(version=client.version(), models=sorted(models))


def identities(containers: list[Dict]) -> list[Dict]:
    """Those of all servers among the containers, as `docker inspect` describes them. Raises GatehouseError.

    Each is asked where nobody else can, inside its container.
    """
    servers = (choose([one], None) for one in containers)
    return [identity(client_of(one, one.connect, _TIMEOUT)) for one in servers if one is not None]
