# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether anything speaks QUIC is found out without its cryptography."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks import quic
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Address, Answer


def versions(packet: bytes) -> bytes:
    """A Version Negotiation packet (RFC 9000, section 17.2.1) that answers this one."""
    length = packet[5]
    theirs = packet[5 : 6 + length]
    ours = packet[6 + length : 7 + length + packet[6 + length]]
    return b"\x80" + bytes(4) + ours + theirs + bytes.fromhex("00000001")


@contextmanager
def listening(answer: Callable[[bytes], bytes]) -> Iterator[Address]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)

        def serve() -> None:
            with suppress(OSError):
                while True:
                    packet, sender = sock.recvfrom(4096)
                    if answer(packet):
                        sock.sendto(answer(packet), sender)

        threading.Thread(target=serve, daemon=True).start()
        yield Address("127.0.0.1", sock.getsockname()[1])


def held(address: Address) -> bool:
    (attack,) = quic.where_it_is_off(address)
    assert attack.link is not None
    return attack.expects.holds(attack.link.send(attack.request.raw, 5))


def test_who_speaks_quic_is_found_and_who_speaks_something_else_is_not() -> None:
    for answer, sound in ((versions, False), (lambda _packet: b"hello, this is no QUIC", True)):
        with listening(answer) as address:
            assert held(address) is sound


def test_where_nobody_answers_it_is_over_soon() -> None:
    begun = time.monotonic()
    with listening(lambda _packet: b"") as silent:
        assert held(silent)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = Address("127.0.0.1", probe.getsockname()[1])
    assert held(nobody)
    assert time.monotonic() - begun < 3


def test_the_packet_is_one_that_a_server_must_answer() -> None:
    """Long header, fixed bit, a version of the form 0x?a?a?a?a, and 1200 bytes at least."""
    packet = quic.first_packet()
    assert packet[0] & 0xC0 == 0xC0
    assert [byte & 0x0F for byte in packet[1:5]] == [0x0A] * 4
    assert len(packet) == 1200


def test_a_packet_that_is_cut_off_names_no_versions() -> None:
    assert not quic.is_quic(Answer(b"\x80" + bytes(4)))
    assert not quic.is_quic(Answer(error="nothing", timed_out=True))
