# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three servers behind two gateways, seen from outside; what is broken is whole again at the end of each test."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.client import Gateway, playbook, told
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
FOLDER = SCENARIO.inventory.parent
CA = FOLDER / ".gatehouse/ca/ca.pem"
GATEWAYS = {name: Gateway(SCENARIO.url(name), timeout=60, ca=CA) for name in ("east", "west")}
SHARED = Gateway("https://10.213.0.254:8880", timeout=10, ca=CA)
SERVERS = ("east", "west", "south")
DOOR = 11443


def key(name: str) -> str:
    return (FOLDER / ".gatehouse/secrets" / name).read_text().strip()


def ask(
    gateway: Gateway, body: dict[str, Any], path: str = "/api/generate", who: str = "alice.laptop", **headers: str
) -> requests.Response:
    headers = {"Authorization": f"Bearer {key(who)}", "Connection": "close", **headers}
    return requests.post(gateway.url + path, json=body, headers=headers, timeout=gateway.timeout, verify=gateway.verify)


def generate(gateway: Gateway, model: str = "tiny", **headers: str) -> requests.Response:
    return ask(gateway, {"model": model, "prompt": "hi", "stream": False, "options": {"num_predict": 2}}, **headers)


def until(condition: Callable[[], object], seconds: float) -> bool:
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            return False
        time.sleep(0.2)
    return True


class Load:
    """New requests to both gateways in turns, from some threads, until the block ends."""

    def __init__(
        self, gateways: tuple[Gateway, ...] = tuple(GATEWAYS.values()), threads: int = 3, pause: float = 0.25
    ) -> None:
        self.gateways, self.pause = gateways, pause
        self.statuses: Counter[int | str] = Counter()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(threads)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        while not self._stop.wait(self.pause):
            number += 1
            try:
                self.statuses[generate(self.gateways[number % len(self.gateways)]).status_code] += 1
            except requests.RequestException as error:
                self.statuses[type(error).__name__] += 1


def run(name: str, *arguments: str) -> str:
    done = playbook(SCENARIO.inventory, name, *arguments)
    assert done.returncode == 0, told(done)
    return told(done)


def status_of(server: str) -> dict[str, Any]:
    """What a door says of itself."""
    command = "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /gatehouse/door HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3"
    said = SCENARIO.host(server).check_output("docker exec gatehouse-ollama-door-1 bash -c %s", command)
    found: dict[str, Any] = json.loads(said.split("\r\n\r\n", 1)[1])
    return found


def served(server: str) -> int:
    """How many requests to generate a door has passed on so far."""
    said = SCENARIO.host(server).run('docker logs gatehouse-ollama-door-1 2>&1 | grep -c \'"path":"/api/generate"\'')
    return int(said.stdout)


@pytest.mark.parametrize("name", GATEWAYS)
def test_each_gateway_reaches_the_models_of_all_servers_and_lets_nobody_else_in(name: str) -> None:
    gateway = GATEWAYS[name]
    for model in ("tiny", "tiny-loop", "llama3.2:1b"):
        assert generate(gateway, model).status_code == 200
    tags = gateway.get(headers={"Authorization": f"Bearer {key('alice.laptop')}"}).json()["models"]
    assert sorted(one["name"] for one in tags) == ["llama3.2:1b", "tiny-loop:latest", "tiny:latest"]
    assert [gateway.status(), gateway.status(key="wrong")] == [401, 401]


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_is_open_to_nobody_but_the_gateways(name: str) -> None:
    published = SCENARIO.host(name).check_output("docker ps --format '{{.Names}} {{.Ports}}'").splitlines()
    assert [line for line in published if line.startswith("gatehouse-ollama-ollama") and "->" in line] == []
    url = f"https://{SCENARIO.address(name)}:{DOOR}"
    for path in ("/gatehouse/door", "/api/tags"):
        assert requests.get(url + path, verify=False, timeout=5).status_code == 400
    with pytest.raises(requests.RequestException):
        requests.get(f"http://{SCENARIO.address(name)}:11434/api/tags", timeout=3)


def test_a_second_deploy_changes_nothing() -> None:
    """Of a host that is a server, a gateway and a node; it takes as long as all others would together."""
    said = run("deploy", "--skip-tags=verify", "--limit=west,localhost")
    assert said.count("changed=0") == 2, said[-2000:]


def test_who_pulls_through_a_gateway_names_the_server() -> None:
    copy = {"source": "tiny", "destination": "copied"}
    refused = ask(GATEWAYS["east"], copy, "/api/copy", "root.admin")
    assert refused.status_code == 409
    assert "X-Gatehouse-Server: east, west, south" in refused.json()["error"]
    named = {"X-Gatehouse-Server": "south"}
    assert ask(GATEWAYS["east"], copy, "/api/copy", "root.admin", **named).status_code == 200
    assert generate(GATEWAYS["east"], "copied").status_code == 200
    assert until(lambda: generate(GATEWAYS["west"], "copied").status_code == 200, 2)
    headers = {"Authorization": f"Bearer {key('root.admin')}", **named}
    gone = requests.delete(
        GATEWAYS["west"].url + "/api/delete", json={"model": "copied"}, headers=headers, timeout=30, verify=str(CA)
    )
    assert gone.status_code == 200


def test_a_drained_server_gets_nothing_new_until_it_is_undrained() -> None:
    with Load() as load:
        said = run("drain", "-l", "south")
        before = served("south")
        time.sleep(4)
        assert served("south") == before
        assert status_of("south")["draining"]
        run("undrain", "-l", "south")
        assert until(lambda: served("south") > before, 20)
    assert set(load.statuses) == {200}, load.statuses
    assert "south" in said


def test_requests_survive_the_end_of_a_server() -> None:
    host = SCENARIO.host("south")
    with Load(pause=0.1) as load:
        time.sleep(2)
        host.check_output("docker kill gatehouse-ollama-ollama-1")
        time.sleep(4)
        host.check_output("docker start gatehouse-ollama-ollama-1")
        host.check_output("docker kill gatehouse-ollama-door-1")
        time.sleep(4)
        host.check_output("docker start gatehouse-ollama-door-1")
    assert set(load.statuses) == {200}, load.statuses
    assert load.statuses.total() > 50


def test_a_revoked_key_is_refused_at_all_gateways_and_one_out_of_reach_fails_the_play_loudly() -> None:
    before = [gateway.status(key=key("bob.laptop")) for gateway in GATEWAYS.values()]
    assert before == [200, 200]
    bob = key("bob.laptop")
    subprocess.run(["docker", "pause", "gatehouse-cluster-west"], check=True, capture_output=True)
    try:
        done = playbook(SCENARIO.inventory, "clients", "-e", "ollama_gateway_revoke_keys=bob.laptop", "-T", "5")
    finally:
        subprocess.run(["docker", "unpause", "gatehouse-cluster-west"], check=True, capture_output=True)
    assert done.returncode != 0, told(done)
    assert "west" in told(done)
    run("clients", "-e", "ollama_gateway_revoke_keys=bob.laptop")
    assert [gateway.status(key=bob) for gateway in GATEWAYS.values()] == [401, 401]


def used() -> int:
    """How many requests of all gateways together were counted."""
    path = FOLDER / "usage.json"
    run("usage", "-e", "ollama_gateway_usage_format=json", "-e", f"ollama_gateway_usage_file={path}")
    said = json.loads(path.read_text())
    path.unlink()
    assert said["missing"] == []
    return int(said["total"]["requests"])


def test_what_was_used_at_both_gateways_is_one_table() -> None:
    before = used()
    for gateway in GATEWAYS.values():
        assert generate(gateway).status_code == 200
    time.sleep(1)
    assert used() == before + 2


def test_who_may_come_in_at_both_gateways_is_listed() -> None:
    said = run("clients", "--tags", "list")
    assert "alice" in said


def test_new_connections_are_served_soon_after_a_gateway_host_dies() -> None:
    assert SHARED.status(key=key("alice.laptop")) == 200
    has = {name: "10.213.0.254" in SCENARIO.host(name).check_output("ip -4 address") for name in GATEWAYS}
    owner = next(name for name, it in has.items() if it)
    assert sum(has.values()) == 1
    container = f"gatehouse-cluster-{owner}"
    subprocess.run(["docker", "pause", container], check=True, capture_output=True)
    try:
        quick = Gateway(SHARED.url, timeout=1, ca=CA)

        def serves() -> bool:
            try:
                return quick.status(key=key("alice.laptop")) == 200
            except requests.RequestException:
                return False

        assert until(serves, 15)
    finally:
        subprocess.run(["docker", "unpause", container], check=True, capture_output=True)


def test_an_upgrade_of_all_servers_and_gateways_fails_no_request() -> None:
    marks = {name: status_mark(name) for name in SERVERS}
    with Load() as load:
        # Another environment makes other containers of the servers, another limit others of the gateways.
        changes = ("-e", "ollama_server_num_parallel=3", "-e", "ollama_gateway_cpu_limit=2")
        run("deploy", "--tags=ollama_server,ollama_gateway", "--skip-tags=verify", *changes)
        time.sleep(2)
    assert all(status_mark(name) != marks[name] for name in SERVERS)
    assert set(load.statuses) == {200}, load.statuses
    assert not any(status_of(name)["draining"] for name in SERVERS)


def status_mark(name: str) -> str:
    return str(SCENARIO.host(name).check_output("docker inspect -f '{{.Id}}' gatehouse-ollama-ollama-1"))
