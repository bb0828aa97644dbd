# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks whether anything speaks QUIC at a UDP port. Which versions it has is told without any cryptography."""

from __future__ import annotations

import os
import socket
import typing as t
from dataclasses import dataclass

from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attack import Attack, Expectation
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Address, Answer, Request
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.link import Link

# A version that nobody has (RFC 9000, section 15), so that each server names its own (section 6).
_NO_VERSION = bytes.fromhex("1a2a3a4a")
# Smaller ones are ignored (section 14.1).
_SMALLEST = 1200
_TRIES, _PAUSE = 2, 0.5

_SILENT = Expectation("no answer, since HTTP/3 is off", lambda answer: not is_quic(answer))


@dataclass(frozen=True)
class Datagrams(Link):
    """A way to a UDP port."""

    def send(self, raw: bytes, timeout: float) -> Answer:
        family = socket.AF_INET6 if ":" in self.address.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            try:
                sock.connect((self.address.host, self.address.port))
                for _attempt in range(_TRIES):
                    sock.send(raw)
                    answer = _next(sock, min(timeout, _PAUSE))
                    if answer:
                        return Answer(answer)
            except OSError as error:
                return Answer(error=error.strerror or str(error), connected=False)
        return Answer(error="nothing", timed_out=True)


def _next(sock: socket.socket, timeout: float) -> bytes:
    sock.settimeout(timeout)
    try:
        return sock.recv(2048)
    except socket.timeout:
        return b""


def first_packet() -> bytes:
    """A long header (RFC 9000, section 17.2) with two connection ids of 8 bytes."""
    head = b"\xc0" + _NO_VERSION + b"\x08" + os.urandom(8) + b"\x08" + os.urandom(8)
    return head + bytes(_SMALLEST - len(head))


def is_quic(answer: Answer) -> bool:
    """Whether this is the packet that names versions: a long header with the version 0 (section 17.2.1)."""
    return len(answer.raw) >= 7 and answer.raw[0] >= 0x80 and answer.raw[1:5] == bytes(4)


def where_it_is_off(address: Address) -> t.Iterator[Attack]:
    """Where the gateway has no HTTP/3 nobody may speak it at its port: no attack looks at what is served there."""
    sent = Request(first_packet(), "a first packet of QUIC, of a version that nobody has")
    yield Attack("HTTP/3", f"QUIC at UDP port {address.port}", sent, _SILENT, link=Datagrams(address))
