# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""deploy.yml with a CA of one's own: HTTPS for whoever trusts it, nothing in the clear, and renewal by a play."""

from __future__ import annotations

import socket
import ssl
import stat
import time
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.client import Gateway, Load, playbook, told
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
FOLDER = SCENARIO.inventory.parent
CA = FOLDER / ".gatehouse" / "ca" / "ca.pem"
GATEWAY = Gateway(SCENARIO.url("gate"), ca=CA)
ADDRESS = SCENARIO.address("gate")
KEY = (FOLDER / ".gatehouse" / "secrets" / "alice.laptop").read_text().strip()
SERVER_FILE = "/opt/gatehouse/gateway/tls/server.pem"


def presented() -> x509.Certificate:
    return x509.load_pem_x509_certificate(ssl.get_server_certificate((ADDRESS, 8880)).encode())


def test_a_credential_is_200_and_none_is_401() -> None:
    assert GATEWAY.url.startswith("https://")
    assert GATEWAY.status(key=KEY) == 200
    assert GATEWAY.status(auth=("alice", "wonderland-and-back")) == 200
    assert GATEWAY.status() == 401
    assert GATEWAY.status(key="wrong") == 401


def test_a_key_for_the_path_is_taken_there_and_no_other_and_no_log_has_it() -> None:
    in_path = (FOLDER / ".gatehouse" / "secrets" / "alice.cli").read_text().strip()
    assert GATEWAY.status(f"/key/{in_path}/api/tags") == 200
    assert GATEWAY.status(f"/key/{KEY}/api/tags") == 401
    assert GATEWAY.status(key=in_path) == 200
    plain = requests.get(f"http://{ADDRESS}:8881/key/{in_path}/api/tags", timeout=10, allow_redirects=False)
    assert (plain.status_code, "Location" in plain.headers) == (400, False)
    time.sleep(2)
    for name in ("gatehouse-gateway-gateway-1", "gatehouse-ollama-ollama-1"):
        assert in_path not in SCENARIO.host("gate").check_output(f"docker logs {name} 2>&1")


def test_people_have_a_page_that_anybody_may_load_and_a_view_of_their_own() -> None:
    page = GATEWAY.get("/gatehouse/")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert GATEWAY.status("/gatehouse/usage") == 401
    own = GATEWAY.get("/gatehouse/usage", headers={"Authorization": f"Bearer {KEY}"}).json()
    assert [(one["id"], one["in_path"]) for one in own["keys"]] == [("laptop", False), ("cli", True)]


def test_who_does_not_trust_the_ca_is_warned() -> None:
    with pytest.raises(requests.exceptions.SSLError):
        Gateway(GATEWAY.url).get()


def test_a_strict_reader_of_certificates_is_content() -> None:
    context = ssl.create_default_context(cafile=str(CA))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with socket.create_connection((ADDRESS, 8880), 10) as sock, context.wrap_socket(
        sock, server_hostname=ADDRESS
    ) as tls:
        assert tls.version() == "TLSv1.3"


def test_a_streamed_answer_arrives_in_pieces() -> None:
    pieces = GATEWAY.stream(headers={"Authorization": f"Bearer {KEY}"})
    assert len({round(second, 3) for second, _ in pieces}) > 5, f"arrived at {[second for second, _ in pieces]}"


def test_nothing_is_answered_in_the_clear() -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    plain = requests.get(f"http://{ADDRESS}:8880/api/tags", headers=headers, timeout=10)
    assert (plain.status_code, plain.json()) == (400, {"error": "this port speaks HTTPS only"})
    sent_over = requests.get(f"http://{ADDRESS}:8881/api/tags", headers=headers, timeout=10, allow_redirects=False)
    assert (sent_over.status_code, sent_over.headers["Location"]) == (308, f"https://{ADDRESS}:8880/api/tags")
    for host in ("evil.example", "169.254.169.254"):
        other = requests.get(f"http://{ADDRESS}:8881/", headers={"Host": host}, timeout=10, allow_redirects=False)
        assert other.status_code == 421


def test_the_certificate_has_the_names_and_addresses_of_the_host_and_is_for_servers_only() -> None:
    names = presented().extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ADDRESS in [str(one) for one in names.get_values_for_type(x509.IPAddress)]
    assert {"gate", "localhost"} <= set(names.get_values_for_type(x509.DNSName))
    usage = presented().extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_private_keys_can_be_read_by_nobody_else() -> None:
    file = SCENARIO.host("gate").file(SERVER_FILE)
    assert (file.mode, file.uid) == (0o600, 60880)
    assert stat.S_IMODE((FOLDER / ".gatehouse" / "ca" / "ca.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((FOLDER / ".gatehouse" / "ca").stat().st_mode) == 0o700
    assert "PRIVATE" not in CA.read_text()


def test_a_certificate_near_its_end_is_renewed_by_a_play_without_a_failed_request() -> None:
    serial = presented().serial_number
    kept, anew = Load(GATEWAY, KEY), Load(GATEWAY, KEY, keep_alive=False)
    with kept, anew:
        done = playbook(
            SCENARIO.inventory, "deploy", "--skip-tags=verify", "-vvv", "-e", "__ollama_gateway_renew_days=400"
        )
    assert done.returncode == 0, done.stdout[-3000:]
    assert presented().serial_number != serial
    assert kept.statuses() == anew.statuses() == {200}
    assert len(anew.answers) > 50
    secret = SCENARIO.host("gate").file(SERVER_FILE).content_string.splitlines()[1]
    assert len(secret) > 30
    assert secret not in told(done)
    assert (FOLDER / ".gatehouse" / "ca" / "ca.key").read_text().splitlines()[1] not in told(done)


def test_a_folder_that_cannot_hold_a_ca_is_refused_before_anything_is_changed(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    done = playbook(SCENARIO.inventory, "deploy", "-e", f"ollama_gateway_ca_dir={file}")
    assert done.returncode != 0
    assert f"ollama_gateway_ca_dir: {file} on the controller is not a folder" in told(done)
    assert "changed=0" in told(done)
    assert GATEWAY.status(key=KEY) == 200


def test_check_mode_changes_nothing_and_says_so() -> None:
    done = playbook(SCENARIO.inventory, "deploy", "--check", "--diff", "--skip-tags=verify")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "changed=0" in told(done)
    assert "PRIVATE KEY" not in told(done)


def test_the_attack_finds_no_way_in() -> None:
    assert "no hole" in SCENARIO.attack()
