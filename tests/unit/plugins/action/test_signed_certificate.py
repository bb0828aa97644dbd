# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate that the CA on the controller signs for a host: kept, renewed, and never with a key in sight."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.pem import read_certificates, read_private_key
from cryptography import x509

from tests.unit.certificates import authority
from tests.unit.conftest import Direct, Playbook


def task(path: Path | str, ca: Path, **options: Any) -> dict[str, Any]:
    wanted = {"path": str(path), "ca_dir": str(ca), "ca_name": "Door CA", "common_name": "gate", "usage": "client"}
    return {"gatehouse.ollama.signed_certificate": {**wanted, **options}}


def leaf(path: Path) -> Any:
    (found,) = read_certificates(path.read_bytes(), "", [])
    return found


def key(path: Path) -> Any:
    return read_private_key(path.read_bytes(), "", [])


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def state(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_first_run_makes_the_ca_and_the_certificate_and_the_second_changes_nothing(
    direct: Direct, tmp_path: Path
) -> None:
    ca, path = tmp_path / ".gatehouse" / "door_ca", tmp_path / "host.pem"
    first, second = direct.run([task(path, ca), task(path, ca)]).only
    assert (first["changed"], first["reason"]) == (True, "there is no CA yet")
    assert (second["changed"], second["reason"]) == (False, "")
    assert first["ca"] == second["ca"] == (ca / "ca.pem").read_text()
    assert (mode(ca), mode(ca / "ca.key"), mode(path)) == (0o700, 0o600, 0o600)
    assert (ca.parent / ".gitignore").read_text() == "*\n"
    authority_there = leaf(ca / "ca.pem")
    assert authority_there.subject.rfc4514_string() == "CN=Door CA"
    assert authority_there.public_key().curve.name == "secp384r1"
    leaf(path).verify_directly_issued_by(authority_there)
    assert leaf(path).subject.rfc4514_string() == "CN=gate"
    assert path.read_text().startswith("-----BEGIN PRIVATE KEY-----"), "key first"


def test_check_mode_tells_the_truth_and_changes_nothing(direct: Direct, tmp_path: Path) -> None:
    ca, path = tmp_path / "ca", tmp_path / "host.pem"
    nothing = state(tmp_path)
    clean = direct.run([task(path, ca), task(tmp_path / "no" / "folder.pem", ca)], "--check").only
    assert [(one["changed"], one["ca"]) for one in clean] == [(True, ""), (True, "")]
    assert state(tmp_path) == nothing
    direct.run([task(path, ca)])
    before = state(tmp_path)
    same, other = direct.run([task(path, ca), task(path, ca, common_name="other")], "--check").only
    assert (same["changed"], other["changed"]) == (False, True)
    assert other["reason"] == "the certificate there is for gate"
    assert state(tmp_path) == before


def test_a_key_that_the_host_has_stays_and_a_damaged_one_does_not(direct: Direct, tmp_path: Path) -> None:
    ca, path = tmp_path / "ca", tmp_path / "host.pem"
    direct.run([task(path, ca)])
    first = key(path).private_numbers()
    assert direct.run([task(path, ca, days=398)]).only[0]["changed"]
    assert key(path).private_numbers() == first
    path.write_text("rubbish")
    assert direct.run([task(path, ca)]).only[0]["reason"] == "what is there cannot be read"
    assert key(path).private_numbers() != first


def test_a_server_has_its_names_and_its_use(direct: Direct, tmp_path: Path) -> None:
    ca, path = tmp_path / "ca", tmp_path / "host.pem"
    options = {"usage": "server", "common_name": "gatehouse-door", "names": ["gatehouse-door", "192.0.2.7"]}
    assert [one["changed"] for one in direct.run([task(path, ca, **options)] * 2).only] == [True, False]
    usage = leaf(path).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.ExtendedKeyUsageOID.SERVER_AUTH]
    assert direct.run([task(path, ca, **{**options, "usage": "client"})]).only[0]["changed"]


def test_owner_and_mode_are_set_also_where_nothing_is_signed(direct: Direct, tmp_path: Path) -> None:
    ca, path = tmp_path / "ca", tmp_path / "host.pem"
    direct.run([task(path, ca)])
    path.chmod(0o644)
    assert direct.run([task(path, ca)], "--check").only[0]["changed"]
    assert direct.run([task(path, ca)] * 2).only[1]["changed"] is False
    assert mode(path) == 0o600


def test_a_ca_that_is_damaged_or_lost_its_key_is_never_replaced(direct: Direct, tmp_path: Path) -> None:
    ca, path = tmp_path / "ca", tmp_path / "host.pem"
    direct.run([task(path, ca)])
    secret, certificate = (ca / "ca.key").read_text(), (ca / "ca.pem").read_text()
    (ca / "ca.key").unlink()
    assert direct.run([task(path, ca)]).only[0]["changed"] is False
    (lost,) = direct.run([task(path, ca, common_name="other")]).only
    assert lost["msg"].startswith(f"ca_dir: the CA in {ca} on the controller has no ca.key beside its ca.pem")
    (ca / "ca.key").write_bytes(authority("CA").key_pem)
    (ca / "ca.key").chmod(0o600)
    (foreign,) = direct.run([task(path, ca, common_name="other")]).only
    assert foreign["msg"] == f"{ca / 'ca.key'}: it is not the key of the certificate in ca.pem"
    (ca / "ca.key").write_text(secret)
    (ca / "ca.pem").write_text(certificate[:-40])
    (damaged,) = direct.run([task(path, ca)]).only
    assert damaged["msg"].startswith(f"{ca / 'ca.pem'}: it is damaged")
    (ca / "ca.pem").unlink()
    assert direct.run([task(path, ca)]).only[0]["reason"] == "there is no CA yet"
    assert (ca / "ca.key").read_text() == secret, "a key without a certificate gets one"


def test_a_key_of_the_ca_that_others_may_read_is_refused(direct: Direct, tmp_path: Path) -> None:
    ca, path = tmp_path / "ca", tmp_path / "host.pem"
    direct.run([task(path, ca)])
    (ca / "ca.key").chmod(0o644)
    (told,) = direct.run([task(path, ca, common_name="other")]).only
    assert told["failed"]
    assert "lets others than its owner at the key of the CA" in told["msg"]


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_a_common_name_that_no_certificate_can_have_is_told_in_check_mode_too(
    direct: Direct, tmp_path: Path, name: str
) -> None:
    (told,) = direct.run([task(tmp_path / "host.pem", tmp_path / "ca", common_name=name)], "--check").only
    assert told["msg"] == f"common_name: it must have 1 to 64 characters, and has {len(name)}"


def test_hosts_at_the_same_time_have_one_ca_and_no_key_is_printed(playbook: Playbook, tmp_path: Path) -> None:
    ca = tmp_path / "ca"
    path = str(tmp_path / "{{ inventory_hostname }}.pem")
    hosts = 4
    run = playbook.run([task(path, ca, common_name="{{ inventory_hostname }}")], "-vvv", "--diff", hosts=hosts)
    assert run.returncode == 0, run.output
    only = {one["ca"] for (one,) in run.results.values()}
    assert only == {(ca / "ca.pem").read_text()}
    files = [tmp_path / f"host{number}.pem" for number in range(hosts)]
    for file in files:
        leaf(file).verify_directly_issued_by(leaf(ca / "ca.pem"))
        assert leaf(file).subject.rfc4514_string() == f"CN={file.stem}"
    texts = [file.read_text().partition("-----END PRIVATE")[0] for file in files] + [(ca / "ca.key").read_text()]
    secret = [line for text in texts for line in text.splitlines() if "-----" not in line]
    assert len(secret) >= 3 * hosts
    assert [line for line in secret if line in run.output] == []
    assert sorted(os.listdir(ca)) == [".lock", "ca.key", "ca.pem"]
