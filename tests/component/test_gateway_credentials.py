# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is let in, and what the others are told."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64encode
from pathlib import Path
from statistics import median

import pytest
from passlib.hash import apr_md5_crypt, bcrypt

from tests.component.gateways import KEYS, PASSWORDS, Gateway, basic, gateway, status
from tests.component.upstreams import Echo

KEY = KEYS["alice.laptop"]
ALICE = basic("alice", PASSWORDS["alice"])
BASIC_CHALLENGE = 'Basic realm="ollama", charset="UTF-8"'
BEARER_CHALLENGE = 'Bearer realm="ollama"'


def encoded(text: bytes) -> str:
    return "Basic " + b64encode(text).decode()


# None of these may be let in, whatever the gateway accepts.
MALFORMED: dict[str, str | bytes] = {
    "nothing": "",
    "a space": " ",
    "no credential": "Bearer",
    "no credential but a space": "Bearer ",
    "no scheme": KEY,
    "another scheme before": f"Foo Bearer {KEY}",
    "another scheme": f"Foo {KEY}",
    "no space": f"Bearer{KEY}",
    "a colon after the scheme": f"Bearer: {KEY}",
    "an equals sign after the scheme": f"Bearer={KEY}",
    "a tab after the scheme": f"Bearer\t{KEY}",
    "a tab at the end": f"Bearer {KEY}\t",
    "a vertical tab": f"Bearer \x0b{KEY}",
    "quotes": f'Bearer "{KEY}"',
    "a parameter": f"Bearer {KEY}, realm=x",
    "a named parameter": f"Bearer token={KEY}",
    "a comma": f"Bearer {KEY},",
    "two keys": f"Bearer {KEY} {KEY}",
    "two credentials": f"Bearer {KEY}, Bearer {KEY}",
    "two kinds of credential": f"Bearer {KEY}, {ALICE}",
    "two kinds of credential, turned": f"{ALICE}, Bearer {KEY}",
    "a key and more": f"Bearer {KEY}x",
    "less than a key": f"Bearer {KEY[:-1]}",
    "another case": f"Bearer {KEY.upper()}",
    "padding alone": "Bearer ====",
    "percent encoding": f"Bearer %67{KEY[1:]}",
    "Latin-1": b"Bearer k\xe9y",
    "UTF-8": "Bearer kéy",
    "bytes that are no text": b"Bearer \xff\xfe",
    "the name of the key": "Bearer alice.laptop",
    "a very long key": "Bearer " + "a" * 7000,
    "Basic without a credential": "Basic",
    "Basic with no base64": "Basic alice:wonderland",
    "Basic with base64 of URLs": "Basic "
    + b64encode(b"alice:\xff\xfe\xfd").decode().replace("/", "_").replace("+", "-"),
    "Basic without a colon": encoded(b"alice"),
    "Basic without a user": encoded(b":wonderland"),
    "Basic of nothing": encoded(b":"),
    "Basic with a wrong password": encoded(b"alice:wonderlan"),
    "Basic with more than the password": encoded(b"alice:wonderlandx"),
    "Basic with an unknown user": encoded(b"mallory:wonderland"),
    "Basic with another's password": encoded(b"bob:wonderland"),
    "Basic with another case of the user": encoded(b"Alice:wonderland"),
    "Basic with a line break": encoded(b"alice:wonderland\n"),
    "Basic with a NUL and more behind the password": encoded(b"alice:wonderland\0more"),
    "Basic with a NUL behind the password": encoded(b"alice:wonderland\0"),
    "Basic with a NUL behind the user": encoded(b"alice\0:wonderland"),
    "Basic with a NUL before the user": encoded(b"\0alice:wonderland"),
    "Basic with a DEL": encoded(b"alice:wonderland\x7f"),
    "Basic with the user of the next line": encoded(b"alice\nbob:wonderland"),
    "Basic with a very long password": encoded(b"alice:" + b"w" * 5000),
    "Basic with a Latin-1 password": encoded("bob:pässwörd:2".encode("latin-1")),
    "Basic twice": f"{ALICE}, {ALICE}",
    "Digest": 'Digest username="alice"',
    "a key as Basic": f"Basic {KEY}",
    "a password as Bearer": "Bearer wonderland",
    "Basic's text as Bearer": ALICE.replace("Basic", "Bearer"),
}


@pytest.mark.parametrize("credential", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_credential_that_is_not_exactly_right_is_refused(any_gateway: Gateway, credential: str | bytes) -> None:
    assert any_gateway.status(credential) == 401


@pytest.mark.parametrize(
    "headers",
    [
        (f"Authorization: Bearer {KEY}", f"Authorization: Bearer {KEY}"),
        (f"Authorization: Bearer {KEY}", f"Authorization: {ALICE}"),
        (f"Authorization: {ALICE}", f"Authorization: {ALICE}"),
        (f"Authorization: {ALICE}", "Authorization:"),
        ("Authorization: Bearer wrong", f"Authorization: Bearer {KEY}"),
        (f"Authorization: Bearer {KEY}", f"authorization: Bearer {KEY}"),
    ],
)
def test_a_repeated_header_is_refused(any_gateway: Gateway, headers: tuple[str, ...]) -> None:
    assert status(any_gateway.ask("/api/tags", *headers)) in (400, 401)


@pytest.mark.parametrize(
    "header",
    [
        f"Authorization : Bearer {KEY}",
        f" Authorization: Bearer {KEY}",
        f"X-Forwarded-Authorization: Bearer {KEY}",
        f"Proxy-Authorization: Bearer {KEY}",
        f"Cookie: Authorization=Bearer {KEY}",
        f"Authorization: Bearer\r\n {KEY}",
        f"Authorization: Bearer {KEY}\0",
        "X-Remote-User: alice",
        "X-Original-URL: /healthz",
        "X-Rewrite-URL: /healthz",
    ],
)
def test_no_other_header_lets_in(any_gateway: Gateway, upstream: Echo, header: str) -> None:
    before = len(upstream.requests)
    assert status(any_gateway.ask("/api/tags", header)) in (400, 401)
    assert len(upstream.requests) == before


@pytest.mark.parametrize(
    "query", [f"api_key={KEY}", f"access_token={KEY}", f"key={KEY}", "user=alice&password=wonderland"]
)
def test_a_credential_in_the_query_does_not_let_in(any_gateway: Gateway, query: str) -> None:
    assert any_gateway.status(path=f"/api/tags?{query}") == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEARER", "Bearer  "])
def test_a_key_lets_in_whatever_the_case_of_the_scheme(key_gateway: Gateway, scheme: str) -> None:
    assert key_gateway.status(f"{scheme} {KEY}") == 200


@pytest.mark.parametrize("name", PASSWORDS)
@pytest.mark.parametrize("mode", ["basic", "both"])
def test_a_password_lets_in_be_it_empty_with_a_colon_or_not_ascii(
    request: pytest.FixtureRequest, mode: str, name: str
) -> None:
    server: Gateway = request.getfixturevalue(f"{mode}_gateway")
    assert server.status(basic(name, PASSWORDS[name])) == 200
    assert server.status(basic(name, PASSWORDS[name]).replace("Basic", "bAsIc")) == 200


def test_only_what_the_mode_accepts_lets_in(
    basic_gateway: Gateway, bearer_gateway: Gateway, both_gateway: Gateway
) -> None:
    gateways = (basic_gateway, bearer_gateway, both_gateway)
    assert [server.status(ALICE) for server in gateways] == [200, 401, 200]
    assert [server.status(f"Bearer {KEY}") for server in gateways] == [401, 200, 200]


@pytest.mark.parametrize(
    ("mode", "credential", "challenges"),
    [
        ("basic", None, [BASIC_CHALLENGE]),
        ("basic", "Bearer x", [BASIC_CHALLENGE]),
        ("basic", basic("alice", "x"), [BASIC_CHALLENGE]),
        ("bearer", None, [BEARER_CHALLENGE]),
        ("bearer", "Foo x", [BEARER_CHALLENGE]),
        ("bearer", ALICE, [BEARER_CHALLENGE]),
        ("bearer", "Bearer x", [BEARER_CHALLENGE + ', error="invalid_token"']),
        ("bearer", "Bearer x y", [BEARER_CHALLENGE + ', error="invalid_token"']),
        ("both", None, [BEARER_CHALLENGE, BASIC_CHALLENGE]),
        ("both", "Bearer x", [BEARER_CHALLENGE + ', error="invalid_token"', BASIC_CHALLENGE]),
        ("both", basic("alice", "x"), [BEARER_CHALLENGE, BASIC_CHALLENGE]),
    ],
)
def test_a_refusal_says_in_json_and_by_www_authenticate_what_is_wanted(
    request: pytest.FixtureRequest, mode: str, credential: str | None, challenges: list[str]
) -> None:
    server: Gateway = request.getfixturevalue(f"{mode}_gateway")
    reply = server.ask(
        "/api/chat", *([f"Authorization: {credential}"] if credential else []), method="POST", body=b"{}"
    )
    assert reply.status_line == "HTTP/1.1 401 Unauthorized"
    assert [value for name, value in reply.headers if name.lower() == "www-authenticate"] == challenges
    assert reply.header("Content-Type") == "application/json"
    assert list(json.loads(reply.body)) == ["error"]


def test_a_success_carries_no_challenge(any_gateway: Gateway) -> None:
    reply = any_gateway.ask("/api/tags", f"Authorization: {any_gateway.credential()}")
    assert [name for name, _ in reply.headers if name.lower() == "www-authenticate"] == []


@pytest.mark.parametrize("mode", ["basic", "both"])
def test_passwords_of_each_scheme_let_in(
    request: pytest.FixtureRequest, mode: str, tmp_path: Path, upstream: Echo
) -> None:
    hashes = [f"apr:{apr_md5_crypt.hash('pässwörd:2')}", f"bc:{bcrypt.using(rounds=5).hash('pässwörd:2')}"]
    with gateway(tmp_path, mode, upstream.address) as server:
        server.write("htpasswd", hashes)
        server.allow({"apr": ["models_read"], "bc": ["models_read"]})
        for name in ("apr", "bc"):
            assert server.status(basic(name, "pässwörd:2")) == 200
            assert server.status(basic(name, "pässwörd:3")) == 401


def test_an_unknown_user_costs_the_time_of_a_known_one(tmp_path: Path, upstream: Echo) -> None:
    with gateway(tmp_path, "both", upstream.address) as server:
        server.write("htpasswd", [f"alice:{bcrypt.using(rounds=10).hash('x')}"])

        def seconds(user: str) -> float:
            begun = time.monotonic()
            assert server.status(basic(user, "wrong")) == 401
            return time.monotonic() - begun

        times = {user: median(seconds(user) for _ in range(7)) for user in ("alice", "mallory")}
        assert 0.5 < times["alice"] / times["mallory"] < 2, times


def test_an_unknown_user_takes_as_long_as_some_known_one_and_not_always_the_first(
    tmp_path: Path, upstream: Echo
) -> None:
    with gateway(tmp_path, "both", upstream.address) as server:
        slow, quick = bcrypt.using(rounds=11).hash("x"), bcrypt.using(rounds=4).hash("x")
        server.write("htpasswd", [f"alice:{slow}", f"bob:{quick}"])

        def seconds(user: str) -> float:
            begun = time.monotonic()
            assert server.status(basic(user, "wrong")) == 401
            return time.monotonic() - begun

        middle = (min(seconds("alice") for _ in range(3)) + min(seconds("bob") for _ in range(3))) / 2
        unknown = {user: min(seconds(user) for _ in range(2)) for user in (f"nobody-{number}" for number in range(20))}
        assert 0 < sum(taken > middle for taken in unknown.values()) < len(unknown)


def test_a_slow_password_does_not_hold_up_the_others(tmp_path: Path, upstream: Echo) -> None:
    with gateway(tmp_path, "both", upstream.address, workers="1") as server:
        server.write("htpasswd", [f"alice:{bcrypt.using(rounds=13).hash('x')}"])
        statuses: list[int] = []
        thread = threading.Thread(target=lambda: statuses.append(server.status(basic("alice", "x"))))
        thread.start()
        served = 0
        while thread.is_alive():
            assert server.status(f"Bearer {KEY}") == 200
            served += 1
        thread.join()
        assert statuses == [200]
        assert served > 5
