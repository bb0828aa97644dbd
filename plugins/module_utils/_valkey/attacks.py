# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks on a node of Valkey and its Sentinel. What gets through does no harm: it names nothing, or is not valid."""

from __future__ import annotations

import socket
import typing as t
from dataclasses import dataclass

from ansible_collections.gatehouse.ollama.plugins.module_utils._valkey.cluster import CLUSTER
from ansible_collections.gatehouse.ollama.plugins.module_utils._valkey.resp import (
    Node,
    Refused,
    Unreachable,
    command,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks.hello import (
    OLD_SUITES,
    SSL3,
    TLS10,
    TLS11,
    client_hello,
)

GATEWAY = "gatehouse"

_STRANGER = "without a password"
_OLD = "by other ways than TLS 1.2 or newer"
_COMMANDS = "of administrators, as a gateway"
_KEYS = "at keys of others, as a gateway"
_ALLOWED = "what a gateway may"
KINDS = (_STRANGER, _OLD, _COMMANDS, _KEYS, _ALLOWED)

# The first record of a handshake that goes on.
_HANDSHAKE = b"\x16"
_VERSIONS = {"SSL 3.0": SSL3, "TLS 1.0": TLS10, "TLS 1.1": TLS11}

_WITHOUT = (
    *("PING", "ROLE", "INFO", "HELLO 3", "AUTH nothing", "AUTH default nothing", "AUTH gatehouse nothing"),
    *("AUTH sentinel nothing", "ACL WHOAMI", "COMMAND COUNT", "SHUTDOWN NOTHING"),
)
_VALKEY_WITHOUT = (*_WITHOUT, "AUTH replica nothing", "CONFIG GET port", "GET gatehouse:nothing", "PSYNC ? -1")
_SENTINEL_WITHOUT = (*_WITHOUT, f"SENTINEL GET-MASTER-ADDR-BY-NAME {CLUSTER}", "SENTINEL MASTERS")
_VALKEY_FORBIDDEN = (
    *("CONFIG GET port", "CONFIG SET nothing nothing", "ACL WHOAMI", "ACL LIST"),
    *("FLUSHALL NOTHING", "FLUSHDB NOTHING", "KEYS nothing", "SCAN 0 COUNT 1", "RANDOMKEY", "DBSIZE", "INFO"),
    *("MODULE LIST", "DEBUG HELP", "SHUTDOWN NOTHING", "REPLICAOF nothing nothing", "SLAVEOF nothing nothing"),
    *(
        "FAILOVER NOTHING",
        "PSYNC nothing nothing",
        "REPLCONF nothing nothing",
        "MONITOR",
        "LASTSAVE",
        "BGSAVE NOTHING",
    ),
    *("CLIENT LIST", "CLIENT KILL ID 0", "SELECT 1", "SWAPDB nothing nothing", "SUBSCRIBE nothing"),
    *("PUBLISH nothing nothing", "SCRIPT FLUSH NOTHING", "FUNCTION LIST", "LATENCY DOCTOR", "SLOWLOG LEN"),
    *("COMMAND COUNT", "CLUSTER INFO", "MIGRATE nothing nothing nothing nothing nothing"),
)
# In a script nothing is checked but what it does; 0 and a number of keys stand before the keys.
_SCRIPTS = ("return redis.call('keys','nothing')", "return redis.call('get','nothing')")
_VALKEY_KEYS = (
    *("GET nothing", "MGET gatehouse:nothing nothing", "SET nothing nothing NOTHING", "DEL nothing", "HGETALL nothing"),
    *("EXISTS nothing", "TYPE nothing", "EXPIRE nothing 1", "ZCARD nothing", "GET gatehouse", "GET GATEHOUSE:nothing"),
)
_SENTINEL_FORBIDDEN = (
    *("SENTINEL MASTERS", f"SENTINEL SENTINELS {CLUSTER}", "SENTINEL FAILOVER nothing", "SENTINEL RESET nothing"),
    *("SENTINEL REMOVE nothing", "SENTINEL SET nothing quorum 1", "SENTINEL MONITOR nothing nothing 1 1"),
    *("SENTINEL CONFIG GET nothing", "SENTINEL IS-MASTER-DOWN-BY-ADDR 192.0.2.1 1 0 *", "ACL WHOAMI", "INFO"),
    *("SHUTDOWN NOTHING", "SUBSCRIBE nothing", "PUBLISH nothing nothing", "CLIENT LIST"),
)


@dataclass(frozen=True)
class Attack:
    kind: str
    port: int
    words: t.Tuple[str, ...]

    @property
    def is_refused_with(self) -> t.Tuple[str, ...]:
        """How the answer begins that a closed node gives; nothing where it lets this in."""
        if self.kind == _STRANGER:
            return ("NOAUTH", "WRONGPASS")
        # It says of DEBUG that nobody may, and of a script what the command in it met.
        return () if self.kind == _ALLOWED else ("NOPERM", "ERR DEBUG command not allowed", "ERR ACL failure in script")

    @property
    def text(self) -> str:
        return "%s at port %d" % (" ".join(self.words), self.port)


def attacks(port: int, sentinel_port: int, with_password: bool) -> list[Attack]:
    """Those that speak as Valkey does; without its port there is no Sentinel."""
    found = _of(_STRANGER, port, _VALKEY_WITHOUT)
    found += _of(_STRANGER, sentinel_port, _SENTINEL_WITHOUT)
    if not with_password:
        return found
    found += _of(_COMMANDS, port, _VALKEY_FORBIDDEN) + _of(_COMMANDS, sentinel_port, _SENTINEL_FORBIDDEN)
    found += _of(_KEYS, port, _VALKEY_KEYS)
    found += [Attack(_KEYS, port, ("EVAL", script, "0")) for script in _SCRIPTS]
    found += _of(_ALLOWED, port, ("PING", "ROLE", "GET gatehouse:nothing"))
    return found + _of(_ALLOWED, sentinel_port, ("PING", f"SENTINEL GET-MASTER-ADDR-BY-NAME {CLUSTER}"))


def _of(kind: str, port: int, lines: t.Iterable[str]) -> list[Attack]:
    return [Attack(kind, port, tuple(line.split())) for line in lines] if port else []


def hole(attack: Attack, address: str, ca: str, password: str) -> str:
    """What came back, if it is no refusal, or of what is allowed if it is one. Raises Unreachable."""
    with Node(address, attack.port, ca) as node:
        if attack.kind != _STRANGER:
            try:
                node.call("AUTH", GATEWAY, password)
            except Refused as error:
                return "the password of the gateways is refused: %s" % error
        try:
            answer = str(node.call(*attack.words))
        except Refused as error:
            answer = str(error)
            if answer.startswith(attack.is_refused_with):
                return ""
            return answer
    return "" if attack.kind == _ALLOWED else answer or "an answer"


def other_ways(address: str, port: int, timeout: float = 3.0) -> list[tuple[str, str]]:
    """How one may try to get in without a good TLS, and what came back if that went on. Raises Unreachable."""
    found = [("in the clear", _said(address, port, command("PING"), timeout, b"+-"))]
    for name, version in _VERSIONS.items():
        hello = client_hello(version, OLD_SUITES, None)
        found.append((name, _said(address, port, hello, timeout, _HANDSHAKE)))
    return found


def _said(address: str, port: int, sent: bytes, timeout: float, hole_begins: bytes) -> str:
    """The beginning of an answer that goes on, else nothing."""
    try:
        with socket.create_connection((address, port), timeout) as connection:
            connection.sendall(sent)
            try:
                answer = connection.recv(64)
            except OSError:
                return ""
    except OSError as error:
        raise Unreachable("%s port %d: %s" % (address, port, error)) from None
    return repr(answer) if answer[:1] and answer[:1] in hole_begins else ""
