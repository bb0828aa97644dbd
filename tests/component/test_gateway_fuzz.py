# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Garbage at the door: GATEHOUSE_FUZZ requests (3,000 unless set), built from what requests are made of."""

from __future__ import annotations

import os
import random
from collections import Counter

from tests.component.gateways import Gateway, connect

REQUESTS = int(os.environ.get("GATEHOUSE_FUZZ", "3000"))
METHODS = [b"GET", b"POST", b"DELETE", b"HEAD", b"OPTIONS", b"PUT", b"get", b"TRACE", b"", b"G\0T", b"PRI"]
TARGETS = [
    *(b"/", b"/api/tags", b"/api/chat", b"/api/delete", b"/v1/messages", b"/v1/models/tiny", b"//api//tags"),
    *(b"/healthz/../api/tags", b"/api/%74ags", b"/\xff", b"*", b"http://x/api/tags", b"/.gatehouse/401", b"/a?b#c"),
]
NAMES = [
    *(b"Authorization", b"authorization", b"x-api-key", b"Cookie", b"Origin", b"Upgrade", b"Connection", b"Expect"),
    *(b"Content-Length", b"Transfer-Encoding", b"Content-Encoding", b"X-Original-URL", b"X-Forwarded-User", b"Host"),
]
VALUES = [
    *(b"Bearer x", b"Basic YWxpY2U6eA==", b"Basic Og==", b"Bearer", b"", b"\xff\xfe", b"a" * 9000, b"chunked", b"0"),
    *(
        b"5",
        b"-1",
        b"websocket",
        b"100-continue",
        b"gzip",
        b"keep-alive",
        b"/healthz",
        b"alice",
        b"Basic " + b"A" * 2000,
    ),
]


def request(chance: random.Random) -> bytes:
    version = chance.choice([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/9.9", b"HTP"])
    lines = [b"%s %s %s" % (chance.choice(METHODS), chance.choice(TARGETS), version), b"Host: x"]
    for _ in range(chance.randrange(5)):
        lines.append(chance.choice(NAMES) + chance.choice([b": ", b":", b" : "]) + chance.choice(VALUES))
    data = bytearray(b"\r\n".join(lines) + b"\r\n\r\n" + chance.randbytes(chance.choice([0, 0, 5, 300])))
    for _ in range(chance.choice([0, 0, 0, 1, 5])):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def answer(server: Gateway, data: bytes) -> int | None:
    """The status of the first answer; None where the connection is closed without one."""
    with connect(server.address) as connection:
        connection.settimeout(20)
        try:
            connection.sendall(data)
            connection.shutdown(1)
            head = connection.recv(16)
        except OSError:
            return None
    return int(head[9:12]) if head.startswith(b"HTTP/1.1 ") else None


def test_no_garbage_gets_in_or_makes_a_worker_fall(any_gateway: Gateway) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    before = any_gateway.processes()
    seen: Counter[int | None] = Counter()
    for number in range(REQUESTS):
        data = request(chance)
        status = answer(any_gateway, data)
        seen[status] += 1
        open_to_all = status == 200 and b"/healthz" in data.split(b"\r\n")[0]
        assert status is None or 300 <= status < 500 or open_to_all, (seed, number, status, data)
    assert seen[401] > 0
    assert any_gateway.processes() == before, seen
