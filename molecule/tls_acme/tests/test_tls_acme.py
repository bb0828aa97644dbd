# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""deploy.yml with ACME: a certificate of the lab's ACME servers, renewed by the host itself while requests go on."""

from __future__ import annotations

import json
import re
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509

from tests.client import Gateway, Load, playbook
from tests.lab.base import ACME_ADDRESS, ACME_CA
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
VARIABLES = SCENARIO.variables("gate")
ADDRESS = SCENARIO.address("gate")
KEY = VARIABLES["ollama_gateway_clients"][0]["keys"][0]["secret"]
(NAME,) = VARIABLES["ollama_gateway_server_names"]
PLAIN = VARIABLES["ollama_gateway_acme_directory"]
BOUND, SHORT = (PLAIN.replace(":14000", f":{port}") for port in (14001, 14002))
# As tests/lab/images/acme says.
EAB_KEY_ID = "lab-kid"
EAB_HMAC_KEY = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
WRONG_HMAC_KEY = EAB_HMAC_KEY[::-1]
FILES = "/opt/gatehouse/gateway"
RENEW = "gatehouse-gateway-renew"
HOST = SCENARIO.host("gate")


@pytest.fixture(autouse=True)
def _the_name_leads_to_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: real(ADDRESS if host == NAME else host, *rest, **more)
    )


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    """The gateway by its name, with the roots of the lab's ACME servers and no other CA."""
    roots = tmp_path_factory.mktemp("acme") / "roots.pem"
    urls = [f"https://{ACME_ADDRESS}:{port}/roots/0" for port in (15000, 15001, 15002)]
    roots.write_text("".join(requests.get(url, verify=str(ACME_CA), timeout=10).text for url in urls))
    return Gateway(f"https://{NAME}", ca=roots)


@pytest.fixture
def _the_inventory_is_restored(tmp_path: Path) -> Iterator[None]:
    yield
    deploy(tmp_path)


def presented() -> x509.Certificate:
    """The certificate that a new connection sees."""
    return x509.load_pem_x509_certificate(ssl.get_server_certificate((ADDRESS, 443)).encode())


def names(certificate: x509.Certificate) -> set[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(found.get_values_for_type(x509.DNSName))


def run(folder: Path, *arguments: str, **variables: Any) -> tuple[int, str]:
    extra = folder / "variables.json"
    extra.write_text(json.dumps({f"ollama_gateway_{name}": value for name, value in variables.items()}))
    parts = ["--tags=ollama_gateway", "--skip-tags=verify"]
    done = playbook(SCENARIO.inventory, "deploy", *parts, "--extra-vars", f"@{extra}", *arguments)
    return done.returncode, done.stdout + done.stderr


def deploy(folder: Path, *arguments: str, **variables: Any) -> str:
    code, said = run(folder, *arguments, **variables)
    assert code == 0, said[-5000:]
    return said


def wait_until_due() -> None:
    """Until half of the short certificate's life is over, when certbot renews it."""
    # On a slow machine it may be over by now.
    HOST.run_expect([0], f"systemctl start {RENEW}.service")
    certificate = presented()
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert life.total_seconds() < 100
    time.sleep(max(0.0, (certificate.not_valid_before_utc + life / 2).timestamp() + 2 - time.time()))


def test_a_key_is_200_and_none_is_401_by_the_servers_certificate(gateway: Gateway) -> None:
    assert gateway.status(key=KEY) == 200
    assert gateway.status() == 401
    assert names(presented()) == {NAME}
    assert "Pebble" in presented().issuer.rfc4514_string()
    with pytest.raises(requests.exceptions.SSLError):
        Gateway(gateway.url).get()


def test_the_plain_port_answers_challenges_and_sends_all_else_over() -> None:
    challenge = f"{FILES}/acme/webroot/.well-known/acme-challenge/test-token"
    HOST.run_expect([0], f"echo test-answer > {challenge}")
    try:
        # For a name as well that is about to be added.
        for host in (NAME, "another.example.com"):
            url = f"http://{ADDRESS}/.well-known/acme-challenge/test-token"
            answer = requests.get(url, headers={"Host": host}, timeout=10)
            assert (answer.status_code, answer.text) == (200, "test-answer\n")
    finally:
        HOST.run_expect([0], f"rm {challenge}")
    answer = requests.get(f"http://{NAME}/api/tags?x=1", timeout=10, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (308, f"https://{NAME}/api/tags?x=1")


def test_private_keys_are_for_root_and_the_gateway_only() -> None:
    file = HOST.file(f"{FILES}/tls/server.pem")
    assert (file.mode, file.uid) == (0o600, 60880)
    assert HOST.file(f"{FILES}/acme").mode == 0o700
    assert HOST.check_output(f"find {FILES}/acme/config -name 'privkey*.pem' -type f ! -perm 600") == ""


def test_a_timer_renews_and_the_hosts_own_certbot_knows_nothing_of_it() -> None:
    assert HOST.check_output(f"systemctl is-enabled {RENEW}.timer") == "enabled"
    assert HOST.check_output(f"systemctl is-active {RENEW}.timer") == "active"
    assert HOST.check_output("find /etc/letsencrypt -name '*.pem' -o -name '*.conf'") == ""
    serial = presented().serial_number
    HOST.run_expect([0], f"systemctl start {RENEW}.service")
    assert presented().serial_number == serial, "renewed too early"


@pytest.mark.usefixtures("_the_inventory_is_restored")
def test_renewal_without_ansible_fails_no_request_and_a_failed_one_leaves_the_certificate(
    gateway: Gateway, tmp_path: Path
) -> None:
    deploy(tmp_path, acme_directory=SHORT)
    wait_until_due()
    before = presented().serial_number
    with Load(gateway, KEY) as kept, Load(gateway, KEY, keep_alive=False) as anew:
        time.sleep(3)
        HOST.run_expect([0], f"systemctl start {RENEW}.service")
        after = presented().serial_number
        time.sleep(10)
    assert after != before
    assert presented().serial_number == after
    assert kept.statuses() == anew.statuses() == {200}
    assert min(len(kept.answers), len(anew.answers)) > 50

    wait_until_due()
    after = presented().serial_number
    block = f"OUTPUT --destination {ACME_ADDRESS} --protocol tcp --jump REJECT --reject-with tcp-reset"
    HOST.run_expect([0], f"iptables --insert {block}")
    try:
        assert HOST.run(f"systemctl start {RENEW}.service").rc != 0
        assert presented().serial_number == after
        assert gateway.status(key=KEY) == 200
        assert HOST.check_output("systemctl --failed --no-legend --plain").count(f"{RENEW}.service") == 1
        journal = HOST.check_output(f"journalctl --no-pager -u {RENEW}.service --since=-30s")
        assert "Connection refused" in journal
    finally:
        HOST.run_expect([0], f"iptables --delete {block}")
    HOST.run_expect([0], f"systemctl start {RENEW}.service")
    assert presented().serial_number != after
    assert gateway.status(key=KEY) == 200
    assert f"{RENEW}.service" not in HOST.check_output("systemctl --failed --no-legend --plain")


REFUSED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a_mistyped_directory": (
        {"acme_directory": PLAIN.replace("/dir", "/dri")},
        ["ollama_gateway_acme_directory", "/dri", "404"],
    ),
    "a_server_that_is_down": (
        {"acme_directory": PLAIN.replace(":14000", ":14009")},
        ["ollama_gateway_acme_directory", ":14009", "Connection refused"],
    ),
    "a_name_that_leads_nowhere": (
        {"server_names": [NAME, "nowhere.gatehouse-lab"]},
        ["ollama_gateway_server_names", "nowhere.gatehouse-lab", "no such host"],
    ),
    "a_wrong_account_binding": (
        {"acme_directory": BOUND, "acme_eab_key_id": EAB_KEY_ID, "acme_eab_hmac_key": WRONG_HMAC_KEY},
        ["ollama_gateway_acme_eab_key_id", "ollama_gateway_acme_eab_hmac_key", "verification error"],
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_names_the_variable_and_the_reason_and_the_gateway_is_not_touched(
    case: str, gateway: Gateway, tmp_path: Path
) -> None:
    variables, words = REFUSED[case]
    started = HOST.check_output("docker inspect -f '{{.State.StartedAt}}' gatehouse-gateway-gateway-1")
    serial = presented().serial_number
    code, said = run(tmp_path, "-vvv", **variables)
    said = re.sub(r"\s+", " ", said)
    assert code == 2, said[-5000:]
    assert [word for word in [*words, "The running gateway was not touched."] if word not in said] == [], said[-5000:]
    assert "Traceback" not in said
    assert presented().serial_number == serial
    assert gateway.status(key=KEY) == 200
    assert HOST.check_output("docker inspect -f '{{.State.StartedAt}}' gatehouse-gateway-gateway-1") == started
    said += HOST.check_output("journalctl --no-pager -o cat") + HOST.check_output(f"grep -rh . {FILES}/acme/logs")
    assert WRONG_HMAC_KEY not in said


def test_a_plain_port_that_is_taken_is_named_before_anything_is_changed(tmp_path: Path) -> None:
    HOST.run_expect([0], "systemd-run --unit=port-taker python3 -m http.server 8899")
    try:
        HOST.run_expect([0], "timeout 10 bash -c 'until ss -ltn | grep -q :8899; do sleep 0.1; done'")
        code, said = run(tmp_path, http_port=8899)
        assert (code, "ollama_gateway_http_port: port 8899" in re.sub(r"\s+", " ", said)) == (2, True), said[-3000:]
        assert HOST.check_output("docker ps --all --quiet --filter name=gatehouse-gateway-acme") == ""
    finally:
        HOST.run_expect([0], "systemctl stop port-taker")


@pytest.mark.usefixtures("_the_inventory_is_restored")
def test_an_account_is_bound_and_other_names_are_added_without_a_failed_request(
    gateway: Gateway, tmp_path: Path
) -> None:
    serial = presented().serial_number
    more = [NAME, NAME.partition(".")[0]]
    with Load(gateway, KEY) as kept, Load(gateway, KEY, keep_alive=False) as anew:
        said = deploy(
            tmp_path,
            "-vvv",
            acme_directory=BOUND,
            acme_eab_key_id=EAB_KEY_ID,
            acme_eab_hmac_key=EAB_HMAC_KEY,
            server_names=more,
        )
    assert presented().serial_number != serial
    assert names(presented()) == set(more)
    assert kept.statuses() == anew.statuses() == {200}
    said += HOST.check_output("journalctl --no-pager -o cat")
    said += HOST.check_output(f"grep -rh . {FILES}/acme /etc/systemd/system")
    assert EAB_HMAC_KEY not in said


def test_check_mode_says_what_would_be_asked_for_and_asks_nobody(tmp_path: Path) -> None:
    serial = presented().serial_number
    said = re.sub(r"\s+", " ", deploy(tmp_path, "--check", "--diff", acme_directory=SHORT))
    assert f"Would ask {SHORT} for a certificate for {NAME}: the certificate is from {PLAIN}" in said
    assert "PRIVATE KEY" not in said
    said = deploy(tmp_path, "--check", "--diff")
    assert re.findall(r"^gate .*changed=(\d+)", said, re.MULTILINE) == ["0"]
    assert presented().serial_number == serial


def test_with_another_way_of_tls_nothing_is_renewed_and_the_way_back_asks_for_nothing(tmp_path: Path) -> None:
    serial = presented().serial_number
    try:
        deploy(tmp_path, tls="self_signed", ca_dir=str(tmp_path / "ca"))
        assert presented().serial_number != serial
        assert HOST.run(f"systemctl cat {RENEW}.timer {RENEW}.service").rc != 0
        assert RENEW not in HOST.check_output("systemctl list-timers --all --no-pager")
    finally:
        deploy(tmp_path)
    assert presented().serial_number == serial
    assert HOST.check_output(f"systemctl is-active {RENEW}.timer") == "active"
