# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients notice while a server or a gateway is replaced, on a host like the demo's: new connections with TLS."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench import deploys
from tests.bench.summary import Figure
from tests.client import ROOT
from tests.demo import __main__ as demo

HOST = "gatehouse-bench-upgrade"
# Before and after the run that replaces something.
CALM = 2.0
CHAT = {"model": "tiny", "prompt": "hi", "stream": False, "options": {"num_predict": 2}}
MODELS = json.dumps({"ollama_server_models": ["tiny", "tiny-loop"]})
# Of about a minute, which is longer than the run.
STREAM = {"model": "tiny-loop", "prompt": "hi", "options": {"num_predict": 20000}}


@dataclass(frozen=True)
class Change:
    """A run of deploy.yml that replaces something, and what clients send meanwhile.

    At least so many requests, of so many users, each of whom sends the next one when the last was answered.
    """

    tag: str
    variables: dict[str, Any]
    # What the run says where it really replaces something.
    sign: str
    method: str
    path: str
    body: dict[str, Any] | None
    requests: int
    users: int
    streams: int = 0


SERVER = Change(
    tag="ollama_server",
    variables={"ollama_server_environment": {"STANDIN_TOKEN_DELAY_MS": "3"}},
    sign="Keep what works",
    method="POST",
    path="/api/generate",
    body=CHAT,
    requests=5000,
    users=60,
)
GATEWAY = Change(
    tag="ollama_gateway",
    variables={"ollama_gateway_memory_limit": "700m"},
    sign="See it refuse, let in, reach a server and pass a stream on",
    method="GET",
    path="/api/version",
    body=None,
    requests=50000,
    users=20,
    streams=10,
)


@dataclass
class Seen:
    statuses: Counter[int] = field(default_factory=Counter)
    longest: float = 0.0
    # Streams that did not come to their end.
    cut: int = 0

    @property
    def failed(self) -> int:
        return self.statuses.total() - self.statuses[200]


async def ask(session: aiohttp.ClientSession, url: str, change: Change, seen: Seen) -> None:
    begun = time.monotonic()
    try:
        async with session.request(change.method, url + change.path, json=change.body) as answer:
            await answer.read()
            status = answer.status
    except (aiohttp.ClientError, TimeoutError):
        status = 0
    seen.statuses[status] += 1
    seen.longest = max(seen.longest, time.monotonic() - begun)


async def stream(session: aiohttp.ClientSession, url: str, seen: Seen) -> None:
    last = b""
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        async with session.post(f"{url}/api/generate", json=STREAM) as answer:
            async for line in answer.content:
                last = line
    seen.cut += b'"done":true' not in last


async def load(url: str, ca: Path, key: str, command: list[str | Path], change: Change) -> Seen:
    """Requests while a command runs, each on a connection of its own. Raises deploys.RunError if the command fails."""
    seen = Seen()
    connector = aiohttp.TCPConnector(limit=0, force_close=True, ssl=ssl.create_default_context(cafile=str(ca)))
    headers = {"Authorization": f"Bearer {key}"}
    timeout = aiohttp.ClientTimeout(total=600)
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
        ended = asyncio.Event()

        async def user() -> None:
            while not ended.is_set() or seen.statuses.total() < change.requests:
                await ask(session, url, change, seen)

        tasks = [asyncio.create_task(stream(session, url, seen)) for _ in range(change.streams)]
        tasks += [asyncio.create_task(user()) for _ in range(change.users)]
        await asyncio.sleep(CALM)
        pipe, err = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=pipe, stderr=err)
        output, _nothing = await process.communicate()
        await asyncio.sleep(CALM)
        ended.set()
        await asyncio.gather(*tasks)
    said = output.decode()
    if process.returncode != 0 or change.sign not in said:
        raise deploys.RunError(said[-2000:])
    return seen


def replaced(change: Change) -> Seen:
    """What was seen while something was replaced on a host of its own."""
    with deploys.demo_host(HOST, limits=None) as (address, inventory):
        deploys.run(inventory, "playbooks/deploy.yml", "--skip-tags=verify", f"--extra-vars={MODELS}")
        command: list[str | Path] = [ROOT / ".venv/bin/ansible-playbook", "-i", inventory, "playbooks/deploy.yml"]
        command += [f"--tags={change.tag}", "--skip-tags=verify", f"--extra-vars={json.dumps(change.variables)}"]
        folder = inventory.parent
        ca, key = folder / demo.HIDDEN / "ca" / "ca.pem", demo.key(folder)
        seen = asyncio.run(load(f"https://{address}:{demo.PORT}", ca, key, command, change))
    print(f"bench: {seen.statuses.total()} requests while {change.tag} was replaced: {dict(seen.statuses)}")
    return seen


def server() -> list[Figure]:
    failed = Figure("server_upgrade_failed", "requests", 0, "new requests that fail while a server is replaced", True)
    longest = Figure("server_upgrade_wait_ms", "ms", 60000, "the longest of them, with its wait")
    seen = replaced(SERVER)
    failed.add(0, seen.failed)
    longest.add(0, seen.longest * 1000)
    return [failed, longest]


def gateway() -> list[Figure]:
    failed = Figure("handover_failed", "requests", 0, "new requests that fail while a gateway is replaced", True)
    cut = Figure("handover_cut_streams", "streams", 0, f"of {GATEWAY.streams} streams, those that are cut", True)
    seen = replaced(GATEWAY)
    failed.add(0, seen.failed)
    cut.add(0, seen.cut)
    return [failed, cut]
