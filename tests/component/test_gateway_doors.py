# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway of several servers on other hosts, each behind a door: where requests go, and what if one fails."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tests.component.contract.replay import Reply
from tests.component.contract.standins import Standin, standin_with, until
from tests.component.doors import Door, door
from tests.component.gateways import Gateway, status

NAMES = ("gpu1", "gpu2", "gpu3")
BODY = {"prompt": "hi", "stream": False, "options": {"num_predict": 2}}


class Cluster:
    """A gateway and the servers behind it; each has the models that `models` says."""

    def __init__(self, folder: Path, models: dict[str, list[str]], **environment: str) -> None:
        self.folder, self.models, self.environment = folder, models, environment
        self.authority = Authority("Gatehouse doors")
        self.ollamas: dict[str, Standin] = {}
        self.doors: dict[str, Door] = {}
        self.gateway = Gateway(folder / "gateway", "bearer", "nobody:11434")

    @contextmanager
    def running(self) -> Iterator[Cluster]:
        with ExitStack() as stack:
            for name, models in self.models.items():
                ollama = stack.enter_context(standin_with(self._new(name), *models, **self.environment))
                self.ollamas[name] = ollama
                one = door(self.folder / f"{name}-door", [ollama.address], authority=self.authority)
                self.doors[name] = stack.enter_context(one)
            self.gateway.choose_among({name: one.address for name, one in self.doors.items()}, self.authority)
            stack.enter_context(self.gateway.running())
            yield self

    def _new(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir()
        return path

    def ask(self, path: str, body: dict[str, Any] | None = None, *headers: str, method: str = "") -> Reply:
        data = None if body is None else json.dumps(body).encode()
        kind = method or ("GET" if body is None else "POST")
        authorization = f"Authorization: {self.gateway.credential()}"
        return self.gateway.ask(path, authorization, *headers, method=kind, body=data)

    def generate(self, model: str, **more: Any) -> Reply:
        return self.ask("/api/generate", {"model": model, **BODY, **more})

    def loaded(self, name: str) -> list[str]:
        """What a server has loaded, by what it says of itself, which may be a moment old."""
        time.sleep(0.4)
        return [one["name"] for one in self.status(name)["ps"]]

    def status(self, name: str) -> dict[str, Any]:
        return self.doors[name].status()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    models = {"gpu1": ["tiny"], "gpu2": ["tiny", "tiny-loop"], "gpu3": ["tiny-embed"]}
    with Cluster(tmp_path, models).running() as one:
        yield one


def error(reply: Reply) -> str:
    return str(json.loads(reply.body)["error"])


def test_a_request_goes_to_a_server_that_has_its_model(cluster: Cluster) -> None:
    for _ in range(5):
        assert status(cluster.generate("tiny-loop")) == 200
        assert status(cluster.ask("/api/embed", {"model": "tiny-embed", "input": "a"})) == 200
    assert [cluster.loaded(name) for name in NAMES] == [[], ["tiny-loop:latest"], ["tiny-embed:latest"]]


def test_a_model_that_nobody_has_is_what_ollama_says_it_is(cluster: Cluster) -> None:
    reply = cluster.generate("nobody-has-it")
    assert (status(reply), error(reply)) == (404, "model 'nobody-has-it' not found")
    assert status(cluster.ask("/v1/models/nobody-has-it")) == 404


def test_a_burst_for_one_model_loads_it_once(cluster: Cluster) -> None:
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: cluster.generate("tiny"), range(8)))
    assert {status(one) for one in replies} == {200}
    assert len([name for name in NAMES if "tiny:latest" in cluster.loaded(name)]) == 1


def test_lists_are_those_of_all_servers(cluster: Cluster) -> None:
    names = {"tiny:latest", "tiny-loop:latest", "tiny-embed:latest"}
    tags = json.loads(cluster.ask("/api/tags").body)["models"]
    assert sorted(one["name"] for one in tags) == sorted(names)
    assert all(one["digest"] and one["details"] for one in tags)
    data = json.loads(cluster.ask("/v1/models").body)
    assert (data["object"], sorted(one["id"] for one in data["data"])) == ("list", sorted(names))
    assert status(cluster.generate("tiny-loop")) == 200
    time.sleep(1.1)
    running = json.loads(cluster.ask("/api/ps").body)["models"]
    assert [one["name"] for one in running] == ["tiny-loop:latest"]


def test_a_client_sees_of_all_servers_what_it_may_use(cluster: Cluster) -> None:
    cluster.gateway.allow({"alice": ["inference", "models_read"]}, {"alice": ["tiny"]})
    tags = json.loads(cluster.ask("/api/tags").body)["models"]
    assert [one["name"] for one in tags] == ["tiny:latest"]
    assert status(cluster.generate("tiny-loop")) == 403


def test_who_writes_models_names_the_server(cluster: Cluster) -> None:
    copy = {"source": "tiny", "destination": "copied"}
    reply = cluster.ask("/api/copy", copy)
    assert status(reply) == 409
    assert error(reply).endswith("name one in the header X-Gatehouse-Server: gpu1, gpu2, gpu3")
    assert status(cluster.ask("/api/copy", copy, "X-Gatehouse-Server: gpu9")) == 409
    assert status(cluster.ask("/api/copy", copy, "X-Gatehouse-Server: gpu2")) == 200
    # At once, in the lists and for requests.
    assert "copied:latest" in {one["name"] for one in json.loads(cluster.ask("/api/tags").body)["models"]}
    assert status(cluster.generate("copied")) == 200
    assert cluster.loaded("gpu2") == ["copied:latest"]
    gone = cluster.ask("/api/delete", {"model": "copied"}, "X-Gatehouse-Server: gpu1", method="DELETE")
    assert status(gone) == 404
    gone = cluster.ask("/api/delete", {"model": "copied"}, "X-Gatehouse-Server: gpu2", method="DELETE")
    assert status(gone) == 200
    assert "copied:latest" not in {one["name"] for one in json.loads(cluster.ask("/api/tags").body)["models"]}


def test_a_request_whose_server_dies_goes_to_another_that_has_the_model(cluster: Cluster) -> None:
    cluster.ollamas["gpu1"].stop()
    assert [status(cluster.generate("tiny")) for _ in range(10)] == [200] * 10


def test_a_request_whose_door_dies_goes_to_another_that_has_the_model(cluster: Cluster) -> None:
    assert status(cluster.generate("tiny")) == 200
    container = cluster.doors["gpu1"].container
    assert container is not None
    container.kill()
    assert [status(cluster.generate("tiny")) for _ in range(10)] == [200] * 10


def test_what_writes_models_is_never_sent_to_another_server(cluster: Cluster) -> None:
    cluster.ollamas["gpu1"].stop()
    copy = {"source": "tiny", "destination": "copied"}
    assert status(cluster.ask("/api/copy", copy, "X-Gatehouse-Server: gpu1")) in (502, 503)
    time.sleep(1.2)
    assert "copied:latest" not in {one["name"] for one in json.loads(cluster.ask("/api/tags").body)["models"]}


def test_a_server_that_drains_gets_nothing_new_and_all_is_answered(cluster: Cluster) -> None:
    cluster.doors["gpu1"].drain()
    time.sleep(0.3)
    assert [status(cluster.generate("tiny")) for _ in range(10)] == [200] * 10
    assert cluster.loaded("gpu1") == []
    cluster.doors["gpu1"].undrain()
    cluster.doors["gpu2"].drain()
    time.sleep(1.2)
    assert status(cluster.generate("tiny")) == 200
    assert cluster.loaded("gpu1") == ["tiny:latest"]


def test_a_server_that_comes_back_is_used_again_within_two_seconds(cluster: Cluster) -> None:
    cluster.doors["gpu3"].drain()
    time.sleep(1.2)
    assert status(cluster.ask("/api/embed", {"model": "tiny-embed", "input": "a"})) == 503
    cluster.doors["gpu3"].undrain()
    embed = {"model": "tiny-embed", "input": "a"}
    assert until(lambda: status(cluster.ask("/api/embed", embed)) == 200, 2)


def test_a_stream_that_breaks_off_is_not_begun_anew(tmp_path: Path) -> None:
    models = {"gpu1": ["tiny"], "gpu2": ["tiny"]}
    with Cluster(tmp_path, models, STANDIN_TOKEN_DELAY_MS="200").running() as one:
        with ThreadPoolExecutor(1) as pool:
            body = {"model": "tiny", "prompt": "hi", "stream": True, "options": {"num_predict": 20}}
            asked = pool.submit(one.ask, "/api/generate", body)
            assert until(lambda: sum(sum(one.status(name)["in_flight"].values()) for name in one.doors) == 1)
            busy = next(name for name in one.doors if one.status(name)["in_flight"])
            time.sleep(1)
            one.ollamas[busy].process.kill()
            # The answer has begun, and ends in the middle.
            with pytest.raises(ValueError, match="invalid literal"):
                asked.result(20)
        other = next(name for name in one.doors if name != busy)
        assert one.loaded(other) == []


def test_a_killed_worker_leaves_no_request_behind(tmp_path: Path) -> None:
    with Cluster(tmp_path, {"gpu1": ["tiny"], "gpu2": ["tiny"]}, STANDIN_TOKEN_DELAY_MS="300").running() as one:
        with ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(one.generate, "tiny", options={"num_predict": 30}) for _ in range(4)]
            assert until(lambda: sum(sum(one.status(name)["in_flight"].values()) for name in one.doors) == 4)
            for pid in one.gateway.processes("worker process"):
                os.kill(pid, signal.SIGKILL)
            for future in asked:
                future.exception(20)
        assert until(lambda: not any(one.status(name)["in_flight"] for name in one.doors))
        assert until(lambda: status(one.generate("tiny")) == 200)


def test_a_certificate_of_another_ca_opens_nothing(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, {"gpu1": ["tiny"]})
    with cluster.running():
        other = Authority("Gatehouse doors")
        cluster.gateway.choose_among({"gpu1": cluster.doors["gpu1"].address}, other)
        cluster.gateway.restart()
        # None is known to be up, and the only one is asked all the same.
        assert status(cluster.generate("tiny")) == 502


def test_prometheus_is_told_of_each_server(cluster: Cluster) -> None:
    cluster.doors["gpu3"].drain()
    assert status(cluster.generate("tiny-loop")) == 200
    cluster.gateway.allow({"alice": ["admin"]})

    def text() -> str:
        return cluster.ask("/metrics").body.decode()

    wanted = [f'gatehouse_server_up{{server="{name}"}} 1\n' for name in NAMES]
    wanted += ['gatehouse_server_draining{server="gpu3"} 1\n', 'gatehouse_server_requests{server="gpu1"} 0\n']
    wanted += ['gatehouse_model_size_bytes{server="gpu2",model="tiny-loop:latest"}']
    assert until(lambda: all(one in text() for one in wanted)), text()
