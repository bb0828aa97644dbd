# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers: how long until the first chunk of a stream, how evenly the others follow, and how long others wait."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import time
from itertools import pairwise
from statistics import median
from typing import Any

import aiohttp

URL = "http://{address}/api/generate?chunks={chunks}&pause={pause}"
STREAMS = 500
# Ten chunks a second are a fast model's; the streams begin within the first second and all run for two more.
CHUNKS, PAUSE, SPREAD = 30, 0.1, 1.0


async def _first_chunk(session: aiohttp.ClientSession, address: str, headers: dict[str, str], body: bytes) -> float:
    begun = time.monotonic()
    async with session.post(URL.format(address=address, chunks=1, pause=0), data=body, headers=headers) as answer:
        answer.raise_for_status()
        await answer.content.readany()
        return time.monotonic() - begun


async def _first_chunks(
    addresses: list[str], headers: dict[str, str], body: bytes, repetitions: int
) -> list[list[float]]:
    async with aiohttp.ClientSession() as session:
        return [
            [await _first_chunk(session, address, headers, body) for address in addresses] for _ in range(repetitions)
        ]


def first_chunk_ms(addresses: list[str], headers: dict[str, str], body: bytes, repetitions: int = 200) -> list[float]:
    """Milliseconds from sending a request to its first chunk, the median for each address; they are asked in turn."""
    rows = asyncio.run(_first_chunks(addresses, headers, body, repetitions))
    return [median(column) * 1000 for column in zip(*rows, strict=True)]


def longest_stall(chunks: list[tuple[float, float]]) -> float:
    """By how much the longest gap between two chunks grew on the way; `chunks`: when each was sent and arrived."""
    delays = [arrived - sent for sent, arrived in chunks]
    return max((later - earlier for earlier, later in pairwise(delays)), default=0.0)


async def _stream(
    session: aiohttp.ClientSession, url: str, headers: dict[str, str], body: bytes, delay: float
) -> list[tuple[float, float]]:
    await asyncio.sleep(delay)
    async with session.post(url, data=body, headers=headers) as answer:
        answer.raise_for_status()
        return [(json.loads(line)["sent"], time.monotonic()) async for line in answer.content]


async def _streams(
    address: str, headers: dict[str, str], body: bytes, streams: int, chunks: int
) -> list[list[tuple[float, float]]]:
    url = URL.format(address=address, chunks=chunks, pause=PAUSE)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        return await asyncio.gather(
            *(_stream(session, url, headers, body, SPREAD * number / streams) for number in range(streams))
        )


def longest_stall_ms(
    address: str, headers: dict[str, str], body: bytes, streams: int = STREAMS, chunks: int = CHUNKS
) -> float:
    """The longest stall of all streams that run at once, in milliseconds.

    A stall is what a gap between two chunks of a stream is longer on arrival than it was when they were sent: the
    upstream's interval, and its own delays, do not count. What this process is late counts, for everybody alike.
    """
    gc.collect()
    gc.disable()
    try:
        seen = asyncio.run(_streams(address, headers, body, streams, chunks))
    finally:
        gc.enable()
    if any(len(stream) != chunks for stream in seen):
        raise RuntimeError("a stream ended early")
    return max(longest_stall(stream) for stream in seen) * 1000


async def _latencies(url: str, headers: dict[str, str], count: int) -> list[float]:
    found = []
    async with aiohttp.ClientSession() as session:
        for _ in range(count):
            begun = time.monotonic()
            async with session.get(url, headers=headers) as answer:
                answer.raise_for_status()
                await answer.read()
            found.append(time.monotonic() - begun)
            await asyncio.sleep(0.002)
    return found


def latency_ms(url: str, headers: dict[str, str], count: int = 400) -> float:
    """Milliseconds from a request to its answer, the median of one client's that asks again and again."""
    return median(asyncio.run(_latencies(url, headers, count))) * 1000


async def _refusals(url: str, headers: dict[str, str], body: bytes, count: int) -> list[float]:
    found = []
    async with aiohttp.ClientSession() as session:
        for _ in range(count):
            begun = time.monotonic()
            async with session.post(url, data=body, headers=headers) as answer:
                if answer.status != 403:
                    raise RuntimeError("a request was not refused")
                await answer.read()
            found.append(time.monotonic() - begun)
    return found


def latency_of_refusal_ms(url: str, headers: dict[str, str], body: bytes, count: int = 100) -> float:
    """Milliseconds from sending a body to its refusal, the median."""
    return median(asyncio.run(_refusals(url, headers, body, count))) * 1000


async def _longest_wait(url: str, process: subprocess.Popen[Any]) -> float:
    longest = 0.0
    async with aiohttp.ClientSession() as session:
        while process.poll() is None:
            begun = time.monotonic()
            async with session.get(url) as answer:
                answer.raise_for_status()
                await answer.read()
            longest = max(longest, time.monotonic() - begun)
            await asyncio.sleep(0.001)
    return longest


def longest_wait_ms(url: str, process: subprocess.Popen[Any]) -> float:
    """The longest time to an answer, of one request after the other, until the process ends."""
    gc.collect()
    gc.disable()
    try:
        return asyncio.run(_longest_wait(url, process)) * 1000
    finally:
        gc.enable()
