# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""clients.yml changes who may come in, and nothing else: it counts at once, and no other client notices."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from shlex import quote
from typing import Any

import pytest
from passlib.hash import bcrypt

from tests.client import Gateway, Load, playbook
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
GATEWAY = Gateway(SCENARIO.url("gate"))
CLIENTS: list[dict[str, Any]] = SCENARIO.variables("gate")["ollama_gateway_clients"]
ALICE, BOB = (client["keys"][0]["secret"] for client in CLIENTS)
PASSWORD = CLIENTS[1]["password"]


def write(clients: list[dict[str, Any]], folder: Path, *arguments: str, **variables: Any) -> str:
    """Run clients.yml with these clients and return what it printed."""
    extra = folder / "variables.json"
    extra.write_text(json.dumps({"ollama_gateway_clients": clients, **variables}))
    done = playbook(SCENARIO.inventory, "clients", "--extra-vars", f"@{extra}", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def end_of_old_key(name: str) -> float:
    """When the superseded key ends, as the host's file says, in seconds since the epoch."""
    lines = SCENARIO.host("gate").file("/opt/gatehouse/gateway/clients/api_keys").content_string.splitlines()
    (words,) = [line.split() for line in lines if line.startswith(f"{name}~old ")]
    return datetime.strptime(f"{words[2]}+0000", "expires=%Y-%m-%dT%H:%M:%SZ%z").timestamp()


def running_gateway() -> str:
    """Container, start time and worker processes of the gateway: other values mean a restart or a reload."""
    host = SCENARIO.host("gate")
    started = host.check_output("docker inspect -f '{{.Id}} {{.State.StartedAt}}' gatehouse-gateway-gateway-1")
    # Without the health check, which may be in the middle of it.
    processes = host.check_output("docker top gatehouse-gateway-gateway-1 -o pid,args").splitlines()
    return started + " ".join(line.split()[0] for line in processes if "nginx: " in line)


@pytest.fixture
def _the_inventory_is_restored(tmp_path: Path) -> Iterator[None]:
    yield
    write(CLIENTS, tmp_path)


@pytest.mark.usefixtures("_the_inventory_is_restored")
def test_a_revoked_key_is_refused_at_once_and_nobody_else_notices(tmp_path: Path) -> None:
    before = running_gateway()
    with Load(GATEWAY, ALICE) as alice, Load(GATEWAY, BOB) as bob:
        time.sleep(1)
        write(CLIENTS[1:], tmp_path)
        done = time.time()
        time.sleep(1)
    answers = [status for _, status in alice.answers]
    # What a client may do is taken away first, and then its key.
    assert {200, 401} <= alice.statuses() <= {200, 403, 401, 429}
    # Whoever goes on and on is told to wait.
    assert alice.statuses(after=done) <= {401, 429}
    assert 200 not in answers[answers.count(200) :], "came back"
    assert bob.statuses() == {200}
    assert len(bob.answers) > 20
    assert running_gateway() == before


@pytest.mark.usefixtures("_the_inventory_is_restored")
def test_an_added_key_is_served_at_once(tmp_path: Path) -> None:
    key = "a-key-of-carol-with-enough-characters"
    write([*CLIENTS, {"name": "carol", "keys": [{"id": "new", "secret": key}]}], tmp_path)
    assert GATEWAY.status(key=key) == 200


@pytest.mark.usefixtures("_the_inventory_is_restored")
def test_a_changed_password_counts_at_once_and_the_old_one_no_more(tmp_path: Path) -> None:
    assert GATEWAY.status(auth=("bob", PASSWORD)) == 200
    write([CLIENTS[0], {**CLIENTS[1], "password": "another-one"}], tmp_path)
    assert GATEWAY.status(auth=("bob", PASSWORD)) == 401
    assert GATEWAY.status(auth=("bob", "another-one")) == 200


@pytest.mark.usefixtures("_the_inventory_is_restored")
def test_a_line_that_somebody_adds_by_hand_counts_at_once_where_that_is_left_to_people(tmp_path: Path) -> None:
    """As with `htpasswd -B htpasswd zoe`, and a text of one's own in api_keys; and no restart."""
    write(CLIENTS, tmp_path, ollama_gateway_clients_purge=False)
    host, folder = SCENARIO.host("gate"), "/opt/gatehouse/gateway/clients"
    lines = {
        "htpasswd": "zoe:" + bcrypt.using(rounds=5, ident="2y").hash(PASSWORD),
        "api_keys": "a-key-that-zoe-made-up",
    }
    before = running_gateway()
    for name, line in lines.items():
        host.run_expect([0], f"cp -p {folder}/{name} /root/ && echo {quote(line)} >> {folder}/{name}")
    try:
        assert GATEWAY.status(auth=("zoe", PASSWORD)) == 200
        assert GATEWAY.status(key=lines["api_keys"]) == 200
        said = write(CLIENTS, tmp_path, "--tags=list", ollama_gateway_clients_purge=False)
        assert re.search(r"zoe +password .*added-by-hand", said), said
        assert said.count("added-by-hand") == 2, said
    finally:
        for name in lines:
            host.run_expect([0], f"cp -p /root/{name} {folder}/")
    assert GATEWAY.status(auth=("zoe", PASSWORD)) == 401
    assert GATEWAY.status(key=lines["api_keys"]) == 401
    assert running_gateway() == before


@pytest.mark.usefixtures("_the_inventory_is_restored")
def test_who_changes_over_to_a_rotated_key_is_never_refused_and_the_old_key_ends_with_its_grace(tmp_path: Path) -> None:
    clients = [*CLIENTS, {"name": "carol", "keys": [{"id": "laptop"}]}]
    secrets = tmp_path / "secrets"
    write(clients, tmp_path, ollama_gateway_secrets_dir=str(secrets))
    old = (secrets / "carol.laptop").read_text().strip()
    before = running_gateway()
    rotate = {"ollama_gateway_rotate_keys": "carol.laptop", "ollama_gateway_rotate_grace": "10s"}
    with Load(GATEWAY, old) as slow, Load(GATEWAY, BOB) as bob:
        write(clients, tmp_path, ollama_gateway_secrets_dir=str(secrets), **rotate)
        new = (secrets / "carol.laptop").read_text().strip()
        with Load(GATEWAY, new) as quick:
            end = end_of_old_key("carol.laptop")
            time.sleep(max(0.0, end - time.time()) + 3)
    assert new != old
    # A second to and fro for requests on their way.
    assert {status for begun, status in slow.answers if begun < end - 1} == {200}
    assert slow.statuses(after=end + 1) <= {401, 429}
    assert quick.statuses() == bob.statuses() == {200}
    assert running_gateway() == before


@pytest.mark.usefixtures("_the_inventory_is_restored")
def test_a_revoked_key_stays_out_though_it_is_listed(tmp_path: Path) -> None:
    for order in ({"ollama_gateway_revoke_keys": "alice.laptop"}, {}):
        said = write(CLIENTS, tmp_path, ollama_gateway_secrets_dir=str(tmp_path / "secrets"), **order)
        assert "the key was revoked" in " ".join(said.split())
        assert GATEWAY.status(key=ALICE) == 401
        assert GATEWAY.status(key=BOB) == 200


def test_who_guesses_is_told_to_wait_and_whoever_is_in_stays_in() -> None:
    assert GATEWAY.status(auth=("bob", PASSWORD)) == 200
    try:
        statuses = [GATEWAY.status(auth=("bob", f"guess {number}")) for number in range(25)]
        answer = GATEWAY.get(auth=("bob", "guess"))
        assert (statuses[0], statuses[-1], answer.status_code) == (401, 429, 429)
        assert 0 < int(answer.headers["Retry-After"]) <= 60
        assert GATEWAY.status(auth=("bob", PASSWORD)) == GATEWAY.status(key=BOB) == 200
    finally:
        SCENARIO.host("gate").run_expect([0], "echo >>/opt/gatehouse/gateway/clients/clients.json")
    assert GATEWAY.status(auth=("bob", "guess")) == 401


def test_check_mode_tells_what_would_change_and_changes_nothing(tmp_path: Path) -> None:
    said = write(CLIENTS[1:], tmp_path, "--check", "--diff")
    assert "alice.laptop" in said
    assert "changed=0" not in said.split("PLAY RECAP")[1].split("localhost")[0]
    assert GATEWAY.status(key=ALICE) == 200


@pytest.mark.usefixtures("_the_inventory_is_restored")
def test_no_secret_and_no_hash_is_printed_even_at_vvv(tmp_path: Path) -> None:
    key, password = "a-planted-key-0123456789-abcdefghijk", "a planted password"
    planted = {"name": "mallory", "password": password, "keys": [{"id": "x", "secret": key}]}
    said = write([*CLIENTS, planted], tmp_path, "-vvv", "--diff")
    host = SCENARIO.host("gate")
    assert GATEWAY.status(key=key) == 200
    said += host.check_output("journalctl --no-pager -o cat")
    said += host.run("docker logs gatehouse-gateway-gateway-1 2>&1").stdout
    hashes = [
        line.split(":", 1)[1].split()[0]
        for name in ("htpasswd", "api_keys")
        for line in host.file(f"/opt/gatehouse/gateway/clients/{name}").content_string.splitlines()
    ]
    assert len(hashes) >= 5
    assert [secret for secret in (key, password, ALICE, BOB, *hashes) if secret in said] == []


def test_another_way_to_authenticate_than_the_deployed_one_is_refused_and_nobody_is_locked_out(tmp_path: Path) -> None:
    extra = tmp_path / "variables.json"
    clients = [{"name": "bob", "password": PASSWORD}]
    extra.write_text(json.dumps({"ollama_gateway_auth": "basic", "ollama_gateway_clients": clients}))
    done = playbook(SCENARIO.inventory, "clients", "--extra-vars", f"@{extra}")
    assert done.returncode == 2
    assert "gatehouse.ollama.deploy" in done.stdout + done.stderr
    assert GATEWAY.status(key=ALICE) == 200
