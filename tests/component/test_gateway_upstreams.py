# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which server a request goes to, and over which connection."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.component.contract.standins import free_port, until
from tests.component.gateways import Gateway, connect, gateway, status
from tests.component.upstreams import echo, names, told

# Each engine once. Idle connections belong to a worker, so that tests that count them have one only.
ENGINES = pytest.mark.parametrize("auth", ["basic", "both"])


def authorized(server: Gateway) -> str:
    return f"Authorization: {server.credential()}"


def post(server: Gateway, path: str = "/echo") -> int:
    return status(server.ask(path, authorized(server), method="POST", body=b"{}"))


@ENGINES
def test_requests_share_a_connection_to_the_server(auth: str, tmp_path: Path) -> None:
    with echo() as upstream, gateway(tmp_path, auth, upstream.address, workers="1") as server:
        for path in ("/api/tags", "/echo", "/repeat", "/status/500"):
            for _ in range(5):
                server.ask(path, authorized(server))
                assert post(server) == 200
        assert len(upstream.requests) == 40
        assert len(upstream.accepted) == 1


@ENGINES
def test_a_connection_that_the_server_has_ended_costs_nobody_an_answer(auth: str, tmp_path: Path) -> None:
    with echo() as upstream, gateway(tmp_path, auth, upstream.address) as server:
        for _ in range(50):
            assert post(server) == 200
            upstream.hang_up()
            assert post(server) == 200
            upstream.hang_up()
            assert server.status(server.credential()) == 200
        assert len(upstream.accepted) >= 100


@ENGINES
@pytest.mark.parametrize("warm", [False, True])
def test_a_post_is_never_sent_twice(auth: str, warm: bool, tmp_path: Path) -> None:
    with echo() as one, echo() as two:
        with gateway(tmp_path, auth, one.address, two.address, workers="1") as server:
            for _ in range(4 if warm else 0):
                assert post(server) == 200
            assert post(server, "/drop") == 502
        assert [line for line in one.requests + two.requests if "/drop" in line] == ["POST /drop HTTP/1.1"]


@ENGINES
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\npiece\r\n"])
def test_a_client_that_goes_away_ends_its_request_at_the_server(auth: str, answer: bytes, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with gateway(tmp_path, auth, address) as server, connect(server.address) as client:
            client.sendall(server.wire("/echo", authorized(server), method="POST", body=b"{}"))
            connection, _peer = listener.accept()
            with connection, connection.makefile("rb") as request:
                while request.readline() not in (b"\r\n", b""):
                    pass
                assert request.read(2) == b"{}"
                connection.sendall(answer)
                if answer:
                    assert client.recv(1) == b"H"
                connection.settimeout(0.5)
                client.close()
                assert request.read(1) == b""


@ENGINES
def test_nobody_gets_what_is_another_clients(auth: str, tmp_path: Path) -> None:
    """While every third client goes away in the middle of its answer."""

    def client(number: int) -> bool:
        path = f"/repeat?{number}"
        if number % 3:
            return server.ask(path, authorized(server)).body == f"{path}\n".encode() * 50
        with connect(server.address) as connection:
            connection.sendall(server.wire(path, authorized(server)))
            return connection.recv(1) == b"H"

    with echo() as upstream, gateway(tmp_path, auth, upstream.address, workers="1") as server:
        with ThreadPoolExecutor(8) as clients:
            assert all(clients.map(client, range(300)))
        assert len(upstream.requests) == 300
        # A connection for each client that went away, but for those who had all of it before, and few more.
        assert 90 <= len(upstream.accepted) < 150


@ENGINES
def test_it_starts_before_the_server_has_a_name_and_follows_it_to_another_address(auth: str, tmp_path: Path) -> None:
    port = free_port()
    with ExitStack() as stack:
        dns = stack.enter_context(names())
        for address in ("127.0.0.2", "127.0.0.3"):
            stack.enter_context(echo(address, port))
        server = Gateway(tmp_path, auth, f"ollama:{port}", __ollama_gateway_resolver=dns.address)
        stack.callback(server.stop)
        server.start()
        refused = server.ask("/api/tags", authorized(server))
        assert status(refused) == 502
        assert server.log_of(refused.header("X-Request-Id"))["client"] == "alice"

        def answers() -> bool:
            reply = server.ask("/", authorized(server))
            return status(reply) == 200 and told(reply)["headers"]["host"] == [f"ollama:{port}"]

        dns.addresses["ollama"] = "127.0.0.2"
        assert until(answers, 5)
        # Nothing listens there: the address that was known before is forgotten, and connections to it are not used.
        dns.addresses["ollama"] = "127.0.0.4"
        assert until(lambda: not answers(), 5)
        dns.addresses["ollama"] = "127.0.0.3"
        assert until(answers, 5)
        # A name without an address has no server.
        del dns.addresses["ollama"]
        assert until(lambda: not answers(), 5)
        dns.addresses["ollama"] = "127.0.0.2"
        assert until(answers, 5)


def test_requests_are_spread_over_several_servers(tmp_path: Path) -> None:
    with echo() as one, echo() as two, echo() as three:
        with gateway(tmp_path, "bearer", one.address, two.address, three.address) as server:
            for _ in range(90):
                assert server.status(server.credential()) == 200
        counts = [len(each.requests) for each in (one, two, three)]
        assert sum(counts) == 90
        assert min(counts) > 10


@ENGINES
def test_the_server_with_least_to_do_is_next(auth: str, tmp_path: Path) -> None:
    with echo() as one, echo() as two, gateway(tmp_path, auth, one.address, two.address) as server:
        with connect(server.address) as connection:
            connection.sendall(server.wire("/stream", authorized(server)))
            assert until(lambda: one.requests or two.requests)
            busy, idle = (one, two) if one.requests else (two, one)
            for _ in range(10):
                assert post(server) == 200
            busy.pieces.put(None)
        assert (len(busy.requests), len(idle.requests)) == (1, 10)


@ENGINES
def test_a_server_that_is_down_costs_nobody_an_answer_and_counts_as_soon_as_it_is_up(auth: str, tmp_path: Path) -> None:
    port = free_port()
    with echo() as one, gateway(tmp_path, auth, one.address, f"127.0.0.1:{port}") as server:
        for _ in range(20):
            assert post(server) == 200
        with echo(port=port) as two:
            for _ in range(20):
                assert post(server) == 200
            assert len(two.requests) > 5
