# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever guesses is slowed down, and nobody else notices."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from passlib.hash import sha512_crypt

from tests.component.contract.replay import Reply
from tests.component.contract.standins import until
from tests.component.gateways import KEYS, PASSWORDS, Gateway, basic, gateway, key_lines, record, status
from tests.component.upstreams import Echo

LIMIT = 5
ALICE, BOB = (basic(name, PASSWORDS[name]) for name in ("alice", "bob"))
KEY = f"Bearer {KEYS['alice.laptop']}"
# Of the other end, which is on this machine as well.
ELSEWHERE = "127.66.0.1"


@pytest.fixture(scope="module")
def server(upstream: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    # One worker: what it counted is not forgotten by another one that learns of a change later.
    folder = tmp_path_factory.mktemp("failures")
    with gateway(folder, "both", upstream.address, workers="1", ollama_gateway_auth_failures=LIMIT) as running:
        yield running


@pytest.fixture(autouse=True)
def a_fresh_start(server: Gateway) -> None:
    """New hashes, of which none is remembered, and no failure that still counts."""
    server.write("htpasswd", users())
    assert server.status() == 401


def users() -> list[str]:
    return [f"{name}:{sha512_crypt.using(rounds=1000).hash(word)}" for name, word in PASSWORDS.items()]


def at_once(server: Gateway, credentials: list[str], source: str = "127.0.0.1") -> list[int]:
    """The answers to requests that are all sent before the first is answered, each on a connection of its own."""
    host, _, port = server.address.rpartition(":")
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in credentials:
            one = socket.create_connection((host, int(port)), 60, (source, 0))
            connections.append(stack.enter_context(one))
        for one, credential in zip(connections, credentials, strict=True):
            one.sendall(server.wire("/api/tags", f"Authorization: {credential}", "Connection: close"))
        return [int(one.makefile("rb").readline().split()[1]) for one in connections]


def from_elsewhere(server: Gateway, credential: str, source: str = ELSEWHERE) -> int:
    (answer,) = at_once(server, [credential], source)
    return answer


def guess_from_everywhere(server: Gateway, count: int = 10 * LIMIT + 1) -> set[int]:
    """Wrong passwords for alice, as many as count for a name, from as many addresses as that takes."""
    return {
        from_elsewhere(server, basic("alice", f"wrong-{number}"), f"127.20.0.{number // LIMIT + 1}")
        for number in range(count)
    }


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
        weak = record("bob.ci", "weak-key", "guessable=yes")
        server.write("api_keys", ["short-key", weak, *key_lines()[:1]])
        fail(server, LIMIT, "Bearer guess")
        assert {server.status(f"Bearer {key}") for key in ("short-key", "weak-key")} == {429}
        assert server.status(KEY) == 200
    finally:
        server.write("api_keys", key_lines())


def test_a_key_that_might_be_guessed_goes_on_where_it_was_presented_before_and_nowhere_else(server: Gateway) -> None:
    try:
        server.write("api_keys", ["short-key", record("bob.ci", "weak-key", "guessable=yes")])
        keys = ["Bearer short-key", "Bearer weak-key"]
        assert {server.status(key) for key in keys} == {200}
        fail(server, LIMIT, "Bearer guess")
        assert {from_elsewhere(server, "Bearer guess") for _ in range(LIMIT)} == {401}
        assert {server.status(key) for key in keys} == {200}
        assert server.status("Bearer guess") == 429
        assert {from_elsewhere(server, key) for key in [*keys, "Bearer guess"]} == {429}
    finally:
        server.write("api_keys", key_lines())


def test_past_the_limit_nobody_learns_whether_a_remembered_password_is_right(server: Gateway) -> None:
    assert server.status(ALICE) == 200
    assert {from_elsewhere(server, basic("alice", f"wrong-{number}")) for number in range(LIMIT)} == {401}
    assert {from_elsewhere(server, one) for one in (ALICE, BOB, basic("alice", "other"))} == {429}
    assert server.status(ALICE) == 200


@pytest.mark.parametrize("ttl", [0, 1])
def test_failures_of_others_at_a_name_shut_nobody_out_who_was_in(upstream: Echo, tmp_path: Path, ttl: int) -> None:
    limits = {"ollama_gateway_auth_failures": LIMIT, "ollama_gateway_password_cache_ttl": ttl}
    with gateway(tmp_path, "both", upstream.address, workers="1", **limits) as running:
        running.write("htpasswd", users())
        assert running.status(ALICE) == 200
        assert guess_from_everywhere(running) == {401, 429}
        assert from_elsewhere(running, ALICE) == 429
        time.sleep(ttl + 0.1)
        assert {running.status(ALICE) for _ in range(3)} == {200}
        # Nor does a reload make it forget.
        before = running.processes("worker process")
        running.reload()
        assert until(lambda: not set(before) & set(running.processes("worker process")), 20)
        guess_from_everywhere(running)
        assert running.status(ALICE) == 200


@pytest.mark.parametrize("workers", ["1", "4"])
def test_no_more_tries_at_once_are_judged_than_one_after_the_other(
    upstream: Echo, tmp_path: Path, workers: str
) -> None:
    limit = {"ollama_gateway_auth_failures": LIMIT}
    slow = sha512_crypt.using(rounds=20_000)
    with gateway(tmp_path, "both", upstream.address, workers=workers, **limit) as running:
        running.write("htpasswd", [f"{name}:{slow.hash(word)}" for name, word in PASSWORDS.items()])
        # Of one that is not remembered yet, and of several, all are let in; the latter may do nothing.
        assert set(at_once(running, [ALICE] * 50)) == {200}
        running.write("htpasswd", [f"user{number}:{slow.hash('word')}" for number in range(3 * LIMIT)])
        assert set(at_once(running, [basic(f"user{number}", "word") for number in range(3 * LIMIT)])) == {403}
        # A minute begins anew: each worker learns of this change within a second, and forgets.
        running.allow({"alice": ["admin"]})
        time.sleep(2.5)
        answers = at_once(running, [basic("user1", f"guess-{number}") for number in range(200)])
        assert (answers.count(401), answers.count(429)) == (LIMIT, 200 - LIMIT)
        answers = at_once(running, [f"Bearer guess-{number}" for number in range(50)], ELSEWHERE)
        assert (answers.count(401), answers.count(429)) == (LIMIT, 50 - LIMIT)


def test_long_names_throw_no_count_out(server: Gateway) -> None:
    # More than four megabytes, were they kept.
    for number in range(80):
        name = f"{number:03}" + "A" * 5000
        for count in range(LIMIT + 6):
            assert from_elsewhere(server, basic(f"{name}{count}", "x"), f"127.9.{number}.1") == (
                401 if count < LIMIT else 429
            )
        if number == 0:
            fail(server, LIMIT)
    assert server.status(basic("alice", "wrong")) == 429


def test_nothing_is_forgotten_while_files_of_clients_say_the_same(server: Gateway) -> None:
    fail(server, LIMIT)
    folder = server.folder / "clients"
    for name in ("clients.json", "htpasswd", "api_keys"):
        os.utime(folder / name)
        assert server.status(BOB) == 429
        server.put(folder / name, (folder / name).read_text())
        assert server.status(BOB) == 429
    server.put(folder / "clients.json", (folder / "clients.json").read_text() + " ")
    assert server.status(BOB) == 200


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
