# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The alerts of docs/monitoring fire and resolve: a real Prometheus scrapes a real gateway that is broken and mended.

The rules are those that users copy, with seconds in the place of minutes.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.certificates import DAY, Authority, now
from tests.component.contract.standins import Standin, standin_with, until
from tests.component.gateways import KEYS, Gateway, key_lines, record, status, with_tls
from tests.component.prometheus import Alertmanager, Prometheus, alertmanager, prometheus, quick_rules, rules

WATCHER_KEY = "ghk_watcher-prometheus"
# Of a scrape, a look at the rules and what they wait for, each a second; and of a busy machine.
PATIENCE = 30


@pytest.fixture(scope="module")
def ollama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    with standin_with(tmp_path_factory.mktemp("ollama"), "tiny") as server:
        yield server


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def server(ollama: Standin, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    one = Gateway(folder / "gateway", "bearer", ollama.address, workers="1", **with_tls(["127.0.0.1"]))
    one.write("api_keys", [*key_lines(), record("watcher.prometheus", WATCHER_KEY, "last4=heus")])
    limit(one, 10**6)
    show_certificate(one, authority, 90)
    with one.running():
        yield one


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    with alertmanager(tmp_path_factory.mktemp("alerts") / "alertmanager") as one:
        yield one


@pytest.fixture(scope="module")
def watched(
    server: Gateway, authority: Authority, told: Alertmanager, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("alerts") / "prometheus"
    with prometheus(folder, server.address, WATCHER_KEY, authority.pem, quick_rules(), told.address) as one:
        yield one


def limit(server: Gateway, tokens: int) -> None:
    """What alice may use in a day."""
    rights: dict[str, dict[str, Any]] = {
        "alice": {"scopes": ["inference"], "models": ["*"], "limits": {"tokens_per_day": tokens}},
        "watcher": {"scopes": ["metrics"], "models": ["*"]},
    }
    server.permit(rights)


def show_certificate(server: Gateway, authority: Authority, days: int) -> None:
    server.present(authority.issue("127.0.0.1", end=now() + days * DAY), authority)


def summary(watched: Prometheus, alert: str) -> str:
    """What the alert says when it fires."""
    assert until(lambda: watched.alert(alert), PATIENCE)
    found = watched.alert(alert)
    assert found
    return str(found["annotations"]["summary"])


def resolves(watched: Prometheus, alert: str) -> bool:
    return until(lambda: watched.alert(alert) is None, PATIENCE)


def test_a_gateway_that_stops_raises_an_alert_until_it_is_back(watched: Prometheus, server: Gateway) -> None:
    assert server.container is not None
    server.container.stop(timeout=5)
    try:
        assert summary(watched, "GatehouseGatewayDown") == f"The gateway {server.address} does not answer Prometheus."
    finally:
        server.container.start()
    assert until(server.answers, PATIENCE)
    assert resolves(watched, "GatehouseGatewayDown")


def test_a_server_that_stops_raises_an_alert_that_an_alertmanager_knows_of_until_it_is_back(
    watched: Prometheus, told: Alertmanager, server: Gateway, ollama: Standin
) -> None:
    ollama.stop()
    try:
        # A worker that begins looks at once, others within 15 seconds.
        server.reload()
        said = summary(watched, "GatehouseServerDown")
        assert said == f"The gateway {server.address} finds no Ollama at {ollama.address}."
        assert until(lambda: "GatehouseServerDown" in told.alerts(), PATIENCE)
    finally:
        ollama.start()
        ollama.wait_until_up()
    server.reload()
    assert resolves(watched, "GatehouseServerDown")
    assert until(lambda: "GatehouseServerDown" not in told.alerts(), PATIENCE)


def test_a_budget_of_which_nine_tenths_are_used_raises_an_alert_until_there_is_more(
    watched: Prometheus, server: Gateway
) -> None:
    body = json.dumps({"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "stream": False}).encode()
    reply = server.ask("/api/chat", f"Authorization: Bearer {KEYS['alice.laptop']}", method="POST", body=body)
    assert status(reply) == 200
    query = 'gatehouse_client_limit_used{client="alice", limit="tokens_per_day"} > 0'
    assert until(lambda: watched.query(query), PATIENCE)
    used = int(watched.query(query)[0]["value"][1])
    try:
        limit(server, used * 100 // 95)
        assert summary(watched, "GatehouseBudgetNearlySpent").startswith("Of the tokens that alice may use in a day, 9")
    finally:
        limit(server, 10**6)
    assert resolves(watched, "GatehouseBudgetNearlySpent")


def test_a_certificate_that_ends_soon_raises_an_alert_until_it_is_renewed(
    watched: Prometheus, server: Gateway, authority: Authority
) -> None:
    try:
        show_certificate(server, authority, 10)
        said = summary(watched, "GatehouseCertificateEnds")
        assert said.startswith(f"The certificate of {server.address} ends in 9d 23h ")
    finally:
        show_certificate(server, authority, 90)
    assert resolves(watched, "GatehouseCertificateEnds")


def test_a_worker_that_dies_raises_an_alert_for_a_while(watched: Prometheus, server: Gateway) -> None:
    for worker in server.processes("worker process"):
        os.kill(worker, signal.SIGKILL)
    assert summary(watched, "GatehouseWorkersDie").startswith(f"A worker of {server.address} died")
    assert resolves(watched, "GatehouseWorkersDie")


def test_the_rules_that_are_tried_differ_in_their_times_alone() -> None:
    def without_times(text: str) -> list[dict[str, Any]]:
        found = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
        return [{**rule, "for": "for" in rule, "expr": re.sub(r"\[\w+\]", "[]", rule["expr"])} for rule in found]

    assert without_times(quick_rules()) == without_times(rules())
