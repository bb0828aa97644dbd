# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client with the scope metrics reads what became of requests to a server that the gateway finds by its name."""

from __future__ import annotations

import time
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
URL = SCENARIO.url("gate")
# In seconds: servers are looked at each 15, and what was asked is there after one.
PATIENCE = 20


def ask(client: str, path: str, model: str = "") -> requests.Response:
    key = (SCENARIO.inventory.parent / ".gatehouse" / "secrets" / client).read_text().strip()
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]} if model else None
    method = "POST" if body else "GET"
    return requests.request(method, URL + path, json=body, headers={"Authorization": f"Bearer {key}"}, timeout=30)


def values() -> dict[str, float]:
    """The sum of each name's lines, and of those about alice's chats with tiny."""
    answer = ask("prometheus.main", "/metrics")
    answer.raise_for_status()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(answer.text):
        for line in family.samples:
            found[line.name] = found.get(line.name, 0) + line.value
            if line.labels.get("client") == "alice" and line.labels.get("model") == "tiny:latest":
                found["alice:" + line.name] = found.get("alice:" + line.name, 0) + line.value
    return found


def test_prometheus_learns_of_servers_models_and_requests() -> None:
    before = values().get("alice:gatehouse_requests_total", 0)
    ask("alice.laptop", "/api/chat", "tiny").raise_for_status()
    deadline = time.monotonic() + PATIENCE
    wanted = {"gatehouse_server_up": 1, "alice:gatehouse_requests_total": before + 1}
    while time.monotonic() < deadline:
        found = values()
        if wanted.items() <= found.items() and "gatehouse_model_size_bytes" in found:
            break
        time.sleep(1)
    assert {name: found.get(name) for name in wanted} == wanted
    assert found["gatehouse_model_size_bytes"] > 0
    assert found["gatehouse_worker_restarts_total"] == 0


def test_nobody_else_reads_them() -> None:
    assert requests.get(URL + "/metrics", timeout=10).status_code == 401
    assert ask("alice.laptop", "/metrics").status_code == 403
    assert ask("prometheus.main", "/api/tags").status_code == 403
