# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strong passwords on OpenResty: a hash is computed once, and a right password is remembered only while it is one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import pytest
from passlib.hash import apr_md5_crypt, bcrypt, sha256_crypt, sha512_crypt

from tests.component.gateways import PASSWORDS, Gateway, basic, gateway, status
from tests.component.upstreams import Echo

# Slow enough, whatever the machine, to tell a computed hash from a remembered password.
SLOW = sha512_crypt.using(rounds=150_000)
ALICE = basic("alice", PASSWORDS["alice"])


@pytest.fixture(scope="module")
def server(upstream: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Basic on OpenResty; requests may be limited by their models there."""
    folder = tmp_path_factory.mktemp("passwords")
    with gateway(folder, "basic", upstream.address, ollama_gateway_engine="openresty") as running:
        yield running


@pytest.fixture(autouse=True)
def a_slow_hash(server: Gateway) -> None:
    server.write("htpasswd", [f"alice:{SLOW.hash(PASSWORDS['alice'])}"])


def seconds(server: Gateway, credential: str, right: bool) -> float:
    """How long it takes the gateway to know: 404 for a route that is none, which no upstream is asked for."""
    begun = time.monotonic()
    assert server.status(credential, "/none") == (404 if right else 401)
    return time.monotonic() - begun


def test_a_right_password_costs_its_hash_once(server: Gateway) -> None:
    first = seconds(server, ALICE, True)
    later = [seconds(server, ALICE, True) for _ in range(20)]
    assert median(later) < first / 5


def test_a_wrong_password_is_never_remembered_as_right(server: Gateway) -> None:
    wrong = basic("alice", "wrong")
    assert {server.status(wrong) for _ in range(3)} == {401}
    assert server.status(ALICE) == 200
    assert {server.status(wrong) for _ in range(3)} == {401}


def test_a_wrong_password_and_an_unknown_user_take_the_same_time(server: Gateway) -> None:
    assert server.status(ALICE) == 200
    pairs = [[seconds(server, basic(user, f"wrong-{i}"), False) for user in ("alice", "mallory")] for i in range(25)]
    # In turn, and the quickest of each: whatever else the machine does only adds to the others.
    known, unknown = (min(times) for times in zip(*pairs, strict=True))
    assert 0.5 < known / unknown < 2


@pytest.mark.parametrize("change", ["another password", "the same password with another hash", "no such user"])
def test_a_remembered_password_is_forgotten_on_the_very_next_request(server: Gateway, change: str) -> None:
    assert {server.status(ALICE) for _ in range(3)} == {200}
    lines = {
        "another password": [f"alice:{sha512_crypt.using(rounds=1000).hash('another')}"],
        "the same password with another hash": [f"alice:{sha512_crypt.using(rounds=1000).hash(PASSWORDS['alice'])}"],
        "no such user": [f"bob:{sha512_crypt.using(rounds=1000).hash('x')}"],
    }[change]
    server.write("htpasswd", lines)
    expected = 200 if change == "the same password with another hash" else 401
    assert {server.status(ALICE) for _ in range(8)} == {expected}


def test_a_remembered_password_does_not_outlive_its_time(
    upstream: Echo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    brief = {"ollama_gateway_engine": "openresty", "ollama_gateway_password_cache_ttl": 2}
    with gateway(tmp_path_factory.mktemp("brief"), "basic", upstream.address, **brief) as running:
        running.write("htpasswd", [f"alice:{SLOW.hash(PASSWORDS['alice'])}"])
        judged = seconds(running, ALICE, True)
        # The quickest of some: whatever else the machine does only adds to the others.
        remembered = min(seconds(running, ALICE, True) for _ in range(5))
        assert remembered < judged / 3
        time.sleep(2.1)
        assert seconds(running, ALICE, True) > 3 * remembered


@pytest.mark.parametrize(
    "hashed",
    [
        apr_md5_crypt.hash("s3cret"),
        sha256_crypt.using(rounds=1000).hash("s3cret"),
        sha512_crypt.using(rounds=1000).hash("s3cret"),
        bcrypt.using(rounds=4, ident="2y").hash("s3cret"),
        bcrypt.using(rounds=4, ident="2b").hash("s3cret"),
    ],
    ids=["apr1", "sha256_crypt", "sha512_crypt", "bcrypt 2y", "bcrypt 2b"],
)
def test_passwords_of_every_scheme_are_checked_and_remembered(server: Gateway, hashed: str) -> None:
    server.write("htpasswd", [f"alice:{hashed}"])
    for _ in range(2):
        assert server.status(basic("alice", "s3cret")) == 200
        assert server.status(basic("alice", "s3cret ")) == 401


def test_keys_are_not_taken_where_only_passwords_are(server: Gateway) -> None:
    server.write("api_keys", ["a-key-in-plain-text"])
    assert server.status("Bearer a-key-in-plain-text") == 401


def test_clients_with_some_models_have_no_others(server: Gateway) -> None:
    server.allow({"alice": ["inference"]}, {"alice": ["tiny"]})
    header = f"Authorization: {ALICE}"
    try:
        assert status(server.ask("/api/chat", header, method="POST", body=b'{"model": "tiny"}')) == 200
        assert status(server.ask("/api/chat", header, method="POST", body=b'{"model": "other"}')) == 403
    finally:
        server.allow({name: ["admin"] for name in PASSWORDS})


def test_many_that_come_at_once_with_the_same_password_cost_one_hash(server: Gateway) -> None:
    one = seconds(server, ALICE, True)
    # Another hash of the same password, which nobody has presented yet.
    server.write("htpasswd", [f"alice:{SLOW.hash(PASSWORDS['alice'])}"])
    begun = time.monotonic()
    with ThreadPoolExecutor(40) as pool:
        assert set(pool.map(lambda _: server.status(ALICE, "/none"), range(40))) == {404}
    assert time.monotonic() - begun < 12 * one + 1


def test_more_passwords_than_can_be_checked_at_once_wait_for_their_turn(server: Gateway) -> None:
    cheap = sha512_crypt.using(rounds=20_000)
    server.write("htpasswd", [f"user{i}:{cheap.hash(f'word{i}')}" for i in range(60)])
    with ThreadPoolExecutor(60) as pool:
        answers = pool.map(lambda i: server.status(basic(f"user{i}", f"word{i}"), "/none"), range(60))
        assert set(answers) == {404}


def test_whoever_is_in_does_not_wait_for_hashes_of_others(server: Gateway) -> None:
    assert server.status(ALICE) == 200
    alone = median(seconds(server, ALICE, True) for _ in range(20))
    hash_time = seconds(server, basic("alice", "wrong"), False)
    with ThreadPoolExecutor(4) as pool:
        flood = [pool.submit(server.status, basic("alice", f"wrong-{i}")) for i in range(24)]
        during = []
        while not all(one.done() for one in flood):
            during.append(seconds(server, ALICE, True))
        assert {one.result() for one in flood} == {401}
    assert median(during) < alone + hash_time / 2
