# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to count tokens, what a kill costs the ledger, and what a chat costs beside a bare proxy."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import load, servers, streams
from tests.bench.credentials import running
from tests.bench.summary import Figure, in_turn
from tests.component.contract.standins import until
from tests.component.gateways import Gateway

# A chat as it is streamed: as many lines, of as many bytes as those of a small model.
LINES = 200
SHORT_CHAT = servers.chat(230)
ROUNDS = 12
SECONDS = 2.0


def _lines(server: Gateway, body: Path) -> Callable[[], float]:
    url = f"http://{server.address}/api/chat?lines={LINES}"
    return lambda: LINES * load.requests_per_second(url, servers.BOB, body=body, seconds=SECONDS)


def _answers_per_cpu_second(server: Gateway, body: Path) -> tuple[float, float]:
    """How many answers without a stream the worker gives in a second of its time, and in one of the clock."""
    url = f"http://{server.address}/v1/chat/completions"
    return load.per_cpu_second(server.processes("worker"), url, servers.BOB, body, SECONDS)


def streamed(folder: Path, upstream: servers.Upstream) -> list[Figure]:
    lines = Figure("usage_vs_off", "ratio", 0.95, f"lines/s of streamed chats of {LINES} lines, with tokens counted")
    first = Figure("usage_first_chunk_added_ms", "ms", 0.2, "median time to the first chunk that counting adds")
    body = folder / "chat.json"
    body.write_bytes(SHORT_CHAT)
    off = servers.gateway(folder / "off", "bearer", upstream, ollama_gateway_usage=False)
    with running(off), running(servers.gateway(folder / "on", "bearer", upstream)) as on:
        in_turn(ROUNDS, lines, _lines(off, body), _lines(on, body))
        for _ in range(5):
            first.add(*streams.first_chunk_ms([off.address, on.address], servers.BOB, servers.CHAT))
    return [lines, first]


def chat_cpu(folder: Path, upstream: servers.Upstream) -> list[Figure]:
    meaning = (
        f"chats of {len(SHORT_CHAT)} bytes in a second of the worker's time, with key, list of models and counting, "
        "against the same OpenResty as a bare proxy: no Lua, no log, kept connections"
    )
    cpu = Figure("chat_cpu_vs_bare", "ratio", 0.55, meaning)
    clock = Figure("chat_clock_vs_bare", "ratio", None, "the same in a second of the clock, on this machine")
    body = folder / "chat.json"
    body.write_bytes(SHORT_CHAT)
    bare = servers.BareProxy(folder / "bare", "bearer", upstream.address)
    with running(bare), running(servers.gateway(folder / "gateway", "bearer", upstream)) as gateway:
        for number in range(ROUNDS):
            pair = [bare, gateway] if number % 2 else [gateway, bare]
            found = {server: _answers_per_cpu_second(server, body) for server in pair}
            for figure, *values in zip((cpu, clock), found[bare], found[gateway], strict=True):
                figure.add(*values)
    return [cpu, clock]


def _ask_until(gateway: Gateway, ended: dict[str, float]) -> None:
    """Ask one request after the other, and note when each was whole, until the gateway is gone."""
    host, _, port = gateway.address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    try:
        while True:
            connection.request("POST", "/v1/chat/completions", SHORT_CHAT, servers.BOB)
            answer = connection.getresponse()
            answer.read()
            ended[answer.headers["X-Request-Id"]] = time.monotonic()
    except (OSError, http.client.HTTPException):
        return


def _lost_by_kill(gateway: Gateway) -> float:
    """Seconds before a kill at which the oldest request had ended that is lost by it."""
    ended: dict[str, float] = {}
    threads = [threading.Thread(target=_ask_until, args=(gateway, ended)) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert until(lambda: len(ended) > 500, 20)
    processes = gateway.processes()
    killed = time.monotonic()
    for process in processes:
        os.kill(process, signal.SIGKILL)
    for thread in threads:
        thread.join()
    text = "".join(path.read_text(encoding="utf-8") for path in gateway.ledger.iterdir())
    kept = {json.loads(line)["request_id"] for line in text.splitlines() if line.endswith("}")}
    return max([0.0, *(killed - when for name, when in ended.items() if name not in kept)])


def ledger_loss(folder: Path, upstream: servers.Upstream) -> list[Figure]:
    meaning = (
        "how long before a kill -9 the oldest request had ended that is not in the ledger; 0 where none is missing"
    )
    figure = Figure("ledger_loss_ms", "ms", 100, meaning)
    for number in range(5):
        with running(servers.gateway(folder / str(number), "bearer", upstream)) as gateway:
            figure.add(0, _lost_by_kill(gateway) * 1000)
    return [figure]
