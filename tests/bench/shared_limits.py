# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What limits that gateways share by Valkey cost, against the same limits of one gateway."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from typing import Any

from tests.bench import load, servers
from tests.bench.credentials import running
from tests.bench.limits import CHAT, LIMITS
from tests.bench.summary import Figure, in_turn
from tests.component.gateways import Gateway
from tests.component.valkeys import present_password, valkey, variables

ROUNDS = 12
SECONDS = 0.8
# Requests one after the other, of which the slowest hundredth is looked at.
REQUESTS = 600


@contextlib.contextmanager
def _limiting(folder: Path, upstream: servers.Upstream, **more: Any) -> Iterator[Gateway]:
    """A gateway where bob has all limits that are counted."""
    gateway = servers.gateway(folder, "bearer", upstream, **more)
    counted = {name: value for name, value in LIMITS.items() if name not in ("max_context", "keep_alive")}
    gateway.permit({"bob": {"models": ["*"], "scopes": ["inference"], "limits": counted}})
    present_password(gateway)
    with running(gateway):
        yield gateway


def _slowest(gateway: Gateway) -> float:
    """Milliseconds that the fastest of the slowest hundredth of the requests took."""
    connection = http.client.HTTPConnection(gateway.address, timeout=10)
    took = []
    for _ in range(REQUESTS):
        begun = time.perf_counter()
        connection.request("POST", "/v1/chat/completions", CHAT, servers.BOB | {"Content-Type": "application/json"})
        reply = connection.getresponse()
        reply.read()
        assert reply.status == 200
        took.append((time.perf_counter() - begun) * 1000)
    connection.close()
    return quantiles(took, n=100)[98]


def shared_limits(folder: Path, upstream: servers.Upstream) -> list[Figure]:
    meaning = (
        "chats in a second of the worker's time by a client with limits that gateways share by Valkey, with TLS, "
        "against one with the same limits of the gateway alone"
    )
    rate = Figure("state_limits_vs_local", "ratio", 0.6, meaning)
    added = Figure("state_limits_p99_added", "ms", 2, f"what the slowest hundredth of {REQUESTS} such chats take more")
    body = folder / "chat.json"
    body.write_bytes(CHAT)

    def rate_of(gateway: Gateway) -> float:
        url = f"http://{gateway.address}/v1/chat/completions"
        return load.per_cpu_second(gateway.processes("worker"), url, servers.BOB, body, SECONDS)[0]

    with valkey(folder / "store") as store, contextlib.ExitStack() as stack:
        local = stack.enter_context(_limiting(folder / "local", upstream))
        shared = stack.enter_context(_limiting(folder / "shared", upstream, **variables(store)))
        in_turn(ROUNDS, rate, lambda: rate_of(local), lambda: rate_of(shared))
        in_turn(ROUNDS, added, lambda: _slowest(local), lambda: _slowest(shared))
        assert "is lost" not in shared.logs()
    return [rate, added]
