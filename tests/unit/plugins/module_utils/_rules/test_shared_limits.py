# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where gateways keep what they share, and how they show who they are."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.common import Controller
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.shared_limits import judge

FILES = {"/vault/password": "secret\n", "/vault/empty": "\n"}
VALUES: dict[str, Any] = {
    "valkey": ["10.0.0.5:6379"],
    "valkey_master": "",
    "valkey_user": "gatehouse",
    "valkey_name": "gatehouse-state",
    "valkey_password_file": "/vault/password",
    "engine": "openresty",
    "usage": True,
}


def problems(**changes: Any) -> list[str]:
    found = Problems()
    judge({**VALUES, **changes}, Controller(FILES.get, lambda kind, path: path, "run"), found)
    return found


@pytest.mark.parametrize("one", ["10.0.0.5:6379", "state.example.com:26379", "[fd00::5]:6379"])
def test_a_valkey_by_name_or_address_is_fine(one: str) -> None:
    assert problems(valkey=[one]) == []
    assert problems(valkey=[one, "10.0.0.6:26379"], valkey_master="gatehouse") == []


def test_who_shares_nothing_needs_nothing_of_it() -> None:
    assert problems(valkey=[], engine="nginx", usage=False, valkey_password_file="", valkey_user="") == []


@pytest.mark.parametrize("one", ["10.0.0.5", "false", 6379, None, "10.0.0.5:0", "a b:1", "rediss://10.0.0.5:6379"])
def test_anything_else_is_refused_with_an_example(one: Any) -> None:
    (problem,) = problems(valkey=[one])
    assert problem.startswith("ollama_gateway_valkey[0]: it must be host:port, such as 10.0.0.5:6379")


@pytest.mark.parametrize("one", ["127.0.0.1:6379", "[::1]:6379", "0.0.0.0:6379"])
def test_the_container_itself_is_none(one: str) -> None:
    (problem,) = problems(valkey=[one])
    assert "the container itself" in problem


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"engine": "nginx"}, "valkey: it needs ollama_gateway_engine openresty"),
        ({"usage": False}, "valkey: it needs ollama_gateway_usage true"),
        ({"valkey": ["10.0.0.5:26379", "10.0.0.6:26379"]}, "valkey_master: several addresses are those of sentinels"),
        ({"valkey_user": "a b"}, "valkey_user: it must be a name"),
        ({"valkey_name": ""}, "valkey_name: it must be a name"),
        ({"valkey_master": "x\ny"}, "valkey_master: it must be a name"),
        ({"valkey_password_file": "password"}, "valkey_password_file: it must be the absolute path"),
        ({"valkey_password_file": "/vault/missing"}, "valkey_password_file: there is no file /vault/missing"),
        ({"valkey_password_file": "/vault/empty"}, "valkey_password_file: /vault/empty is empty"),
    ],
)
def test_what_does_not_go_together_is_told_with_what_would(changes: dict[str, Any], said: str) -> None:
    (problem,) = problems(**changes)
    assert problem.startswith("ollama_gateway_" + said)


def test_the_file_that_the_role_makes_in_the_same_run_may_be_missing() -> None:
    assert problems(valkey_password_file="/inventory/.gatehouse/valkey/password") == []
