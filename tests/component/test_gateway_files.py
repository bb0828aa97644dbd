# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of clients while the gateway runs: a change counts on the very next request, damage opens nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from passlib.hash import sha512_crypt

from tests.component.contract.standins import until
from tests.component.gateways import KEYS, PASSWORDS, Gateway, basic, gateway, key_lines, record
from tests.component.upstreams import Echo

ALICE = f"Bearer {KEYS['alice.laptop']}"


@pytest.fixture(scope="module", params=["bearer", "both"])
def server(
    request: pytest.FixtureRequest, upstream: Echo, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp(request.param), request.param, upstream.address) as running:
        yield running


@pytest.fixture(scope="module", params=["bearer", "both"])
def worker(
    request: pytest.FixtureRequest, upstream: Echo, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway of one worker: what one request saw, the next one has seen."""
    with gateway(tmp_path_factory.mktemp(request.param), request.param, upstream.address, workers="1") as running:
        yield running


@pytest.fixture(autouse=True)
def known_keys(request: pytest.FixtureRequest) -> None:
    for name in {"server", "worker"} & set(request.fixturenames):
        request.getfixturevalue(name).write("api_keys", key_lines())


def complaints(gateway: Gateway, file: str) -> list[str]:
    return [line for line in gateway.logs().splitlines() if "[crit]" in line and f"/clients/{file}:" in line]


def test_a_file_replaced_by_rename_counts_on_the_very_next_request_in_every_worker(server: Gateway) -> None:
    for number in range(20):
        server.write("api_keys", [record("alice.laptop", f"key-{number}")])
        # Enough connections to meet every worker.
        assert {server.status(f"Bearer key-{number}") for _ in range(8)} == {200}
        assert {server.status(f"Bearer key-{number - 1}") for _ in range(8)} == {401}


def test_a_file_changed_in_place_counts_on_the_very_next_request(server: Gateway) -> None:
    path = server.folder / "clients" / "api_keys"
    for number in range(10, 40):
        path.write_text(record("alice.laptop", f"key-{number}") + "\n")
        assert server.status(f"Bearer key-{number}") == 200
        assert server.status(f"Bearer key-{number - 1}") == 401


def test_a_change_counts_without_a_new_process(server: Gateway) -> None:
    before = server.processes()
    server.write("api_keys", [])
    assert server.status(ALICE) == 401
    assert server.processes() == before


def test_keys_in_plain_text_are_served(server: Gateway) -> None:
    server.write("api_keys", ["# by hand", "", "my-secret-api-key-1", "  admin-key-abcdef  "])
    assert server.status("Bearer my-secret-api-key-1") == 200
    assert server.status("Bearer admin-key-abcdef") == 200
    assert server.status("Bearer my-secret-api-key-2") == 401
    assert server.status("Bearer #") == 401


def test_a_key_is_refused_from_the_second_on_in_which_it_expires(server: Gateway) -> None:
    end = int(time.time()) + 3
    stamp = datetime.fromtimestamp(end, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    server.write("api_keys", [record("alice.laptop", "brief", f"expires={stamp}")])
    seen: dict[bool, set[int]] = {True: set(), False: set()}
    while (now := time.time()) < end + 1.5:
        status = server.status("Bearer brief")
        # What was asked before and answered after that moment may go either way.
        if now >= end or time.time() < end:
            seen[now < end].add(status)
        time.sleep(0.02)
    assert seen == {True: {200}, False: {401}}


@pytest.mark.parametrize(
    "damage",
    [
        ["alice.laptop sha256:12"],
        ["two words"],
        ["alice.laptop"],
        ["alice.laptop~old"],
        ["a"],
        ["k\0"],
        [record("alice.laptop", "x", "expires=soon")],
    ],
)
def test_a_damaged_file_leaves_the_last_good_state_and_is_logged_once(worker: Gateway, damage: list[str]) -> None:
    assert worker.status(ALICE) == 200
    before = len(complaints(worker, "api_keys"))
    worker.write("api_keys", [*damage, record("mallory.x", "evil")])
    for _ in range(50):
        assert worker.status(ALICE) == 200
        assert worker.status("Bearer evil") == 401
    said = complaints(worker, "api_keys")[before:]
    assert len(said) == 1
    assert "line " in said[0]
    assert "sha256:12" not in said[0]


def test_a_missing_file_leaves_the_last_good_state(worker: Gateway) -> None:
    assert worker.status(ALICE) == 200
    (worker.folder / "clients" / "api_keys").unlink()
    assert worker.status(ALICE) == 200
    assert worker.status("Bearer wrong") == 401
    worker.write("api_keys", [record("alice.laptop", "new")])
    assert worker.status(ALICE) == 401
    assert worker.status("Bearer new") == 200


def test_an_unreadable_file_leaves_the_last_good_state_until_it_can_be_read(worker: Gateway) -> None:
    assert worker.status(ALICE) == 200
    path = worker.folder / "clients" / "api_keys"
    path.chmod(0)
    assert worker.status(ALICE) == 200
    path.write_text(record("alice.laptop", "new") + "\n")
    assert worker.status(ALICE) == 200
    path.chmod(0o640)
    assert worker.status("Bearer new") == 200
    assert worker.status(ALICE) == 401


def test_a_revocation_counts_in_a_worker_that_slept_through_it_and_woke_to_damage(server: Gateway) -> None:
    server.write("api_keys", [])
    time.sleep(1.5)
    server.write("api_keys", ["damaged beyond repair"])
    assert {server.status(ALICE) for _ in range(16)} == {401}


@pytest.mark.parametrize("damage", ["damaged beyond repair", None], ids=["damaged", "missing"])
def test_a_cold_start_with_a_bad_file_refuses_everything_until_it_is_repaired(
    tmp_path: Path, upstream: Echo, damage: str | None
) -> None:
    with gateway(tmp_path, "both", upstream.address) as server:
        for name in ("api_keys", "htpasswd"):
            server.write(name, [damage or ""])
            if damage is None:
                (server.folder / "clients" / name).unlink()
        server.restart()
        alice = basic("alice", "wonderland")
        assert {server.status(credential) for credential in (ALICE, alice, "Bearer", "Bearer x", None)} == {401}
        assert complaints(server, "api_keys")
        assert complaints(server, "htpasswd")
        server.write("api_keys", [record("alice.laptop", KEYS["alice.laptop"])])
        server.write("htpasswd", ["alice:" + sha512_crypt.using(rounds=5000).hash("wonderland")])
        assert {server.status(credential) for credential in (ALICE, alice)} == {200}


def test_an_empty_file_lets_nobody_in(any_gateway: Gateway, upstream: Echo, tmp_path: Path) -> None:
    with gateway(tmp_path, any_gateway.auth, upstream.address) as server:
        server.write("api_keys", [])
        server.write("htpasswd", [])
        for credential in (ALICE, basic("alice", "wonderland"), basic("alice", ""), "Bearer", None):
            assert server.status(credential) == 401


@pytest.mark.parametrize("mode", ["basic", "both"])
def test_a_changed_password_counts_on_the_very_next_request(mode: str, tmp_path: Path, upstream: Echo) -> None:
    with gateway(tmp_path, mode, upstream.address) as server:
        assert server.status(basic("alice", PASSWORDS["alice"])) == 200
        server.write("htpasswd", ["alice:" + sha512_crypt.using(rounds=5000).hash("another")])
        assert server.status(basic("alice", PASSWORDS["alice"])) == 401
        assert server.status(basic("alice", "another")) == 200
        assert server.status(basic("bob", PASSWORDS["bob"])) == 401


@pytest.mark.parametrize(
    "line", ["mallory", "mallory:", "mallory:{PLAIN}x", "mallory:*0", ":" + sha512_crypt.hash("x")]
)
@pytest.mark.parametrize("mode", ["basic", "both"])
def test_a_damaged_password_file_lets_nobody_new_in(request: pytest.FixtureRequest, mode: str, line: str) -> None:
    server: Gateway = request.getfixturevalue(f"{mode}_gateway")
    path = server.folder / "clients" / "htpasswd"
    good = path.read_text()
    try:
        server.put(path, good + line + "\n")
        # nginx itself knows {PLAIN}; but nobody said what mallory may do.
        wanted = {401, 403} if "{PLAIN}" in line and mode == "basic" else {401}
        assert {server.status(basic("mallory", word)) for word in ("", "x", "*0")} <= wanted
        assert server.status(basic("alice", PASSWORDS["alice"])) == 200
    finally:
        server.put(path, good)
    assert until(lambda: server.status(basic("alice", PASSWORDS["alice"])) == 200)
