# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of a server: its container, the folder by which it is drained, and what it says of itself."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._docker import hold
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import is_running, name_of

if t.TYPE_CHECKING:
    from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker

Dict = t.Dict[str, t.Any]

# Who drains it, in the folder that the container has there.
NAME = "drain.json"
_STATE = "/etc/gatehouse/state"

# Each instance of the server has a port of its own in the container, from 8080 on without a gap. The character between
# the answers is in no JSON. A bound on what is read: it was written in a container.
_ASK = r"""
port=8080
while { exec 3<>/dev/tcp/127.0.0.1/$port; } 2>/dev/null; do
    printf 'GET /gatehouse/door HTTP/1.0\r\n\r\n' >&3
    timeout 5 head -c 4000000 <&3
    printf '\036'
    port=$((port + 1))
done
"""


class Door(t.NamedTuple):
    """A container, and the folder of the host that says who drains it."""

    id: str
    state: str
    runs: bool


class Status(t.NamedTuple):
    """What the door of one instance says."""

    answers: bool
    draining: bool
    in_flight: t.Optional[t.Dict[str, int]]
    models: t.List[str]
    # When each gateway was last told that it takes requests.
    told: t.Dict[str, float]


def find(docker: Docker, project: str) -> Door | None:
    """The door of a Compose project, running or not. Raises GatehouseError."""
    for one in docker.containers(project, "--all") if docker.is_installed else []:
        state = hold.mounted(one, _STATE)
        if name_of(one) == project + "-door-1" and state:
            return Door(str(one["Id"]), state, is_running(one))
    return None


def ask(docker: Docker, door: Door) -> list[Status]:
    """What it says of each instance; nothing where it does not run or does not listen."""
    if not door.runs:
        return []
    said = docker.run("exec", door.id, "bash", "-c", _ASK).stdout
    return [_status(one) for one in said.split("\036") if one.strip()]


def _status(answer: str) -> Status:
    head, _blank, body = answer.lstrip().replace("\r\n", "\n").partition("\n\n")
    try:
        said = json.loads(body)
    except ValueError:
        said = {}
    said = said if isinstance(said, dict) else {}
    tags = said.get("tags")
    named = [tag["name"] for tag in tags if isinstance(tag, dict) and "name" in tag] if isinstance(tags, list) else []
    return Status(
        answers=head.split()[1:2] == ["200"],
        draining=said.get("draining") is True,
        in_flight=_numbers(said.get("in_flight")),
        models=[str(name) for name in named],
        told=_numbers(said.get("gateways")) or {},
    )


def _numbers(said: object) -> Dict | None:
    """Numbers by names. No name at all may be an empty list, in which Lua sees no difference."""
    if said == []:
        return {}
    if not isinstance(said, dict) or not all(isinstance(one, (int, float)) for one in said.values()):
        return None
    return said


def in_flight(found: t.Sequence[Status]) -> t.Dict[str, int] | None:
    """The requests of all instances by their models; None while one of them goes on to take some, or does not tell."""
    added: t.Dict[str, int] = {}
    for one in found:
        if not one.draining or one.in_flight is None:
            return None
        for model, count in one.in_flight.items():
            added[model] = added.get(model, 0) + count
    return {model: count for model, count in added.items() if count > 0} if found else None
