# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is the primary, and what is wrong with a node, from what the nodes answer."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._valkey.cluster import (
    Cluster,
    Divided,
    primary,
    role_of,
    trouble,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._valkey.resp import Refused, Unreachable

A, B, C = NODES = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
PRIMARY = ["master", 10, [[B, "6379", "10"]]]


def replica(of: str = A, link: str = "connected") -> list[Any]:
    return ["slave", of, 6379, link, 10]


class Fake(Cluster):
    """A cluster whose nodes and sentinels answer what is in the two dictionaries; nobody else answers."""

    roles: dict[str, Any]
    told: dict[str, str]
    quorum = True

    def ask(self, address: str, port: int, *words: str) -> Any:
        known = self.told if port == self.sentinel_port else self.roles
        if address not in known:
            raise Unreachable(f"{address} port {port}: nobody")
        if "CKQUORUM" in words and not self.quorum:
            raise Refused("NOQUORUM 1 usable Sentinels")
        return [self.told[address], "6379"] if "GET-MASTER-ADDR-BY-NAME" in words else self.roles[address]


def cluster(roles: dict[str, Any], told: dict[str, str] | None = None, sentinel_port: int = 26379) -> Fake:
    found = Fake(NODES, 6379, sentinel_port, "ca", "sentinel", "password")
    object.__setattr__(found, "roles", roles)
    object.__setattr__(found, "told", told or {})
    return found


def test_the_sentinels_know_better_than_a_former_primary() -> None:
    roles = {A: PRIMARY, B: PRIMARY, C: replica(B)}
    assert primary(cluster(roles, {A: A, B: B, C: B})) == B
    assert primary(cluster(roles, {C: B})) == B


def test_where_no_sentinel_answers_a_node_says_of_itself_that_it_is_the_primary() -> None:
    assert primary(cluster({B: PRIMARY, C: replica(B)})) == B
    assert primary(cluster({B: PRIMARY}, sentinel_port=0)) == B


def test_where_nobody_answers_nobody_is_known() -> None:
    assert primary(cluster({})) == ""
    assert primary(cluster({B: replica(), C: replica()})) == ""


def test_two_primaries_without_a_sentinel_are_no_answer() -> None:
    with pytest.raises(Divided, match=r"10\.0\.0\.1 and 10\.0\.0\.2 each say that they are the primary"):
        primary(cluster({A: PRIMARY, B: PRIMARY}))


def test_a_primary_that_is_not_in_the_inventory_is_an_error() -> None:
    with pytest.raises(Divided, match=r"10\.9\.9\.9 is the primary, which is none of the nodes"):
        primary(cluster({}, {A: "10.9.9.9"}))


def test_a_node_does_its_part_as_the_primary_or_as_a_replica_that_follows() -> None:
    said = dict.fromkeys(NODES, A)
    assert trouble(cluster({A: PRIMARY, B: replica()}, said), A) == ""
    assert trouble(cluster({A: PRIMARY, B: replica()}, said), B) == ""


@pytest.mark.parametrize("link", ["connect", "connecting", "handshake", "sync"])
def test_a_replica_that_does_not_have_all_data_is_waited_for(link: str) -> None:
    found = trouble(cluster({A: PRIMARY, B: replica(link=link)}, dict.fromkeys(NODES, A)), B)
    assert found == "it does not have all data of the primary 10.0.0.1 yet"


def test_a_former_primary_is_waited_for_until_it_is_a_replica() -> None:
    found = trouble(cluster({A: PRIMARY, B: PRIMARY}, {A: B, B: B, C: B}), A)
    assert found == "it takes itself for the primary, which is 10.0.0.2"


def test_a_node_without_its_sentinel_or_without_enough_others_is_told_of() -> None:
    assert trouble(cluster({A: PRIMARY}, {B: A}), A) == "10.0.0.1 port 26379: nobody"
    assert trouble(cluster({}, {A: A}), A) == "10.0.0.1 port 6379: nobody"
    alone = cluster({A: PRIMARY}, {A: A})
    object.__setattr__(alone, "quorum", False)
    assert trouble(alone, A) == ""
    assert trouble(alone, A, quorum=True) == "NOQUORUM 1 usable Sentinels"


@pytest.mark.parametrize("answer", [None, [], "master", ["slave"], ["master", "x", []], 3])
def test_what_is_no_role_is_said_as_no_answer(answer: Any) -> None:
    with pytest.raises(Unreachable):
        role_of(answer)


def test_nodes_that_do_not_let_us_in_are_no_new_cluster() -> None:
    class Closed(Fake):
        def ask(self, address: str, port: int, *words: str) -> Any:
            if address == B:
                raise Refused("WRONGPASS invalid username-password pair")
            return super().ask(address, port, *words)

    def closed(roles: dict[str, Any], told: dict[str, str]) -> Closed:
        found = Closed(NODES, 6379, 26379, "ca", "sentinel", "password")
        object.__setattr__(found, "roles", roles)
        object.__setattr__(found, "told", told)
        return found

    with pytest.raises(Divided, match=r"10\.0\.0\.2 has other passwords than are kept here"):
        primary(closed({}, {}))
    # Where another one knows it, that node is the one that gets the right ones.
    assert primary(closed({A: PRIMARY}, {A: A})) == A
