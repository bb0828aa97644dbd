# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the nodes of a cluster say of themselves and of one another."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._valkey.resp import Node, Refused, Unreachable

# What Sentinel calls the primary and its replicas.
CLUSTER = "gatehouse"


class Divided(GatehouseError):
    """The cluster is not that of the inventory."""


@dataclass(frozen=True)
class Cluster:
    """The nodes as the inventory has them, and by whom they are asked; without a Sentinel its port is 0."""

    nodes: t.Sequence[str]
    port: int
    sentinel_port: int
    ca: str
    user: str
    password: str

    def ask(self, address: str, port: int, *words: str) -> t.Any:
        """The answer of a node. Raises Unreachable, Refused."""
        with Node(address, port, self.ca) as node:
            node.call("AUTH", self.user, self.password)
            return node.call(*words)


@dataclass(frozen=True)
class Role:
    """What a node is, from its answer to ROLE; a replica has its primary and whether it follows it."""

    kind: str
    primary: str = ""
    follows: bool = False
    offset: int = 0
    replicas: t.Tuple[str, ...] = ()

    @property
    def is_primary(self) -> bool:
        return self.kind == "master"


def role_of(answer: t.Any) -> Role:
    """Raises Unreachable where this is no answer to ROLE."""
    try:
        if answer[0] == "master":
            return Role("master", offset=int(answer[1]), replicas=tuple(sorted(str(one[0]) for one in answer[2])))
        kind, primary, _port, link, offset = answer
        return Role(str(kind), str(primary), link == "connected", int(offset))
    except (TypeError, ValueError, IndexError):
        raise Unreachable("an answer to ROLE is none") from None


def role(cluster: Cluster, address: str) -> Role:
    return role_of(cluster.ask(address, cluster.port, "ROLE"))


def primary(cluster: Cluster) -> str:
    """Who the sentinels say is the primary, or where none says it who says so of itself; empty where nobody does.

    Raises Divided where that is none of the nodes, where several say so of themselves, or where nodes run that do not
    let us in.
    """
    refused: list[str] = []
    said = _sentinels(cluster, refused) if cluster.sentinel_port else Counter()
    found = (
        [said.most_common(1)[0][0]] if said else [one for one in cluster.nodes if _is_primary(cluster, one, refused)]
    )
    if refused and not found:
        raise Divided("%s has other passwords than are kept here" % " and ".join(dict.fromkeys(refused)))
    if len(found) > 1:
        raise Divided("%s each say that they are the primary, and no Sentinel answers" % " and ".join(found))
    if found and found[0] not in cluster.nodes:
        raise Divided("the sentinels say that %s is the primary, which is none of the nodes" % found[0])
    return found[0] if found else ""


def _sentinels(cluster: Cluster, refused: list[str]) -> Counter[str]:
    said: Counter[str] = Counter()
    for address in cluster.nodes:
        try:
            answer = cluster.ask(address, cluster.sentinel_port, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", CLUSTER)
        except Unreachable:
            continue
        except Refused:
            refused.append(address)
            continue
        if isinstance(answer, list) and answer:
            said[str(answer[0])] += 1
    return said


def _is_primary(cluster: Cluster, address: str, refused: list[str]) -> bool:
    try:
        return role(cluster, address).is_primary
    except Unreachable:
        return False
    except Refused:
        refused.append(address)
        return False


def trouble(cluster: Cluster, address: str, quorum: bool = False) -> str:
    """Why this node does not do its part, or with `quorum` could not replace a primary; empty if it does."""
    try:
        found, leader = role(cluster, address), primary(cluster)
        if cluster.sentinel_port:
            # A Sentinel counts those that it reaches.
            cluster.ask(address, cluster.sentinel_port, *(("SENTINEL", "CKQUORUM", CLUSTER) if quorum else ("PING",)))
    except GatehouseError as error:
        return str(error)
    if not found.is_primary:
        return "" if found.follows else f"it does not have all data of the primary {found.primary} yet"
    return "" if leader == address else f"it takes itself for the primary, which is {leader}"
