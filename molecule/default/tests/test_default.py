# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""deploy.yml with keys: who has one is served, nobody else, and there is no other way in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests
from testinfra.host import Host

from tests.client import Gateway, playbook, told
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
GATEWAY = Gateway(SCENARIO.url("gate"))
KEY = (SCENARIO.inventory.parent / ".gatehouse" / "secrets" / "alice.laptop").read_text().strip()


@pytest.fixture(scope="module")
def gate() -> Host:
    return SCENARIO.host("gate")


@pytest.fixture(scope="module")
def neighbour() -> Host:
    return SCENARIO.host("neighbour")


def test_no_key_is_401_and_says_what_is_wanted() -> None:
    answer = GATEWAY.get()
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer realm=")
    assert answer.headers["Content-Type"] == "application/json"
    assert "error" in answer.json()


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer wrong",
        "Bearer " + KEY[:-1],
        "Bearer " + KEY + "x",
        "Bearer " + KEY.upper(),
        "Foo Bearer " + KEY,
        "Basic " + KEY,
        "Bearer",
        KEY,
    ],
    ids=["unknown", "cut", "longer", "upper case", "prefixed", "other scheme", "nothing", "no scheme"],
)
def test_a_wrong_key_is_401(authorization: str) -> None:
    answer = GATEWAY.get(headers={"Authorization": authorization})
    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers


def test_a_key_in_the_query_or_a_cookie_is_no_credential() -> None:
    assert GATEWAY.get(f"/api/tags?access_token={KEY}", cookies={"Authorization": f"Bearer {KEY}"}).status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_key_is_200_whatever_the_case_of_the_scheme(scheme: str) -> None:
    answer = GATEWAY.get(headers={"Authorization": f"{scheme} {KEY}"})
    assert answer.status_code == 200
    assert [model["name"] for model in answer.json()["models"]] == ["tiny:latest"]


def test_a_streamed_answer_arrives_in_pieces() -> None:
    pieces = GATEWAY.stream(headers={"Authorization": f"Bearer {KEY}"})
    assert json.loads(pieces[0][1].splitlines()[0])["done"] is False
    assert len({round(second, 3) for second, _ in pieces}) > 5, f"arrived at {[second for second, _ in pieces]}"
    assert all(piece.endswith(b"\n") for _, piece in pieces), "a line was cut in two"


def test_a_body_of_many_megabytes_is_accepted() -> None:
    body = {"model": "tiny", "prompt": "x" * 8_000_000, "stream": False}
    # The stand-in reads it letter by letter, beside other scenarios.
    answer = requests.post(
        GATEWAY.url + "/api/generate", json=body, headers={"Authorization": f"Bearer {KEY}"}, timeout=300
    )
    assert answer.status_code == 200


def test_healthz_needs_no_key_and_says_nothing() -> None:
    answer = GATEWAY.get("/healthz")
    assert answer.status_code == 200
    assert len(answer.content) < 20


def test_the_host_holds_no_key_only_its_hash(gate: Host) -> None:
    assert gate.run(f"grep -rlF {KEY} /opt/gatehouse /etc /root /tmp /var/log").stdout == ""


def test_credentials_are_readable_by_the_gateway_only(gate: Host) -> None:
    for name in ("api_keys", "htpasswd"):
        file = gate.file(f"/opt/gatehouse/gateway/clients/{name}")
        assert (file.uid, file.gid, oct(file.mode)) == (0, 60880, "0o640")


def test_the_gateway_runs_unprivileged_with_a_read_only_root(gate: Host) -> None:
    seen = json.loads(gate.check_output("docker inspect gatehouse-gateway-gateway-1"))[0]
    assert seen["Config"]["User"] == "60880:60880"
    assert seen["HostConfig"]["ReadonlyRootfs"] is True
    assert seen["HostConfig"]["CapDrop"] == ["ALL"]
    assert seen["HostConfig"]["CapAdd"] in (None, [])
    assert "no-new-privileges:true" in seen["HostConfig"]["SecurityOpt"]
    # To its ledger it writes, and to nothing else.
    writable = [mount["Destination"] for mount in seen["Mounts"] if mount["RW"]]
    assert writable == ["/etc/gatehouse/state"]


def test_port_11434_is_closed_on_every_address_of_the_host_and_of_the_container(gate: Host, neighbour: Host) -> None:
    """Tried by a local user of the host, and by a neighbour who sends packets for the Docker networks through it."""
    attempt = "timeout 2 bash -c 'exec 3<>/dev/tcp/%s/11434'"
    inspect = "docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' gatehouse-ollama-ollama-1"
    container = gate.check_output(inspect).split()
    beside = "docker exec gatehouse-gateway-gateway-1 " + attempt
    inside = [address for address in container if gate.run(beside % address).rc == 0]
    assert len(inside) == 1, f"Ollama listens on {inside} of {container}, not on its private network alone"
    outside = gate.check_output("hostname -I").split()
    assert len(outside) >= 3, f"the host has no Docker bridges among its addresses {outside}"
    for address in {*outside, *container} - {SCENARIO.address("gate")}:
        neighbour.run_expect([0], f"ip route replace {address}/32 via {SCENARIO.address('gate')}")
    opened = [
        f"{address} from {host.check_output('hostname')}"
        for address in (*outside, *container)
        for host in (gate, neighbour)
        if host.run(attempt % address).rc == 0
    ]
    assert opened == []


def test_a_recreated_ollama_is_found_again_without_a_reload(gate: Host) -> None:
    gate.run_expect([0], "docker rm -f gatehouse-ollama-ollama-1")
    assert GATEWAY.status(key=KEY) in (502, 504)
    gate.run_expect(
        [0],
        "docker run -d --rm --name address-taker --network ollama --entrypoint sleep "
        "$(docker image ls -q --filter reference='ollama/ollama') 60",
    )
    try:
        gate.run_expect([0], "cd /opt/gatehouse/ollama && docker compose -p gatehouse-ollama up -d --wait")
        gate.run_expect([0], "sleep 6")
        assert GATEWAY.status(key=KEY) == 200
    finally:
        gate.run("docker rm -f address-taker")


def test_the_attack_finds_no_way_in() -> None:
    assert "no hole" in SCENARIO.attack()


def test_the_gateway_comes_back_with_docker_after_a_reload(gate: Host) -> None:
    parts = ["--tags=ollama_gateway", "--skip-tags=verify"]
    done = playbook(SCENARIO.inventory, "deploy", *parts, "--extra-vars", "ollama_gateway_read_timeout=601")
    assert done.returncode == 0, told(done)
    gate.run_expect([0], "systemctl reset-failed docker && systemctl restart docker")
    healthy = "[ $(docker ps -q --filter health=healthy | wc -l) = 2 ]"
    gate.run_expect([0], f"timeout 60 sh -c 'until {healthy}; do sleep 1; done'")
    assert GATEWAY.status(key=KEY) == 200


def test_a_network_that_somebody_removed_is_mended_by_the_next_deploy(gate: Host) -> None:
    gate.run_expect([0], "docker stop $(docker ps -q) && docker network rm ollama gatehouse-gateway_default")
    done = playbook(SCENARIO.inventory, "deploy", "--skip-tags=verify")
    assert done.returncode == 0, told(done)
    assert GATEWAY.status(key=KEY) == 200
    assert "tiny" in gate.check_output("docker exec gatehouse-ollama-ollama-1 ollama list"), "the models are gone"


def test_containers_that_somebody_cut_off_are_mended_by_the_next_deploy_and_check_mode_says_so(gate: Host) -> None:
    server, pod = "gatehouse-ollama-ollama-1", "gatehouse-gateway-pod-1"
    gate.run_expect([0], f"docker network disconnect ollama {server}")
    gate.run_expect([0], f"docker network disconnect gatehouse-gateway_default {pod}")
    looked = playbook(SCENARIO.inventory, "deploy", "--skip-tags=verify", "--check", "--diff")
    assert looked.returncode == 0, told(looked)
    assert {f"-container: {server}", f"-container: {pod}"} <= set(looked.stdout.splitlines())
    # By hand, and without the name by which the gateway finds it.
    gate.run_expect([0], f"docker network connect ollama {server}")
    done = playbook(SCENARIO.inventory, "deploy", "--skip-tags=verify")
    assert done.returncode == 0, told(done)
    assert GATEWAY.status(key=KEY) == 200
    again = playbook(SCENARIO.inventory, "deploy", "--skip-tags=verify")
    assert "changed=0" in again.stdout.split("PLAY RECAP")[1], told(again)
