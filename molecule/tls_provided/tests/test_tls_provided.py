# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""deploy.yml with a certificate that is given: it is served well, and what cannot be good changes nothing."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import requests
from cryptography import x509

from tests.client import Gateway, playbook, told
from tests.lab import engine, images
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
PKI = SCENARIO.inventory.parent / "pki"
ADDRESS = SCENARIO.address("gate")
GATEWAY = Gateway(SCENARIO.url("gate"), ca=PKI / "ca.pem")
ALICE = ("alice", "wonderland-and-back")


def presented() -> x509.Certificate:
    return x509.load_pem_x509_certificate(ssl.get_server_certificate((ADDRESS, 443)).encode())


def given(name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((PKI / f"{name}.pem").read_bytes())


def deploy(certificate: Path, key: Path, *arguments: str) -> CompletedProcess[str]:
    options = {"ollama_gateway_tls_certificate": str(certificate), "ollama_gateway_tls_private_key": str(key)}
    return playbook(SCENARIO.inventory, "deploy", "--skip-tags=verify", "-e", json.dumps(options), *arguments)


def test_a_credential_is_200_and_none_is_401() -> None:
    assert GATEWAY.status(auth=ALICE) == 200
    assert GATEWAY.status() == 401
    assert GATEWAY.status(auth=("alice", "wrong")) == 401


def test_the_plain_port_sends_over() -> None:
    answer = requests.get(f"http://{ADDRESS}/api/tags?x=1", timeout=10, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (308, f"https://{ADDRESS}/api/tags?x=1")


@pytest.mark.parametrize(
    ("certificate", "key", "message"),
    [
        ("server.pem", "next.key", "it does not belong to any"),
        ("expired.pem", "expired.key", "expired"),
        ("future.pem", "future.key", "not valid"),
        ("server.key", "server.key", "ollama_gateway_tls_certificate"),
        ("missing.pem", "server.key", "there is no file"),
    ],
)
def test_what_cannot_be_good_is_refused_before_anything_is_changed(certificate: str, key: str, message: str) -> None:
    done = deploy(PKI / certificate, PKI / key)
    assert done.returncode != 0
    assert message in told(done)
    assert "changed=0" in told(done)
    assert "ollama_gateway_tls_" in told(done)
    assert (PKI / key).read_text().splitlines()[1] not in told(done)
    assert presented() == given("server")
    assert GATEWAY.status(auth=ALICE) == 200


def test_names_that_the_certificate_does_not_cover_are_refused() -> None:
    options = json.dumps({"ollama_gateway_server_names": [ADDRESS, "missing.example"]})
    done = deploy(PKI / "server.pem", PKI / "server.key", "-e", options)
    assert done.returncode != 0
    assert "missing.example" in told(done)
    assert "changed=0" in told(done)


def test_a_chain_in_the_wrong_order_is_put_right_and_counts_at_once() -> None:
    before = SCENARIO.host("gate").check_output("docker inspect -f '{{.State.StartedAt}}' gatehouse-gateway-gateway-1")
    done = deploy(PKI / "disorder.pem", PKI / "next.key", "-vvv")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "order" in told(done)
    secret = (PKI / "next.key").read_text().splitlines()[1]
    assert secret not in told(done)
    assert presented() == given("next")
    assert GATEWAY.status(auth=ALICE) == 200
    after = SCENARIO.host("gate").check_output("docker inspect -f '{{.State.StartedAt}}' gatehouse-gateway-gateway-1")
    assert before == after


def test_an_outside_judge_finds_nothing_high_or_worse() -> None:
    image = images.build(engine.client(), "testssl")
    options = {
        "volumes": {str(PKI): {"bind": "/pki", "mode": "ro"}},
        "network_mode": "host",
        "tmpfs": {"/out": ""},
        "entrypoint": ["bash", "-c"],
    }
    judge = f"testssl --quiet --color 0 --warnings off --add-ca /pki/ca.pem --jsonfile /out/found.json {ADDRESS}:443"
    script = f"{judge} >&2; cat /out/found.json"
    printed = engine.client().containers.run(image, [script], remove=True, **options)
    found = json.loads(printed)
    assert len(found) > 100
    bad = [one for one in found if one["severity"] in ("HIGH", "CRITICAL", "FATAL")]
    assert not bad
    grade = next(one["finding"] for one in found if one["id"] == "overall_grade")
    assert grade in ("A", "A+"), grade
