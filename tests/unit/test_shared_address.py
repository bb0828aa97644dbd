# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs keepalived: it has the address where the gateway of the host answers, and not where it does not."""

from __future__ import annotations

import contextlib
import importlib.util
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.collection import ROOT

PROGRAM = ROOT / "roles/ollama_gateway/files/shared_address.py"
SPEC = importlib.util.spec_from_file_location("shared_address_program", PROGRAM)
assert SPEC
assert SPEC.loader
program = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(program)

WELL = b"HTTP/1.1 200 OK\r\n\r\nok\n"
ASKED = b"GET /healthz HTTP/1.0\r\n\r\n"
LINE = b"PROXY UNKNOWN\r\n"


class Server:
    """Answers each connection with `answer` once it was asked, after `first`; without an answer it says nothing."""

    def __init__(self, answer: bytes, context: ssl.SSLContext | None = None, first: bytes = b"") -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.answer, self.context, self.first = answer, context, first
        self.came = b""
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _peer = self.listener.accept()
                threading.Thread(target=self.handle, args=(connection,), daemon=True).start()

    def handle(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            came = connection.recv(len(self.first)) if self.first else b""
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            while ASKED not in came:
                came += connection.recv(4096)
            self.came = came
            if not self.answer:
                time.sleep(5)
            connection.sendall(self.answer)
            connection.close()


@contextlib.contextmanager
def serving(answer: bytes, context: ssl.SSLContext | None = None, first: bytes = b"") -> Iterator[Server]:
    server = Server(answer, context, first)
    with server.listener:
        yield server


def answers(port: int, speaks: str = "http") -> bool:
    return bool(program.Gateway("127.0.0.1", port, speaks).answers())


def test_a_gateway_that_is_well_answers() -> None:
    with serving(WELL) as server:
        assert answers(server.port)
        assert server.came == ASKED


def test_it_is_asked_over_tls_and_by_the_proxy_protocol(tmp_path: Path) -> None:
    issued = Authority().issue("gateway.example")
    (tmp_path / "server.pem").write_text(issued.key_pem + issued.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    for speaks, first in (("https", b""), ("https+proxy", LINE)):
        with serving(WELL, context, first) as server:
            assert answers(server.port, speaks)
            assert server.came == first + ASKED
    with serving(WELL) as server:
        assert answers(server.port, "http+proxy")
        assert server.came == LINE + ASKED


@pytest.mark.parametrize("answer", [b"HTTP/1.1 503 Busy\r\n\r\n", b"HTTP/1.1 400 Bad\r\n\r\n", b"SSH-2.0\r\n"])
def test_who_answers_anything_else_is_not_well(answer: bytes) -> None:
    with serving(answer) as server:
        assert not answers(server.port)


def test_who_says_nothing_is_given_less_than_a_second() -> None:
    with serving(b"") as server:
        begun = time.monotonic()
        assert not answers(server.port)
        assert time.monotonic() - begun < 3


def test_where_nobody_listens_nobody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert not answers(port)


def test_one_answer_changes_no_opinion_and_two_do() -> None:
    opinion = program.Opinion()
    heard = [opinion.hear(answer == "y") for answer in "nnyynyynny"]
    assert heard == [False, False, False, True, False, False, False, False, True, False]
    assert not opinion.is_well


def test_a_gateway_that_goes_is_gone_within_three_seconds_also_for_whoever_takes_over() -> None:
    longest = program.INTERVAL + 2 * program.PATIENCE + program.AGAIN
    assert longest < 2.5


def until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@contextlib.contextmanager
def running(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The program, with a keepalived that writes down which signals it got."""
    keepalived = folder / "keepalived"
    keepalived.write_text(
        'trap \'echo reload >>"$1"\' HUP\ntrap \'echo end >>"$1"; exit 0\' TERM\necho start >>"$1"\n'
        "while :; do sleep 0.1; done\n"
    )
    command: list[str | Path] = [sys.executable, "-I", "-S", PROGRAM, "127.0.0.1", str(port), "http", folder / "state"]
    process = subprocess.Popen([*command, "sh", keepalived, folder / "log"])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_the_file_says_whether_the_gateway_answers_and_signals_reach_keepalived(tmp_path: Path) -> None:
    state, log = tmp_path / "state", tmp_path / "log"
    with serving(WELL) as server, running(tmp_path, server.port) as process:
        assert until(lambda: state.exists() and state.read_text() == "0\n")
        server.answer = b"HTTP/1.1 500 Broken\r\n\r\n"
        assert until(lambda: state.read_text() == "1\n")
        server.answer = WELL
        assert until(lambda: state.read_text() == "0\n")
        process.send_signal(signal.SIGHUP)
        assert until(lambda: "reload" in log.read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert log.read_text().split() == ["start", "reload", "end"]


def test_without_keepalived_it_ends_so_that_systemd_starts_both(tmp_path: Path) -> None:
    with serving(WELL) as server:
        command: list[str | Path] = [
            sys.executable,
            PROGRAM,
            "127.0.0.1",
            str(server.port),
            "http",
            tmp_path / "state",
            "false",
        ]
        assert subprocess.run(command, timeout=20, check=False).returncode == 1
