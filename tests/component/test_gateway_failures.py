# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever guesses is slowed down, and nobody else notices."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from passlib.hash import sha512_crypt

from tests.component.contract.replay import Reply
from tests.component.gateways import KEYS, PASSWORDS, Gateway, basic, gateway, record, status
from tests.component.upstreams import Echo

LIMIT = 5
ALICE, BOB = (basic(name, PASSWORDS[name]) for name in ("alice", "bob"))
KEY = f"Bearer {KEYS['alice.laptop']}"


@pytest.fixture(scope="module")
def server(upstream: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    # One worker: what it counted is not forgotten by another one that learns of a change later.
    folder = tmp_path_factory.mktemp("failures")
    with gateway(folder, "both", upstream.address, workers="1", ollama_gateway_auth_failures=LIMIT) as running:
        yield running


@pytest.fixture(autouse=True)
def a_fresh_start(server: Gateway) -> None:
    """New hashes, of which none is remembered, and no failure that still counts."""
    hashed = {name: sha512_crypt.using(rounds=1000).hash(word) for name, word in PASSWORDS.items()}
    server.write("htpasswd", [f"{name}:{one}" for name, one in hashed.items()])
    # A file that is read right after its change is read once more within a second, which forgives once more.
    time.sleep(1.2)


def fail(server: Gateway, count: int, credential: str = basic("alice", "wrong")) -> list[int]:
    return [server.status(credential) for _ in range(count)]


def ask(server: Gateway, credential: str, path: str = "/api/tags") -> Reply:
    return server.ask(path, f"Authorization: {credential}")


def test_tries_past_the_limit_get_429_and_when_to_try_again(server: Gateway) -> None:
    assert fail(server, LIMIT) == [401] * LIMIT
    reply = ask(server, basic("alice", "wrong"))
    assert status(reply) == 429
    assert 0 < int(reply.header("Retry-After") or 0) <= 60
    assert reply.header("WWW-Authenticate") is None
    assert json.loads(reply.body) == {"error": "there are too many requests"}
    reply = ask(server, basic("alice", "wrong"), "/v1/models")
    assert json.loads(reply.body)["error"]["type"] == "rate_limit_error"


@pytest.mark.parametrize(
    "credential",
    [basic("alice", "wrong"), basic("nobody", "wrong"), "Bearer wrong", "Basic ???", "Foo", basic("a", "b") + "x"],
)
def test_whatever_is_tried_counts(server: Gateway, credential: str) -> None:
    assert fail(server, LIMIT, credential) == [401] * LIMIT
    assert server.status(credential) == 429
    assert server.status(BOB) == 429


def test_a_right_password_is_not_tried_past_the_limit_so_nobody_learns_that_it_is(server: Gateway) -> None:
    fail(server, LIMIT)
    assert {server.status(ALICE), server.status(basic("alice", "other"))} == {429}


def test_clients_that_are_in_stay_in(server: Gateway) -> None:
    assert server.status(ALICE) == 200
    fail(server, 3 * LIMIT)
    assert server.status(basic("alice", "wrong")) == 429
    assert {server.status(ALICE), server.status(KEY)} == {200}
    api_key = f"x-api-key: {KEYS['alice.laptop']}"
    assert status(server.ask("/api/tags", api_key)) == 200
    assert status(server.ask("/api/tags", api_key, f"Authorization: {KEY}")) == 200


def test_a_key_that_might_be_guessed_is_not_tried_past_the_limit(server: Gateway) -> None:
    try:
        server.write("api_keys", ["short-key", record("alice.laptop", KEYS["alice.laptop"])])
        assert server.status("Bearer short-key") == 200
        fail(server, LIMIT, "Bearer guess")
        assert server.status("Bearer short-key") == 429
        assert server.status(KEY) == 200
    finally:
        server.write("api_keys", [record(name, secret) for name, secret in KEYS.items()])


def test_requests_without_a_credential_count_for_nothing(server: Gateway) -> None:
    assert {server.status() for _ in range(3 * LIMIT)} == {401}
    assert server.status(ALICE) == 200


def test_requests_that_are_refused_for_another_reason_count_for_nothing(server: Gateway) -> None:
    assert {server.status(KEY, "/no/such/route") for _ in range(3 * LIMIT)} == {404}
    assert server.status(ALICE) == 200


def test_a_change_of_credentials_gives_everybody_a_fresh_start(server: Gateway) -> None:
    fail(server, LIMIT)
    assert server.status(BOB) == 429
    server.write("htpasswd", [f"bob:{sha512_crypt.using(rounds=1000).hash(PASSWORDS['bob'])}"])
    assert server.status(BOB) == 200


def test_the_log_says_who_was_told_to_wait(server: Gateway) -> None:
    fail(server, LIMIT)
    reply = ask(server, basic("alice", "wrong"))
    line = server.log_of(reply.header("X-Request-Id"))
    assert line["status"] == 429
    assert line["client"] == ""


def test_plain_nginx_refuses_passwords_that_come_too_fast_and_nothing_else(upstream: Echo, tmp_path: Path) -> None:
    with gateway(tmp_path, "basic", upstream.address, ollama_gateway_nginx_password_rate=2) as nginx:
        assert nginx.status(ALICE) == 200
        begun = time.monotonic()
        seen = [nginx.status(basic("alice", f"guess-{number}")) for number in range(20)]
        assert set(seen) <= {401, 429}
        # Two a second, two more at once, and one that was due.
        assert seen.count(401) <= 2 * (time.monotonic() - begun) + 3
        refused = [reply for reply in (ask(nginx, ALICE) for _ in range(20)) if status(reply) == 429]
        assert refused
        assert {reply.header("Retry-After") for reply in refused} == {"1"}
        assert {reply.header("WWW-Authenticate") for reply in refused} == {None}
        assert {nginx.status() for _ in range(20)} == {401}
        time.sleep(1.1)
        assert nginx.status(ALICE) == 200
