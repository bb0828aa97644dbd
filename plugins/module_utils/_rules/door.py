# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of the door of ollama_server mean together: its problems, and where each server is reached."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules import common
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.environment import PREFIX
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.addresses import bracketed, is_address

Dict = t.Dict[str, t.Any]

PUBLISH = re.compile(r"(?P<host>127(\.[0-9]{1,3}){3}|\[::1\]):(?P<port>[0-9]{1,5})\Z")
_IMAGE = "docker.io/openresty/openresty:1.31.1.1-bookworm"
_LAST_PORT = 65535
# Where the first server is reached in the container, and asked how it stands. Docker leads to it from the host's port.
_INSIDE, _STATUS = 11443, 8080
# What stands in a certificate as it is (RFC 4514), and has room there (RFC 5280).
_GATEWAY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:-]{0,62}[A-Za-z0-9])?\Z")


def judge(values: t.Mapping[str, t.Any], servers: int, controller: common.Controller, problems: Problems) -> None:
    """What is wrong, where there is a door for so many servers."""
    bind, capacity = values["door_bind"], values["door_capacity"]
    if not bind:
        return
    rights = {
        "door_bind": common.unless(
            is_address(bind), "an IP address of the host, such as 10.0.0.5, or empty for no door"
        ),
        "door_image": common.image(values["door_image"], _IMAGE),
        "door_capacity": common.count(capacity, "a number of requests, or 0 for as many as a model answers at once"),
        "door_port": _port_right(values["door_port"], servers),
    }
    problems += common.wrong(PREFIX, rights)
    if not rights["door_bind"] and not rights["door_port"]:
        problems.add(PREFIX + "door_port", _collision(values, servers))
    for number, name in enumerate(values["door_gateways"]):
        if not isinstance(name, str) or not _GATEWAY.match(name):
            text = (
                "it must be a gateway's name in the inventory, as it stands in a certificate: 1 to 64 letters, digits, "
            )
            text += "dots, dashes, underscores and colons"
            problems.add(f"{PREFIX}door_gateways[{number}]", text)
    with problems.of(PREFIX + "door_ca_dir"):
        controller.private_folder("door_ca", values["door_ca_dir"])


def _port_right(port: int, servers: int) -> str | None:
    highest = _LAST_PORT + 1 - max(servers, 1)
    each = "" if servers < 2 else f", for {servers} servers have a port each"
    return common.unless(1 <= port <= highest, f"a port from 1 to {highest}{each}")


def _collision(values: t.Mapping[str, t.Any], servers: int) -> str | None:
    """Whether a port of the door is the published one of the server itself."""
    published = PUBLISH.match(values["publish"])
    if not published or not values["door_port"] <= int(published["port"]) < values["door_port"] + servers:
        return None
    door = ipaddress.ip_address(values["door_bind"])
    if not door.is_unspecified and str(door) != published["host"].strip("[]"):
        return None
    return f"{published['port']} is the port of {PREFIX}publish as well; choose another one"


def warnings(values: t.Mapping[str, t.Any]) -> list[str]:
    found = []
    bind = values["door_bind"]
    if is_address(bind) and ipaddress.ip_address(bind).is_unspecified:
        found.append(
            f"{PREFIX}door_bind: {bind} opens the door at every address of the host, which is wider than needed. "
            "Without a gateway's certificate nobody comes in; the address by which gateways come is enough"
        )
    if bind and not values["door_gateways"]:
        found.append(f"{PREFIX}door_gateways: it is empty, so that the door lets nobody in")
    return found


def plan(values: t.Mapping[str, t.Any], instances: t.Sequence[t.Mapping[str, t.Any]]) -> Dict:
    """What the role's tasks and templates go by; nothing where there is no door."""
    bind = values["door_bind"]
    numbered = list(enumerate(instances)) if bind else []
    place = {"address": bind, "variable": PREFIX + "door_port", "address_variable": PREFIX + "door_bind"}
    return {
        "door": [
            {
                "service": one["service"],
                "upstream": one["aliases"][-1] + ":11434",
                "listen": str(_INSIDE + number),
                "status": f"127.0.0.1:{_STATUS + number}",
                "publish": f"{bracketed(bind)}:{values['door_port'] + number}:{_INSIDE + number}",
                "capacity": values["door_capacity"] or _parallel(one["environment"]),
            }
            for number, one in numbered
        ],
        "door_ports": [{**place, "port": values["door_port"] + number} for number, _one in numbered],
        "door_gateways": list(values["door_gateways"]) if numbered else [],
    }


def _parallel(environment: t.Mapping[str, str]) -> int:
    """Requests that a model of this server answers at the same time; where it is Ollama's choice, that is one."""
    said = environment.get("OLLAMA_NUM_PARALLEL", "")
    return int(said) if re.match(r"[1-9][0-9]{0,5}\Z", said) else 1
