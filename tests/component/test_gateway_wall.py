# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what: the gateway answers only the routes of its table, each to clients with the scope that it needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from passlib.hash import apr_md5_crypt, bcrypt, ldap_sha1

from tests.component import rendering
from tests.component.contract.replay import Reply
from tests.component.gateways import KEYS, PASSWORDS, Gateway, basic, gateway, status
from tests.component.upstreams import Echo, told

SCOPES = ["inference", "models_read", "models_write", "metrics"]
ROUTES: list[dict[str, Any]] = rendering.value("__ollama_gateway_routes")
VALUES = {":model": "tiny:latest", ":digest": "sha256:" + "0" * 64, ":key": "a1b2"}
ORIGIN = "https://chat.example.com"
EXTENSION = "chrome-extension://abcdefghijklmnopabcdefghijklmnop"
ORIGINS = [ORIGIN, "app://obsidian.md", "tauri://localhost", EXTENSION]
# Written by hand: a mistake in the table must not make its own test agree.
PROMISES = {
    "GET /api/version": None,
    "GET /api/tags": "models_read",
    "GET /api/ps": "models_read",
    "POST /api/show": "models_read",
    "GET /v1/models": "models_read",
    "GET /v1/models/tiny": "models_read",
    "GET /v1/models/tiny%3Alatest": "models_read",
    "POST /api/generate": "inference",
    "POST /api/chat": "inference",
    "POST /api/embed": "inference",
    "POST /v1/chat/completions": "inference",
    "POST /v1/responses": "inference",
    "POST /v1/messages": "inference",
    "POST /v1/audio/transcriptions": "inference",
    "POST /api/pull": "models_write",
    "POST /api/push": "models_write",
    "POST /api/create": "models_write",
    "POST /api/copy": "models_write",
    "DELETE /api/delete": "models_write",
    f"POST /api/blobs/sha256:{'1' * 64}": "models_write",
    f"HEAD /api/blobs/sha256%3A{'1' * 64}": "models_write",
}
TRICKS = [
    "/metrics/",
    "/Metrics",
    "/API/tags",
    "/api/Tags",
    "/api/tags/",
    "//api/tags",
    "/api//tags",
    "/api/./tags",
    "/api/x/../tags",
    "/api/tags%2f",
    "/%61pi/tags",
    "/api/tags;x",
    "/api/tags%00",
    "/api/tags%20",
    "/api\\tags",
    "/api/tags#x",
    "/api/tags?q#x",
    "/api%2ftags",
    "/v1/models/",
    "/v1/models/..",
    "/v1/models/%2e%2e",
    "/v1/models/../../api/delete",
    "/v1/models/tiny/x",
    "/v1/models/library%2ftiny",
    "/v1/models/tiny%2dloop",
    "/v1/models/tiny%253Alatest",
    "/v1/models%3Atiny",
    "/api/blobs/../delete",
]


def path_of(route: dict[str, Any]) -> str:
    head, colon, parameter = route["path"].partition(":")
    return head + VALUES[colon + parameter] if colon else head


def basic_or_key(server: Gateway, name: str) -> str:
    key = {"alice": "alice.laptop", "bob": "bob.ci"}[name]
    return "Authorization: " + (basic(name, PASSWORDS[name]) if server.auth == "basic" else "Bearer " + KEYS[key])


def ask(server: Gateway, name: str, method: str, path: str) -> Reply:
    """A request of a client, with a body that names no model if it may have one."""
    headers, body = [], b"{}" if method in ("POST", "DELETE") else None
    if path.startswith("/v1/audio/"):
        headers, body = ["Content-Type: multipart/form-data; boundary=x"], b"--x--"
    return server.ask(path, basic_or_key(server, name), *headers, method=method, body=body)


@pytest.fixture(scope="module", params=["basic", "bearer"])
def server(
    request: pytest.FixtureRequest, upstream: Echo, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway of its own: its tests change what clients may do."""
    variables = {"ollama_gateway_cors_origins": ORIGINS}
    with gateway(tmp_path_factory.mktemp("wall"), request.param, upstream.address, **variables) as one:
        yield one


@pytest.mark.parametrize("scope", SCOPES)
def test_a_client_with_one_scope_may_use_its_routes_and_no_other(server: Gateway, upstream: Echo, scope: str) -> None:
    server.allow({"alice": [scope]})
    for promise, needed in PROMISES.items():
        method, path = promise.split(" ")
        before = len(upstream.requests)
        reply = ask(server, "alice", method, path)
        allowed = needed in (None, scope)
        assert (status(reply), len(upstream.requests) - before) == ((200, 1) if allowed else (403, 0)), promise


@pytest.mark.parametrize(
    ("scopes", "method", "path", "lacks"),
    [
        (["inference"], "GET", "/api/tags", "it lacks the scope models_read"),
        (["models_read"], "POST", "/v1/chat/completions", "it lacks the scope inference"),
        (["inference"], "POST", "/v1/messages", None),
        (["models_read"], "POST", "/api/pull", "it lacks the scope models_write"),
        ([], "GET", "/v1/models", "it lacks the scope models_read"),
    ],
)
def test_a_403_says_which_scope_a_client_lacks(
    server: Gateway, scopes: list[str], method: str, path: str, lacks: str | None
) -> None:
    server.allow({"alice": scopes})
    reply = ask(server, "alice", method, path)
    assert status(reply) == (403 if lacks else 200)
    if lacks:
        error = json.loads(reply.body)["error"]
        assert (error if path.startswith("/api/") else error["message"]) == f"this client may not do this: {lacks}"


def test_a_client_with_admin_may_use_every_route_but_those_of_the_account(server: Gateway) -> None:
    server.allow({"alice": ["admin"]})
    for route in ROUTES:
        # Plain nginx counts nothing.
        closed = route["scope"] == "account" or ("own" in route and server.image == "nginx")
        wanted = 404 if closed else 200
        assert status(ask(server, "alice", route["method"], path_of(route))) == wanted, route


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_account_routes_are_served_to_admin_alone_and_only_where_they_are_allowed(
    auth: str, tmp_path: Path, upstream: Echo
) -> None:
    with gateway(tmp_path, auth, upstream.address, ollama_gateway_allow_account_routes=True) as one:
        one.allow({"alice": ["admin"], "bob": SCOPES})
        for name, wanted in (("alice", 200), ("bob", 403)):
            reply = one.ask("/api/me", basic_or_key(one, name), method="POST")
            assert status(reply) == wanted
            assert (b"it lacks the scope admin" in reply.body) == (wanted == 403)


def test_no_route_answers_without_a_credential(server: Gateway, upstream: Echo) -> None:
    before = len(upstream.requests)
    for route in ROUTES:
        assert status(server.ask(path_of(route), method=route["method"])) == 401, route
    assert len(upstream.requests) == before


@pytest.mark.parametrize("trick", TRICKS)
def test_no_other_spelling_of_a_path_slips_past(server: Gateway, upstream: Echo, trick: str) -> None:
    server.allow({"alice": ["admin"]})
    before = len(upstream.requests)
    for method in ("GET", "POST", "DELETE"):
        assert status(ask(server, "alice", method, trick)) in (400, 404)
    assert len(upstream.requests) == before


def test_a_method_that_a_route_has_not_is_refused(server: Gateway) -> None:
    server.allow({"alice": ["admin"]})
    for method, path in (("DELETE", "/api/tags"), ("PUT", "/api/chat"), ("GET", "/api/chat"), ("OPTIONS", "/api/tags")):
        assert status(ask(server, "alice", method, path)) == 404


def test_an_absolute_target_is_judged_by_the_path_that_goes_on(server: Gateway) -> None:
    server.allow({"alice": ["models_read"]})
    reply = server.ask("http://elsewhere/api/tags", basic_or_key(server, "alice"))
    assert told(reply)["line"] == "GET /api/tags HTTP/1.1"
    assert status(server.ask("http://elsewhere/api/delete", basic_or_key(server, "alice"), method="DELETE")) == 403


def test_a_change_of_scopes_counts_on_the_very_next_request(server: Gateway) -> None:
    for scopes, wanted in ((["inference"], 200), (["models_read"], 403), (["inference"], 200)):
        server.allow({"alice": scopes})
        assert status(server.ask("/api/chat", basic_or_key(server, "alice"), method="POST", body=b"{}")) == wanted


def test_a_client_that_nobody_gave_a_scope_may_do_nothing(server: Gateway) -> None:
    server.allow({"bob": ["admin"]})
    for path, lacks in (("/", "it has no scopes"), ("/api/tags", "it lacks the scope models_read")):
        reply = server.ask(path, basic_or_key(server, "alice"))
        assert (status(reply), json.loads(reply.body)) == (403, {"error": f"this client may not do this: {lacks}"})


def test_where_the_file_of_users_is_missing_nobody_is_known(tmp_path: Path, upstream: Echo) -> None:
    """Of itself nginx says 403 then, as if it knew who asks."""
    with gateway(tmp_path, "basic", upstream.address) as one:
        (one.folder / "clients" / "htpasswd").unlink()
        for path in ("/api/tags", "/api/pull"):
            reply = one.ask(path, f"Authorization: {basic('alice', PASSWORDS['alice'])}")
            assert status(reply) == 401
            assert one.log_of(reply.header("X-Request-Id"))["client"] == ""


@pytest.mark.parametrize("auth", ["basic", "both"])
def test_a_user_added_by_hand_has_the_default_scopes_where_that_is_left_to_people(
    auth: str, tmp_path: Path, upstream: Echo
) -> None:
    """On the next request, with what `htpasswd -B` or `htpasswd` writes; and is out with the line."""
    name, password = "zoe", "a password of zoe"
    credential = f"Authorization: {basic(name, password)}"
    asked = [("GET", "/api/tags"), ("POST", "/api/chat"), ("POST", "/api/pull"), ("GET", "/")]
    with gateway(tmp_path, auth, upstream.address) as one:
        others = (one.folder / "clients" / "htpasswd").read_text().splitlines()

        def statuses(credential: str) -> list[int]:
            return [status(one.ask(path, credential, method=method)) for method, path in asked]

        for scheme in (bcrypt.using(rounds=4, ident="2y"), apr_md5_crypt):
            one.write("htpasswd", [*others, f"{name}:{scheme.hash(password)}"])
            one.allow({"alice": ["admin"], "bob": [], "*": ["inference", "models_read"]})
            assert statuses(credential) == [200, 200, 403, 200]
            # Whom the inventory names has what it says.
            assert statuses(f"Authorization: {basic('bob', PASSWORDS['bob'])}") == [403, 403, 403, 200]
            one.allow({"alice": ["admin"], "bob": []})
            assert statuses(credential) == [403] * 4
        one.allow({"alice": ["admin"], "*": ["inference", "models_read"]})
        # Whom the inventory names as gone is nobody, though the line is there.
        default = {"models": ["*"], "scopes": ["inference", "models_read"]}
        one.permit({"alice": default, name: {**default, "scopes": [], "absent": True}, "*": default})
        assert statuses(credential) == [403] * 4
        one.allow({"alice": ["admin"], "*": ["inference", "models_read"]})
        one.write("htpasswd", others)
        assert statuses(credential) == [401] * 4


def test_a_client_of_some_models_may_do_nothing_on_plain_nginx_which_cannot_judge_them(
    tmp_path: Path, upstream: Echo
) -> None:
    """One that stays on the host, unlisted, from the time of OpenResty."""
    with gateway(tmp_path, "basic", upstream.address) as one:
        one.allow({"alice": SCOPES, "bob": SCOPES, "*": SCOPES}, {"alice": ["tiny"]})
        seen = {
            name: {status(ask(one, name, method, path)) for method, path in [("GET", "/"), ("POST", "/api/chat")]}
            for name in ("alice", "bob")
        }
        assert seen == {"alice": {403}, "bob": {200}}


def test_a_password_as_htpasswd_s_writes_it_is_damage_for_openresty(tmp_path: Path, upstream: Echo) -> None:
    """Plain nginx takes it; the list of clients warns of it."""
    with gateway(tmp_path, "both", upstream.address) as one:
        others = (one.folder / "clients" / "htpasswd").read_text().splitlines()
        one.allow({"alice": ["admin"], "*": ["inference", "models_read"]})
        one.write("htpasswd", [*others, f"zoe:{ldap_sha1.hash('a password of zoe')}"])
        assert status(one.ask("/api/tags", f"Authorization: {basic('zoe', 'a password of zoe')}")) == 401
        assert "the hash one of sha512_crypt, apr1 or bcrypt" in one.logs()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]x",
        '{"alice": []}',
        '{"alice": {"scopes": ["root"], "models": ["*"]}}',
        '{"alice": {"scopes": ["admin"], "models": []}}',
        '{"alice": 1}',
    ],
)
def test_damage_to_the_file_of_clients_leaves_the_last_good_state(
    bearer_gateway: Gateway, tmp_path: Path, upstream: Echo, text: str
) -> None:
    path = bearer_gateway.folder / "clients" / "clients.json"
    good = path.read_text()
    try:
        bearer_gateway.put(path, text)
        assert bearer_gateway.status(bearer_gateway.credential()) == 200
    finally:
        bearer_gateway.put(path, good)


def test_a_damaged_file_of_clients_at_the_start_lets_nobody_do_anything(tmp_path: Path, upstream: Echo) -> None:
    with gateway(tmp_path, "bearer", upstream.address) as one:
        one.write("clients.json", ["{"])
        one.restart()
        assert one.status(one.credential()) == 403


def test_a_key_in_plain_text_has_the_default_scopes(tmp_path: Path, upstream: Echo) -> None:
    with gateway(tmp_path, "bearer", upstream.address) as one:
        one.write("api_keys", ["a-key-by-hand"])
        wanted = {"/api/chat": 200, "/api/show": 200, "/api/pull": 403}
        assert {
            path: status(one.ask(path, "Authorization: Bearer a-key-by-hand", method="POST", body=b"{}"))
            for path in wanted
        } == wanted


ERRORS = {
    "/api/nothing": lambda error: set(error) == {"error"} and isinstance(error["error"], str),
    "/v1/nothing": lambda error: (
        set(error) == {"error"} and set(error["error"]) == {"message", "type", "param", "code"}
    ),
    "/v1/messages/x": lambda error: (
        (set(error), error["type"], set(error["error"])) == ({"type", "error"}, "error", {"type", "message"})
    ),
}


@pytest.mark.parametrize("path", ERRORS)
def test_errors_are_in_the_dialect_of_the_path(server: Gateway, path: str) -> None:
    server.allow({"alice": ["admin"]})
    for headers, wanted in (([], 401), ([basic_or_key(server, "alice")], 404)):
        reply = server.ask(path, *headers)
        assert status(reply) == wanted
        assert reply.header("Content-Type") == "application/json"
        assert reply.header("X-Request-Id")
        assert ERRORS[path](json.loads(reply.body)), reply.body


@pytest.mark.parametrize("path", ["/", "/api/chat", "/v1/responses", "/v1/messages"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_whoever_tries_a_websocket_is_told_to_use_http_and_without_a_credential_nothing(
    server: Gateway, upstream: Echo, path: str, method: str
) -> None:
    server.allow({"alice": ["inference"]})
    before = len(upstream.requests)
    upgrade = ("Connection: Upgrade", "Upgrade: WebSocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAA")
    for headers, wanted in (([], 401), ([basic_or_key(server, "alice")], 426), (["Authorization: Basic eDp5"], 401)):
        reply = server.ask(path, *headers, *upgrade, method=method, body=b"{}" if method == "POST" else None)
        assert status(reply) == wanted
        error = json.loads(reply.body)["error"]
        if wanted == 426:
            said = error["message"] if path.startswith("/v1/") else error
            assert said == "there is no WebSocket here but plain HTTP"
            assert server.log_of(reply.header("X-Request-Id"))["client"] == "alice"
    assert len(upstream.requests) == before


def test_a_body_larger_than_its_route_needs_is_refused(server: Gateway) -> None:
    server.allow({"alice": ["admin"]})
    two = b'{"x": "%s"}' % (b"x" * 2 * 1024 * 1024)
    blob = f"/api/blobs/sha256:{'0' * 64}"
    answers = {
        path: status(server.ask(path, basic_or_key(server, "alice"), method="POST", body=two))
        for path in ("/api/chat", "/api/pull", blob)
    }
    assert answers == {"/api/chat": 200, "/api/pull": 413, blob: 200}


def preflight(server: Gateway, origin: str) -> Any:
    asked = "authorization, x-api-key, anthropic-version, anthropic-dangerous-direct-browser-access"
    headers = (f"Origin: {origin}", "Access-Control-Request-Method: POST", f"Access-Control-Request-Headers: {asked}")
    return server.ask("/v1/messages", *headers, method="OPTIONS")


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_preflight_of_a_configured_origin_is_answered_without_a_credential(
    server: Gateway, upstream: Echo, origin: str
) -> None:
    before = len(upstream.requests)
    reply = preflight(server, origin)
    assert status(reply) == 204
    assert reply.header("Access-Control-Allow-Origin") == origin
    assert "POST" in (reply.header("Access-Control-Allow-Methods") or "")
    assert {"x-api-key", "anthropic-version"} <= set((reply.header("Access-Control-Allow-Headers") or "").split(", "))
    assert reply.header("Vary") == "Origin"
    assert len(upstream.requests) == before


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        ORIGIN + ".evil.example",
        ORIGIN.upper(),
        "null",
        "https://chatXexample.com",
        "app://x",
        "app:",
        EXTENSION + "a",
        "chrome-extension://" + "a" * 32,
    ],
)
def test_another_origin_gets_neither_preflight_nor_permission(server: Gateway, origin: str) -> None:
    server.allow({"alice": ["admin"]})
    assert status(preflight(server, origin)) == 401
    reply = server.ask("/api/tags", f"Origin: {origin}", basic_or_key(server, "alice"))
    assert reply.header("Access-Control-Allow-Origin") is None


def test_a_page_of_a_configured_origin_may_read_answers_and_errors(server: Gateway) -> None:
    server.allow({"alice": ["admin"]})
    for headers, wanted in (([basic_or_key(server, "alice")], 200), ([], 401)):
        reply = server.ask("/api/tags", f"Origin: {ORIGIN}", *headers)
        assert (status(reply), reply.header("Access-Control-Allow-Origin")) == (wanted, ORIGIN)


def test_a_key_may_come_as_x_api_key_and_twice_only_if_it_is_the_same(key_gateway: Gateway) -> None:
    key, other = KEYS["alice.laptop"], KEYS["bob.ci"]
    password = basic("alice", PASSWORDS["alice"])
    wanted = {
        (f"x-api-key: {key}",): 200,
        ("x-api-key: wrong",): 401,
        (f"x-api-key: {key}", f"Authorization: Bearer {key}"): 200,
        (f"x-api-key: {key}", f"Authorization: Bearer {other}"): 401,
        (f"x-api-key: {key}", "Authorization: Bearer wrong"): 401,
        ("x-api-key: wrong", f"Authorization: Bearer {key}"): 401,
        (f"x-api-key: {key}", f"Authorization: {password}"): 401,
        (f"x-api-key: {key}", f"x-api-key: {key}"): 401,
        (f"x-api-key: {key}, {key}",): 401,
        (f"x-api-key: Bearer {key}",): 401,
    }
    assert {headers: status(key_gateway.ask("/api/tags", *headers)) for headers in wanted} == wanted


def test_a_password_beside_an_api_key_is_refused(basic_gateway: Gateway) -> None:
    headers = (f"Authorization: {basic_gateway.credential()}", f"x-api-key: {KEYS['alice.laptop']}")
    assert status(basic_gateway.ask("/api/tags", *headers)) == 401


def test_the_log_names_the_client_that_was_refused_for_its_scope(server: Gateway) -> None:
    server.allow({"alice": ["inference"]})
    reply = server.ask("/api/tags", basic_or_key(server, "alice"))
    assert server.log_of(reply.header("X-Request-Id"))["client"] == "alice"
