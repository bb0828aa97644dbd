# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Side doors: an open server is found even if it is slow, and nobody else's program is taken for it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks import doors
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Address, Answer
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.run import Budget, Result

MODELS = [{"name": "tiny:latest", "modified_at": "2026-11-25T12:00:00.123456789Z", "digest": "a" * 64}]
OTHERS = [{"name": "tiny:latest", "modified_at": "2026-11-25T12:00:00.987654321Z", "digest": "a" * 64}]
HERE = [doors.Server("0.32.15", frozenset([doors.model(MODELS[0]["modified_at"], "a" * 64)]))]
EMPTY = [doors.Server("0.32.15", frozenset())]


def reply(body: str, status: int = 200) -> bytes:
    return f"HTTP/1.1 {status} Words\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


def ollama(models: list[dict[str, Any]], version: str = "0.32.15") -> dict[bytes, bytes]:
    return {
        b"/api/version": reply(json.dumps({"version": version})),
        b"/api/tags": reply(json.dumps({"models": models}, separators=(",", ":"))),
    }


@contextmanager
def listening(answers: dict[bytes, bytes] | bytes | None, delay: float = 0) -> Iterator[Address]:
    """Answers by path, or always the same; None says nothing and keeps the connection."""
    kept = []
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:

        def one(connection: socket.socket) -> None:
            with suppress(OSError):
                path = connection.recv(4096).split(b" ")[1]
                time.sleep(delay)
                if answers is None:
                    return
                connection.sendall(answers if isinstance(answers, bytes) else answers[path])
                connection.close()

        def serve() -> None:
            with suppress(OSError):
                while True:
                    kept.append(listener.accept()[0])
                    threading.Thread(target=one, args=[kept[-1]], daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield Address("127.0.0.1", listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        for connection in kept:
            connection.close()


def attack(
    *addresses: Address, servers: list[doors.Server] | None = None, certain: bool = True, timeout: float = 5
) -> list[Result]:
    found = [doors.Door(address, certain) for address in addresses]
    return doors.attack(found, servers, timeout, Budget(200, 1000, 60), [])


@pytest.mark.parametrize("servers", [None, HERE])
def test_an_open_server_that_answers_slowly_is_open(
    servers: list[doors.Server] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More slowly than packets that a firewall drops are waited for."""
    monkeypatch.setattr(doors, "_TO_CONNECT", 0.5)
    with listening(ollama(MODELS), delay=0.8) as address:
        (result,) = attack(address, servers=servers, timeout=10)
    assert not result.held
    assert result.came_back.startswith("HTTP/1.1 200")


@pytest.mark.parametrize("servers", [None, HERE])
def test_who_takes_a_connection_and_says_nothing_is_not_closed_at_an_address_of_the_host(
    servers: list[doors.Server] | None,
) -> None:
    with listening(None) as address:
        (result,) = attack(address, servers=servers, timeout=0.3)
    assert not result.held
    assert result.came_back == "nothing within 0.3 seconds"


def test_who_says_nothing_at_an_address_that_others_may_have_is_told_and_no_hole() -> None:
    with listening(None) as address:
        (result,) = attack(address, servers=HERE, certain=False, timeout=0.3)
    assert result.held
    assert result.note == "it took a connection and did not answer for 0.3 seconds; it may be somebody else's"


@pytest.mark.parametrize("certain", [True, False])
def test_this_server_is_known_again_wherever_it_answers(certain: bool) -> None:
    with listening(ollama([*OTHERS, *MODELS])) as address:
        (result,) = attack(address, servers=HERE, certain=certain)
    assert not result.held


@pytest.mark.parametrize("certain", [True, False])
@pytest.mark.parametrize(
    "answer",
    [
        reply("404 page not found", 404),
        reply("<html>hello</html>"),
        reply('["version"]'),
        reply("{"),
        b"SSH-2.0-x",
    ],
    ids=["404", "html", "a list", "no json", "ssh"],
)
def test_another_program_is_no_hole(answer: bytes, certain: bool) -> None:
    with listening(answer) as address:
        (result,) = attack(address, servers=HERE, certain=certain)
    assert result.held
    assert result.note == ""


@pytest.mark.parametrize("certain", [True, False])
@pytest.mark.parametrize("answers", [ollama(OTHERS), ollama([]), ollama(MODELS, "0.32.14")])
def test_another_ollama_is_told_and_no_hole(answers: dict[bytes, bytes], certain: bool) -> None:
    with listening(answers) as address:
        (result,) = attack(address, servers=HERE, certain=certain)
    assert result.held
    assert result.note == "an Ollama answers there, which is none of this host's Compose project"


@pytest.mark.parametrize("answers", [ollama([]), {**ollama([]), b"/api/tags": reply("", 403)}])
def test_a_server_without_models_is_known_by_its_version_at_an_address_of_the_host_only(
    answers: dict[bytes, bytes],
) -> None:
    with listening(answers) as address:
        (certain,) = attack(address, servers=EMPTY)
        (somewhere,) = attack(address, servers=EMPTY, certain=False)
    assert not certain.held
    assert somewhere.held
    assert somewhere.note == "an Ollama of the same version answers there; nothing shows whether it is this one"


def test_nobody_there_and_a_gateway_are_closed() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = Address("127.0.0.1", probe.getsockname()[1])
        with listening(reply("", 401)) as gateway:
            for servers in (None, HERE):
                assert [one.held for one in attack(nobody, gateway, servers=servers)] == [True, True]


def test_who_drops_packets_is_closed_after_a_while() -> None:
    """A queue of connections that is full and is never emptied."""
    with ExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        (result,) = attack(Address("127.0.0.1", listener.getsockname()[1]), timeout=0.5)
    assert result.held
    assert result.came_back == "no connection within 0.5 seconds"


def test_all_doors_are_waited_for_at_once() -> None:
    begun = time.monotonic()
    with ExitStack() as opened:
        addresses = [opened.enter_context(listening(None)) for _ in range(20)]
        assert len(attack(*addresses, timeout=1)) == 20
    assert time.monotonic() - begun < 4


def test_without_doors_nothing_is_asked() -> None:
    assert attack() == []


def test_a_version_is_read_from_an_answer_in_chunks_too() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert doors.read_version(Answer(head + b'15\r\n{"version":"0.32.15"}\r\n0\r\n\r\n')) == "0.32.15"
    assert doors.read_version(Answer(b'HTTP/1.1 500 Words\r\n\r\n{"version":"0.32.15"}')) is None
