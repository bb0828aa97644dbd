# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""While servers are held, requests wait at the gateway and are sent on when that ends; none waits for ever."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from passlib.hash import bcrypt

from tests.component.contract.replay import Reply
from tests.component.contract.standins import until
from tests.component.gateways import KEYS, Gateway, basic, connect, gateway, status
from tests.component.upstreams import Echo, echo

ALICE = "Authorization: Bearer " + KEYS["alice.laptop"]
LONG, SHORT = 30, 1
CHAT = json.dumps({"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}).encode()


@pytest.fixture(scope="module")
def upstream() -> Iterator[Echo]:
    with echo() as server:
        yield server


@pytest.fixture(scope="module")
def patient(upstream: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("patient")
    with gateway(folder, "bearer", upstream.address, workers="2", ollama_gateway_wait_timeout=LONG) as server:
        yield server


@pytest.fixture(scope="module")
def impatient(upstream: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("impatient")
    with gateway(folder, "bearer", upstream.address, workers="2", ollama_gateway_wait_timeout=SHORT) as server:
        yield server


@pytest.fixture(autouse=True)
def released(patient: Gateway, impatient: Gateway) -> Iterator[None]:
    yield
    for server in (patient, impatient):
        release(server)
        assert ask(server) == 200


def span(since: float, until: float) -> dict[str, Any]:
    return {"since": int(time.time() + since), "until": int(time.time() + until)}


def hold(server: Gateway, text: str | None = None) -> None:
    server.write("hold.json", [json.dumps({"host": span(-1, 60)}) if text is None else text])


def release(server: Gateway) -> None:
    (server.folder / "clients" / "hold.json").unlink(missing_ok=True)


def chat(server: Gateway, path: str = "/api/chat") -> Reply:
    return server.ask(path, ALICE, method="POST", body=CHAT)


def ask(server: Gateway) -> int:
    return status(server.ask("/api/tags", ALICE))


def state(server: Gateway) -> list[int]:
    """Since when all workers hold, how many requests are at servers and how many wait; nothing without a hold."""
    assert server.container is not None
    said = server.container.exec_run(["cat", "/tmp/gatehouse_hold"])
    return [int(word) for word in said.output.split()] if said.exit_code == 0 else []


def waiting(server: Gateway, count: int) -> Callable[[], bool]:
    return lambda: state(server)[2:] == [count]


def test_requests_wait_while_servers_are_held_and_then_get_their_answers(patient: Gateway, upstream: Echo) -> None:
    hold(patient)
    before = len(upstream.requests)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(lambda: status(chat(patient))) for _ in range(2)] + [pool.submit(ask, patient)]
        assert until(waiting(patient, 3), 5), state(patient)
        time.sleep(1)
        assert not any(one.done() for one in asked)
        assert len(upstream.requests) == before
        begun = time.monotonic()
        release(patient)
        assert [one.result() for one in asked] == [200, 200, 200]
        assert time.monotonic() - begun < 2
    assert len(upstream.requests) == before + 3
    assert until(lambda: state(patient) == [], 5)


def test_two_hundred_at_once_wait_and_none_fails(patient: Gateway) -> None:
    hold(patient)
    with ThreadPoolExecutor(200) as pool:
        asked: list[Future[Reply]] = [pool.submit(chat, patient) for _ in range(200)]
        assert until(waiting(patient, 200), 20), state(patient)
        release(patient)
        assert {status(one.result()) for one in asked} == {200}


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/api/chat", {"error": "Ollama is being replaced, try again later"}),
        (
            "/v1/chat/completions",
            {
                "error": {
                    "message": "Ollama is being replaced, try again later",
                    "type": "server_error",
                    "param": None,
                    "code": None,
                }
            },
        ),
        (
            "/v1/messages",
            {
                "type": "error",
                "error": {"type": "overloaded_error", "message": "Ollama is being replaced, try again later"},
            },
        ),
    ],
)
def test_who_waited_in_vain_is_told_so_and_when_to_come_back(impatient: Gateway, path: str, form: Any) -> None:
    hold(impatient)
    begun = time.monotonic()
    reply = chat(impatient, path)
    assert SHORT <= time.monotonic() - begun < SHORT + 1
    assert (status(reply), reply.header("Retry-After"), json.loads(reply.body)) == (503, "10", form)
    assert until(lambda: state(impatient)[1:] == [0, 0], 5), state(impatient)


def test_nobody_waits_who_may_not_come_in(patient: Gateway) -> None:
    hold(patient)
    assert status(patient.ask("/api/tags")) == 401
    assert status(patient.ask("/no/such/route", ALICE)) == 404
    assert status(patient.ask("/healthz")) == 200
    assert status(patient.ask("/metrics", ALICE)) == 200


def test_what_was_passed_on_before_goes_on_and_is_counted(patient: Gateway, upstream: Echo) -> None:
    with connect(patient.address) as connection:
        connection.sendall(patient.wire("/stream", ALICE))
        upstream.pieces.put(b"one")
        assert connection.recv(1) == b"H"
        hold(patient)
        assert until(lambda: state(patient)[1:] == [1, 0], 5), state(patient)
        upstream.pieces.put(b"two")
        upstream.pieces.put(None)
        said = b""
        while b"two" not in said:
            said += connection.recv(4096)
        assert until(lambda: state(patient)[1:] == [0, 0], 5), state(patient)


def hang_up(server: Gateway) -> None:
    """Two clients send all of a request, one of them bit by bit, and are gone."""
    wire = server.wire("/api/chat", ALICE, method="POST", body=CHAT)
    with connect(server.address) as one, connect(server.address) as other:
        one.sendall(wire)
        other.sendall(wire[:-10])
        time.sleep(0.3)
        other.sendall(wire[-10:])
        time.sleep(0.3)


def test_a_client_that_hangs_up_keeps_its_place_until_the_hold_is_over(patient: Gateway) -> None:
    hold(patient)
    hang_up(patient)
    assert until(waiting(patient, 2), 5), state(patient)
    release(patient)
    assert ask(patient) == 200
    assert until(lambda: state(patient) == [], 5)
    hold(patient)
    assert until(lambda: state(patient)[1:] == [0, 0], 5), state(patient)


def test_a_client_that_hangs_up_keeps_its_place_no_longer_than_others(impatient: Gateway, upstream: Echo) -> None:
    hold(impatient)
    before = len(upstream.requests)
    hang_up(impatient)
    time.sleep(SHORT)
    assert until(lambda: state(impatient)[1:] == [0, 0], 5), state(impatient)
    assert len(upstream.requests) == before


def test_who_hangs_up_while_a_password_is_checked_leaves_the_next_with_it_in(upstream: Echo, tmp_path: Path) -> None:
    credentials = "Authorization: " + basic("alice", "x")
    with gateway(tmp_path / "gateway", "both", upstream.address, workers="1") as server:
        server.write("htpasswd", [f"alice:{bcrypt.using(rounds=13).hash('x')}"])
        with connect(server.address) as connection:
            connection.sendall(server.wire("/api/tags", credentials))
            time.sleep(0.1)
        begun = time.monotonic()
        assert status(server.ask("/api/tags", credentials)) == 200
        assert time.monotonic() - begun < 25


BROKEN = [
    "",
    "nonsense",
    "[]",
    "{}",
    "null",
    "7",
    '"text"',
    "[" * 5000,
    '{"host": 7}',
    '{"host": {}}',
    '{"host": {"since": "1", "until": "99999999999"}}',
    '{"host": {"since": 1, "until": 99999999999}}',
    '{"host": {"since": 1e400, "until": 1e400}}',
    '{"host": {"since": -1, "until": 1}}',
    "\0" * 300000,
]


@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_a_file_that_is_broken_holds_nothing_and_lets_nobody_in(impatient: Gateway, number: int) -> None:
    hold(impatient)
    assert until(lambda: state(impatient) != [], 5)
    hold(impatient, BROKEN[number])
    assert ask(impatient) == 200
    assert status(impatient.ask("/api/tags")) == 401
    assert until(lambda: state(impatient) == [], 5)


def test_a_hold_ends_when_it_says_whoever_made_it(impatient: Gateway) -> None:
    hold(impatient, json.dumps({"past": span(-100, -1), "to come": span(50, 100)}))
    assert ask(impatient) == 200
    hold(impatient, json.dumps({"past": span(-100, -1), "now": span(-1, 3)}))
    assert ask(impatient) == 503
    assert until(lambda: ask(impatient) == 200, 5)


def test_without_a_time_to_wait_nothing_holds(upstream: Echo, tmp_path: Path) -> None:
    with gateway(tmp_path / "gateway", "bearer", upstream.address, ollama_gateway_wait_timeout=0) as server:
        hold(server)
        assert ask(server) == 200


def test_a_hold_outlives_a_reload_and_its_end_reaches_those_who_waited_before(patient: Gateway) -> None:
    hold(patient)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(ask, patient)]
        assert until(waiting(patient, 1), 5), state(patient)
        patient.reload()
        time.sleep(1)
        asked.append(pool.submit(ask, patient))
        assert until(waiting(patient, 2), 5), state(patient)
        release(patient)
        assert [one.result() for one in asked] == [200, 200]


def test_those_who_waited_in_vain_are_told_to_prometheus_as_refused(impatient: Gateway) -> None:
    hold(impatient)
    assert status(chat(impatient)) == 503
    line = 'gatehouse_refused_requests_total{client="alice",reason="waited"}'
    assert until(lambda: line in impatient.ask("/metrics", ALICE).body.decode(), 5)
    gauge = "\ngatehouse_requests_waiting 0\n"
    assert until(lambda: gauge in impatient.ask("/metrics", ALICE).body.decode(), 5)
