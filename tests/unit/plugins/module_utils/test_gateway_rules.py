# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the gateway that span variables."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._clients import Rules, read_clients
from ansible_collections.gatehouse.ollama.plugins.module_utils._gateway_rules import auth_problems, bind_problem

PASSWORD = {"name": "bob", "password": "x"}
KEYS = {"name": "bob", "keys": [{"id": "k"}]}
BOTH = {**PASSWORD, **KEYS}
NEITHER = {"name": "bob", "keys": []}
CERTIFIED = {"name": "bob", "certificates": ["CN=bob"]}


def problems(auth: str, client: dict[str, Any], engine: str = "", certificates: str = "none") -> list[str]:
    clients, _ = read_clients([client], "ollama_gateway_clients", Rules(scheme="sha512_crypt", keys=True))
    return auth_problems(clients, auth, engine or ("nginx" if auth == "basic" else "openresty"), certificates)


@pytest.mark.parametrize(
    ("auth", "client"),
    [
        ("basic", PASSWORD),
        ("basic", {**PASSWORD, "models": ["tiny", "*"]}),
        ("both", {**BOTH, "models": ["tiny"]}),
        ("bearer", KEYS),
        ("both", PASSWORD),
        ("both", KEYS),
        ("both", BOTH),
    ],
)
def test_a_client_with_what_the_gateway_accepts_is_fine(auth: str, client: dict[str, Any]) -> None:
    assert problems(auth, client) == []


@pytest.mark.parametrize(
    ("auth", "client", "reason"),
    [
        ("basic", BOTH, "keys need ollama_gateway_auth bearer or both"),
        ("basic", {**PASSWORD, "models": ["tiny"]}, "models need ollama_gateway_engine openresty"),
        ("bearer", BOTH, "a password needs ollama_gateway_auth basic or both"),
        ("basic", NEITHER, "with ollama_gateway_auth basic a client needs a password"),
        ("bearer", NEITHER, "with ollama_gateway_auth bearer a client needs at least one key"),
        ("both", NEITHER, "with ollama_gateway_auth both a client needs a password, or at least one key"),
    ],
)
def test_a_client_with_anything_else_is_refused_by_name_and_variable(
    auth: str, client: dict[str, Any], reason: str
) -> None:
    (problem,) = problems(auth, client)
    assert problem.startswith(f"ollama_gateway_clients[0] (bob): {reason}")


@pytest.mark.parametrize(
    ("certificates", "client"),
    [
        ("any", CERTIFIED),
        ("any", KEYS),
        ("any", {**CERTIFIED, **KEYS}),
        ("all", {**CERTIFIED, **KEYS}),
        ("all", {**CERTIFIED, **PASSWORD}),
    ],
)
def test_a_certificate_is_enough_or_needed_as_the_variable_says(certificates: str, client: dict[str, Any]) -> None:
    assert problems("both", client, certificates=certificates) == []


@pytest.mark.parametrize(
    ("certificates", "client", "reason"),
    [
        (
            "none",
            CERTIFIED,
            "certificates need ollama_gateway_client_ca, the CA that signs them; remove the certificates",
        ),
        ("none", {**CERTIFIED, **KEYS}, "certificates need ollama_gateway_client_ca"),
        (
            "any",
            NEITHER,
            "with ollama_gateway_auth bearer a client needs at least one key, such as keys: [{id: main}], or",
        ),
        ("all", CERTIFIED, "with ollama_gateway_auth bearer a client needs at least one key"),
        ("all", KEYS, "with ollama_gateway_client_certificates all a client needs a certificate, such as certificates"),
    ],
)
def test_a_certificate_too_many_or_too_few_is_told_with_its_variable(
    certificates: str, client: dict[str, Any], reason: str
) -> None:
    (problem,) = problems("bearer", client, certificates=certificates)
    assert problem.startswith(f"ollama_gateway_clients[0] (bob): {reason}")
    assert problem.endswith(", or a certificate") is (certificates == "any")


def test_models_of_a_client_with_a_password_need_openresty_only() -> None:
    assert problems("basic", {**PASSWORD, "models": ["tiny"]}, "openresty") == []


def test_an_absent_client_and_a_client_whose_keys_are_all_revoked_need_nothing() -> None:
    assert problems("basic", {"name": "bob", "state": "absent"}) == []
    assert problems("bearer", {"name": "bob", "keys": [{"id": "k", "state": "absent"}]}) == []


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_needs_no_permission(bind: str) -> None:
    assert bind_problem(bind, allow_plaintext=False) is None


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1"])
def test_beyond_loopback_the_error_names_both_ways_out(bind: str) -> None:
    problem = bind_problem(bind, allow_plaintext=False)
    assert problem is not None
    assert problem.startswith(f"ollama_gateway_bind: {bind} can be reached from other hosts")
    assert "set ollama_gateway_tls (self_signed, provided or acme)" in problem
    assert "ollama_gateway_allow_plaintext: true" in problem
    assert bind_problem(bind, allow_plaintext=True) is None


@pytest.mark.parametrize("bind", ["", "localhost", "gateway.example.org", "[::1]", "127.0.0.1:80", "eth0"])
def test_what_docker_does_not_take_as_an_address_is_refused(bind: str) -> None:
    assert "must be an IP address" in str(bind_problem(bind, allow_plaintext=True))
