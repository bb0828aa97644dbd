# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Behind a balancer a client is known by its own address, and nobody else can say what that is."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import socket
import ssl
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tests.component.contract.standins import free_port, until
from tests.component.gateways import Gateway, basic, gateway, with_tls
from tests.component.upstreams import Echo

# Addresses of this machine, of which the first three are balancers.
BALANCER, SECOND, THIRD, DIRECT = "127.0.1.2", "127.0.2.4", "127.0.2.5", "127.0.3.1"
TRUSTED = [BALANCER, "127.0.2.4/31"]
# Those of clients behind them.
NEAR, FAR = "198.51.100.7", "203.0.113.5"
LIMIT = 3


class Answer:
    """What came back on a connection: all of it, and the first answer in it; 0 is none."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.status = int(raw.split(b" ", 2)[1]) if raw.startswith(b"HTTP/1.") else 0
        head, _blank, self.body = raw.partition(b"\r\n\r\n")
        self.headers = http.client.parse_headers(io.BytesIO(head.partition(b"\r\n")[2] + b"\r\n\r\n"))


def send(server: Gateway, source: str, *headers: str, before: bytes = b"", path: str = "/api/tags") -> Answer:
    """Ask from this address of the machine, with `before` ahead of all else, and read to the end."""
    host, _, port = server.address.rpartition(":")
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(socket.create_connection((host, int(port)), 20, (source, 0)))
        one.sendall(before)
        if server.tls:
            one = stack.enter_context(server.tls.wrap_socket(one, server_hostname=host))
        one.sendall(server.wire(path, *headers, "Connection: close"))
        raw = b""
        with contextlib.suppress(ConnectionResetError, ssl.SSLEOFError):
            while piece := one.recv(65536):
                raw += piece
    return Answer(raw)


def known(server: Gateway, source: str, *headers: str, before: bytes = b"") -> str:
    """The address that the gateway's log has of whoever asks so."""
    answer = send(server, source, f"Authorization: {server.credential()}", *headers, before=before)
    assert answer.status == 200, answer.raw
    return str(server.log_of(answer.headers["X-Request-Id"])["address"])


def forwarded(*addresses: str) -> str:
    return "X-Forwarded-For: " + ", ".join(addresses)


def first_version(source: str) -> bytes:
    return f"PROXY TCP4 {source} 192.0.2.1 40000 443\r\n".encode()


def second_version(source: str) -> bytes:
    addresses = socket.inet_aton(source) + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 40000, 443)
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x21, 0x11]) + struct.pack("!H", len(addresses)) + addresses


class Proxied(Gateway):
    """One that is spoken to by the PROXY protocol."""

    def answers(self) -> bool:
        with contextlib.suppress(OSError):
            return send(self, "127.0.0.1", before=b"PROXY UNKNOWN\r\n", path="/healthz").status == 200
        return False


def options(proxy_protocol: bool = False, **more: Any) -> dict[str, Any]:
    inside = {"__ollama_gateway_inside_listen": f"127.0.0.1:{free_port()}"}
    return {
        "ollama_gateway_trusted_proxies": TRUSTED,
        "ollama_gateway_proxy_protocol": proxy_protocol,
        **(inside if proxy_protocol else {}),
        **more,
    }


@pytest.fixture(scope="module", params=["basic", "both"])
def server(
    request: pytest.FixtureRequest, upstream: Echo, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """By X-Forwarded-For, on each engine."""
    with gateway(tmp_path_factory.mktemp("forwarded"), request.param, upstream.address, **options()) as running:
        yield running


@pytest.fixture(scope="module", params=["basic", "both"])
def proxied(
    request: pytest.FixtureRequest, upstream: Echo, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """By the PROXY protocol, on each engine."""
    one = Proxied(tmp_path_factory.mktemp("proxied"), request.param, upstream.address, **options(True))
    with one.running():
        yield one


@pytest.mark.parametrize(
    "headers",
    [
        [forwarded(NEAR)],
        [forwarded(BALANCER)],
        [forwarded(NEAR, BALANCER)],
        ["X-Real-IP: " + NEAR],
        ["Forwarded: for=" + NEAR],
        ["X-Client-IP: " + NEAR],
    ],
    ids=" ".join,
)
def test_what_a_client_says_of_its_own_address_counts_for_nothing(server: Gateway, headers: list[str]) -> None:
    assert known(server, DIRECT, *headers) == DIRECT


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ([], BALANCER),
        ([forwarded(NEAR)], NEAR),
        # The client wrote the first one itself, the balancer added that which it saw.
        ([forwarded(FAR, NEAR)], NEAR),
        ([forwarded(FAR, NEAR, THIRD, SECOND)], NEAR),
        ([forwarded(FAR, THIRD, NEAR)], NEAR),
        ([forwarded(FAR), forwarded(NEAR, SECOND)], NEAR),
        ([forwarded(f"{NEAR}:51234")], NEAR),
        ([forwarded("2001:db8::7")], "2001:db8::7"),
        ([forwarded(FAR, DIRECT)], DIRECT),
        # What is no address ends the list: nothing before it is believed.
        ([forwarded(NEAR, "unknown")], BALANCER),
        ([forwarded(NEAR, "unknown", SECOND)], SECOND),
        ([forwarded("' OR 1=1")], BALANCER),
        (["X-Real-IP: " + NEAR], BALANCER),
    ],
)
def test_of_a_trusted_proxys_list_the_last_that_is_none_is_the_client(
    server: Gateway, headers: list[str], address: str
) -> None:
    assert known(server, BALANCER, *headers) == address


def test_servers_get_the_address_that_counts_and_no_other(server: Gateway) -> None:
    for source, address in ((BALANCER, NEAR), (DIRECT, DIRECT)):
        headers = (f"Authorization: {server.credential()}", forwarded(FAR, NEAR))
        told = json.loads(send(server, source, *headers, path="/echo").body)
        got = [value for name, value in told["headers"] if name.lower() == "x-forwarded-for"]
        assert got == [address]


VERSIONS = {"first": first_version, "second": second_version}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_proxy_protocol_of_a_trusted_proxy_names_the_client_and_that_of_others_does_not(
    proxied: Gateway, version: str
) -> None:
    before = VERSIONS[version]
    assert known(proxied, BALANCER, before=before(NEAR)) == NEAR
    assert known(proxied, DIRECT, before=before(NEAR)) == DIRECT
    assert known(proxied, DIRECT, before=before(BALANCER)) == DIRECT
    # One header is read, whatever the client adds.
    assert known(proxied, BALANCER, forwarded(FAR), before=before(NEAR)) == NEAR
    assert send(proxied, BALANCER, before=before(NEAR) + before(FAR)).status in (0, 400)


def test_a_connection_that_does_not_begin_with_the_proxy_protocol_is_closed(proxied: Gateway) -> None:
    credential = f"Authorization: {proxied.credential()}"
    for source in (BALANCER, DIRECT):
        for before in (b"", b"PROXY TCP9 x\r\n", b"PROXY TCP4 198.51.100.7\r\n", b"\r\n\r\n\0\r\nQUIT\n\xff\xff\0\0"):
            assert send(proxied, source, credential, before=before).raw == b""


def test_inside_the_container_health_is_asked_without_the_proxy_protocol(proxied: Gateway) -> None:
    assert _plain(str(proxied.variables["__ollama_gateway_inside_listen"])) == 200


def test_a_proxy_header_is_no_request_where_the_protocol_is_not_asked_for(server: Gateway) -> None:
    credential = f"Authorization: {server.credential()}"
    for before in (first_version(NEAR), second_version(NEAR)):
        assert send(server, BALANCER, credential, before=before).status == 400


@pytest.mark.parametrize("auth", ["basic", "both"])
def test_without_a_trusted_proxy_nobodys_word_counts(auth: str, upstream: Echo, tmp_path: Path) -> None:
    with gateway(tmp_path / auth, auth, upstream.address) as server:
        assert known(server, BALANCER, forwarded(NEAR)) == BALANCER
        assert known(server, "127.0.0.1", forwarded(NEAR)) == "127.0.0.1"


def guess(server: Gateway, source: str, client: str, name: str, said: str) -> int:
    """The answer to a wrong password that comes from `source`, where `client` is said to have sent it."""
    wrong = "Authorization: " + basic(name, "wrong")
    if said == "header":
        return send(server, source, wrong, forwarded("10.9.9.9", client)).status
    return send(server, source, wrong, before=VERSIONS[said](client)).status


@pytest.mark.parametrize("said", ["header", "first", "second"])
def test_who_guesses_behind_a_balancer_is_slowed_down_and_nobody_else(
    said: str, upstream: Echo, tmp_path: Path
) -> None:
    kind = Gateway if said == "header" else Proxied
    variables = options(said != "header", ollama_gateway_auth_failures=LIMIT)
    server = kind(tmp_path / said, "both", upstream.address, workers="1", **variables)
    with server.running():
        behind = [guess(server, BALANCER, NEAR, f"a{number}", said) for number in range(LIMIT + 2)]
        assert behind == [401] * LIMIT + [429] * 2
        # By another balancer, too.
        assert guess(server, SECOND, NEAR, "b", said) == 429
        assert guess(server, BALANCER, FAR, "c", said) == 401
        # Whoever is no balancer names another address each time, and is counted by its own.
        direct = [guess(server, DIRECT, f"192.0.2.{number}", f"d{number}", said) for number in range(LIMIT + 2)]
        assert direct == [401] * LIMIT + [429] * 2
        # Nor does anybody use up the tries of another.
        victim = "198.51.100.99"
        others = [guess(server, f"127.0.4.{number}", victim, f"e{number}", said) for number in range(1, LIMIT + 2)]
        assert others == [401] * (LIMIT + 1)
        assert guess(server, BALANCER, victim, "f", said) == 401


def test_plain_nginx_limits_passwords_by_the_address_of_the_client(upstream: Echo, tmp_path: Path) -> None:
    variables = options(ollama_gateway_nginx_password_rate=1)
    with gateway(tmp_path / "rate", "basic", upstream.address, **variables) as server:
        credential = f"Authorization: {server.credential()}"
        statuses = [send(server, BALANCER, credential, forwarded(f"192.0.2.{number}")).status for number in range(6)]
        assert statuses == [200] * 6
        same = [send(server, BALANCER, credential, forwarded(NEAR)).status for _ in range(6)]
        direct = [send(server, DIRECT, credential, forwarded(f"192.0.2.{number}")).status for number in range(6)]
        assert (429 in same, 429 in direct) == (True, True)


def test_connections_are_counted_by_the_address_of_the_client(upstream: Echo, tmp_path: Path) -> None:
    variables = options(ollama_gateway_address_connections=2)
    with gateway(
        tmp_path / "connections", "bearer", upstream.address, **variables
    ) as server, contextlib.ExitStack() as open_:
        host, _, port = server.address.rpartition(":")
        headers = (f"Authorization: {server.credential()}", forwarded(NEAR))
        before = len(upstream.requests)
        for _ in range(2):
            one = open_.enter_context(socket.create_connection((host, int(port)), 20, (BALANCER, 0)))
            one.sendall(server.wire("/hang", *headers))
        # Both are in hand: one that is asked meanwhile would take the place of the second.
        assert until(lambda: len(upstream.requests) == before + 2)
        assert send(server, BALANCER, *headers).status == 429
        assert send(server, BALANCER, headers[0], forwarded(FAR)).status == 200
        for _ in range(2):
            upstream.pieces.put(None)


def test_a_tls_of_the_gateway_stands_inside_the_proxy_protocol(upstream: Echo, tmp_path: Path) -> None:
    authority = Authority()
    variables = {**options(True), **with_tls(["127.0.0.1"]), "ollama_gateway_http_port": 80}
    server = Proxied(tmp_path / "tls", "bearer", upstream.address, **variables)
    server.present(authority.issue("127.0.0.1"), authority)
    with server.running():
        assert known(server, BALANCER, before=first_version(NEAR)) == NEAR
        assert known(server, DIRECT, before=second_version(NEAR)) == DIRECT
        # The one who is refused by name, too.
        for path, status in (("/api/tags", 421), ("/healthz", 200)):
            named = server.wire(path).replace(b"Host: 127.0.0.1", b"Host: elsewhere.example")
            assert _raw(server, BALANCER, first_version(NEAR), named) == status
        # The plain port and that inside go on without.
        for listen, status in (("http", 308), ("inside", 200)):
            place = str(server.variables[f"__ollama_gateway_{listen}_listen"])
            assert (listen, _plain(place)) == (listen, status)


def _raw(server: Gateway, source: str, before: bytes, request: bytes) -> int:
    host, _, port = server.address.rpartition(":")
    with socket.create_connection((host, int(port)), 20, (source, 0)) as plain:
        plain.sendall(before)
        assert server.tls
        with server.tls.wrap_socket(plain, server_hostname=host) as one:
            one.sendall(request)
            return int(one.recv(65536).split(b" ", 2)[1])


def _plain(place: str) -> int:
    host, _, port = place.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.request("GET", "/healthz")
    try:
        return connection.getresponse().status
    finally:
        connection.close()
