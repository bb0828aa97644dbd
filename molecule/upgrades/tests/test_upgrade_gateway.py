# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway is replaced under load, a bad one is not taken, and faults of every kind are outlived."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.client import ROOT, Gateway, Load, playbook, told
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
FOLDER = SCENARIO.inventory.parent
HOST = SCENARIO.host("gate")
GATEWAY = Gateway(SCENARIO.url("gate"), timeout=90, ca=FOLDER / ".gatehouse/ca/ca.pem")
KEY = (FOLDER / ".gatehouse/secrets/alice.laptop").read_text().strip()
BOBS_KEY = (FOLDER / ".gatehouse/secrets/bob.laptop").read_text().strip()
THERE = "/opt/gatehouse/gateway"
CONTAINER, POD = "gatehouse-gateway-gateway-1", "gatehouse-gateway-pod-1"
IMAGE = "docker.io/openresty/openresty"
TAG = "1.31.1.1-bookworm"
PROGRAM = "/usr/local/openresty/bin/openresty"
# One that lets everybody in, and one that works until it meets the real clients.
BAD = {
    "open": (
        "printf 'daemon off; pid /tmp/nginx.pid; events {} http { "
        "client_body_temp_path /tmp/1; proxy_temp_path /tmp/2; fastcgi_temp_path /tmp/3; uwsgi_temp_path /tmp/4; "
        "scgi_temp_path /tmp/5; server { listen 8080 ssl; listen 8081; "
        "ssl_certificate /etc/gatehouse/tls/server.pem; ssl_certificate_key /etc/gatehouse/tls/server.pem; "
        'return 200 "{}"; } }\' >/open.conf && mv PROGRAM PROGRAM.real && '
        'printf \'#!/bin/sh\\n[ -e /etc/gatehouse/tls ] || exec PROGRAM.real "$@"\\n'
        "exec PROGRAM.real -c /open.conf\\n' >PROGRAM && chmod 755 PROGRAM /open.conf",
        "without a credential, GET /api/version is to answer 401",
    ),
    "late": (
        "mv PROGRAM PROGRAM.real && printf '#!/bin/bash\\nif grep -q alice /etc/gatehouse/clients/api_keys "
        '&& [ -e /etc/gatehouse/page ]; then echo no alice; exit 1; fi\\nexec PROGRAM.real "$@"\\n\' '
        ">PROGRAM && chmod 755 PROGRAM",
        "no alice",
    ),
}


def deploy(folder: Path, name: str = "deploy", **variables: Any) -> tuple[int, str]:
    return SCENARIO.run(name, "ollama_gateway", folder, **variables)


def roll_back_to(expected: str, folder: Path) -> None:
    code, said = deploy(folder, name="rollback")
    assert code == 0, said
    assert limit() == expected


def limit() -> str:
    """The limit of memory that the gateway has, in MiB."""
    found = re.search(r'mem_limit: "([0-9]+)m"', HOST.file(f"{THERE}/compose.yaml").content_string)
    return found[1] if found else ""


def another_limit() -> str:
    """One that it does not have, so that another gateway has to take over."""
    return f"{int(limit() or 700) + 1}m"


def container(name: str = CONTAINER) -> str:
    return str(HOST.check_output(f"docker inspect -f '{{{{.Id}}}}' {name}"))


@contextmanager
def load() -> Iterator[list[Load]]:
    """New connections from two threads, and requests on one that is kept."""
    loads = [Load(GATEWAY, KEY, pause=0.25, keep_alive=kept) for kept in (False, False, True)]
    with ExitStack() as running:
        for one in loads:
            running.enter_context(one)
        yield loads
        time.sleep(1)


def failed(loads: list[Load]) -> list[tuple[float, int]]:
    return [answer for one in loads for answer in one.answers if answer[1] != 200]


@contextmanager
def streams(folder: Path, version: str) -> Iterator[list[bool]]:
    """Whether answers of about twenty seconds were whole, two at once until the block ends (HTTP/2: one connection)."""
    body = json.dumps({"model": "tiny-loop", "prompt": "hi", "options": {"num_predict": 2000}})
    command: list[str | Path] = ["curl", "--silent", f"--http{version}", "--cacert", FOLDER / ".gatehouse/ca/ca.pem"]
    command += ["--parallel", "--header", f"Authorization: Bearer {KEY}", "--data", body]
    files = [folder / f"http{version}-{name}" for name in ("first", "second")]
    for file in files:
        command += ["--output", file, f"{GATEWAY.url}/api/generate"]
    whole: list[bool] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            done = subprocess.run(
                [*command, "--write-out", "%{http_version} "], capture_output=True, text=True, check=False
            )
            last = [file.read_text().rpartition("\n{")[2] for file in files]
            whole.append(done.stdout.split() == [version, version] and all('"done":true' in line for line in last))

    asking = threading.Thread(target=ask)
    asking.start()
    yield whole
    ended.set()
    asking.join()


def kept_connection() -> http.client.HTTPSConnection:
    parts = urlsplit(GATEWAY.url)
    context = ssl.create_default_context(cafile=str(GATEWAY.ca))
    return http.client.HTTPSConnection(str(parts.hostname), parts.port, timeout=30, context=context)


def ask(connection: http.client.HTTPSConnection, key: str) -> int:
    connection.request("GET", "/api/version", headers={"Authorization": f"Bearer {key}"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def serves(within: float = 60) -> None:
    """The right key is let in and nobody else, at the published address."""
    end = time.monotonic() + within
    while True:
        try:
            seen: list[Any] = [GATEWAY.status(key=KEY), GATEWAY.status()]
        except requests.RequestException as error:
            seen = [str(error)]
        if seen == [200, 401]:
            return
        assert time.monotonic() < end, f"after {within} s: {seen}\n{HOST.check_output('docker ps --all')}"
        time.sleep(0.5)


def gone(name: str) -> None:
    """What ends has ended, and is removed."""
    HOST.run_expect([0], f"timeout 60 sh -c 'while docker inspect {name}; do sleep 1; done'")


def test_no_request_fails_and_no_stream_is_cut_while_a_gateway_takes_over(tmp_path: Path) -> None:
    pod, before = container(POD), container()
    with load() as loads, streams(tmp_path, "1.1") as kept, streams(tmp_path, "2") as multiplexed:
        code, said = deploy(tmp_path, ollama_gateway_memory_limit=another_limit())
    assert code == 0, said
    assert failed(loads) == []
    assert sum(len(one.answers) for one in loads) > 100
    assert container(POD) == pod
    assert container() != before
    assert kept
    assert multiplexed
    assert all(kept + multiplexed)
    gone(before)


def test_a_key_that_is_revoked_is_refused_by_the_gateway_that_only_ends_what_it_has(tmp_path: Path) -> None:
    before, keys = container(), f"{THERE}/clients/api_keys"
    connection = kept_connection()
    running = threading.Thread(target=deploy, args=(tmp_path,), kwargs={"ollama_gateway_memory_limit": another_limit()})
    running.start()
    ending = f"gatehouse-gateway-drain-{before[:12]}.service"
    end = time.monotonic() + 300
    while HOST.run(f"systemctl is-active {ending}").rc != 0:
        assert ask(connection, BOBS_KEY) == 200
        assert time.monotonic() < end
    HOST.run_expect([0], f"cp -p {keys} /root/kept && sed '/^bob/d' /root/kept >{keys}")
    try:
        status = ask(connection, BOBS_KEY)
    finally:
        HOST.run_expect([0], f"cat /root/kept >{keys}")
        running.join()
    assert status == 401


@pytest.mark.parametrize("name", BAD)
def test_a_bad_one_does_not_take_over_no_request_fails_and_the_play_says_why(name: str, tmp_path: Path) -> None:
    script, why = BAD[name]
    text = f"FROM {IMAGE}:{TAG}\nUSER 0\nRUN {script.replace('PROGRAM', PROGRAM)}\n"
    HOST.check_output("printf %s %s | docker build --quiet --tag " + f"{IMAGE}:{name} -", "%s", text)
    before, files = container(), f"cd {THERE} && sha256sum compose.yaml conf/* lua/gatehouse/*.lua"
    kept = HOST.check_output(files)
    image = f"{IMAGE}:{name}"
    with load() as loads:
        code, said = deploy(tmp_path, ollama_gateway_openresty_image=image)
    assert code == 2, said
    assert why in said
    assert failed(loads) == []
    assert container() == before
    assert HOST.check_output(files) == kept
    # Nor is anything of the bad one left.
    assert HOST.check_output(f"docker ps --all --quiet --filter ancestor={image}") == ""


def test_the_folder_moves_with_what_was_added_by_hand_and_no_request_fails(tmp_path: Path) -> None:
    added = HOST.check_output("printf %s carols-key-of-more-than-128-bits | sha256sum").split()[0]
    HOST.check_output(f"echo 'carol.phone sha256:{added}' >>{THERE}/clients/api_keys && ls {THERE}/state/usage")
    days = HOST.check_output(f"ls {THERE}/state/usage")
    with load() as loads:
        for folder in ("/srv/llm/gateway", THERE):
            code, said = deploy(tmp_path, ollama_gateway_dir=folder, ollama_gateway_clients_purge=False)
            assert code == 0, said
    assert failed(loads) == []
    assert HOST.file(THERE).is_symlink
    assert HOST.check_output("ls /srv/llm/gateway/state/usage") == days
    assert GATEWAY.status(key="carols-key-of-more-than-128-bits") == 200
    serves()


def test_check_mode_says_what_users_would_notice(tmp_path: Path) -> None:
    for variables, notice in [
        ({"ollama_gateway_memory_limit": "750m"}, "Users notice nothing"),
        (
            {"ollama_gateway_user_id": 61234, "ollama_gateway_port": 8890},
            "New connections are refused for a moment (what",
        ),
    ]:
        extra = tmp_path / "variables.json"
        extra.write_text(json.dumps(variables))
        options = ["--tags=ollama_gateway", "--skip-tags=verify", "--check", f"--extra-vars=@{extra}"]
        looked = playbook(SCENARIO.inventory, "deploy", *options)
        assert looked.returncode == 0, told(looked)
        assert notice in told(looked)


FAULTS = {
    "the pod is killed": "kill -9 $(docker inspect -f '{{.State.Pid}}' POD)",
    "the gateway is killed": "kill -9 $(docker inspect -f '{{.State.Pid}}' GATEWAY)",
    "its workers are killed": "pkill -9 -f 'nginx: worke[r] process'",
    "Docker is restarted": "systemctl reset-failed docker; systemctl restart docker",
    "Docker is killed": "systemctl kill --signal=KILL docker",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_it_serves_again_by_itself(fault: str) -> None:
    serves()
    HOST.run_expect([0], FAULTS[fault].replace("POD", POD).replace("GATEWAY", CONTAINER))
    time.sleep(2)
    serves()


def test_it_serves_again_after_its_host_was_started_anew() -> None:
    subprocess.run(["docker", "restart", "--time=20", SCENARIO.variables("gate")["ansible_host"]], check=True)
    serves(within=120)


def kill_in(task: str, name: str) -> None:
    """A run of this playbook, which is killed once it says that it begins this task."""
    command: list[str | Path] = [ROOT / ".venv/bin/ansible-playbook", "-i", SCENARIO.inventory, f"playbooks/{name}.yml"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as run:
        assert run.stdout is not None
        seen = any(task in line for line in run.stdout)
        os.killpg(run.pid, signal.SIGKILL)
    assert seen


def test_a_rollback_goes_back_also_after_one_that_was_killed_and_once_more_forward_and_no_request_fails(
    tmp_path: Path,
) -> None:
    """A deploy that is killed, in each of its tasks, is looked at by `make faults`."""
    before = limit()
    code, said = deploy(tmp_path, ollama_gateway_memory_limit=another_limit())
    assert code == 0, said
    after = limit()
    with load() as loads:
        kill_in("deploy | start | Have it serve", "rollback")
        roll_back_to(before, tmp_path)
        roll_back_to(after, tmp_path)
    assert failed(loads) == []
    serves()
    assert "no hole" in SCENARIO.attack()
