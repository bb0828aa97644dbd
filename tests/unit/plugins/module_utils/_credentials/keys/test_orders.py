# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the command line may order: which keys, in which spelling, and what is said to anything else."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import Rules, read_clients
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.orders import (
    Names,
    Orders,
    read_orders,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.durations import read_grace

TIME = datetime.datetime(2026, 6, 1, 12, 0, tzinfo=datetime.timezone.utc)
CLIENTS = [
    {"name": "alice", "keys": [{"id": "laptop"}, {"id": "phone", "state": "absent"}]},
    {"name": "bob", "keys": [{"id": "ci"}]},
]
NAMES = Names("rotate_keys", "revoke_keys", "rotate_grace")


def orders(rotate: Any = (), revoke: Any = (), grace: Any = "24h") -> tuple[Orders, list[str]]:
    clients, _ = read_clients(CLIENTS, "clients", Rules(keys=True))
    return read_orders({"rotate": rotate, "revoke": revoke, "grace": grace}, clients, "run", TIME, NAMES)


@pytest.mark.parametrize(
    "value",
    [
        ["alice.laptop", "bob.ci"],
        "alice.laptop,bob.ci",
        " alice.laptop , bob.ci,",
        '["alice.laptop", "bob.ci"]',
    ],
)
def test_a_list_is_taken_as_such_and_as_text_with_commas_or_in_json(value: object) -> None:
    found, problems = orders(value)
    assert (problems, found.rotate, found.grace) == ([], {"alice.laptop", "bob.ci"}, 86400)


@pytest.mark.parametrize("value", ["", "[]", []])
def test_nothing_is_no_order(value: object) -> None:
    found, problems = orders(value, value)
    assert (problems, found.rotate, found.revoke) == ([], frozenset(), frozenset())


@pytest.mark.parametrize("value", ['["planted"', {"planted": 1}, [1], None, 7, "[1]", ["alice.laptop", ["planted"]]])
def test_what_is_no_list_of_names_is_refused_with_the_form_and_not_quoted(value: object) -> None:
    assert orders(value)[1] == [
        'rotate_keys: it must be a list of keys such as ["alice.laptop"], or alice.laptop,bob.ci'
    ]


def test_an_unknown_key_is_refused_with_the_closest_name_and_not_quoted() -> None:
    assert orders(revoke=["bob.ci", "alice.labtop", "ghk_planted"])[1] == [
        "revoke_keys[1]: it is no key of the clients; is alice.laptop meant?",
        "revoke_keys[2]: it is no key of the clients; a key is named <client>.<id>, such as alice.laptop",
    ]


def test_an_absent_key_can_be_revoked_but_not_rotated_and_none_be_both() -> None:
    assert orders(revoke="alice.phone")[1] == []
    assert orders(rotate="alice.phone")[1] == ["rotate_keys: alice.phone is absent, so there is nothing to rotate"]
    assert orders("bob.ci", "bob.ci")[1] == ["rotate_keys: bob.ci is to be revoked too; choose one of the two"]


@pytest.mark.parametrize(
    ("value", "seconds"), [("0s", 0), ("90s", 90), ("30m", 1800), ("24h", 86400), ("90d", 7776000)]
)
def test_a_grace_is_read_in_seconds_minutes_hours_and_days(value: str, seconds: int) -> None:
    assert read_grace(value) == (seconds, None)
    assert orders(grace=value)[0].grace == seconds


@pytest.mark.parametrize(
    "value", ["", "1", 1, 0, None, "1w", "-1s", "1 h", "1.5h", "91d", "2161h", "1h\n", "\u0663s", []]
)
def test_any_other_grace_is_refused_with_the_form(value: object) -> None:
    form = 'the grace must be a duration such as "90s", "30m", "24h" or "7d", and "90d" at most'
    assert orders(grace=value)[1] == [f"rotate_grace: {form}"]
