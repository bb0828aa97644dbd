# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What limits cost whoever has some, and everybody else.

By the time that the worker computes: what comes of it by the clock depends on who has the cores meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench import load, servers
from tests.bench.credentials import running
from tests.bench.summary import Figure, in_turn
from tests.component.gateways import Gateway

ROUNDS = 20
SECONDS = 0.8
CHAT = servers.chat(230)
# All that are counted or looked for in a body, and none that the load reaches.
LIMITS = {
    "requests_per_minute": 10**9,
    "concurrent_requests": 10**6,
    "tokens_per_minute": 10**11,
    "tokens_per_day": 10**12,
    "max_context": 10**6,
    "keep_alive": 3600,
}


@contextlib.contextmanager
def _limiting(folder: Path, upstream: servers.Upstream, *limited: str) -> Iterator[Gateway]:
    """A gateway where these clients have all limits; no client has a list of models."""
    gateway = servers.gateway(folder, "bearer", upstream)
    rights: dict[str, Any] = {"models": ["*"], "scopes": ["inference"]}
    gateway.permit({name: rights | ({"limits": LIMITS} if name in limited else {}) for name in ("alice", "bob")})
    with running(gateway):
        yield gateway


def limits(folder: Path, upstream: servers.Upstream) -> list[Figure]:
    own = (
        f"chats of {len(CHAT)} bytes in a second of the worker's time by a client with all limits, against one of a "
        "gateway without any"
    )
    with_limits = Figure("limits_vs_off", "ratio", 0.85, own)
    others = "the same by a client without limits on a gateway where another one has all"
    beside = Figure("unlimited_beside_limits_vs_off", "ratio", 0.97, others)
    body = folder / "chat.json"
    body.write_bytes(CHAT)

    def rate(gateway: Gateway, client: dict[str, str]) -> float:
        url = f"http://{gateway.address}/v1/chat/completions"
        return load.per_cpu_second(gateway.processes("worker"), url, client, body, SECONDS)[0]

    with _limiting(folder / "off", upstream) as off, _limiting(folder / "on", upstream, "bob") as on:
        in_turn(ROUNDS, with_limits, lambda: rate(off, servers.BOB), lambda: rate(on, servers.BOB))
        in_turn(ROUNDS, beside, lambda: rate(off, servers.ALICE), lambda: rate(on, servers.ALICE))
    return [with_limits, beside]
