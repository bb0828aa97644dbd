# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input is refused with an error that helps, before anything is changed, and the gateway keeps serving."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.client import Gateway, playbook, told
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
GATEWAY = Gateway(SCENARIO.url("gate"))
CLIENTS = SCENARIO.variables("gate")["ollama_gateway_clients"]
ALICE = ("alice", "correct:horse")
KEY = "a-key-of-alice-with-enough-characters"
FILES = "/opt/gatehouse/gateway"


def without(*names: str) -> list[dict[str, Any]]:
    """The clients of the inventory, alice without these parts."""
    return [{name: part for name, part in CLIENTS[0].items() if name not in names}, *CLIENTS[1:]]


# One mistake each, all of them told at once. Their words stand in the line of that client.
BAD_CLIENTS: list[tuple[dict[str, Any], list[str]]] = [
    ({"name": "neither"}, ["neither", "password", "keys"]),
    ({"name": "al:ice", "password": "long enough"}, ["name"]),
    ({"name": "al ice", "password": "long enough"}, ["name"]),
    ({"name": "alice\n", "password": "long enough"}, ["name"]),
    ({"name": "colon", "keys": [{"id": "lap:top"}]}, ["keys[0]", "id"]),
    ({"name": "newline", "keys": [{"id": "laptop\nroot"}]}, ["keys[0]", "id"]),
    ({"name": "space", "keys": [{"id": "lap top", "secret": KEY}]}, ["keys[0]", "id"]),
    ({"name": "empty", "password": ""}, ["empty", "password"]),
    ({"name": "typo", "pasword": "x", "keys": [{"id": "ci"}]}, ["pasword", "password"]),
    ({"name": "bob", "password": "long enough"}, []),
    ({"name": "bob", "password": "long enough"}, ["bob"]),
]
# All that is wrong with one role is told at once. Words that follow from one mistake share a line here.
BAD_VARIABLES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "clients_without_what_basic_needs": (
        {"ollama_gateway_auth": "basic", "ollama_gateway_clients": [*without("password"), {"name": "carol"}]},
        [
            "ollama_gateway_clients[0] (alice): keys need ollama_gateway_auth bearer or both",
            f"ollama_gateway_clients[{len(CLIENTS)}] (carol): with ollama_gateway_auth basic a client needs a password",
        ],
    ),
    "a_client_without_key_under_bearer": (
        {"ollama_gateway_auth": "bearer", "ollama_gateway_clients": [{"name": "alice"}]},
        ["ollama_gateway_clients[0]", "alice", "key"],
    ),
    "many_mistakes_with_the_gateway": (
        {
            "ollama_gateway_password_scheme": "md5",
            "ollama_gateway_prot": 8881,
            "ollama_gatway_bind": "127.0.0.1",
            "ollama_gateway_allow_plaintext": False,
            "ollama_gateway_upstreams": ["host.docker.internal:11434"],
        },
        [
            *("ollama_gateway_password_scheme", "sha512_crypt"),
            *("ollama_gateway_prot", "ollama_gateway_port"),
            *("ollama_gatway_bind", "ollama_gateway_bind"),
            *("ollama_gateway_bind", "ollama_gateway_tls", "self_signed", "ollama_gateway_allow_plaintext"),
            *("ollama_gateway_upstreams[0]", "host.docker.internal", "docker0"),
        ],
    ),
    "many_mistakes_with_the_server": (
        {"ollama_server_image": "docker.io/ollama/ollama:0.16.2", "ollama_server_publish": "0.0.0.0:11434"},
        ["ollama_server_image", "0.17.1", "CVE-2026-7482", "ollama_server_publish", "127.0.0.1:11434"],
    ),
    "a_server_published_by_an_engine_that_leaves_it_open": (
        {"ollama_server_publish": "127.0.0.1:11434"},
        ["ollama_server_publish", "28"],
    ),
    "a_gpu_that_is_not_there": (
        {"ollama_server_accelerator": "nvidia"},
        ["ollama_server_accelerator", "nvidia-smi", "driver"],
    ),
}


def assert_still_serving() -> None:
    assert GATEWAY.status(auth=ALICE) == 200
    assert GATEWAY.status(key=KEY) == 200
    assert GATEWAY.status() == 401


def wait_until_serving() -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(requests.ConnectionError):
            if GATEWAY.status(key=KEY) == 200:
                return
        time.sleep(0.5)


@pytest.fixture(autouse=True)
def _the_gateway_serves_before_and_after() -> Iterator[None]:
    assert_still_serving()
    yield
    assert_still_serving()


def refuse(
    tmp_path: Path, variables: dict[str, Any], words: list[str], *, changed: int = 0, name: str = "deploy"
) -> str:
    """Run a playbook with these variables, expect a failure that has these words, and return all that was printed."""
    extra = tmp_path / "variables.json"
    extra.write_text(json.dumps(variables))
    done = playbook(SCENARIO.inventory, name, "--extra-vars", f"@{extra}")
    said = told(done)
    assert done.returncode == 2, said
    assert [word for word in words if word not in said] == [], said
    assert re.findall(r"changed=(\d+)", said.split("PLAY RECAP")[1]).count(str(changed)) >= 1, said
    assert set(re.findall(r"changed=(\d+)", said.split("PLAY RECAP")[1])) <= {"0", str(changed)}, said
    assert "Traceback" not in said
    assert KEY not in said
    assert ALICE[1] not in said
    return said


def test_each_mistake_in_the_clients_is_told_at_its_place(tmp_path: Path) -> None:
    clients = [client for client, _words in BAD_CLIENTS]
    said = refuse(tmp_path, {"ollama_gateway_clients": clients}, [])
    told_of = re.split(r"(?=ollama_gateway_clients\[\d+\][^ :]*(?: \(\S+\))?: )", said)
    for number, (client, words) in enumerate(BAD_CLIENTS):
        of_it = [line for line in told_of if line.startswith(f"ollama_gateway_clients[{number}]")]
        assert bool(of_it) == bool(words), (client, said)
        assert [word for word in words if word not in " ".join(of_it)] == [], (client, of_it)


@pytest.mark.parametrize("name", BAD_VARIABLES)
def test_is_refused_before_anything_is_changed(name: str, tmp_path: Path) -> None:
    variables, words = BAD_VARIABLES[name]
    refuse(tmp_path, variables, words)


def test_a_port_in_use_is_refused_by_name(tmp_path: Path) -> None:
    host = SCENARIO.host("gate")
    host.run_expect([0], "systemd-run --unit=port-taker python3 -m http.server 8899")
    try:
        host.run_expect([0], "timeout 10 bash -c 'until ss -ltn | grep -q :8899; do sleep 0.1; done'")
        refuse(tmp_path, {"ollama_gateway_port": 8899}, ["ollama_gateway_port", "8899"])
    finally:
        host.run_expect([0], "systemctl stop port-taker")


@pytest.mark.parametrize("variable", ["ollama_gateway_openresty_image", "ollama_server_image"])
def test_an_image_that_does_not_exist_is_refused_by_name(variable: str, tmp_path: Path) -> None:
    refuse(tmp_path, {variable: "docker.io/gatehouse/nowhere:1.0"}, [variable, "docker.io/gatehouse/nowhere:1.0"])


@pytest.mark.parametrize(
    ("name", "file", "damage"),
    [("deploy", "htpasswd", "no colon here"), ("clients", "api_keys", "alice.laptop sha256:12")],
)
def test_a_file_damaged_by_hand_is_refused_by_name_and_line(name: str, file: str, damage: str, tmp_path: Path) -> None:
    host = SCENARIO.host("gate")
    path = f"{FILES}/clients/{file}"
    host.run_expect([0], f"cp -p {path} /root/{file}.kept")
    try:
        host.run_expect([0], f"echo '{damage}' >> {path}")
        assert_still_serving()
        said = refuse(tmp_path, {}, [path, "line"], name=name)
        assert damage not in said
    finally:
        host.run_expect([0], f"cp -p /root/{file}.kept {path}.new && mv {path}.new {path}")


def test_a_docker_daemon_that_is_down_is_named(tmp_path: Path) -> None:
    """Its containers went down with it, and come back with it: nothing that the play could have saved or lost."""
    host = SCENARIO.host("gate")
    host.run_expect([0], "systemctl mask --runtime --now docker.socket docker.service")
    try:
        refuse(tmp_path, {}, ["Docker", "daemon", "systemctl"])
    finally:
        host.run_expect([0], "systemctl unmask --runtime docker.socket docker.service && systemctl start docker")
        wait_until_serving()


def test_unusual_but_right_passwords_work(tmp_path: Path) -> None:
    extra = tmp_path / "variables.json"
    bob = {"name": "bob", "password": "a:colon, a space and 密码 ñandú"}
    try:
        extra.write_text(json.dumps({"ollama_gateway_clients": [*CLIENTS[:1], bob]}))
        done = playbook(SCENARIO.inventory, "clients", "--extra-vars", f"@{extra}")
        assert done.returncode == 0, done.stdout
        assert GATEWAY.status(auth=("bob", bob["password"])) == 200
        assert GATEWAY.status(auth=("bob", bob["password"] + "x")) == 401
    finally:
        assert playbook(SCENARIO.inventory, "clients").returncode == 0
