# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""deploy.yml with users and passwords, on plain nginx: who knows a password is served, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client import Gateway
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
GATEWAY = Gateway(SCENARIO.url("gate"))
USERS = {client["name"]: client["password"] for client in SCENARIO.variables("gate")["ollama_gateway_clients"]}


def test_no_password_is_401_and_says_what_is_wanted() -> None:
    answer = GATEWAY.get()
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert 'charset="UTF-8"' in answer.headers["WWW-Authenticate"]
    assert answer.headers["Content-Type"] == "application/json"
    assert "error" in answer.json()


@pytest.mark.parametrize("name", USERS)
def test_the_password_of_a_user_is_200(name: str) -> None:
    assert GATEWAY.status(auth=(name, USERS[name])) == 200


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("alice", "wrong"),
        ("alice", ""),
        ("alice", USERS["bob"]),
        ("ALICE", USERS["alice"]),
        ("nobody", USERS["alice"]),
        ("", USERS["alice"]),
        ("alice", USERS["alice"] + " "),
    ],
)
def test_a_wrong_name_or_password_is_401(name: str, password: str) -> None:
    assert GATEWAY.status(auth=(name, password)) == 401


def test_a_bearer_key_is_no_credential_here() -> None:
    assert GATEWAY.status(key=USERS["alice"]) == 401


def test_a_streamed_answer_arrives_in_pieces() -> None:
    pieces = GATEWAY.stream(auth=("alice", USERS["alice"].encode()))
    assert len({round(second, 3) for second, _ in pieces}) > 5, f"arrived at {[second for second, _ in pieces]}"


def test_the_gateway_is_plain_nginx() -> None:
    running = SCENARIO.host("gate").check_output("docker inspect -f '{{.Config.Image}}' gatehouse-gateway-gateway-1")
    assert "/nginx:" in running


def test_the_host_holds_no_password_only_hashes() -> None:
    host = SCENARIO.host("gate")
    for password in USERS.values():
        assert host.run(f"grep -rlF -- '{password}' /opt/gatehouse /etc /root /tmp /var/log").stdout == ""
    lines = host.file("/opt/gatehouse/gateway/clients/htpasswd").content_string.splitlines()
    assert [line.split("$")[1] for line in lines] == ["6"] * len(USERS)


def test_the_attack_finds_no_way_in() -> None:
    assert "no hole" in SCENARIO.attack()
