# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scrape of Prometheus costs those who ask meanwhile."""

from __future__ import annotations

import http.client
import time
import urllib.request
from pathlib import Path
from statistics import quantiles

from tests.bench import load, servers
from tests.bench.credentials import running
from tests.bench.summary import Figure
from tests.component.contract.standins import until
from tests.component.gateways import KEYS, Gateway, record

SERIES = 10_000
# Each client asks for each of these, and so has a series for each.
PATHS = ("/", "/api/version", "/api/tags", "/api/ps", "/api/status", "/v1/models", "/v1/models/tiny")
CLIENTS = SERIES // len(PATHS) + 1
ASKED = 4000
# As often as once a second: Prometheus waits for 15 as a rule.
SCRAPES = 1


def _fill(gateway: Gateway) -> None:
    """Have as many series counted as there is room for."""
    names = [f"client{number}" for number in range(CLIENTS)]
    lines = [record(f"{name}.key", f"ghk_{name}", "last4=none") for name in names]
    gateway.write("api_keys", [*lines, record("alice.laptop", KEYS["alice.laptop"], "last4=ptop")])
    gateway.allow({**{name: ["models_read"] for name in names}, "alice": ["metrics"]})
    host, _, port = gateway.address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    for name in names:
        for path in PATHS:
            connection.request("GET", path, headers={"Authorization": f"Bearer ghk_{name}"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, (name, path, answer.status)
    assert until(lambda: _series(gateway) > SERIES - 50), _series(gateway)


def _series(gateway: Gateway) -> int:
    request = urllib.request.Request(f"http://{gateway.address}/metrics", headers=servers.ALICE)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return sum(not line.startswith(b"#") for line in answer)


def _p99_ms(gateway: Gateway) -> float:
    """Of requests of one client, one after the other."""
    host, _, port = gateway.address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    headers, times = {"Authorization": "Bearer ghk_client0"}, []
    for _ in range(ASKED):
        begun = time.perf_counter()
        connection.request("GET", "/api/version", headers=headers)
        connection.getresponse().read()
        times.append(time.perf_counter() - begun)
    return quantiles(times, n=100)[98] * 1000


def scrape(folder: Path, upstream: servers.Upstream) -> list[Figure]:
    meaning = f"99 % of requests are answered so fast while {SERIES} series are scraped each second, against without"
    figure = Figure("metrics_scrape_p99_ratio", "ratio", 1.5, meaning, at_most=True)
    gateway = servers.gateway(folder / "gateway", "bearer", upstream)
    with running(gateway):
        _fill(gateway)
        for _ in range(9):
            alone = _p99_ms(gateway)
            with load.flood(f"http://{gateway.address}/metrics", servers.ALICE, SCRAPES, connections=1):
                figure.add(alone, _p99_ms(gateway))
    return [figure]
