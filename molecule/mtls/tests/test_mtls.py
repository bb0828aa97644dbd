# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""deploy.yml with client certificates: a good one is as good as a key, or needed with one; a bad one lets nobody in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.client import Gateway, playbook, told
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
FOLDER = SCENARIO.inventory.parent
PKI = FOLDER / "pki"
GATEWAY = Gateway(SCENARIO.url("gate"), ca=PKI / "ca.pem")
BOB = {"Authorization": "Bearer " + (FOLDER / ".gatehouse" / "secrets" / "bob.ci").read_text().strip()}


def status(certificate: str = "", headers: dict[str, str] | None = None, path: str = "/api/tags") -> int:
    pair = (str(PKI / f"{certificate}.pem"), str(PKI / f"{certificate}.key")) if certificate else None
    return GATEWAY.get(path, headers=headers or {}, cert=pair).status_code


def test_a_certificate_is_as_good_as_a_key() -> None:
    assert status("alice") == 200
    assert status("", BOB) == 200
    assert status() == 401


def test_the_client_of_a_certificate_has_its_scopes_and_models() -> None:
    pair = (str(PKI / "alice.pem"), str(PKI / "alice.key"))
    assert [one["name"] for one in GATEWAY.get(cert=pair).json()["models"]] == ["tiny:latest"]
    assert status("alice", path="/api/me") == 404


@pytest.mark.parametrize("name", ["gone", "revoked", "foreign"])
def test_a_certificate_that_is_not_good_is_refused_even_with_a_key(name: str) -> None:
    assert status(name) == 400
    assert status(name, BOB) == 400


def test_an_unknown_subject_is_nobody_and_a_key_decides() -> None:
    assert status("nobody") == 401
    assert status("nobody", BOB) == 200
    assert status("alice", {"Authorization": "Bearer wrong"}) == 401


@pytest.mark.parametrize("header", ["X-SSL-Client-S-DN", "X-Client-Cert", "X-Forwarded-Client-Cert"])
def test_a_header_is_no_certificate(header: str) -> None:
    assert status("", {header: "CN=alice,O=Example"}) == 401


def test_the_attack_finds_no_way_in() -> None:
    assert "no hole" in SCENARIO.attack()


def test_with_all_both_are_needed_and_of_the_same_client() -> None:
    clients = [
        {"name": "alice", "certificates": ["CN=alice,O=Example"], "keys": [{"id": "laptop"}]},
        {"name": "bob", "certificates": ["CN=bob,O=Example"], "keys": [{"id": "ci"}]},
    ]
    options = json.dumps({"ollama_gateway_client_certificates": "all", "ollama_gateway_clients": clients})
    done = playbook(SCENARIO.inventory, "deploy", "-e", options)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "no hole" in told(done)
    alice = {"Authorization": "Bearer " + (FOLDER / ".gatehouse" / "secrets" / "alice.laptop").read_text().strip()}
    assert status("alice", alice) == 200
    assert [status("alice"), status("", alice), status("alice", BOB), status("nobody", alice)] == [401] * 4
    again = playbook(SCENARIO.inventory, "deploy", "-e", options, "--skip-tags=verify")
    assert "changed=0" in told(again)
