# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of keys, and many of them: each counts from its first second to its last, and files of any size at once."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest

from tests.component.gateways import Gateway, connect, gateway, key_lines, record, status
from tests.component.upstreams import Echo

MANY = 20_000
# Of a worker, whatever it is asked for; so much that 100,000 keys fit in.
MOST_MEMORY_MB = 60


@pytest.fixture(scope="module")
def server(upstream: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("keys"), "bearer", upstream.address) as running:
        yield running


@pytest.fixture(autouse=True)
def known_keys(server: Gateway) -> Iterator[None]:
    yield
    server.write("api_keys", key_lines())


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def many(first: int = 0, count: int = MANY) -> list[str]:
    return [
        record(f"alice.key-{n}", f"secret-{n}", "created=2026-01-01T00:00:00Z") for n in range(first, first + count)
    ]


def test_a_key_counts_from_the_second_on_that_it_begins_in(server: Gateway) -> None:
    begin = int(time.time()) + 3
    server.write("api_keys", [record("alice.laptop", "soon", f"not_before={stamp(begin)}")])
    seen: dict[bool, set[int]] = {True: set(), False: set()}
    while (now := time.time()) < begin + 1.5:
        answer = server.status("Bearer soon")
        # What was asked before and answered after that moment may go either way.
        if now >= begin or time.time() < begin:
            seen[now < begin].add(answer)
        time.sleep(0.02)
    assert seen == {True: {401}, False: {200}}


def test_what_is_left_of_a_line_is_nobodys_key(server: Gateway) -> None:
    # A worker that nobody asks has read the good file after a second too.
    time.sleep(1.5)
    for left in ("alice.laptop", "a"):
        server.write("api_keys", ["# its hash was removed by hand", left, record("bob.ci", "new")])
        assert {server.status(f"Bearer {left}"), server.status("Bearer new")} == {401}
        assert server.status(server.credential()) == 200
    assert "failed to read line 2: it has the name of a key and no hash" in server.logs()


def test_the_key_that_a_rotation_replaced_counts_beside_its_successor_until_its_end(server: Gateway) -> None:
    end = int(time.time()) + 2
    server.write(
        "api_keys",
        [
            record("alice.laptop", "new", f"created={stamp(end - 10)}", "last4=abcd"),
            record("alice.laptop~old", "old", f"expires={stamp(end)}"),
        ],
    )
    reply = server.ask("/api/version", "Authorization: Bearer old")
    assert status(reply) == server.status("Bearer new") == 200
    line = server.log_of(reply.header("X-Request-Id"))
    assert (line["client"], line["key"]) == ("alice", "laptop~old")
    time.sleep(max(0.0, end + 0.1 - time.time()))
    assert server.status("Bearer old") == 401
    assert server.status("Bearer new") == 200


def test_whoever_has_a_key_that_has_expired_is_told_so_and_nobody_else(server: Gateway) -> None:
    past, soon = stamp(time.time() - 100), stamp(time.time() + 1000)
    server.write(
        "api_keys",
        [
            record("alice.laptop", "past", f"expires={past}", "last4=abcd"),
            record("alice.phone", "soon", f"not_before={soon}", "last4=abcd"),
            record("bob.ci", "guess", f"expires={past}"),
        ],
    )
    texts = {"past": "this API key has expired", "soon": "this API key does not count yet"}
    for secret in ("past", "soon", "guess", "other", "pas"):
        for path in ("/api/tags", "/v1/models", "/v1/messages"):
            for header in (f"Authorization: Bearer {secret}", f"x-api-key: {secret}"):
                reply = server.ask(path, header)
                assert status(reply) == 401
                error = json.loads(reply.body)["error"]
                text = error if path == "/api/tags" else error["message"]
                assert (text == texts[secret]) if secret in texts else ("is needed" in text or "are needed" in text)


def test_a_change_of_many_keys_counts_on_the_very_next_request_in_every_worker(server: Gateway) -> None:
    for first in (0, 10, 20):
        server.write("api_keys", many(first))
        # Enough connections to meet every worker.
        assert {server.status(f"Bearer secret-{first + MANY - 1}") for _ in range(8)} == {200}
        assert {server.status(f"Bearer secret-{first - 1}") for _ in range(8)} == {401}


def test_many_keys_that_are_changed_in_place_count_on_the_very_next_request(server: Gateway) -> None:
    path = server.folder / "clients" / "api_keys"
    for first in (0, 10):
        path.write_text("".join(f"{line}\n" for line in many(first)))
        assert {server.status(f"Bearer secret-{first + MANY - 1}") for _ in range(8)} == {200}


def test_a_damaged_file_of_many_keys_leaves_the_last_good_state(server: Gateway) -> None:
    server.write("api_keys", many())
    assert server.status("Bearer secret-0") == 200
    # A worker that nobody asks has read it after a second too.
    time.sleep(1.5)
    server.write("api_keys", [*many(5), "alice.key sha256:12"])
    assert {server.status("Bearer secret-0") for _ in range(8)} == {200}
    assert {server.status(f"Bearer secret-{MANY + 1}") for _ in range(8)} == {401}
    assert f"failed to read line {MANY + 1}" in server.logs()


def test_whoever_goes_away_while_keys_are_read_keeps_nobody_else_waiting(server: Gateway) -> None:
    for first in range(5):
        server.write("api_keys", many(first))
        with connect(server.address) as connection:
            connection.sendall(server.wire("/api/version", "Authorization: Bearer x"))
        assert server.status(f"Bearer secret-{first}") == 200


def test_a_worker_with_100_000_keys_stays_small_however_often_they_change(server: Gateway) -> None:
    for first in range(4):
        server.write("api_keys", many(first, 100_000))
        assert {server.status(f"Bearer secret-{first}") for _ in range(8)} == {200}
    for pid in server.processes("worker process"):
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            found = re.search(r"^RssAnon:\s+(\d+) kB$", file.read(), re.MULTILINE)
        assert found
        assert int(found[1]) / 1024 < MOST_MEMORY_MB
