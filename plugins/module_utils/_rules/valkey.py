# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of the role valkey mean together."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules import common
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.addresses import bracketed, is_address

PREFIX = "valkey_"

_IMAGE = "docker.io/valkey/valkey:8.1.8"
_LAST_PORT = 65535
_LEAST = 16 << 20
_COUNTS = (1, 3, 5)
# Where they listen in their containers. Docker leads to them from the ports of the host.
_INSIDE, _SENTINEL_INSIDE = 6379, 26379


def check(values: t.Mapping[str, t.Any], controller: common.Controller) -> common.Checked:
    """Of what is to be removed, only where it is: that is judged by whoever calls this."""
    rights = {
        "image": common.image(values["image"], _IMAGE),
        "bind": common.unless(_is_one_address(values["bind"]), "an IP address by which other hosts reach this one"),
        "port": _port(values["port"]),
        "sentinel_port": _port(values["sentinel_port"]),
        "maxmemory": common.unless(_bytes(values["maxmemory"]) >= _LEAST, "a size of 16mb or more, such as 256mb"),
        "memory": _memory(values),
        "data_dir": common.folder(values["data_dir"], "/opt/gatehouse/state"),
    }
    problems = common.wrong(PREFIX, rights)
    nodes = values["nodes"]
    if not rights["bind"]:
        _judge_nodes(nodes, values["bind"], problems)
    if len(nodes) > 1 and values["port"] == values["sentinel_port"]:
        problems.add(PREFIX + "sentinel_port", f"it is {PREFIX}port as well; choose another one")
    for kind, name in (("door_ca", "ca_dir"), ("valkey", "secrets_dir")):
        with problems.of(PREFIX + name):
            controller.private_folder(kind, values[name])
    return common.Checked(problems, result=_plan(values))


def _is_one_address(text: str) -> bool:
    """Whether others may find a host there: neither all of its addresses nor one that only the host itself has."""
    if not is_address(text):
        return False
    address = ipaddress.ip_address(text)
    return not (address.is_unspecified or address.is_loopback or address.is_multicast)


def _port(port: int) -> str | None:
    return common.unless(1 <= port <= _LAST_PORT, f"a port from 1 to {_LAST_PORT}")


def _bytes(size: object) -> int:
    return common.memory_bytes(size) or 0


def _memory(values: t.Mapping[str, t.Any]) -> str | None:
    holds = _bytes(values["memory"]) >= 2 * _bytes(values["maxmemory"])
    return common.unless(holds, f"a size such as 1g, and twice {PREFIX}maxmemory at least")


def _judge_nodes(nodes: t.Sequence[t.Any], bind: str, problems: Problems) -> None:
    """They are those of the whole cluster, and this host is one of them."""
    variable = PREFIX + "nodes"
    wrong = [one for one in nodes if not (isinstance(one, str) and _is_one_address(one))]
    for one in wrong:
        problems.add(variable, f"{one} must be the IP address of a node, as {PREFIX}bind of its host has it")
    if wrong:
        return
    addresses = [ipaddress.ip_address(one) for one in nodes]
    if len(set(addresses)) < len(addresses):
        problems.add(variable, "each address must be there once, and each host must have its own")
    elif ipaddress.ip_address(bind) not in addresses:
        problems.add(variable, f"{bind} must be among them, for it is {PREFIX}bind of this host")
    elif len(addresses) not in _COUNTS:
        text = (
            f"it must have 1, 3 or 5 addresses, and has {len(addresses)}. More than half of the nodes have to agree on "
            "a new primary, so that one more than 1, 3 or 5 may fail less and bears no more"
        )
        problems.add(variable, text)
    elif len(addresses) > 1 and any(one.version == 6 for one in addresses):
        text = "several nodes must have IPv4 addresses, for containers of a network of Docker reach no others"
        problems.add(variable, text)


def _plan(values: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What the role's tasks and templates go by."""
    bind, several = values["bind"], len(values["nodes"]) > 1
    services = [("valkey", "port", _INSIDE)] + ([("sentinel", "sentinel_port", _SENTINEL_INSIDE)] if several else [])
    return {
        "nodes": list(values["nodes"]),
        "several": several,
        "publish": {name: f"{bracketed(bind)}:{values[port]}:{inside}" for name, port, inside in services},
        "ports": [
            {
                "address": bind,
                "port": values[port],
                "variable": PREFIX + port,
                "address_variable": PREFIX + "bind",
            }
            for _name, port, _inside in services
        ],
        "maxmemory": _bytes(values["maxmemory"]),
    }
