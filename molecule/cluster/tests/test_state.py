# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What gateways share, on three nodes, as clients of Valkey see it; what is broken is whole again in the end."""

from __future__ import annotations

import contextlib
import re
import shlex
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.gatehouse.ollama.plugins.module_utils._valkey.resp import Node, Refused, Reply, Unreachable

from tests.client import Gateway, playbook, told
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
PRIVATE = SCENARIO.inventory.parent / ".gatehouse"
SECRETS = PRIVATE / "valkey"
NODES = ("east", "west", "south")
VALKEY, SENTINEL = 6379, 26379
CONTAINER = "gatehouse-state-valkey-1"
OUTSIDE = ["get gatehouse:x", "config get port", "info", "role", "acl whoami", "hello 3"]


def ask(node: str, command: str, login: tuple[str, ...] = (), port: int = VALKEY) -> Reply:
    """What a node answers to this machine, be it an error. Raises Unreachable."""
    with Node(SCENARIO.address(node), port, (PRIVATE / "door_ca/ca.pem").read_text()) as connection:
        try:
            if login:
                connection.call("AUTH", *login)
            return connection.call(*shlex.split(command))
        except Refused as error:
            return str(error)


def as_gateway(node: str, command: str, port: int = VALKEY) -> Reply:
    return ask(node, command, ("gatehouse", (SECRETS / "password").read_text().strip()), port)


def says(node: str, command: str, port: int = VALKEY) -> str:
    return str(as_gateway(node, command, port))


def role(node: str) -> list[Any]:
    """Nothing where nobody answers."""
    try:
        found = as_gateway(node, "role")
    except Unreachable:
        return [""]
    return found if isinstance(found, list) else [found]


def primary(*nodes: str) -> str:
    """The node that these sentinels, or else all of them, say is the primary; nothing where they do not agree."""
    command = "sentinel get-master-addr-by-name gatehouse"
    said = {str(as_gateway(one, command, SENTINEL)) for one in nodes or NODES}
    return next((name for name in NODES if said == {str([SCENARIO.address(name), str(VALKEY)])}), "")


def is_whole() -> bool:
    """Whether there is one primary, and the others have all of its data."""
    leader = primary()
    follow = [["slave", SCENARIO.address(leader), VALKEY, "connected"]] * 2 if leader else []
    return [role(one)[:4] for one in NODES if one != leader] == follow and role(leader)[0] == "master"


def until(condition: Callable[[], object], seconds: float) -> bool:
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            return False
        time.sleep(0.5)
    return True


@pytest.mark.parametrize("node", NODES)
def test_nobody_gets_at_what_gateways_share_without_a_password(node: str) -> None:
    assert [one for one in OUTSIDE if not str(ask(node, one)).startswith("NOAUTH ")] == []
    assert str(ask(node, "sentinel masters", port=SENTINEL)).startswith("NOAUTH ")
    for user in ("gatehouse", "replica", "sentinel", "default"):
        for port in (VALKEY, SENTINEL):
            assert str(ask(node, "ping", (user, "a-wrong-password"), port)).startswith("WRONGPASS ")


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("port", [VALKEY, SENTINEL])
def test_nobody_is_answered_without_tls(node: str, port: int) -> None:
    with socket.create_connection((SCENARIO.address(node), port), timeout=5) as connection:
        connection.sendall(b"PING\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert b"PONG" not in connection.recv(64)


@pytest.mark.parametrize("node", NODES)
def test_the_password_of_the_gateways_is_no_administrators(node: str) -> None:
    refused = [
        "config get port",
        "flushall",
        "keys a",
        "acl list",
        "module list",
        "shutdown nosave",
        "replicaof no one",
    ]
    refused += ["get a", "set a b", "del gatehouse", "select 1", "monitor", "client list"]
    assert [one for one in refused if not says(node, one).startswith("NOPERM ")] == []
    assert says(node, "debug sleep 0").startswith("ERR DEBUG command not allowed")
    assert "ACL failure in script" in says(node, "eval \"return redis.call('get','a')\" 0")
    assert says(node, "sentinel masters", SENTINEL).startswith("NOPERM ")
    assert says(node, "sentinel failover gatehouse", SENTINEL).startswith("NOPERM ")


@pytest.mark.parametrize("node", NODES)
def test_its_containers_may_do_no_more_than_they_need(node: str) -> None:
    form = "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.Config.User}}"
    form += " {{.HostConfig.PidsLimit}} {{gt .HostConfig.Memory 0}}"
    names = f"{CONTAINER} gatehouse-state-sentinel-1"
    said = SCENARIO.host(node).check_output(f"docker inspect -f '{form}' {names}").splitlines()
    assert said == ["true [ALL] [no-new-privileges:true] 60883:60883 64 true"] * 2
    kept = SCENARIO.host(node).check_output("find /opt/gatehouse/state -type f -perm /o=r -not -path '*/data/*'")
    assert kept == ""
    assert (
        SCENARIO.host(node).check_output("stat -c %a /opt/gatehouse/state /opt/gatehouse/state/data/*")
        == "750\n700\n700"
    )


def test_the_attack_finds_no_hole_and_changes_nothing() -> None:
    assert until(is_whole, 60)
    done = playbook(SCENARIO.inventory, "verify", "--tags=valkey")
    assert done.returncode == 0, told(done)
    assert told(done).count("no hole") == 2 * len(NODES)
    assert set(re.findall(r"changed=(\d+)", told(done))) == {"0"}


def reached(*gateways: str) -> bool:
    """Whether these gateways say that they reach the store, as the role asks them."""
    ask = "docker exec gatehouse-gateway-gateway-1 cat /tmp/gatehouse_valkey"
    return all(SCENARIO.host(name).check_output(ask).strip() == "up" for name in gateways)


def spend(who: str, *gateways: str) -> Counter[int]:
    """What becomes of a client's twenty requests, all within a minute and each at the next of these gateways."""
    key = (PRIVATE / "secrets" / who).read_text().strip()
    known = [Gateway(SCENARIO.url(name), timeout=60, ca=PRIVATE / "ca/ca.pem") for name in gateways]
    body = {"model": "tiny", "prompt": "hi", "stream": False, "options": {"num_predict": 2}}
    headers = {"Authorization": f"Bearer {key}"}

    def ask(number: int) -> int:
        one = known[number % len(known)]
        url = f"{one.url}/api/generate"
        return requests.post(url, json=body, headers=headers, timeout=60, verify=one.verify).status_code

    # Where one does not reach it, each decides by what it has seen itself.
    assert until(lambda: reached(*gateways), 20)
    while True:
        if time.time() % 60 > 40:
            time.sleep(61 - time.time() % 60)
        minute = time.time() // 60
        with ThreadPoolExecutor(5) as threads:
            found = Counter(threads.map(ask, range(20)))
        if time.time() // 60 == minute:
            return found
        # Minutes slide: what was spent counts into the one that has begun, and that one into the next.
        time.sleep(121 - time.time() % 60)


def test_a_client_has_its_limits_at_both_gateways_together_also_after_a_node_failed() -> None:
    assert until(is_whole, 60)
    assert spend("meter.laptop", "east", "west") == {200: 6, 429: 14}
    former = primary()
    others = [name for name in NODES if name != former]
    SCENARIO.host(former).check_output(f"docker kill {CONTAINER}")
    try:
        assert until(lambda: primary(*others) in others, 20)
        assert spend("other-meter.laptop", "east", "west") == {200: 6, 429: 14}
    finally:
        SCENARIO.host(former).check_output(f"docker start {CONTAINER}")
    assert until(is_whole, 60)


def test_what_was_counted_survives_the_end_of_all_nodes() -> None:
    assert until(is_whole, 60)
    assert as_gateway(primary(), "incrby gatehouse:test:count 41") == 41
    try:
        # The file is written before the answer, and reaches the disk within a second.
        for name in NODES:
            SCENARIO.host(name).check_output(f"docker kill {CONTAINER}")
    finally:
        for name in NODES:
            SCENARIO.host(name).check_output(f"docker start {CONTAINER}")
    assert until(is_whole, 60)
    assert as_gateway(primary(), "incrby gatehouse:test:count 1") == 42
    assert as_gateway(primary(), "del gatehouse:test:count") == 1


def test_another_node_takes_over_soon_and_a_deploy_makes_the_others_whole_and_gives_no_place_back() -> None:
    """One lost its disk, and another one's certificate is anew; nothing that is printed has a password."""
    assert until(is_whole, 60)
    former = primary()
    others = [name for name in NODES if name != former]
    as_gateway(former, "set gatehouse:test:kept yes")
    SCENARIO.host(former).check_output("docker compose --project-name gatehouse-state down")
    SCENARIO.host(former).check_output("rm -r /opt/gatehouse/state")
    assert until(lambda: primary(*others) in others, 20)
    leader = primary(*others)
    assert as_gateway(leader, "get gatehouse:test:kept") == "yes"
    assert until(lambda: as_gateway(leader, "set gatehouse:test:kept still") == "OK", 10)
    renewed = next(name for name in others if name != leader)
    before = ssl.get_server_certificate((SCENARIO.address(renewed), VALKEY))
    SCENARIO.host(renewed).check_output("rm /opt/gatehouse/state/tls/server.pem")
    done = playbook(SCENARIO.inventory, "deploy", "--tags=valkey", "--skip-tags=verify", "-vvv", "--diff")
    assert done.returncode == 0, told(done)[-5000:]
    for name in ("password", "replica", "sentinel"):
        assert (SECRETS / name).read_text().strip() not in told(done)
        assert (SECRETS / name).stat().st_mode & 0o777 == 0o600
    assert until(is_whole, 60)
    assert primary() == leader
    assert as_gateway(former, "get gatehouse:test:kept") == "still"
    assert as_gateway(leader, "del gatehouse:test:kept") == 1
    after = {ssl.get_server_certificate((SCENARIO.address(renewed), port)) for port in (VALKEY, SENTINEL)}
    assert len(after) == 1
    assert after != {before}
