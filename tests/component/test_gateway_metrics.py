# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the gateway tells Prometheus, read by Prometheus' own programs and held against what was asked."""

from __future__ import annotations

import functools
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.certificates import DAY, Authority, now
from tests.component.contract import replay
from tests.component.contract.standins import Standin, free_port, standin_with, until
from tests.component.gateways import KEYS, Gateway, gateway, record, status, with_tls
from tests.component.prometheus import MONITORING, Prometheus, prometheus, promtool
from tests.component.upstreams import Echo, echo

ALICE = f"Authorization: Bearer {KEYS['alice.laptop']}"
BOB = f"Authorization: Bearer {KEYS['bob.ci']}"
WATCHER_KEY = "ghk_watcher-prometheus"
WATCHER = f"Authorization: Bearer {WATCHER_KEY}"
SCOPES = {"alice": ["inference", "models_read", "models_write"], "bob": ["inference"], "watcher": ["metrics"]}
MODELS = ("tiny", "tiny-loop")

# Of a line: its name and its labels, sorted.
Sample = tuple[str, tuple[tuple[str, str], ...]]


def let_in(server: Gateway) -> None:
    """Clients of which one may read metrics, and nothing else."""
    lines = [record(name, secret, f"last4={secret[-4:]}") for name, secret in KEYS.items()]
    server.write("api_keys", [*lines, record("watcher.prometheus", WATCHER_KEY, "last4=heus")])
    rights: dict[str, Any] = {name: {"scopes": scopes, "models": ["*"]} for name, scopes in SCOPES.items()}
    rights["alice"]["limits"] = {"tokens_per_day": 10**9, "models": {"tiny*": {"requests_per_minute": 10**6}}}
    rights["bob"]["models"] = ["tiny"]
    server.permit(rights)


@pytest.fixture(scope="module")
def ollama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    with standin_with(tmp_path_factory.mktemp("ollama"), *MODELS, STANDIN_VRAM_SHARE="0.5") as server:
        yield server


@pytest.fixture(scope="module")
def server(ollama: Standin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("metrics"), "both", ollama.address) as one:
        let_in(one)
        assert until(lambda: of(one, "gatehouse_server_up") == [1])
        yield one


def scrape(server: Gateway) -> str:
    reply = server.ask("/metrics", WATCHER)
    assert status(reply) == 200, reply
    return reply.body.decode()


def samples(server: Gateway) -> dict[Sample, float]:
    families = text_string_to_metric_families(scrape(server))
    lines = [line for family in families for line in family.samples]
    found = {(line.name, tuple(sorted(line.labels.items()))): line.value for line in lines}
    assert len(found) == len(lines)
    return found


def of(server: Gateway, name: str, /, **labels: str) -> list[float]:
    """The values of the lines of this name that have these labels."""
    wanted = set(labels.items())
    return [value for (found, told), value in samples(server).items() if found == name and wanted <= set(told)]


def total(server: Gateway, name: str, /, **labels: str) -> float:
    return sum(of(server, name, **labels))


def chat(server: Gateway, who: str = ALICE, model: str = "tiny", **more: Any) -> replay.Reply:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
    return server.ask("/api/chat", who, method="POST", body=json.dumps(body).encode())


def test_metrics_are_for_clients_with_their_scope_and_for_nobody_else(server: Gateway) -> None:
    asked = {
        "nobody": server.ask("/metrics"),
        "a wrong key": server.ask("/metrics", "Authorization: Bearer " + "w" * 40),
        "other scopes": server.ask("/metrics", ALICE),
        "a list of models": server.ask("/metrics", BOB),
        "the scope": server.ask("/metrics", WATCHER),
        "the scope, and a query": server.ask("/metrics?name[]=up", WATCHER),
        "the scope, elsewhere": server.ask("/api/tags", WATCHER),
        "the scope, another method": server.ask("/metrics", WATCHER, method="POST", body=b""),
        "the scope, another spelling": server.ask("/metrics/", WATCHER),
    }
    assert {what: status(reply) for what, reply in asked.items()} == {
        "nobody": 401,
        "a wrong key": 401,
        "other scopes": 403,
        "a list of models": 403,
        "the scope": 200,
        "the scope, and a query": 200,
        "the scope, elsewhere": 403,
        "the scope, another method": 404,
        "the scope, another spelling": 404,
    }
    assert b"it lacks the scope metrics" in asked["other scopes"].body
    assert asked["the scope"].header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"


def test_plain_nginx_has_no_metrics(basic_gateway: Gateway) -> None:
    reply = basic_gateway.ask("/metrics", "Authorization: " + basic_gateway.credential())
    assert (status(reply), json.loads(reply.body)) == (404, {"error": "there is no such route"})
    assert basic_gateway.status(path="/metrics") == 401


def test_promtool_finds_nothing_wrong_with_it(server: Gateway) -> None:
    chat(server)
    assert until(lambda: of(server, "gatehouse_first_chunk_seconds_count"))
    checked = promtool("check", "metrics", text=scrape(server))
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_requests_and_tokens_are_those_of_the_ledger(server: Gateway) -> None:
    before = {line["request_id"] for line in server.ledger_lines()}
    labels = {"client": "alice", "model": "tiny-loop:latest", "route": "/api/chat"}
    was = [total(server, "gatehouse_requests_total", **labels), *tokens(server)]
    for stream in (True, False, True):
        reply = chat(server, model="library/TINY-LOOP", stream=stream, options={"num_predict": 9})
        assert status(reply) == 200
    assert until(lambda: total(server, "gatehouse_requests_total", **labels) == was[0] + 3)
    lines = [line for line in server.ledger_lines() if line["request_id"] not in before]
    assert len(lines) == 3
    assert tokens(server) == [
        was[1] + sum(line["prompt_tokens"] for line in lines),
        was[2] + sum(line["completion_tokens"] for line in lines),
    ]


def tokens(server: Gateway) -> list[float]:
    labels = {"client": "alice", "model": "tiny-loop:latest", "source": "server"}
    return [total(server, "gatehouse_tokens_total", type=kind, **labels) for kind in ("prompt", "completion")]


def test_a_refusal_is_told_with_its_reason_and_by_whom_it_was_met(server: Gateway) -> None:
    wanted = {
        ("", "credential"): lambda: server.ask("/api/tags"),
        ("bob", "scope"): lambda: server.ask("/api/tags", BOB),
        ("bob", "model"): lambda: chat(server, BOB, "tiny-loop"),
        ("bob", "malformed"): lambda: server.ask("/api/chat", BOB, method="POST", body=b"{"),
        ("bob", "encoding"): lambda: server.ask("/api/chat", BOB, "Content-Encoding: gzip", method="POST", body=b"{}"),
        ("alice", "route"): lambda: server.ask("/api/secret/path", ALICE),
        ("alice", "websocket"): lambda: server.ask("/v1/responses", ALICE, "Upgrade: websocket"),
        ("", "header_size"): lambda: server.ask("/api/tags", ALICE, *["X-Large: " + "a" * 7000] * 10),
    }
    was = refusals(server)
    for ask in wanted.values():
        ask()
    expected = {key: was.get(key, 0) + 1 for key in wanted}
    assert until(lambda: {key: refusals(server).get(key) for key in wanted} == expected), refusals(server)


def refusals(server: Gateway) -> dict[tuple[str, str], float]:
    found = {}
    for (name, labels), value in samples(server).items():
        if name == "gatehouse_refused_requests_total":
            told = dict(labels)
            found[told["client"], told["reason"]] = value
    return found


def test_labels_are_clients_models_that_a_server_has_and_routes_of_the_table(server: Gateway) -> None:
    # Until a server was looked at, its models are others too.
    assert until(lambda: status(chat(server)) == 200 and total(server, "gatehouse_tokens_total", model="tiny:latest"))
    for model in ("nobody/has:this", "secret prompt", "tiny:other"):
        chat(server, model=model)
    server.ask("/api/tags?secret=1", ALICE)
    server.ask("/v1/models/tiny%3Alatest", ALICE)
    server.ask("/api/pull", ALICE, method="POST", body=b'{"model":"127.0.0.1:1/none/none","stream":false}')
    server.ask("/secret/path", ALICE)
    assert until(lambda: total(server, "gatehouse_requests_total", route="/api/pull", model="other"))
    table = {route["path"] for route in server.variables["__ollama_gateway_routes"]}
    allowed = {
        "client": {"", *SCOPES},
        # The last one is a pattern of a limit.
        "model": {"", "other", *(f"{name}:latest" for name in MODELS), "tiny*"},
        "limit": {"tokens_per_day", "requests_per_minute"},
        "route": table,
        "type": {"prompt", "completion"},
        "source": {"server", "counted"},
        "server": set(server.variables["ollama_gateway_upstreams"]),
    }
    for name, labels in samples(server):
        for label, value in labels:
            if label in allowed:
                assert value in allowed[label], (name, label, value)
            else:
                assert re.fullmatch(r"[0-9.]+|\+Inf|[a-z_]+", value), (name, label, value)
                assert label in ("code", "reason", "le")
    text = scrape(server)
    assert not [secret for secret in (*KEYS.values(), WATCHER_KEY, "laptop", "secret", "prompt text") if secret in text]
    about = {"route": "/v1/models/:model", "model": "tiny:latest"}
    assert until(lambda: total(server, "gatehouse_requests_total", **about) >= 1)


def test_the_times_of_streams_are_told_and_those_of_whole_answers_are_no_first_chunk(server: Gateway) -> None:
    labels = {"model": "tiny:latest", "route": "/v1/chat/completions"}

    def ask(stream: bool) -> None:
        body = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
        reply = server.ask("/v1/chat/completions", ALICE, method="POST", body=json.dumps(body).encode())
        assert status(reply) == 200

    ask(stream=False)
    assert until(lambda: of(server, "gatehouse_request_duration_seconds_count", **labels) == [1])
    assert of(server, "gatehouse_first_chunk_seconds_count", **labels) == []
    ask(stream=True)
    assert until(lambda: of(server, "gatehouse_first_chunk_seconds_count", **labels) == [1])
    assert of(server, "gatehouse_token_seconds_count", **labels) == [1]
    assert 0 < total(server, "gatehouse_first_chunk_seconds_sum", **labels) < 5
    buckets = of(server, "gatehouse_request_duration_seconds_bucket", **labels)
    assert buckets == sorted(buckets)
    assert buckets[-1] == 2


def test_a_request_is_in_flight_until_its_answer_ends_or_its_client_goes(server: Gateway) -> None:
    def flights() -> float:
        return total(server, "gatehouse_requests_in_flight")

    assert until(lambda: flights() == 0)
    body = json.dumps({"model": "tiny-loop", "messages": [{"role": "user", "content": "hi"}]}).encode()
    request = server.wire("/api/chat", ALICE, method="POST", body=body)

    def leave() -> object:
        assert until(lambda: flights() == 1)
        return replay.LEAVE

    replay.send_and_act(server.address, request, 5, leave)
    assert until(lambda: flights() == 0)


def test_limits_are_told_with_what_is_used_of_them(server: Gateway) -> None:
    chat(server)
    limits = {("alice", "tokens_per_day", ""): 10**9, ("alice", "requests_per_minute", "tiny*"): 10**6}
    for (client, limit, model), value in limits.items():
        labels = {"client": client, "limit": limit, "model": model}
        assert total(server, "gatehouse_client_limit", **labels) == value
        before = total(server, "gatehouse_client_limit_used", **labels)
        assert before > 0
        chat(server)
        assert total(server, "gatehouse_client_limit_used", **labels) > before
    assert not of(server, "gatehouse_client_limit", client="bob")


def test_a_loaded_model_is_told_with_its_memory(server: Gateway, ollama: Standin) -> None:
    chat(server, model="tiny")
    labels = {"server": ollama.address, "model": "tiny:latest"}
    assert until(lambda: of(server, "gatehouse_model_size_bytes", **labels), 20)
    (size,) = of(server, "gatehouse_model_size_bytes", **labels)
    assert of(server, "gatehouse_model_vram_bytes", **labels) == [size // 2]


def test_counts_outlive_a_reload_and_a_worker_that_is_killed(ollama: Standin, tmp_path: Path) -> None:
    with gateway(tmp_path / "gateway", "bearer", ollama.address, workers="2") as one:
        let_in(one)
        for _ in range(3):
            chat(one)
        assert until(lambda: total(one, "gatehouse_requests_total", client="alice") == 3)
        one.reload()
        chat(one)
        assert until(lambda: total(one, "gatehouse_requests_total", client="alice") == 4)
        assert of(one, "gatehouse_worker_restarts_total") == [0]
        # What was counted is added each second.
        time.sleep(1.2)
        assert until(lambda: len(one.processes("worker process")) == 2, 20)
        for process in one.processes("worker process"):
            os.kill(process, signal.SIGKILL)
        assert until(one.answers)
        assert until(lambda: of(one, "gatehouse_worker_restarts_total") == [2])
        assert total(one, "gatehouse_requests_total", client="alice") == 4
        assert total(one, "gatehouse_requests_in_flight") == 0


def test_a_stream_that_outlives_a_reload_is_in_flight_until_it_ends_and_counts(ollama: Standin, tmp_path: Path) -> None:
    with gateway(tmp_path / "gateway", "bearer", ollama.address, workers="1") as one:
        let_in(one)
        body = json.dumps({"model": "tiny-loop", "prompt": "hi", "options": {"num_predict": 2000}}).encode()
        request = one.wire("/api/generate", ALICE, method="POST", body=body)
        assert until(lambda: of(one, "gatehouse_server_up") == [1])
        time.sleep(1.2)

        def reload() -> None:
            one.reload()
            assert until(lambda: len(one.processes("worker process")) == 2)
            assert until(lambda: of(one, "gatehouse_requests_in_flight") == [1])

        _reply, whole = replay.send_and_act(one.address, request, 5, reload)
        assert whole
        assert until(lambda: of(one, "gatehouse_requests_in_flight") == [0])
        assert total(one, "gatehouse_requests_total", client="alice", model="tiny-loop:latest", code="200") == 1
        assert of(one, "gatehouse_worker_restarts_total") == [0]


def test_where_no_tokens_are_counted_requests_are(ollama: Standin, tmp_path: Path) -> None:
    with gateway(tmp_path / "gateway", "bearer", ollama.address, ollama_gateway_usage=False) as one:
        let_in(one)
        chat(one)
        assert until(lambda: total(one, "gatehouse_requests_total", client="alice", route="/api/chat") == 1)
        assert total(one, "gatehouse_request_duration_seconds_count", route="/api/chat") == 1
        assert of(one, "gatehouse_tokens_total") == []
        assert of(one, "gatehouse_ledger_lost_lines_total") == [0]


def test_a_server_that_is_down_is_told_and_a_slow_one_holds_up_nobody(ollama: Standin, tmp_path: Path) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    with echo() as slow:
        slow.hangs.add("/api/ps")
        with gateway(tmp_path / "gateway", "bearer", slow.address, nobody, ollama.address, workers="1") as one:
            let_in(one)
            assert until(lambda: of(one, "gatehouse_server_up", server=ollama.address) == [1], 4)
            assert until(lambda: of(one, "gatehouse_server_up", server=nobody) == [0], 4)
            # One that does not answer is down when it was waited for long enough, and the others are asked meanwhile.
            assert of(one, "gatehouse_server_up", server=slow.address) == []
            begun = time.monotonic()
            assert one.ask("/healthz").status_line.endswith("200 OK")
            assert time.monotonic() - begun < 1
            assert until(lambda: of(one, "gatehouse_server_up", server=slow.address) == [0], 12)
        slow.pieces.put(None)


def test_the_end_of_the_certificate_is_told_and_that_of_a_renewed_one_without_a_reload(
    upstream: Echo, tmp_path: Path
) -> None:
    authority = Authority()
    one = Gateway(tmp_path / "gateway", "bearer", upstream.address, **with_tls(["127.0.0.1"]))
    let_in(one)
    for days in (10, 90):
        issued = authority.issue("127.0.0.1", end=now() + days * DAY)
        one.present(issued, authority)
        if one.container is None:
            one.start()
        try:
            wanted = issued.certificate.not_valid_after_utc.timestamp()
            assert of(one, "gatehouse_certificate_expiry_timestamp_seconds") == [wanted]
        except BaseException:
            one.stop()
            raise
    one.stop()


def test_lines_that_wait_for_the_ledger_are_told(ollama: Standin, tmp_path: Path) -> None:
    with gateway(tmp_path / "gateway", "bearer", ollama.address) as one:
        let_in(one)
        one.ledger.chmod(0o550)
        chat(one)
        chat(one)
        assert until(lambda: total(one, "gatehouse_ledger_pending_lines") == 2)
        assert until(lambda: total(one, "gatehouse_ledger_lag_seconds") > 1)
        one.ledger.chmod(0o770)
        assert until(lambda: total(one, "gatehouse_ledger_pending_lines") == 0)
        assert of(one, "gatehouse_ledger_lag_seconds") == [0]
        assert of(one, "gatehouse_ledger_lost_lines_total") == [0]


def test_the_rules_tell_what_they_promise() -> None:
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", "/monitoring/gatehouse.rules.yml")
    assert checked.returncode == 0, checked.stderr
    tested = promtool("test", "rules", "/tests/rules_test.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_has_a_test() -> None:
    rules = (MONITORING / "gatehouse.rules.yml").read_text(encoding="utf-8")
    tests = (Path(__file__).parent / "monitoring" / "rules_test.yml").read_text(encoding="utf-8")
    alerts = set(re.findall(r"- alert: (\w+)", rules))
    assert alerts
    assert alerts == set(re.findall(r"\n        alertname: (\w+)\n        exp_alerts:\n", tests))


def queries() -> list[str]:
    """Those of the dashboard, of all gateways, over a time in which a test has something to see."""
    board = json.loads((MONITORING / "gatehouse.dashboard.json").read_text(encoding="utf-8"))
    found = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    return [text.replace("$instance", ".*").replace("$__rate_interval", "30s") for text in found]


def answers(watched: Prometheus, query: str) -> bool:
    """Whether it finds something, of which everything is a number."""
    found = watched.query(query)
    return bool(found) and not [one for one in found if one["value"][1] == "NaN"]


@pytest.fixture(scope="module")
def watched(ollama: Standin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has scraped a gateway with HTTPS while that was used."""
    folder, authority = tmp_path_factory.mktemp("prometheus"), Authority()
    one = Gateway(folder / "gateway", "bearer", ollama.address, **with_tls(["127.0.0.1"]))
    let_in(one)
    one.present(authority.issue("127.0.0.1", end=now() + 90 * DAY), authority)
    try:
        one.start()
        assert until(lambda: of(one, "gatehouse_server_up") == [1])
        with prometheus(folder / "prometheus", one.address, WATCHER_KEY, authority.pem) as found:

            def is_seen() -> bool:
                chat(one)
                chat(one, stream=False)
                chat(one, BOB, "tiny-loop")
                return all(answers(found, query) for query in queries())

            assert until(is_seen, 30), [query for query in queries() if not answers(found, query)]
            yield found
    finally:
        one.stop()


def test_a_real_prometheus_scrapes_it_with_a_key_from_a_file(watched: Prometheus) -> None:
    (target,) = watched.targets()
    assert (target["health"], target["lastError"]) == ("up", "")
    assert [one["value"][1] for one in watched.query('up{job="gatehouse", gpu="required"}')] == ["1"]
    assert float(watched.query('sum(gatehouse_requests_total{client="alice"})')[0]["value"][1]) > 1


@pytest.mark.parametrize("query", queries())
def test_a_query_of_the_dashboard_finds_something(watched: Prometheus, query: str) -> None:
    assert answers(watched, query)


def test_the_rules_work_on_what_a_gateway_says(watched: Prometheus) -> None:
    groups = watched.ask("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert [rule for rule in rules if rule["health"] != "ok"] == []
    for rule in (rule for rule in rules if rule["type"] == "recording"):
        if "failed" in rule["name"]:
            # Nothing did here.
            assert watched.query(rule["name"]) == []
        else:
            assert until(functools.partial(watched.query, rule["name"])), rule["name"]
    assert until(lambda: {one["metric"]["alertname"] for one in watched.query("ALERTS")} == {"GatehouseModelNotInVram"})
