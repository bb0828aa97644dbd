# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server is replaced under load: new requests wait, running ones end, and what does not work is not kept."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.client import Gateway
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
FOLDER = SCENARIO.inventory.parent
HOST = SCENARIO.host("gate")
GATEWAY = Gateway(SCENARIO.url("gate"), timeout=90, ca=FOLDER / ".gatehouse/ca/ca.pem")
KEY = (FOLDER / ".gatehouse/secrets/alice.laptop").read_text().strip()
IMAGE = "docker.io/ollama/ollama"
CONTAINER = "gatehouse-ollama-ollama-1"
ENVIRONMENT = {"ollama_server_environment": {"STANDIN_TOKEN_DELAY_MS": "3"}}
HOLD = "/opt/gatehouse/gateway/clients/hold.json"
# One that ends as soon as it starts, and one that lists its models and answers every prompt with an error.
BAD = {
    "dead": 'ENTRYPOINT ["/bin/false"]',
    "mute": "RUN sed -i 's/def _limit(.*:$/&\\n        raise runner_refusal(\"the runner has terminated\")/' "
    "/usr/lib/ollama-standin/standin/completion.py",
}


def post(body: dict[str, Any]) -> requests.Response:
    headers = {"Authorization": f"Bearer {KEY}", "Connection": "close"}
    url = f"{GATEWAY.url}/api/generate"
    return requests.post(url, json=body, headers=headers, timeout=GATEWAY.timeout, verify=GATEWAY.verify)


@dataclass
class Requests:
    """New requests, each on a connection of its own, from so many threads until the block ends."""

    threads: int = 4
    statuses: Counter[int] = field(default_factory=Counter)
    longest: float = 0.0

    def __enter__(self) -> Requests:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(self.threads)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        while not self._stop.wait(0.4):
            begun = time.monotonic()
            try:
                status = self._ask(number)
            except requests.RequestException:
                status = 0
            self.statuses[status] += 1
            self.longest = max(self.longest, time.monotonic() - begun)

    @staticmethod
    def _ask(number: int) -> int:
        if number % 2:
            headers = {"Authorization": f"Bearer {KEY}", "Connection": "close"}
            return GATEWAY.get(headers=headers).status_code
        body = {"model": "tiny", "prompt": "hi", "stream": False, "keep_alive": -1, "options": {"num_predict": 2}}
        return post(body).status_code


def deploy(folder: Path, **variables: Any) -> tuple[int, str]:
    return SCENARIO.run("deploy", "ollama_server", folder, **variables)


def container() -> str:
    """Number, image and state of the server's container, and how often it was started again."""
    form = "{{.Id}} {{.Image}} {{.State.Health.Status}} {{.RestartCount}}"
    return str(HOST.check_output(f"docker inspect -f '{form}' {CONTAINER}"))


def loaded() -> list[str]:
    said = HOST.check_output(f"docker exec {CONTAINER} ollama ps").splitlines()[1:]
    return [line.split()[0] for line in said if "Forever" in line]


def build(name: str, tag: str) -> None:
    text = f"FROM {IMAGE}:0.32.15\n{BAD[name]}\n"
    HOST.check_output(f"printf %s %s | docker build --quiet --tag {IMAGE}:{tag} -", "%s", text)


def test_no_new_request_fails_while_the_server_is_replaced_and_running_ones_end(tmp_path: Path) -> None:
    before, answers = container(), []

    def stream() -> None:
        body = {"model": "tiny-loop", "prompt": "hi", "options": {"num_predict": 1000}}
        answers.append(post(body).content)

    long = threading.Thread(target=stream)
    with Requests() as load:
        long.start()
        code, said = deploy(tmp_path, **ENVIRONMENT)
        time.sleep(1)
    long.join()
    assert code == 0, said
    assert container().split()[0] != before.split()[0]
    assert set(load.statuses) == {200}, load.statuses
    assert load.statuses.total() > 50
    assert 2 < load.longest < 60
    assert json.loads(answers[0].splitlines()[-1])["done"]
    assert loaded() == ["tiny:latest"]
    assert not HOST.file(HOLD).exists


@pytest.mark.parametrize("name", BAD)
def test_one_that_does_not_work_gives_way_to_the_one_that_did_and_no_request_fails(name: str, tmp_path: Path) -> None:
    tag = f"0.32.{16 + list(BAD).index(name)}"
    build(name, tag)
    files = HOST.check_output("cd /opt/gatehouse/ollama && sha256sum compose.yaml good.json")
    image = container().split()[1]
    with Requests() as load:
        code, said = deploy(tmp_path, ollama_server_image=f"{IMAGE}:{tag}", **ENVIRONMENT)
        time.sleep(1)
    assert code == 2, said
    why = {"dead": "is unhealthy", "mute": "generates with none that was tried. tiny:latest: "}[name]
    assert [words for words in (why, "what ran before serves again") if words not in said] == [], said
    assert set(load.statuses) == {200}, (load.statuses, load.longest)
    assert container().split()[1:3] == [image, "healthy"]
    assert loaded() == ["tiny:latest"]
    assert HOST.check_output("cd /opt/gatehouse/ollama && sha256sum compose.yaml good.json") == files
    assert not HOST.file(HOLD).exists


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    code, said = deploy(tmp_path, **ENVIRONMENT)
    assert code == 0, said
    assert re.findall(r"gate : .*? changed=(\d+)", said) == ["0"], said
