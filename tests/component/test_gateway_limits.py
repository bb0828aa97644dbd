# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What senders may take of the gateway: memory for bodies, connections, and lines of its log."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.component.contract.replay import Reply
from tests.component.contract.standins import until
from tests.component.gateways import KEYS, Gateway, basic, connect, gateway, record, status
from tests.component.upstreams import Echo, echo

MEBIBYTE = 1 << 20
# Of which a client may have a quarter, and two bodies of the largest size fit into that.
TMPFS = "mode=1777,size=64m"
LARGEST = "7m"
ALICE, BOB = (f"Authorization: Bearer {KEYS[name]}" for name in ("alice.laptop", "bob.ci"))


@pytest.fixture(scope="module")
def server(upstream: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    one = Gateway(
        tmp_path_factory.mktemp("limits"), "both", upstream.address, workers="2", ollama_gateway_max_body_size=LARGEST
    )
    one.tmpfs = TMPFS
    with one.running():
        yield one


def generate(server: Gateway, credential: str, size: int, path: str = "/api/generate", *headers: str) -> Reply:
    body = json.dumps({"model": "tiny", "prompt": "a" * size}).encode()
    return server.ask(path, credential, *headers, method="POST", body=body)


@contextlib.contextmanager
def unfinished(server: Gateway, credential: str, count: int, framing: str = "") -> Iterator[list[socket.socket]]:
    """So many bodies of the largest size that lack their end."""
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in range(count):
            connection = stack.enter_context(connect(server.address))
            head = framing or f"Content-Length: {7 * MEBIBYTE}"
            connection.sendall(server.wire("/api/generate", credential, head, method="POST"))
            if not framing:
                connection.sendall(b'{"model":"tiny","prompt":"' + b"a" * 6 * MEBIBYTE)
            connections.append(connection)
        yield connections


def is_room(server: Gateway, credential: str) -> bool:
    return status(generate(server, credential, 7 * MEBIBYTE - 100)) == 200


def in_hand(server: Gateway) -> int:
    """Bytes of bodies in the file system where they wait."""
    assert server.container is not None
    done = server.container.exec_run(["du", "-sb", "/tmp/client_body"])
    return int(done.output.split()[0])


@pytest.mark.parametrize("framing", ["", "Transfer-Encoding: chunked"])
def test_unfinished_bodies_of_one_client_leave_room_for_others(server: Gateway, framing: str) -> None:
    with unfinished(server, ALICE, 2, framing):
        assert until(lambda: not is_room(server, ALICE))
        reply = generate(server, ALICE, 7 * MEBIBYTE - 100)
        assert (status(reply), reply.header("Retry-After")) == (429, "5")
        assert json.loads(reply.body) == {"error": "there are too many requests"}
        line = server.log_of(reply.header("X-Request-Id"))
        assert (line["client"], line["key"], line["status"]) == ("alice", "laptop", 429)
        assert is_room(server, BOB)
        assert server.status(server.credential()) == 200
    assert until(lambda: is_room(server, ALICE))


def test_bodies_of_all_clients_together_leave_the_file_system_room(server: Gateway) -> None:
    clients = [f"client-{number}" for number in range(6)]
    before = (server.folder / "clients" / "api_keys").read_text().splitlines()
    server.write("api_keys", [*before, *(record(f"{name}.k", f"key-of-{name}") for name in clients)])
    server.allow({name: ["inference"] for name in ("alice", "bob", *clients)})
    with contextlib.ExitStack() as stack:
        for name in clients:
            stack.enter_context(unfinished(server, f"Authorization: Bearer key-of-{name}", 2))
        assert until(lambda: not is_room(server, BOB))
        for path, told in {
            "/api/generate": ["error"],
            "/v1/chat/completions": ["error", "type"],
            "/v1/messages": ["error", "type"],
        }.items():
            reply = generate(server, BOB, 7 * MEBIBYTE - 100, path)
            assert (status(reply), reply.header("Retry-After")) == (503, "5")
            assert [name for name in told if name not in reply.body.decode()] == []
            assert server.log_of(reply.header("X-Request-Id"))["client"] == "bob"
        assert in_hand(server) < 64 * MEBIBYTE
    assert until(lambda: is_room(server, BOB))
    server.allow({name: ["admin"] for name in ("alice", "bob")})
    server.write("api_keys", before)


def test_bodies_are_room_again_whatever_ends_their_requests(server: Gateway) -> None:
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (30, b'{"model":"tiny","prompt":"aaa"}'[:30])
    for _ in range(4):
        for path in ("/api/generate", "/status/500", "/drop"):
            generate(server, ALICE, 5 * MEBIBYTE, path)
        # Not a body that can be judged: 400, after it was read.
        server.ask("/api/generate", ALICE, method="POST", body=b"[" * 5 * MEBIBYTE)
        with connect(server.address) as connection:
            connection.sendall(
                server.wire("/api/generate", ALICE, "Transfer-Encoding: chunked", method="POST") + chunks
            )
            connection.makefile("rb").readline()
        # Gone in the middle of it.
        with unfinished(server, ALICE, 1):
            pass
    assert until(lambda: is_room(server, ALICE))
    # All that it may have is there.
    with unfinished(server, ALICE, 1):
        assert is_room(server, ALICE)


def test_bodies_of_a_worker_that_was_killed_are_room_again(server: Gateway) -> None:
    with unfinished(server, ALICE, 2):
        assert until(lambda: not is_room(server, ALICE))
        for process in server.processes("worker"):
            os.kill(process, signal.SIGKILL)
        assert until(server.answers, 10)
        assert until(lambda: is_room(server, ALICE), 10)


def test_bodies_that_old_workers_have_count_after_a_reload(server: Gateway) -> None:
    with unfinished(server, ALICE, 2):
        assert until(lambda: not is_room(server, ALICE))
        before = server.processes("worker")
        server.reload()
        assert until(lambda: set(server.processes("worker")) - set(before) != set())
        time.sleep(1)
        assert not is_room(server, ALICE)
        assert is_room(server, BOB)
    assert until(lambda: is_room(server, ALICE))


def test_a_configuration_whose_largest_body_does_not_fit_into_memory_is_not_loaded(
    tmp_path: Path, upstream: Echo
) -> None:
    variables = {"ollama_gateway_memory_limit": "64m", "__ollama_gateway_listen": "8080"}
    tried = Gateway(tmp_path / "a", "bearer", upstream.address, **variables).test()
    assert tried.returncode != 0
    assert "there is memory for 33554432 bytes of bodies" in tried.stderr
    tried = Gateway(tmp_path / "b", "bearer", upstream.address, **variables, ollama_gateway_max_body_size="16m").test()
    assert tried.returncode == 0, tried.stderr


@pytest.mark.parametrize("auth", ["basic", "both"])
def test_an_address_has_so_many_requests_at_the_same_time_whoever_sends_them(auth: str, tmp_path: Path) -> None:
    with echo() as upstream, gateway(tmp_path, auth, upstream.address, ollama_gateway_address_connections=3) as server:
        credential = f"Authorization: {server.credential()}"
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                connection = stack.enter_context(connect(server.address))
                connection.sendall(server.wire("/hang", credential))
            # Another one before that would take the place of one of them.
            assert until(lambda: len(upstream.requests) == 3)
            assert server.status(server.credential()) == 429
            for headers in ([credential], [], [f"Authorization: {basic('alice', 'wrong')}"]):
                for path, told in {
                    "/api/tags": {"error"},
                    "/v1/models": {"error"},
                    "/v1/messages": {"type", "error"},
                }.items():
                    reply = server.ask(path, *headers)
                    assert (status(reply), reply.header("Retry-After")) == (429, "1")
                    assert set(json.loads(reply.body)) == told
                    line = server.log_of(reply.header("X-Request-Id"))
                    assert (line["status"], line["client"]) == (429, "")
            assert status(server.ask("/api/tags", credential, method="HEAD")) == 429
            # Docker asks from the same address, and so may whoever watches over the gateway.
            assert server.answers()
            with socket.create_connection(
                ("127.0.0.1", int(server.address.split(":")[1])), 5, ("127.0.0.2", 0)
            ) as other:
                other.sendall(server.wire("/api/tags", credential))
                assert other.recv(64).startswith(b"HTTP/1.1 200 ")
        for _ in range(3):
            upstream.pieces.put(None)
        assert until(lambda: server.status(server.credential()) == 200)


def test_without_a_limit_of_an_address_it_has_any_number_of_requests(tmp_path: Path, upstream: Echo) -> None:
    with gateway(tmp_path, "bearer", upstream.address, ollama_gateway_address_connections=0) as server:
        assert "limit_conn" not in (server.folder / "conf" / "nginx.conf").read_text()
        assert server.status(server.credential()) == 200


@pytest.mark.parametrize("auth", ["basic", "both"])
def test_half_a_header_keeps_a_connection_for_five_seconds(auth: str, tmp_path: Path, upstream: Echo) -> None:
    with gateway(tmp_path, auth, upstream.address) as server, connect(server.address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
        before = time.monotonic()
        connection.settimeout(12)
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(4096):
                pass
        assert 4 < time.monotonic() - before < 8


@pytest.mark.parametrize("auth", ["basic", "both"])
@pytest.mark.parametrize("sign", ['"', "\\", "<", "\xff", "€"])
def test_a_line_of_the_log_is_short_whatever_is_asked_for(auth: str, sign: str, request: pytest.FixtureRequest) -> None:
    server: Gateway = request.getfixturevalue(f"{auth}_gateway")
    path = ("/" + sign * (7000 // len(sign.encode()))).encode("latin-1" if sign == "\xff" else "utf-8")
    name = basic("a" * 5000, "x")
    wire = (
        b"X" * 900
        + b" "
        + path
        + f" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {name}\r\n\r\n".encode()
    )
    with connect(server.address) as connection:
        connection.sendall(wire)
        answer = connection.makefile("rb").read(1000).decode()
    own = answer.split("X-Request-Id: ")[1].split("\r\n")[0]
    line = server.log_of(own)
    assert len(line["path"]) <= 256
    assert len(line["method"]) <= 32
    # As Docker keeps it: what is no ASCII, and some of what is, takes six characters.
    kept = json.dumps(json.dumps(line)).replace("<", "\\u003c")
    assert len(kept) < 2600


def test_no_line_at_any_level_quotes_a_request(tmp_path: Path, upstream: Echo) -> None:
    """Where the file system is full, and where a file cannot be read: both is critical."""
    full = Gateway(tmp_path / "full", "both", upstream.address, ollama_gateway_max_body_size="1m")
    full.tmpfs = "mode=1777,size=8m"
    closed = Gateway(tmp_path / "closed", "basic", upstream.address)
    try:
        full.start()
        closed.start()
        assert full.container is not None
        full.container.exec_run(["dd", "if=/dev/zero", "of=/tmp/fill", "bs=64k"])
        (closed.folder / "clients" / "htpasswd").chmod(0)
        for server in (full, closed):
            credential = f"Authorization: {server.credential()}"
            assert status(generate(server, credential, 600000, "/api/generate?key=planted-query")) >= 400
            reply = server.ask("/api/tags?key=planted-query", credential)
            server.log_of(reply.header("X-Request-Id"))
            assert "planted" not in server.logs()
    finally:
        full.stop()
        closed.stop()
