# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads that take time, and memory for some models only: what a gateway that chooses a server is measured by."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.component.contract import replay
from tests.component.contract.replay import Request
from tests.component.contract.standins import Standin, standin_with, until

LOAD = 0.5


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Standin]:
    """A stand-in with memory for one model, which serves one request at a time."""
    limits = {"OLLAMA_MAX_LOADED_MODELS": "1", "OLLAMA_NUM_PARALLEL": "1", "OLLAMA_MAX_QUEUE": "1"}
    models = ("tiny", "tiny-loop", "tiny-think")
    with standin_with(tmp_path, *models, STANDIN_LOAD_SECONDS=str(LOAD), **limits) as server:
        yield server


def wire(server: Standin, model: str, tokens: int = 1) -> bytes:
    body = {"model": model, "prompt": "hi", "stream": False, "options": {"num_predict": tokens}}
    return Request("POST", "/api/generate", server.address, body=json.dumps(body).encode()).wire()


def took(server: Standin, model: str, tokens: int = 1) -> float:
    """How long a generation takes, from its sending to all of its answer."""
    begun = time.monotonic()
    reply = replay.send(server.address, wire(server, model, tokens))
    assert reply.status_line == "HTTP/1.1 200 OK", reply
    return time.monotonic() - begun


def loaded(server: Standin) -> list[str]:
    request = Request("GET", "/api/ps", server.address).wire()
    return [str(model["name"]) for model in json.loads(replay.send(server.address, request).body)["models"]]


def logged(server: Standin) -> list[dict[str, Any]]:
    lines = Path(server.environment["STANDIN_REQUEST_LOG"]).read_text(encoding="utf-8").splitlines()
    return [entry for entry in map(json.loads, lines) if entry["target"] == "/api/generate"]


def loads(server: Standin) -> list[str]:
    """The models that were loaded, in this order."""
    return [name for entry in logged(server) for name in entry["loads"]]


def aside(*arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=took, args=arguments)
    thread.start()
    return thread


def test_a_load_takes_its_time_once_and_the_log_tells_of_it(server: Standin) -> None:
    assert took(server, "tiny") >= LOAD
    assert took(server, "tiny") < LOAD
    assert loads(server) == ["tiny:latest"]


def test_another_model_takes_the_place_of_the_one_that_is_idle(server: Standin) -> None:
    for model in ("tiny", "tiny-loop", "tiny"):
        assert took(server, model) >= LOAD
        assert loaded(server) == [f"{model}:latest"]
    assert loads(server) == ["tiny:latest", "tiny-loop:latest", "tiny:latest"]


def test_a_model_is_listed_from_the_beginning_of_its_load(server: Standin) -> None:
    request = aside(server, "tiny")
    assert until(lambda: loaded(server) == ["tiny:latest"], LOAD)
    assert logged(server) == []
    request.join()


def test_many_requests_for_a_model_that_is_being_loaded_wait_for_one_load(server: Standin) -> None:
    requests = [aside(server, "tiny") for _ in range(5)]
    for request in requests:
        request.join()
    assert loads(server) == ["tiny:latest"]


def test_a_load_waits_until_the_model_that_is_busy_has_answered(server: Standin) -> None:
    took(server, "tiny-loop")
    busy = aside(server, "tiny-loop", 800)
    time.sleep(0.1)
    assert took(server, "tiny") > LOAD + 0.5
    busy.join()
    # It had ended before the other one began.
    assert [entry["tokens"]["completion"] for entry in logged(server)][-2:] == [800, 1]


def test_the_least_recently_used_model_leaves(tmp_path: Path) -> None:
    with standin_with(tmp_path, "tiny", "tiny-loop", "tiny-think", OLLAMA_MAX_LOADED_MODELS="2") as server:
        for model in ("tiny", "tiny-loop", "tiny", "tiny-think"):
            took(server, model)
        assert sorted(loaded(server)) == ["tiny-think:latest", "tiny:latest"]


def test_a_loaded_model_serves_no_more_at_once_than_it_may(server: Standin) -> None:
    took(server, "tiny-loop")
    begun = time.monotonic()
    requests = [aside(server, "tiny-loop", 200) for _ in range(4)]
    for request in requests:
        request.join()
    # Four times 200 tokens of a millisecond, one after the other; more than may wait for another model.
    assert time.monotonic() - begun > 0.8
    assert [entry["status"] for entry in logged(server)] == [200] * 5


def test_those_who_wait_for_another_model_are_refused_beyond_the_queue(server: Standin) -> None:
    took(server, "tiny-loop")
    requests = [aside(server, "tiny-loop", 1500)]
    time.sleep(0.1)
    # One with the scheduler and one in its queue.
    requests += [aside(server, "tiny"), aside(server, "tiny-think")]
    time.sleep(0.1)
    reply = replay.send(server.address, wire(server, "tiny"))
    assert reply.status_line == "HTTP/1.1 503 Service Unavailable"
    assert b"server busy" in reply.body
    for request in requests:
        request.join()
    assert loads(server) == ["tiny-loop:latest", "tiny:latest", "tiny-think:latest"]


def test_a_model_whose_time_is_over_is_loaded_again(server: Standin) -> None:
    body = b'{"model":"tiny","prompt":"hi","stream":false,"keep_alive":"10ms"}'
    for _ in range(2):
        replay.send(server.address, Request("POST", "/api/generate", server.address, body=body).wire())
        time.sleep(0.05)
    assert loads(server) == ["tiny:latest"] * 2


def test_who_leaves_during_a_load_does_not_keep_the_model_busy(server: Standin) -> None:
    with replay.connect(server.address) as connection:
        connection.sendall(wire(server, "tiny"))
        assert until(lambda: loaded(server) == ["tiny:latest"], LOAD)
    assert took(server, "tiny-loop") < 3 * LOAD
    assert loads(server) == ["tiny:latest", "tiny-loop:latest"]
