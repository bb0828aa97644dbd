# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What passes between client and server, and how."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from tests.component.contract.standins import Standin, standin_with, until
from tests.component.gateways import KEYS, Gateway, connect, gateway, status
from tests.component.upstreams import Echo, names, told


def authorized(server: Gateway, *headers: str) -> tuple[str, ...]:
    return (f"Authorization: {server.credential()}", *headers)


@pytest.fixture(scope="module")
def ollama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    """A stand-in of Ollama with models, that writes down what reaches it."""
    # Slow enough that a busy machine, too, has each piece of a stream on its way before the next is made.
    with standin_with(tmp_path_factory.mktemp("ollama"), "tiny", "tiny-loop", STANDIN_TOKEN_DELAY_MS="50") as server:
        yield server


def read_head(stream: BinaryIO) -> list[bytes]:
    lines = []
    while (line := stream.readline()) not in (b"\r\n", b""):
        lines.append(line.rstrip())
    return lines


def read_chunk(stream: BinaryIO) -> bytes:
    size = int(stream.readline(), 16)
    data = stream.read(size)
    stream.readline()
    return data


def test_credentials_cookies_and_origin_end_at_the_gateway(any_gateway: Gateway) -> None:
    api_key = [] if any_gateway.auth == "basic" else [f"X-Api-Key: {KEYS['alice.laptop']}"]
    extra = ("Cookie: a=b", "Origin: https://evil.example", "Proxy-Authorization: Basic eDp5")
    headers = [*api_key, *extra] if api_key else authorized(any_gateway, *extra)
    reached = told(any_gateway.ask("/api/tags", *headers))["headers"]
    for name in ("authorization", "x-api-key", "cookie", "origin", "proxy-authorization"):
        assert name not in reached


# Azure's clients, Google's, gateways in the cloud and on the way, and what people make up.
CREDENTIALS = [
    *("api-key", "apikey", "x-goog-api-key", "x-auth-token", "x-access-token", "x-api-token", "x-token", "token"),
    *("ocp-apim-subscription-key", "x-functions-key", "x-litellm-api-key", "x-portkey-api-key", "helicone-auth"),
    *("cf-access-client-id", "cf-access-client-secret", "cf-access-jwt-assertion", "x-amz-security-token"),
    *("x-authorization", "x-forwarded-authorization", "x-forwarded-access-token", "cookie2", "sec-websocket-protocol"),
    *("x-openai-api-key", "openai-api-key", "x-anthropic-api-key", "anthropic-api-key"),
]


# What Ollama reads and its cloud may read, and what the gateway says itself.
PASSED = {
    *("accept", "content-type", "content-encoding", "user-agent"),
    *("anthropic-version", "anthropic-beta", "openai-beta"),
}
OWN = {"host", "x-request-id", "x-forwarded-for", "x-forwarded-proto", "content-length"}


@pytest.mark.parametrize(
    ("path", "body"),
    [("/api/tags", None), ("/v1/models/tiny", None), ("/echo", b"{}"), ("/v1/chat/completions", b"{}")],
)
def test_no_header_that_is_not_known_reaches_the_server(any_gateway: Gateway, path: str, body: bytes | None) -> None:
    """Whatever somebody sends a credential in: those by which clients do, others that are common, and any."""
    chosen = random.Random(path)
    anything = ["".join(chosen.choices("abcdefghijklmnopqrstuvwxyz0123456789-", k=12)) for _ in range(100)]
    common = [
        "origin",
        "referer",
        "range",
        "te",
        "traceparent",
        "via",
        "accept-encoding",
        "x-stainless-os",
        "dnt",
        "from",
    ]
    headers = authorized(any_gateway, *(f"{name}: planted" for name in [*CREDENTIALS, *common, *anything, "cookie"]))
    method = "POST" if body else "GET"
    reached = told(any_gateway.ask(path, *headers, method=method, body=body))["headers"]
    assert set(reached) <= OWN
    assert "planted" not in json.dumps(reached)


def test_what_ollama_reads_reaches_it_as_it_was_sent(any_gateway: Gateway) -> None:
    headers = authorized(any_gateway, *(f'{name.title()}: a b;c="{name}"' for name in PASSED))
    reached = told(any_gateway.ask("/echo", *headers, method="POST", body=b"{}"))["headers"]
    assert {name: reached[name] for name in PASSED} == {name: [f'a b;c="{name}"'] for name in PASSED}
    assert set(reached) == PASSED | OWN


def test_a_key_in_another_header_than_the_two_lets_nobody_in(any_gateway: Gateway) -> None:
    for name in CREDENTIALS:
        assert status(any_gateway.ask("/api/tags", f"{name}: {KEYS['alice.laptop']}")) == 401, name


def test_host_is_the_servers_own(any_gateway: Gateway, upstream: Echo) -> None:
    assert told(any_gateway.ask("/", *authorized(any_gateway)))["headers"]["host"] == [upstream.address]


def test_what_a_client_says_of_where_it_comes_from_is_not_believed(any_gateway: Gateway) -> None:
    claims = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Real-IP", "Forwarded")
    headers = authorized(any_gateway, *(f"{name}: 192.0.2.1" for name in claims))
    reached = told(any_gateway.ask("/", *headers))["headers"]
    assert reached["x-forwarded-for"] == ["127.0.0.1"]
    assert reached["x-forwarded-proto"] == ["http"]
    assert "192.0.2.1" not in json.dumps(reached)


def test_the_server_is_spoken_to_in_http_1_1_and_never_upgraded(any_gateway: Gateway) -> None:
    headers = authorized(any_gateway, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    reached = told(any_gateway.ask("/", *headers))
    assert reached["line"].endswith(" HTTP/1.1")
    assert "upgrade" not in reached["headers"]
    assert "connection" not in reached["headers"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_method_path_and_query_pass_byte_for_byte(any_gateway: Gateway, method: str) -> None:
    path = "/echo?q=%20+&x=%zz/../%2e%2e//;%ff"
    reached = told(any_gateway.ask(path, *authorized(any_gateway), method=method))
    assert reached["line"] == f"{method} {path} HTTP/1.1"


@pytest.mark.parametrize("size", [0, 1, 2 * 1024 * 1024, 20 * 1024 * 1024])
def test_a_body_passes_whole(any_gateway: Gateway, size: int) -> None:
    body = b"\xfe" * size
    reached = told(any_gateway.ask("/echo", *authorized(any_gateway), method="POST", body=body))
    assert (reached["body"], reached["sum"]) == (size, sum(body))


def test_an_answer_passes_with_its_status_and_body(any_gateway: Gateway) -> None:
    for number in (404, 400, 401, 403, 500, 502, 503, 504):
        reply = any_gateway.ask(f"/status/{number}", *authorized(any_gateway))
        assert (status(reply), reply.body) == (number, b"from upstream")


def test_the_server_does_not_steer_the_gateway(any_gateway: Gateway) -> None:
    assert any_gateway.ask("/accel", *authorized(any_gateway)).body == b"served"


def test_each_piece_of_a_stream_arrives_before_the_next_is_made(any_gateway: Gateway, upstream: Echo) -> None:
    with connect(any_gateway.address) as connection:
        connection.sendall(any_gateway.wire("/stream", *authorized(any_gateway)))
        stream = connection.makefile("rb")
        upstream.pieces.put(b'{"piece":0}\n')
        assert read_head(stream)[0] == b"HTTP/1.1 200 OK"
        for number in range(20):
            assert read_chunk(stream) == b'{"piece":%d}\n' % number
            upstream.pieces.put(b'{"piece":%d}\n' % (number + 1) if number < 19 else None)
        assert read_chunk(stream) == b""


def test_each_piece_of_an_upload_arrives_before_the_next_is_sent(any_gateway: Gateway, upstream: Echo) -> None:
    head = any_gateway.wire("/upload", *authorized(any_gateway, "Transfer-Encoding: chunked"), method="POST")
    with connect(any_gateway.address) as connection:
        connection.sendall(head)
        for number in range(5):
            connection.sendall(b"7\r\npiece %d\r\n" % number)
            assert upstream.received.get(timeout=5) == b"piece %d" % number
        connection.sendall(b"0\r\n\r\n")
        assert read_head(connection.makefile("rb"))[0] == b"HTTP/1.1 200 OK"


def test_a_generation_streams_through_the_gateway_as_it_does_from_the_server(ollama: Standin, tmp_path: Path) -> None:
    with gateway(tmp_path, "both", ollama.address) as server:
        body = json.dumps({"model": "tiny", "prompt": "hi"}).encode()
        reply = server.ask("/api/generate", *authorized(server), method="POST", body=body)
        assert reply.header("Content-Type") == "application/x-ndjson"
        assert reply.chunks is not None
        assert len(reply.chunks) > 5
        assert all(chunk.endswith(b"\n") and chunk.count(b"\n") == 1 for chunk in reply.chunks)
        assert json.loads(reply.chunks[-1])["done"] is True


def test_a_client_that_goes_away_ends_the_generation(ollama: Standin, tmp_path: Path) -> None:
    log = Path(ollama.environment["STANDIN_REQUEST_LOG"])
    with gateway(tmp_path, "both", ollama.address) as server:
        body = json.dumps({"model": "tiny-loop", "prompt": "hi", "options": {"num_predict": 100000}}).encode()
        with connect(server.address) as connection:
            connection.sendall(server.wire("/api/generate", *authorized(server), method="POST", body=body))
            stream = connection.makefile("rb")
            read_head(stream)
            read_chunk(stream)
            stream.close()

        def ended() -> bool:
            entries = [json.loads(line) for line in log.read_text().splitlines()]
            return any(entry["target"] == "/api/generate" and entry["disconnected"] for entry in entries)

        assert until(ended, 3)


def test_the_log_tells_a_stream_that_was_cut_from_one_that_is_whole(any_gateway: Gateway, upstream: Echo) -> None:
    """Both began with 200. Whoever adds up what was used needs to know."""
    for whole in (True, False):
        with connect(any_gateway.address) as connection:
            connection.sendall(any_gateway.wire("/stream", *authorized(any_gateway)))
            stream = connection.makefile("rb")
            upstream.pieces.put(b"a piece")
            head = read_head(stream)
            read_chunk(stream)
            if whole:
                upstream.pieces.put(None)
                read_chunk(stream)
            stream.close()
        (request_id,) = [line.partition(b": ")[2].decode() for line in head if line.lower().startswith(b"x-request-id")]
        line = any_gateway.log_of(request_id)
        assert (line["status"], line["complete"]) == (200, whole)
    upstream.pieces.put(None)


def stream_over(server: Gateway, upstream: Echo, between: Callable[[], Any]) -> list[bytes]:
    """The pieces of a stream during which `between` happens."""
    with connect(server.address) as connection:
        connection.sendall(server.wire("/stream", *authorized(server)))
        stream = connection.makefile("rb")
        upstream.pieces.put(b"before")
        read_head(stream)
        pieces = [read_chunk(stream)]
        between()
        for piece in (b"after", None):
            upstream.pieces.put(piece)
            pieces.append(read_chunk(stream))
    return pieces


@pytest.mark.parametrize("auth", ["basic", "both"])
def test_a_reload_drops_no_request_and_no_stream(auth: str, tmp_path: Path, upstream: Echo) -> None:
    with names() as dns, gateway(
        tmp_path, auth, "ollama:" + upstream.address.split(":")[1], __ollama_gateway_resolver=dns.address
    ) as server:
        dns.addresses["ollama"] = "127.0.0.1"
        assert until(lambda: server.status(server.credential()) == 200, 5)
        stop = threading.Event()
        seen: list[int | str] = []

        def load() -> None:
            while not stop.is_set():
                try:
                    seen.append(server.status(server.credential()))
                except (OSError, ValueError, IndexError) as error:
                    seen.append(repr(error))

        threads = [threading.Thread(target=load) for _ in range(3)]
        for thread in threads:
            thread.start()

        def reloads() -> None:
            for size in ("2m", "3m", "4m", "1k"):
                server.configure(ollama_gateway_max_body_size=size)
                server.reload()
                time.sleep(0.4)
            body = b"x" * 2000
            assert until(lambda: status(server.ask("/", *authorized(server), method="POST", body=body)) == 413)

        pieces = stream_over(server, upstream, reloads)
        stop.set()
        for thread in threads:
            thread.join()
        assert pieces == [b"before", b"after", b""]
        assert set(seen) == {200}
        assert len(seen) > 50


@pytest.mark.parametrize("auth", ["basic", "both"])
def test_a_broken_configuration_is_not_loaded(auth: str, tmp_path: Path, upstream: Echo) -> None:
    with gateway(tmp_path, auth, upstream.address) as server:
        server.put(tmp_path / "conf" / "nginx.conf", "nonsense;")
        server.reload()
        assert until(lambda: "emerg" in server.logs())
        assert server.status(server.credential()) == 200


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("conf/nginx.conf", "nonsense;"),
        ("conf/settings.json", "{"),
        ("lua/gatehouse/keyfile.lua", "syntax error"),
        ("lua/gatehouse/authenticator.lua", 'return require "missing"'),
        ("lua/gatehouse/apr1.lua", 'return { crypt = function() return "" end }'),
    ],
)
def test_a_fault_in_any_file_is_found_before_it_goes_live(tmp_path: Path, path: str, text: str) -> None:
    server = Gateway(tmp_path, "both", "127.0.0.1:1", __ollama_gateway_listen="8080")
    server.put(tmp_path / path, text)
    tried = server.test()
    assert tried.returncode != 0
    assert tried.stderr


@pytest.mark.parametrize("auth", ["basic", "bearer", "both"])
def test_a_sound_configuration_passes_the_test(tmp_path: Path, auth: str) -> None:
    upstreams = ["ollama:11434", "gpu-2.example:80", "192.0.2.1:11434", "[2001:db8::1]:11434"]
    tried = Gateway(tmp_path, auth, *upstreams, __ollama_gateway_listen="8080").test()
    assert tried.returncode == 0, tried.stderr
