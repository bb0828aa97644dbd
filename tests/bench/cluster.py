# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several servers behind one gateway: where requests go, what the way there costs, and what is lost where one dies.

All on loopback, with stand-ins for Ollama whose loads and answers take a tenth of real time or less.
Usage: python -m tests.bench.cluster [NAME...]
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from statistics import quantiles

import aiohttp

from tests.bench import servers
from tests.component.contract.standins import Standin, standin, standin_with
from tests.component.gateways import Gateway

SERVERS = 3
# Each asked for less often than the one before, as Zipf has it.
MODELS = [f"chat-{letter}" for letter in "abcd"]
SKEW = 1.2
REQUESTS, RATE = 600, 12.0
# A server has memory for one model, which answers so many at once.
PARALLEL = 4
LOAD, TOKEN_MS = 0.5, 25
TOKENS = (3, 8)


@dataclass(frozen=True)
class Arrival:
    """A request: when it is sent, and what it asks for."""

    at: float
    model: str
    tokens: int


def arrivals(count: int = REQUESTS, rate: float = RATE, seed: int = 1) -> list[Arrival]:
    """Requests of many people who do not know of each other; always the same ones."""
    chance = random.Random(seed)
    weights = list(accumulate((number + 1) ** -SKEW for number in range(len(MODELS))))
    moments = accumulate(chance.expovariate(rate) for _ in range(count))
    return [
        Arrival(moment, *chance.choices(MODELS, cum_weights=weights), chance.randint(*TOKENS)) for moment in moments
    ]


@contextlib.contextmanager
def ollamas(folder: Path, count: int = SERVERS, **environment: str) -> Iterator[list[Standin]]:
    """Servers that have all the models, and have loaded none."""
    settings = {
        "OLLAMA_MAX_LOADED_MODELS": "1",
        "OLLAMA_NUM_PARALLEL": str(PARALLEL),
        "STANDIN_LOAD_SECONDS": str(LOAD),
        "STANDIN_TOKEN_DELAY_MS": str(TOKEN_MS),
        **environment,
    }
    folder.mkdir()
    with standin_with(folder, "tiny-loop") as source:
        for name in MODELS:
            source.run("cp", "tiny-loop", name)
        source.run("rm", "tiny-loop")
    with contextlib.ExitStack() as stack:
        logs = [str(folder / f"requests{number}.jsonl") for number in range(count)]
        yield [
            stack.enter_context(standin(folder / "models", None, STANDIN_REQUEST_LOG=log, **settings)) for log in logs
        ]


def loads(server: Standin) -> int:
    """How many models it has loaded so far."""
    lines = Path(server.environment["STANDIN_REQUEST_LOG"]).read_text(encoding="utf-8").splitlines()
    return sum(len(json.loads(line)["loads"]) for line in lines)


class AnswerError(Exception):
    """A request did not get the answer that it should have got."""


async def _wait(session: aiohttp.ClientSession, url: str, arrival: Arrival, begin: float) -> float:
    """Seconds to the first byte of the answer."""
    await asyncio.sleep(max(0.0, begin + arrival.at - time.monotonic()))
    body = {"model": arrival.model, "prompt": "hi", "options": {"num_predict": arrival.tokens}}
    begun = time.monotonic()
    async with session.post(url, json=body) as answer:
        first = await answer.content.readany()
        waited = time.monotonic() - begun
        if answer.status != 200 or b'"done":true' not in first + await answer.content.read():
            raise AnswerError(f"{arrival}: {answer.status}")
    return waited


async def _waits(url: str, wanted: list[Arrival]) -> list[float]:
    timeout = aiohttp.ClientTimeout(total=300)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=servers.ALICE, timeout=timeout) as session:
        begin = time.monotonic() + 0.1
        return await asyncio.gather(*(_wait(session, url, arrival, begin) for arrival in wanted))


def asked(gateway: Gateway, wanted: list[Arrival]) -> list[float]:
    return asyncio.run(_waits(f"http://{gateway.address}/api/generate", wanted))


def p95(waits: list[float]) -> float:
    return quantiles(waits, n=100)[94]
