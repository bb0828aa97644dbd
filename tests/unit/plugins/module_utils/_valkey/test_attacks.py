# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks on a node: what each takes for a refusal, and that none would do harm where it got through."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._valkey import attacks as tried
from ansible_collections.gatehouse.ollama.plugins.module_utils._valkey.attacks import attacks, hole, other_ways
from ansible_collections.gatehouse.ollama.plugins.module_utils._valkey.resp import Refused, Unreachable

REFUSALS = {
    "without a password": "NOAUTH Authentication required.",
    "of administrators, as a gateway": "NOPERM User gatehouse has no permissions to run the 'keys' command",
    "at keys of others, as a gateway": "NOPERM No permissions to access a key",
}
# Of these, no form is harmless.
NEVER = {"SAVE", "BGREWRITEAOF", "SYNC"}
# Of these, one that is valid would do harm: they are sent with an option that there is not.
INVALID = {"FLUSHALL", "FLUSHDB", "SHUTDOWN", "FAILOVER", "BGSAVE"}


class Answering:
    """A node that says the same to all but AUTH."""

    def __init__(self, answer: Any, auth: str = "") -> None:
        self.answer, self.auth = answer, auth

    def __call__(self, *_: Any) -> Answering:
        return self

    def __enter__(self) -> Answering:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def call(self, *words: str) -> Any:
        if words[0] == "AUTH" and len(words) == 3 and words[2] == "the password":
            if self.auth:
                raise Refused(self.auth)
            return "OK"
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize("attack", attacks(6379, 26379, True), ids=lambda attack: attack.text)
def test_a_refusal_is_no_hole_and_anything_else_is_one(attack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def holes(answer: Any) -> str:
        monkeypatch.setattr(tried, "Node", Answering(answer))
        return hole(attack, "10.0.0.1", "ca", "the password")

    if attack.kind == "what a gateway may":
        assert holes("PONG") == ""
        assert holes(Refused("NOPERM")) == "NOPERM"
    else:
        assert holes(Refused(REFUSALS[attack.kind])) == ""
        assert holes("OK") == "OK"
        assert holes("") == "an answer"
        assert holes(Refused("ERR syntax error")) == "ERR syntax error"


def test_without_the_password_only_what_needs_none_is_tried() -> None:
    assert {attack.kind for attack in attacks(6379, 26379, False)} == {"without a password"}


def test_without_a_sentinel_none_is_tried() -> None:
    assert {attack.port for attack in attacks(6379, 0, True)} == {6379}


def test_a_password_that_is_refused_is_no_closed_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tried, "Node", Answering("OK", auth="WRONGPASS invalid"))
    (attack, *_) = [one for one in attacks(6379, 0, True) if one.kind != "without a password"]
    assert hole(attack, "a", "ca", "the password") == "the password of the gateways is refused: WRONGPASS invalid"


@pytest.mark.parametrize("attack", attacks(6379, 26379, True), ids=lambda attack: attack.text)
def test_what_gets_through_would_do_no_harm(attack: Any) -> None:
    words = attack.words
    assert words[0] not in NEVER
    if words[0] in INVALID:
        assert words[1] == "NOTHING"
    if words[0] in {"SET", "DEL", "EXPIRE", "REPLICAOF", "SLAVEOF", "SWAPDB", "MIGRATE"}:
        assert words[1] == "nothing"


@contextmanager
def listener(answer: bytes) -> Iterator[int]:
    """A server that says this to whoever says something, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    if connection.recv(4096) and answer:
                        connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("answer", "open_ways"),
    [
        (b"", []),
        (b"\x15\x03\x01\x00\x02\x02\x46", []),
        (b"+PONG\r\n", ["in the clear"]),
        (b"-NOAUTH Authentication required.\r\n", ["in the clear"]),
        (b"\x16\x03\x01\x00\x31", ["SSL 3.0", "TLS 1.0", "TLS 1.1"]),
    ],
)
def test_an_answer_in_the_clear_or_to_an_old_version_of_tls_is_a_hole(answer: bytes, open_ways: list[str]) -> None:
    with listener(answer) as port:
        assert [way for way, found in other_ways("127.0.0.1", port) if found] == open_ways


def test_a_node_that_nobody_reaches_is_not_taken_for_a_closed_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unreachable):
        other_ways("127.0.0.1", port)
