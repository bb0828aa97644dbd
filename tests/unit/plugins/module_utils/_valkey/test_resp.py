# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Valkey says, read from bytes."""

from __future__ import annotations

import io
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._valkey.resp import (
    Node,
    Refused,
    Unreachable,
    command,
    read,
)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (b"+PONG\r\n", "PONG"),
        (b":-3\r\n", -3),
        (b"$5\r\na\r\nbc\r\n", "a\r\nbc"),
        (b"$-1\r\n", None),
        (b"*2\r\n$6\r\nmaster\r\n*0\r\n", ["master", []]),
    ],
)
def test_an_answer_of_each_kind_is_read(sent: bytes, meant: Any) -> None:
    assert read(io.BytesIO(sent)) == meant


def test_an_error_is_told_from_an_answer() -> None:
    with pytest.raises(Refused, match=r"^NOAUTH Authentication required\.$"):
        read(io.BytesIO(b"-NOAUTH Authentication required.\r\n"))


@pytest.mark.parametrize(
    "sent",
    [b"", b"+PO", b"$5\r\nab", b"HTTP/1.1 400\r\n", b"$x\r\n", b"$99999999\r\n", b"*99999999\r\n", b"*2\r\n:1\r\n"],
)
def test_what_is_no_whole_answer_is_a_value_error(sent: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(io.BytesIO(sent))


def test_a_command_has_the_length_of_each_word_in_bytes() -> None:
    assert command("SET", "gatehouse:ä", "") == b"*3\r\n$3\r\nSET\r\n$12\r\ngatehouse:\xc3\xa4\r\n$0\r\n\r\n"


def test_a_certificate_that_is_none_is_said_as_no_connection() -> None:
    with pytest.raises(Unreachable, match=r"^127\.0\.0\.1 port 1: "):
        Node("127.0.0.1", 1, "no certificate")
