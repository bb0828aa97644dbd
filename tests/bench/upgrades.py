# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients notice while a server is replaced, on a host like the demo's: new connections with TLS all the time."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests import lab
from tests.bench.deploys import RunError, run
from tests.bench.summary import Figure
from tests.client import ROOT
from tests.demo import __main__ as demo
from tests.lab import hosts

HOST = "gatehouse-bench-upgrade"
# At least so many requests, of so many users, each of whom sends the next one when the last was answered.
REQUESTS, USERS = 5000, 60
# Before and after the run that replaces the server.
CALM = 2.0
CHAT = {"model": "tiny", "prompt": "hi", "stream": False, "options": {"num_predict": 2}}


@dataclass
class Seen:
    statuses: Counter[int] = field(default_factory=Counter)
    longest: float = 0.0

    @property
    def failed(self) -> int:
        return self.statuses.total() - self.statuses[200]


async def ask(session: aiohttp.ClientSession, url: str, seen: Seen) -> None:
    begun = time.monotonic()
    try:
        async with session.post(f"{url}/api/generate", json=CHAT) as answer:
            await answer.read()
            status = answer.status
    except (aiohttp.ClientError, TimeoutError):
        status = 0
    seen.statuses[status] += 1
    seen.longest = max(seen.longest, time.monotonic() - begun)


async def load(url: str, ca: Path, key: str, command: list[str | Path]) -> Seen:
    """Requests while a command runs, each on a connection of its own. Raises RunError if the command fails."""
    seen = Seen()
    connector = aiohttp.TCPConnector(limit=0, force_close=True, ssl=ssl.create_default_context(cafile=str(ca)))
    headers = {"Authorization": f"Bearer {key}"}
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
        ended = asyncio.Event()

        async def user() -> None:
            while not ended.is_set() or seen.statuses.total() < REQUESTS:
                await ask(session, url, seen)

        users = [asyncio.create_task(user()) for _ in range(USERS)]
        await asyncio.sleep(CALM)
        pipe, err = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=pipe, stderr=err)
        output, _nothing = await process.communicate()
        await asyncio.sleep(CALM)
        ended.set()
        await asyncio.gather(*users)
    said = output.decode()
    if process.returncode != 0 or "Keep what works" not in said:
        raise RunError(said[-2000:])
    return seen


def server() -> list[Figure]:
    failed = Figure("server_upgrade_failed", "requests", 0, "new requests that fail while a server is replaced", True)
    longest = Figure("server_upgrade_wait_ms", "ms", 60000, "the longest of them, with its wait")
    client = lab.up()
    address, _made = hosts.create(client, HOST)
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            demo.password(folder)
            inventory = demo.write_inventory(address, HOST, folder)
            # Without the limits of the demo's client.
            text = inventory.read_text(encoding="utf-8")
            inventory.write_text(re.sub(r"(requests_per_minute|tokens_per_day): .*", r"\1: 1000000000", text))
            run(inventory, "playbooks/deploy.yml", "--skip-tags=verify")
            change = json.dumps({"ollama_server_environment": {"STANDIN_TOKEN_DELAY_MS": "3"}})
            command: list[str | Path] = [ROOT / ".venv/bin/ansible-playbook", "-i", inventory, "playbooks/deploy.yml"]
            command += ["--tags=ollama_server", "--skip-tags=verify", f"--extra-vars={change}"]
            key = (folder / demo.HIDDEN / "secrets" / f"{demo.USER}.{demo.KEY_IDS[0]}").read_text().strip()
            ca = folder / demo.HIDDEN / "ca" / "ca.pem"
            seen = asyncio.run(load(f"https://{address}:{demo.PORT}", ca, key, command))
    finally:
        hosts.destroy(client, HOST)
    print(f"bench: {seen.statuses.total()} requests while a server was replaced: {dict(seen.statuses)}")
    failed.add(0, seen.failed)
    longest.add(0, seen.longest * 1000)
    return [failed, longest]
