# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the gateway itself answers, and what it writes to its log."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from tests.component.contract.replay import Reply, send
from tests.component.gateways import KEYS, PASSWORDS, Gateway, basic, connect, gateway, status
from tests.component.upstreams import Echo


def assert_error(reply: Reply, number: int) -> None:
    assert status(reply) == number, reply
    assert [value for name, value in reply.headers if name == "Content-Type"] == ["application/json"]
    assert len([value for name, value in reply.headers if name == "X-Request-Id"]) == 1
    said = json.loads(reply.body)
    assert list(said) == ["error"]
    assert said["error"]


def authorization(server: Gateway) -> str:
    return f"Authorization: {server.credential()}"


def test_healthz_is_open_and_says_only_that_it_is_alive(any_gateway: Gateway) -> None:
    for path in ("/healthz", "/healthz?x=1"):
        reply = any_gateway.ask(path)
        assert (status(reply), reply.body) == (200, b"ok\n")
    assert status(any_gateway.ask("/healthz", method="HEAD")) == 200


@pytest.mark.parametrize(
    "path",
    [
        "/", "/api/tags", "/api/version", "/v1/models", "/readyz", "/metrics", "/nginx_status", "/.gatehouse/401",
        "//healthz", "/healthz/", "/healthz/x", "/healthz/..", "/healthz/../api/tags", "/healthz/../../api/tags",
        "/healthz/%2e%2e/api/tags", "/healthz%2f..%2fapi/tags", "/healthz%2f", "/healthz%00", "/healthz;x",
        "/HEALTHZ", "/healthz.json", "/x/../api/tags", "/./api/tags", "/%2e/api/tags", "//api/tags", "/healthz%3f",
        "/healthz//api/tags",
        "/healthz\\..\\api/tags", "/api/tags?/healthz", "/api/tags#/healthz", "http://x/api/tags", "http://x//healthz",
        "/api/tags/../healthz/../api/tags", "/%68ealthz/../api/tags", "*", "",
    ],
)  # fmt: skip
def test_no_other_path_is_open(any_gateway: Gateway, upstream: Echo, path: str) -> None:
    before = len(upstream.requests)
    reply = any_gateway.ask(path)
    assert status(reply) in (400, 401, 404) or (status(reply), reply.body) == (200, b"ok\n")
    assert status(reply) != 200 or re.fullmatch(r"(//|/)healthz", path)
    assert len(upstream.requests) == before


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "PROPFIND", "X"])
def test_no_method_is_open(any_gateway: Gateway, upstream: Echo, method: str) -> None:
    before = len(upstream.requests)
    assert status(any_gateway.ask("/api/tags", method=method)) == 401
    assert len(upstream.requests) == before


@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
def test_trace_and_connect_are_refused_even_with_a_credential(any_gateway: Gateway, method: str) -> None:
    assert status(any_gateway.ask("/", authorization(any_gateway), method=method)) in (400, 405)


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
)
def test_a_malformed_request_is_answered_400_in_json(any_gateway: Gateway, upstream: Echo, head: bytes) -> None:
    before = len(upstream.requests)
    with connect(any_gateway.address) as connection:
        connection.sendall(head)
        answer = connection.makefile("rb").read()
    lines, _, body = answer.partition(b"\r\n\r\n")
    # Before it knows the protocol's version, nginx answers without a head.
    assert lines.startswith(b"HTTP/1.1 400 ") or b"HTTP/" not in lines
    assert json.loads(body or lines)["error"]
    assert len(upstream.requests) == before


# What nginx refuses itself, before the request is one.
REFUSED_BY_NGINX = {
    "a long line": (414, b"GET %s?" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a long line in absolute form": (414, b"GET http://x%s?" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a long header": (431, b"GET %s HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 9000 + b"\r\n\r\n"),
    "no Host": (400, b"GET %s HTTP/1.1\r\n\r\n"),
    "two Hosts": (400, b"GET %s HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"),
    "a malformed header": (400, b"GET %s HTTP/1.1\r\nHost: x\r\nX y: z\r\n\r\n"),
    "a negative length": (400, b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"),
    "an unknown transfer encoding": (400, b"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\n\r\n"),
    "an unknown version": (400, b"GET %s HTTP/9.9\r\nHost: x\r\n\r\n"),
    "no version": (400, b"GET %s x HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a control character": (400, b"GET %s?\x01 HTTP/1.1\r\nHost: x\r\n\r\n"),
    "an unknown method": (400, b"G=T %s HTTP/1.1\r\nHost: x\r\n\r\n"),
    "an escape that is none": (400, b"GET %s?/../%%zz HTTP/1.1\r\n\r\n"),
}
DIALECTS = {
    b"/api/chat": {"error"},
    b"/v1/models": {"message", "type", "param", "code"},
    b"/v1": {"message", "type", "param", "code"},
    b"/v1/messages": {"type", "message"},
    b"/v1x": {"error"},
}


@pytest.mark.parametrize("what", REFUSED_BY_NGINX)
@pytest.mark.parametrize("path", DIALECTS)
def test_what_nginx_refuses_itself_is_in_the_dialect_of_the_path(any_gateway: Gateway, what: str, path: bytes) -> None:
    wanted, data = REFUSED_BY_NGINX[what]
    reply = send(any_gateway.address, data % path)
    assert status(reply) == wanted
    said = json.loads(reply.body)
    assert set(said["error"] if isinstance(said["error"], dict) else said) == DIALECTS[path], said


# How programs find what to mask before they show or log a text.
MASKS = [
    r"(?i)(authorization|x-api-key|api[-_ ]?key|password|token|secret)[\"']?\s*[:=]",
    r"(?i)\b(bearer|basic)\s+[\w.~+/<-]+",
    r"<[^>]*>",
    r"(?i)\b(sk|ghk)[-_]",
]


def test_nothing_in_the_text_of_a_401_is_masked_by_programs_that_hide_credentials(any_gateway: Gateway) -> None:
    for path in ("/api/tags", "/v1/models", "/v1/messages"):
        said = json.loads(any_gateway.ask(path).body)["error"]
        text = said["message"] if isinstance(said, dict) else said
        assert [mask for mask in MASKS if re.search(mask, text)] == []
        assert ("x-api-key" in text) == (any_gateway.auth != "basic")


def test_errors_are_json_with_a_request_id(any_gateway: Gateway) -> None:
    assert_error(any_gateway.ask("/api/tags"), 401)
    assert_error(any_gateway.ask("/" + "a" * 9000, authorization(any_gateway)), 414)
    assert_error(any_gateway.ask("/", authorization(any_gateway), "X-Long: " + "a" * 9000), 431)
    assert_error(any_gateway.ask("/", authorization(any_gateway), method="TRACE"), 405)
    too_large = authorization(any_gateway), "Content-Length: 68000000"
    assert_error(any_gateway.ask("/api/chat", *too_large, method="POST"), 413)


@pytest.mark.parametrize("auth", ["basic", "both"])
def test_a_server_that_is_gone_or_silent_is_answered_502_and_504_in_json(
    auth: str, tmp_path: Path, upstream: Echo
) -> None:
    with gateway(tmp_path / "gone", auth, "127.0.0.1:1") as server:
        reply = server.ask("/", authorization(server))
        assert_error(reply, 502)
        assert server.log_of(reply.header("X-Request-Id"))["client"] == "alice"
    with gateway(tmp_path / "silent", auth, upstream.address, ollama_gateway_read_timeout=1) as server:
        assert_error(server.ask("/hang", authorization(server)), 504)
        upstream.pieces.put(None)


def test_a_request_id_is_the_gateways_own_in_answer_server_and_log(any_gateway: Gateway) -> None:
    reply = any_gateway.ask("/", authorization(any_gateway), "X-Request-Id: forged")
    own = reply.header("X-Request-Id")
    assert [value for name, value in reply.headers if name == "X-Request-Id"] == [own]
    assert own != "forged"
    assert dict(json.loads(reply.body)["headers"])["X-Request-Id"] == own
    assert any_gateway.log_of(own)["request_id"] == own


def test_the_log_names_client_key_status_and_times(any_gateway: Gateway) -> None:
    reply = any_gateway.ask("/api/tags?q=1", authorization(any_gateway))
    line = any_gateway.log_of(reply.header("X-Request-Id"))
    expected = {"client": "alice", "method": "GET", "path": "/api/tags", "status": 200, "address": "127.0.0.1"}
    expected |= {"route": "/api/tags", "model": ""}
    assert {name: line[name] for name in expected} == expected
    assert line["key"] == ("" if any_gateway.auth == "basic" else "laptop")
    assert line["seconds"] >= 0
    assert line["bytes"] > 0
    time.strptime(line["time"], "%Y-%m-%dT%H:%M:%S%z")


def test_the_log_names_the_route_of_a_path_with_a_parameter(any_gateway: Gateway) -> None:
    for path, route in {"/v1/models/tiny": "/v1/models/:model", "/no/route": "", "/api//tags": ""}.items():
        reply = any_gateway.ask(path, authorization(any_gateway))
        assert any_gateway.log_of(reply.header("X-Request-Id"))["route"] == route


@pytest.mark.parametrize("name", ["tiny", "hf.co/team/Model:Q4_K_M"])
def test_the_log_names_the_model_where_bodies_are_read(key_gateway: Gateway, name: str) -> None:
    body = json.dumps({"model": name, "prompt": "x"}).encode()
    reply = key_gateway.ask("/api/generate", authorization(key_gateway), method="POST", body=body)
    assert key_gateway.log_of(reply.header("X-Request-Id"))["model"] == name


@pytest.mark.parametrize("text", ["a planted secret", "x" * 300, "../planted", "plan\nted"])
def test_what_is_no_name_of_a_model_does_not_reach_the_log(key_gateway: Gateway, text: str) -> None:
    body = json.dumps({"model": text}).encode()
    reply = key_gateway.ask("/api/generate", authorization(key_gateway), method="POST", body=body)
    assert key_gateway.log_of(reply.header("X-Request-Id"))["model"] == ""


@pytest.mark.parametrize("path", ["/api/chat", "/healthz/../api/chat"])
def test_the_log_names_no_client_that_was_refused(any_gateway: Gateway, path: str) -> None:
    reply = any_gateway.ask(path, f"Authorization: {basic('alice', 'wrong')}", method="POST")
    line = any_gateway.log_of(reply.header("X-Request-Id"))
    assert (line["client"], line["key"], line["method"], line["status"]) == ("", "", "POST", 401)


def test_the_log_of_an_unauthenticated_error_names_no_client(any_gateway: Gateway) -> None:
    headers = (f"Authorization: {basic('alice', 'x')}", "Content-Length: 68000000")
    reply = any_gateway.ask("/", *headers, method="POST")
    assert status(reply) == 413
    assert any_gateway.log_of(reply.header("X-Request-Id"))["client"] == ""


def test_no_secret_and_no_prompt_reaches_the_log(any_gateway: Gateway) -> None:
    planted = ["planted-cookie", "planted-prompt", "planted-header", "planted-key", "planted-password"]
    body = json.dumps({"model": "tiny", "prompt": "planted-prompt"}).encode()
    extra = ("Cookie: planted-cookie", "X-Api-Key: planted-header")
    for credential in (
        any_gateway.credential(),
        "Bearer planted-key",
        basic("alice", "planted-password"),
        "planted-key",
    ):
        for path in ("/api/chat", "/status/500"):
            any_gateway.ask(path, f"Authorization: {credential}", *extra, method="POST", body=body)
    reply = any_gateway.ask("/api/chat?q=planted-prompt", authorization(any_gateway))
    any_gateway.log_of(reply.header("X-Request-Id"))
    logs = any_gateway.logs()
    secrets = [*planted, *KEYS.values(), *filter(None, PASSWORDS.values()), any_gateway.credential().split(" ")[1]]
    assert [secret for secret in secrets if secret in logs] == []


@pytest.mark.parametrize("auth", ["basic", "bearer", "both"])
def test_no_query_and_no_tried_name_reaches_the_log_when_a_request_fails(auth: str, tmp_path: Path) -> None:
    with gateway(tmp_path, auth, "127.0.0.1:1") as lonely:
        assert status(lonely.ask("/api/tags?key=planted-query", authorization(lonely))) == 502
        reply = lonely.ask("/api/tags?key=planted-query", f"Authorization: {basic('planted-name', 'x')}")
        assert status(reply) == 401
        lonely.log_of(reply.header("X-Request-Id"))
        assert "planted" not in lonely.logs()


def test_the_server_header_tells_no_version(any_gateway: Gateway) -> None:
    assert not re.search(r"\d", any_gateway.ask("/").header("Server") or "")
