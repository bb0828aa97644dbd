# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Side doors: addresses past the gateway. What answers there counts if it is the server, and no other program."""

from __future__ import annotations

import json
import re
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attack import CLOSED
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Address, Answer, request, send
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.run import Budget, Result

KIND = "side doors"

# Two tries of TCP to begin again, after one second and after three: packets that a firewall drops are not waited for
# as long as an answer.
_TO_CONNECT = 4
# To an address of this host, or of a container on it, nothing is lost on the way: one try more is enough, and the
# kernel answers it at once.
_TO_CONNECT_HERE = 1.05
_MOST_AT_ONCE = 64

# Of each model in a list: when it came to the server, to the nanosecond, and what it is. A list may be cut off.
_CAME = re.compile(rb'"modified_at":"([^"]*)"')
_DIGEST = re.compile(rb'"digest":"([^"]*)"')

# Whether an answer comes from one of the servers: nobody else could give it, somebody else might, or it does not.
_PROVEN, _LIKELY, _NOT = "proven", "likely", "not"


@dataclass(frozen=True)
class Door:
    """`certain`: whoever listens at the address is on the host that is meant, and not on one that has the same.

    `here`: this is that host.
    """

    address: Address
    certain: bool
    here: bool = False


@dataclass(frozen=True)
class Server:
    """What a server says of itself where it is known to be: by this it is known again."""

    version: str
    models: t.FrozenSet[str]


_VERSION = request("GET", "/api/version", host="localhost")
# An answer to HTTP/1.0 comes in one piece.
_LIST = request("GET", "/api/tags", host="localhost", version="HTTP/1.0")


def attack(
    doors: t.Sequence[Door],
    servers: t.Sequence[Server] | None,
    timeout: float,
    budget: Budget,
    secrets: t.Sequence[bytes],
) -> list[Result]:
    """All at once, since each may have to be waited for. Without `servers` nothing at all may answer."""
    # Two requests each.
    budget.take(2 * len(doors))

    def one(door: Door) -> Result:
        budget.wait()
        to_connect = min(timeout, _TO_CONNECT_HERE if door.here else _TO_CONNECT)
        answer = send(door.address, _VERSION.raw, timeout, to_connect=to_connect)
        held, note = CLOSED.holds(answer), ""
        if not held and servers is not None:
            budget.wait()
            held, note = _judge(door, answer, servers, timeout)
        came_back = answer.shown(secrets)
        return Result(KIND, door.address.name, held, _VERSION.shown, came_back, CLOSED.text, note=note)

    if not doors:
        return []
    with ThreadPoolExecutor(min(len(doors), _MOST_AT_ONCE)) as pool:
        return list(pool.map(one, doors))


def _judge(door: Door, answer: Answer, servers: t.Sequence[Server], timeout: float) -> tuple[bool, str]:
    """Whether it is no hole, and what is to be said of it all the same."""
    version = read_version(answer)
    if version is None and answer.timed_out:
        if door.certain:
            return False, ""
        return True, f"it took a connection and did not answer for {timeout:g} seconds; it may be somebody else's"
    if version is None:
        return True, ""
    proof = compare(version, send(door.address, _LIST.raw, timeout), servers)
    if proof == _PROVEN or (proof == _LIKELY and door.certain):
        return False, ""
    if proof == _LIKELY:
        return True, "an Ollama of the same version answers there; nothing shows whether it is this one"
    return True, "an Ollama answers there, which is none of this host's Compose project"


def read_version(answer: Answer) -> str | None:
    """The version that an Ollama tells; None if this is the answer of something else."""
    # Without what frames it, should it come in chunks.
    found = re.search(rb"\{.*\}", answer.raw.partition(b"\r\n\r\n")[2], re.DOTALL)
    try:
        version = json.loads(found[0].decode("utf-8"))["version"] if found else None
    except (ValueError, TypeError, KeyError):
        return None
    return version if answer.status == 200 and isinstance(version, str) else None


def compare(version: str, listed: Answer, servers: t.Sequence[Server]) -> str:
    """What its version and its answer to the question for its models show."""
    alike = [one for one in servers if one.version == version]
    if not alike:
        return _NOT
    if listed.status != 200:
        return _LIKELY
    came, digests = _CAME.findall(listed.raw), _DIGEST.findall(listed.raw)
    models = {model(*(one.decode("utf-8", "replace") for one in pair)) for pair in zip(came, digests)}
    if any(one.models & models for one in alike):
        return _PROVEN
    # Nothing tells empty ones apart.
    return _NOT if models or all(one.models for one in alike) else _LIKELY


def model(came: str, digest: str) -> str:
    return f"{came} {digest}"
