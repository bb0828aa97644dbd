# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server whose way out leads to its registry alone, attacked from within its own container."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.client import playbook, told
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
HOST = SCENARIO.host("gate")
SERVER = "gatehouse-ollama-ollama-1"
EGRESS = "gatehouse-ollama-egress-1"
REGISTRY = "gatehouse-egress-registry.gatehouse-lab"
# Says how far a TLS connection comes: the name that is looked up, the port, the name in the handshake.
CONNECT = """
import socket, ssl, sys
try:
    address = socket.gethostbyname(sys.argv[1])
    sock = socket.create_connection((address, int(sys.argv[2])), 5)
except OSError as error:
    sys.exit("no way: %s" % error)
context = ssl.create_default_context()
context.check_hostname = False
try:
    with context.wrap_socket(sock, server_hostname=sys.argv[3] or None) as tls:
        print("connected", dict(one[0] for one in tls.getpeercert()["subject"])["commonName"])
except OSError as error:
    sys.exit("closed: %s" % error)
"""


def connect(name: str, port: int = 443, sni: str | None = None) -> str:
    """What somebody in the server's container sees who connects there."""
    wanted = name if sni is None else sni
    done = HOST.run(f"docker exec {SERVER} python3 -c {shlex.quote(CONNECT)} {name} {port} '{wanted}'")
    return (done.stdout + done.stderr).strip()


def models(**variables: Any) -> tuple[int, str]:
    done = playbook(SCENARIO.inventory, "models", "--extra-vars", json.dumps(variables))
    return done.returncode, told(done)


def test_models_are_downloaded_from_the_registry() -> None:
    code, said = models(ollama_server_models=["tiny"])
    assert code == 0, said[-3000:]
    assert "tiny:latest" in HOST.check_output(f"docker exec {SERVER} ollama list")
    assert f'"{REGISTRY}" to "10.213.0.202:443": 200' in HOST.check_output(f"docker logs {EGRESS}")


def test_the_server_itself_checks_whom_it_talks_to() -> None:
    assert connect(REGISTRY) == f"connected {REGISTRY}"


@pytest.mark.parametrize("sni", ["elsewhere.example", "", f"x.{REGISTRY}"], ids=["another", "none", "below"])
def test_another_name_in_the_handshake_is_closed(sni: str) -> None:
    assert connect(REGISTRY, sni=sni).startswith("closed:")


@pytest.mark.parametrize(
    ("name", "port"),
    [
        ("10.213.0.2", 5000),
        ("10.213.0.202", 443),
        ("10.213.0.201", 22),
        (REGISTRY, 80),
        (REGISTRY, 5000),
        ("localhost.example", 443),
    ],
    ids=["a registry", "the registry past its name", "the host", "another port", "one more port", "a name"],
)
def test_there_is_no_other_way_out(name: str, port: int) -> None:
    assert connect(name, port).startswith("no way:")


def test_services_of_the_host_are_out_of_reach() -> None:
    HOST.check_output("systemd-run --unit=open-service python3 -m http.server 8899")
    try:
        HOST.run_expect([0], "timeout 10 bash -c 'until ss -ltn | grep -q :8899; do sleep 0.1; done'")
        inspect = "docker network inspect gatehouse-ollama_egress --format '{{json .IPAM.Config}}'"
        routers = [
            one["Gateway"].partition("/")[0] for one in json.loads(HOST.check_output(inspect)) if "Gateway" in one
        ]
        addresses = {*HOST.check_output("hostname -I").split(), *routers}
        assert addresses
        assert {one: connect(one, 8899) for one in addresses if not connect(one, 8899).startswith("no way:")} == {}
    finally:
        HOST.check_output("systemctl stop open-service")


def test_a_network_that_leads_out_is_refused() -> None:
    HOST.check_output("docker network create plain")
    try:
        variables = json.dumps({"ollama_server_network": "plain"})
        done = playbook(SCENARIO.inventory, "deploy", "--tags=ollama_server", "--skip-tags=verify", "-e", variables)
        assert done.returncode == 2
        assert "ollama_server_network: the Docker network plain is there and is not internal" in told(done)
        assert "changed=0" in told(done)
    finally:
        HOST.check_output("docker network rm plain")


def test_the_container_between_may_do_nothing_else() -> None:
    found = json.loads(HOST.check_output(f"docker inspect {EGRESS}"))[0]
    assert found["HostConfig"]["CapDrop"] == ["ALL"]
    assert found["HostConfig"]["ReadonlyRootfs"]
    assert found["Config"]["User"] not in ("", "0", "0:0")
    assert found["State"]["Health"]["Status"] == "healthy"
    assert all(not bindings for bindings in found["NetworkSettings"]["Ports"].values())


def test_without_a_way_out_a_download_fails_and_says_so() -> None:
    done = playbook(
        SCENARIO.inventory, "deploy", "--tags=ollama_server", "--skip-tags=verify", "-e", "ollama_server_egress=none"
    )
    try:
        assert done.returncode == 0, told(done)[-3000:]
        assert HOST.check_output("docker ps --quiet --filter name=egress") == ""
        assert connect(REGISTRY).startswith("no way:")
        code, said = models(ollama_server_models=["tiny-loop"], ollama_server_egress="none")
        assert code == 2
        assert REGISTRY in said, said[-3000:]
    finally:
        again = playbook(SCENARIO.inventory, "deploy", "--tags=ollama_server", "--skip-tags=verify")
    assert again.returncode == 0, told(again)[-3000:]
    assert connect(REGISTRY) == f"connected {REGISTRY}"


REFUSED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a_published_port": (
        {"ollama_server_publish": "127.0.0.1:11434"},
        ["ollama_server_publish: it needs ollama_server_egress any"],
    ),
    "a_proxy": (
        {"ollama_server_environment": {"HTTPS_PROXY": "http://proxy.example:3128"}},
        ["ollama_server_egress: it is registry, and HTTPS_PROXY"],
    ),
    "an_address": (
        {"ollama_server_egress_hosts": ["https://registry.example/"]},
        ["ollama_server_egress_hosts[0]", "it must be a host name"],
    ),
    "no_name": ({"ollama_server_egress_hosts": []}, ["ollama_server_egress_hosts: it must be a list of host names"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_contradicts_it_is_refused_before_anything_is_changed(case: str) -> None:
    variables, words = REFUSED[case]
    code, said = models(**variables)
    assert code == 2, said[-3000:]
    assert [word for word in words if word not in said] == [], said[-3000:]
    assert "changed=0" in said
