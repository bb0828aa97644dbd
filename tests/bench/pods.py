# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway in its pod against the same one in a container of its own, both on a host like the demo's, with TLS."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import testinfra
import yaml

from tests.bench import deploys, load
from tests.bench.summary import Figure, in_turn
from tests.demo import __main__ as demo

HOST = "gatehouse-bench-pod"
COMPOSE = "/opt/gatehouse/gateway/compose.yaml"
ALONE = "/opt/gatehouse/gateway/alone.yaml"
PORT = demo.PORT + 1
ROUNDS, ASKED = 20, 300
ANSWER = {"model": "tiny", "prompt": "hi", "options": {"num_predict": 1}}


def alone(text: str) -> str:
    """The Compose file of a gateway without a pod: its networks and its port are its own."""
    project = yaml.safe_load(text)
    pod = project["services"].pop("pod")
    [(_name, gateway)] = project["services"].items()
    del gateway["network_mode"]
    ports = [port.replace(f":{demo.PORT}:", f":{PORT}:") for port in pod["ports"] if f":{demo.PORT}:" in port]
    gateway |= {"networks": pod["networks"], "ports": ports, "container_name": "gatehouse-bench-alone"}
    return yaml.safe_dump({**project, "name": "gatehouse-bench-alone", "services": {"gateway": gateway}})


@contextmanager
def both() -> Iterator[tuple[list[str], str, Path]]:
    """The addresses of the one alone and of the one in its pod, a key, and the CA of their certificate."""
    with deploys.demo_host(HOST, limits=None) as (address, inventory):
        deploys.run(inventory, "playbooks/deploy.yml", "--skip-tags=verify")
        host = testinfra.get_host(f"docker://{HOST}")
        text = alone(host.file(COMPOSE).content_string)
        host.run_expect([0], "printf %s %s >" + ALONE, "%s", text)
        host.run_expect([0], f"docker compose --file {ALONE} up --detach --wait")
        folder = inventory.parent
        urls = [f"https://{address}:{port}" for port in (PORT, demo.PORT)]
        yield urls, demo.key(folder), folder / demo.HIDDEN / "ca" / "ca.pem"


async def _first_chunks(urls: list[str], headers: dict[str, str], ca: Path) -> list[float]:
    rows: list[list[float]] = [[] for _ in urls]
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(ca)))
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        for _ in range(ASKED):
            for row, url in zip(rows, urls, strict=True):
                begun = time.monotonic()
                async with session.post(f"{url}/api/generate", json=ANSWER) as answer:
                    answer.raise_for_status()
                    await answer.content.readany()
                    row.append(time.monotonic() - begun)
                    await answer.read()
    return [median(row) * 1000 for row in rows]


def pod() -> list[Figure]:
    rate = Figure("pod_vs_container", "ratio", 0.98, "requests/s of GET /api/version with TLS, in a pod and alone")
    chunk = Figure("pod_first_chunk_added_ms", "ms", 0.05, "median time to the first chunk, in a pod beyond alone")
    with both() as (urls, key, ca):
        headers = {"Authorization": f"Bearer {key}"}

        def of(url: str) -> Any:
            return lambda: load.requests_per_second(f"{url}/api/version", headers, seconds=1.5)

        in_turn(ROUNDS, rate, of(urls[0]), of(urls[1]))
        for number in range(5):
            turned = urls[:: -1 if number % 2 else 1]
            found = dict(zip(turned, asyncio.run(_first_chunks(turned, headers, ca)), strict=True))
            chunk.add(found[urls[0]], found[urls[1]])
    return [rate, chunk]
