# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that keep their connections: bursts of requests at once, and pauses in which connections idle."""

from __future__ import annotations

import asyncio
import json
import os
import random
import ssl
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import requests

BURSTS, AT_ONCE, LONGEST_PAUSE = 10, 8, 0.3


@dataclass
class Seen:
    """How many requests a client sent, and what went wrong with some."""

    count: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass
class Target:
    """What is asked for, by whom, and whose certificate is trusted; for so many seconds."""

    url: str
    authorization: str
    ca: Path
    seconds: float

    def with_httpx(self, http2: bool) -> Seen:
        return asyncio.run(self._with_httpx(http2))

    async def _with_httpx(self, http2: bool) -> Seen:
        seen = Seen()
        trust = ssl.create_default_context(cafile=str(self.ca))
        headers = {"Authorization": self.authorization}

        async def once(client: httpx.AsyncClient) -> None:
            seen.count += 1
            try:
                answer = await client.get(self.url, headers=headers)
                assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
                seen.wrong += [] if answer.status_code == 200 else [str(answer.status_code)]
            except httpx.HTTPError as error:
                seen.wrong.append(repr(error))

        end = time.monotonic() + self.seconds
        async with httpx.AsyncClient(verify=trust, http2=http2, trust_env=False, timeout=20) as client:
            while time.monotonic() < end:
                for _ in range(BURSTS):
                    await asyncio.gather(*(once(client) for _ in range(AT_ONCE)))
                await asyncio.sleep(random.random() * LONGEST_PAUSE)
        return seen

    def with_requests(self) -> Seen:
        seen = Seen()
        headers = {"Authorization": self.authorization}
        end = time.monotonic() + self.seconds
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(self.ca)
            while time.monotonic() < end:
                for _ in range(BURSTS * AT_ONCE):
                    seen.count += 1
                    try:
                        status = session.get(self.url, headers=headers, timeout=20).status_code
                        seen.wrong += [] if status == 200 else [str(status)]
                    except requests.RequestException as error:
                        seen.wrong.append(repr(error))
                time.sleep(random.random() * LONGEST_PAUSE)
        return seen

    def with_node(self, node: Path, script: Path, library: str) -> Seen:
        environment = {
            **os.environ,
            "URL": self.url,
            "AUTHORIZATION": self.authorization,
            "SECONDS": str(self.seconds),
            "WITH": library,
            "NODE_EXTRA_CA_CERTS": str(self.ca),
        }
        done = subprocess.run(
            [node, script], env=environment, capture_output=True, timeout=self.seconds + 60, check=True
        )
        said = json.loads(done.stdout)
        return Seen(said["count"], said["wrong"])

    def all(self, node: Path, script: Path) -> dict[str, Seen]:
        """Each client at the same time as the others."""
        ways = {
            "httpx, HTTP/1.1": lambda: self.with_httpx(False),
            "httpx, HTTP/2": lambda: self.with_httpx(True),
            "requests": self.with_requests,
            "node's fetch": lambda: self.with_node(node, script, "fetch"),
            "undici": lambda: self.with_node(node, script, "undici"),
        }
        with ThreadPoolExecutor(len(ways)) as pool:
            running = {name: pool.submit(way) for name, way in ways.items()}
            return {name: one.result() for name, one in running.items()}
