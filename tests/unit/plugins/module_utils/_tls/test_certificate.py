# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates, keys and chains, good and bad, as they come from people."""

from __future__ import annotations

import base64
import itertools
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import MissingLibrary, Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls import pem
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.authority import (
    CLIENT_CA,
    read_authorities,
    read_client_crl,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.certificate import pem as as_pem
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.certificate import uncovered
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.gateway_certificate import read_server
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.unit.certificates import DAY, NOW, SERVER, Pair, authority, crl, make

ROOT = authority("Root")
MIDDLE = authority("Middle", ROOT)
LOWER = authority("Lower", MIDDLE)
NAMES = ("gateway.example.org", "192.0.2.7")
LEAF = make("gateway", LOWER, NAMES, usages=SERVER)
STRANGER = make("stranger", ROOT, NAMES)
CHAIN = LEAF.pem + LOWER.pem + MIDDLE.pem

CERTIFICATE = "ollama_gateway_tls_certificate: "
KEY = "ollama_gateway_tls_private_key: "


def moment(days: int) -> str:
    return (NOW + days * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")


def secrets_of(pair: Pair) -> list[str]:
    """Lines of its private key in each form."""
    forms = (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)
    return [line for form in forms for line in pair.key_as(form).decode().splitlines() if "-----" not in line]


def judge(certificate: bytes, key: bytes = LEAF.key_pem, names: Any = ()) -> tuple[Any, list[str], list[str]]:
    problems, warnings = Problems(), Problems()
    server = read_server(certificate, key, names, NOW, problems, warnings)
    assert (server is None) == bool(problems)
    for secret in secrets_of(LEAF):
        assert secret not in "\n".join([*problems, *warnings, repr(server)])
    return server, problems, warnings


def only_problem(*arguments: Any, **more: Any) -> str:
    (problem,) = judge(*arguments, **more)[1]
    return problem


def test_a_sound_chain_is_taken_as_it_is() -> None:
    server, problems, warnings = judge(CHAIN, names=NAMES)
    assert (problems, warnings) == ([], [])
    assert server.pem.encode() == LEAF.key_pem + CHAIN
    assert server.names == list(NAMES)


@pytest.mark.parametrize(
    "text",
    [
        CHAIN.replace(b"\n", b"\r\n"),
        CHAIN.replace(b"\n", b" "),
        b"\xef\xbb\xbf# f\xfcr alle\n" + CHAIN,
        b"\n".join(b"    " + line for line in CHAIN.splitlines()),
        CHAIN + LEAF.key_pem,
    ],
    ids=["CRLF", "folded", "comment", "indented", "with its key"],
)
def test_text_that_lost_its_form_is_read_all_the_same(text: bytes) -> None:
    server, problems, warnings = judge(text)
    assert (problems, warnings) == ([], [])
    assert server.pem.encode() == LEAF.key_pem + CHAIN


def test_keys_of_older_forms_become_pkcs8() -> None:
    for bits in (0, 2048):
        pair = make("x", ROOT, NAMES, rsa_bits=bits)
        old = pair.key_as(PrivateFormat.TraditionalOpenSSL)
        # openssl ecparam -genkey writes it before the key.
        old = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + old
        server, problems, _warnings = judge(pair.pem, old)
        assert problems == []
        assert server.pem.encode() == pair.key_pem + pair.pem
    server, problems, _warnings = judge(CHAIN, CHAIN + LEAF.key_pem)
    assert problems == []


@pytest.mark.parametrize(
    ("certificate", "said"),
    [
        (b"", "it is empty"),
        (b"hello", "it is not PEM"),
        (LEAF.certificate.public_bytes(Encoding.DER), "it may be DER or PKCS #12"),
        (LEAF.key_pem, "it holds a private key, and not a certificate"),
        (LEAF.key_as(PrivateFormat.TraditionalOpenSSL), "it holds a private key, and not a certificate"),
        (crl(ROOT), "it holds a revocation list, and not a certificate"),
        (LEAF.pem[:-30], "it is damaged: a line"),
        (LEAF.pem.replace(b"M", b"!", 1), "a certificate is damaged"),
        (LEAF.pem.replace(b"\n", b"\\n"), "a certificate is damaged"),
        (LEAF.pem[:200] + LEAF.pem[264:], "a certificate is damaged"),
        (LEAF.pem + MIDDLE.pem[:200] + MIDDLE.pem[264:], "a certificate number 2 is damaged"),
    ],
)
def test_what_is_no_certificate_is_named_as_what_it_is(certificate: bytes, said: str) -> None:
    problems = judge(certificate)[1]
    assert problems[0].startswith(CERTIFICATE)
    assert said in problems[0]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (b"", "it is empty"),
        (base64.b64encode(b"x" * 100), "it is not PEM"),
        (LEAF.pem, "it holds a certificate, and not a private key"),
        (LEAF.key_as(PrivateFormat.PKCS8, b"secret"), "the private key has a passphrase"),
        (LEAF.key_as(PrivateFormat.TraditionalOpenSSL, b"secret"), "the private key has a passphrase"),
        (LEAF.key_pem + ROOT.key_pem, "it holds 2 private keys"),
        (LEAF.key_pem[:-10], "it is damaged"),
        (LEAF.key_pem[:60] + LEAF.key_pem[70:], "the private key is damaged"),
        (ROOT.key_pem, "it does not belong to any of the 3 certificates of ollama_gateway_tls_certificate"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "it holds a public key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "it holds PEM of another"),
    ],
)
def test_what_is_no_fitting_key_is_named_as_what_it_is(key: bytes, said: str) -> None:
    problem = only_problem(CHAIN, key)
    assert problem.startswith(KEY)
    assert said in problem


def test_problems_of_the_key_and_of_the_certificate_are_reported_together() -> None:
    problems = judge(b"x", b"y")[1]
    assert [one.split(" ")[0] for one in problems] == [CERTIFICATE.strip(), KEY.strip()]


@pytest.mark.parametrize("number", range(6))
def test_any_order_of_a_chain_is_repaired(number: int) -> None:
    order = list(itertools.permutations([LEAF, LOWER, MIDDLE]))[number]
    server, problems, warnings = judge(b"".join(pair.pem for pair in order))
    assert problems == []
    assert server.pem.encode() == LEAF.key_pem + CHAIN
    assert len(warnings) == (number != 0)
    assert all("was repaired" in one for one in warnings)


def test_a_root_and_a_double_are_left_out_with_a_warning() -> None:
    server, _problems, warnings = judge(CHAIN + ROOT.pem)
    assert server.pem.encode() == LEAF.key_pem + CHAIN
    assert len(warnings) == 1
    assert "the certificate CN=Root is a root" in warnings[0]
    server, _problems, warnings = judge(LEAF.pem + CHAIN)
    assert server.pem.encode() == LEAF.key_pem + CHAIN
    assert "was repaired" in warnings[0]


def test_a_root_that_an_older_one_signed_as_well_is_kept_in_that_form() -> None:
    old = authority("Old root")
    cross = authority("Root", old, key=ROOT.key)
    server, problems, warnings = judge(CHAIN + ROOT.pem + cross.pem)
    assert problems == []
    assert server.pem.encode() == LEAF.key_pem + CHAIN + cross.pem
    assert len(warnings) == 1


def test_two_authorities_that_signed_each_other_come_to_an_end() -> None:
    one = authority("One")
    two = authority("Two", one)
    one_by_two = authority("One", two, key=one.key)
    leaf = make("x", one, NAMES)
    server, problems, _warnings = judge(leaf.pem + one_by_two.pem + two.pem, leaf.key_pem)
    assert problems == []
    assert len(server.chain) == 3


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_certificate_that_is_not_of_the_chain_is_refused(position: int) -> None:
    parts = [LEAF.pem, LOWER.pem, MIDDLE.pem]
    parts.insert(position, STRANGER.pem)
    problem = only_problem(b"".join(parts))
    assert problem.startswith(f"{CERTIFICATE}the certificate CN=stranger is not part of the chain")


def test_an_impostor_with_the_name_of_the_issuer_is_not_taken_for_it() -> None:
    impostor = authority("Lower", MIDDLE)
    assert "CN=Lower is not part of the chain" in judge(LEAF.pem + impostor.pem + MIDDLE.pem)[1][0]


def test_a_certificate_that_signed_itself_may_be_alone() -> None:
    alone = make("x", None, NAMES)
    server, problems, warnings = judge(alone.pem, alone.key_pem, NAMES)
    assert (problems, warnings) == ([], [])
    assert server.pem.encode() == alone.key_pem + alone.pem


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"days": (-90, -2)}, f"expired on {moment(-2)}"),
        ({"days": (2, 90)}, f"is not valid before {moment(2)}"),
        ({"rsa_bits": 1024}, "has an RSA key of 1024 bits"),
        ({"ca": True}, "it is that of a CA"),
        ({"usages": [ExtendedKeyUsageOID.CLIENT_AUTH]}, "lacks serverAuth"),
        ({"names": ()}, "it has no subject alternative name, and clients do not look at its common name"),
    ],
    ids=["expired", "early", "weak", "of a CA", "for clients", "nameless"],
)
def test_a_leaf_that_clients_would_refuse_is_refused(more: dict[str, Any], said: str) -> None:
    leaf = make("gateway.example.org", ROOT, **{"names": NAMES, **more})
    problem = only_problem(leaf.pem, leaf.key_pem, [])
    assert problem.startswith(CERTIFICATE)
    assert said in problem
    assert len(judge(leaf.pem, leaf.key_pem, ["gateway.example.org"])[1]) == 1
    assert said in "\n".join(judge(leaf.pem, LEAF.key_pem)[1]), "also where the key is wrong"


def test_an_expired_intermediate_is_refused_too() -> None:
    middle = authority("M", ROOT, days=(-90, -2))
    leaf = make("x", middle, NAMES)
    assert "the certificate CN=M expired on" in only_problem(leaf.pem + middle.pem, leaf.key_pem)


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
@pytest.mark.parametrize("digest", ["sha1", "md5"])
def test_a_signature_that_clients_refuse_is_refused(tmp_path: Path, digest: str) -> None:
    key = tmp_path / "key"
    key.write_bytes(LEAF.key_pem if digest == "sha1" else make("x", rsa_bits=2048).key_pem)
    command = ["openssl", "req", "-x509", "-new", f"-{digest}", "-key", str(key), "-subj", "/CN=x", "-days", "90"]
    command += ["-addext", "subjectAltName=DNS:x", "-addext", "basicConstraints=CA:FALSE"]
    config = tmp_path / "config"
    config.write_text("[req]\ndistinguished_name=dn\n[dn]\n")
    certificate = subprocess.run([*command, "-config", str(config)], check=True, stdout=subprocess.PIPE).stdout
    problems = Problems()
    read_server(certificate, key.read_bytes(), [], NOW + DAY, problems, Problems())
    (problem,) = problems
    assert f"is signed with { ({'sha1': 'SHA-1', 'md5': 'MD5'}[digest]) }" in problem


@pytest.mark.parametrize(("days", "warned"), [(29.5, True), (31, False), (0.5, True)])
def test_a_certificate_that_expires_soon_is_a_warning(days: float, warned: bool) -> None:
    leaf = make("x", ROOT, NAMES, days=(-1, days))
    _server, problems, warnings = judge(leaf.pem, leaf.key_pem)
    assert problems == []
    assert len(warnings) == warned
    assert all(f"in {int(days)} days" in one for one in warnings)


@pytest.mark.parametrize(
    ("own", "name", "covered"),
    [
        ("gateway.example.org", "gateway.example.org", True),
        ("gateway.example.org", "GATEWAY.Example.org", True),
        ("gateway.example.org", "example.org", False),
        ("*.example.org", "gateway.example.org", True),
        ("*.EXAMPLE.org", "gateway.example.org", True),
        ("*.example.org", "*.example.org", True),
        ("*.example.org", "example.org", False),
        ("*.example.org", ".example.org", False),
        ("*.example.org", "a.gateway.example.org", False),
        ("gate*.example.org", "gateway.example.org", False),
        ("gateway.*.org", "gateway.example.org", False),
        ("*", "gateway", False),
        ("*.org", "example.org", False),
        ("gateway.example.org", "*.example.org", False),
        ("*.0.2.7", "192.0.2.7", False),
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("2001:db8::7", "2001:DB8:0:0::0007", True),
        ("2001:db8::7", "2001:db8::8", False),
        ("::ffff:192.0.2.7", "192.0.2.7", False),
    ],
)
def test_names_are_covered_as_clients_see_it(own: str, name: str, covered: bool) -> None:
    assert uncovered([name], make("x", ROOT, (own,)).certificate) == ([] if covered else [name])


def test_an_address_as_a_dns_name_and_a_common_name_cover_nothing() -> None:
    written = x509.SubjectAlternativeName([x509.DNSName("192.0.2.7")])
    assert written.get_values_for_type(x509.IPAddress) == []
    assert uncovered(["gateway.example.org"], make("gateway.example.org", ROOT, ("other",)).certificate)


def test_uncovered_names_are_reported_with_those_there_are() -> None:
    problem = only_problem(CHAIN, names=["gateway.example.org", "a.example.org", "192.0.2.9"])
    assert problem.startswith("ollama_gateway_server_names: the certificate is not for a.example.org, 192.0.2.9, but")
    assert "but for gateway.example.org, 192.0.2.7;" in problem


def test_without_the_library_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for lacking in (None, type("Old", (), {"Certificate": object})):
        monkeypatch.setattr(pem, "x509", lacking)
        with pytest.raises(MissingLibrary, match="pip install --upgrade cryptography"):
            judge(CHAIN)


def judge_ca(data: bytes, lists: bytes | None = None) -> list[str]:
    problems = Problems()
    found = read_authorities(data, CLIENT_CA, NOW, problems)
    if lists is not None:
        read_client_crl(lists, found, NOW, problems)
    return problems


def test_several_authorities_with_a_list_each_are_taken() -> None:
    other = authority("Other", may={"key_cert_sign", "crl_sign"})
    text = MIDDLE.pem + ROOT.pem + other.pem
    lists = crl(MIDDLE) + crl(other) + crl(ROOT, revoked=(LEAF,))
    assert judge_ca(text, lists) == []
    problems = Problems()
    found = read_authorities(b"# a comment\n" + text, CLIENT_CA, NOW, problems)
    assert as_pem(found).encode() == text
    assert as_pem(read_client_crl(lists, found, NOW, problems)).encode() == lists


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (ROOT.key_pem, "it holds a private key, and not a certificate"),
        (b"x", "it is not PEM"),
        (LEAF.pem + LOWER.pem + MIDDLE.pem + ROOT.pem, "the certificate CN=gateway is not that of a CA"),
        (authority("X", may={"crl_sign"}).pem, "the certificate CN=X is not that of a CA"),
        (make("X", ca=False).pem, "the certificate CN=X is not that of a CA"),
        (authority("X", days=(-9, -2)).pem, "the certificate CN=X expired on"),
        (authority("X", days=(2, 9)).pem, "the certificate CN=X is not valid before"),
        (MIDDLE.pem, "the issuer of the certificate CN=Middle, CN=Root, is missing; add it"),
    ],
)
def test_what_could_let_in_no_client_is_refused(data: bytes, said: str) -> None:
    (problem,) = judge_ca(data)
    assert problem.startswith("ollama_gateway_client_ca: ")
    assert said in problem


@pytest.mark.parametrize(
    ("authorities", "lists", "said"),
    [
        (ROOT.pem, ROOT.pem, "it holds a certificate, and not a revocation list"),
        (ROOT.pem, crl(ROOT, (-9, -2)), "the list of CN=Root had to be renewed by"),
        (ROOT.pem, crl(ROOT, (2, 9)), "the list of CN=Root is not valid before"),
        (MIDDLE.pem + ROOT.pem, crl(MIDDLE), "there is no list of the CA of the certificate CN=Root"),
        (MIDDLE.pem + ROOT.pem, crl(ROOT), "there is no list of the CA of the certificate CN=Middle"),
        (
            ROOT.pem,
            crl(ROOT) + crl(MIDDLE),
            "the list of CN=Middle is not signed by any CA of ollama_gateway_client_ca",
        ),
        (ROOT.pem, crl(ROOT) + crl(authority("Root")), "the list of CN=Root is not signed by any CA"),
        (authority("X", key=ROOT.key, may={"key_cert_sign"}).pem, None, "CN=X may not sign revocation lists"),
    ],
)
def test_a_list_with_which_nginx_would_refuse_everybody_is_refused(
    authorities: bytes, lists: bytes | None, said: str
) -> None:
    lists = crl(authority("X", key=ROOT.key)) if lists is None else lists
    (problem,) = judge_ca(authorities, lists)
    assert problem.startswith("ollama_gateway_client_crl: ")
    assert said in problem


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
@pytest.mark.parametrize(
    ("authorities", "lists"),
    [
        (ROOT.pem, None),
        (ROOT.pem, crl(ROOT)),
        (MIDDLE.pem, None),
        (ROOT.pem + MIDDLE.pem, None),
        (ROOT.pem + MIDDLE.pem, crl(MIDDLE)),
        (ROOT.pem + MIDDLE.pem, crl(ROOT)),
        (ROOT.pem + MIDDLE.pem, crl(ROOT) + crl(MIDDLE)),
        (ROOT.pem, crl(ROOT, (-9, -2))),
        (ROOT.pem, crl(ROOT, (2, 9))),
        (authority("Root", key=ROOT.key, may={"key_cert_sign"}).pem, crl(ROOT)),
        (authority("Root", key=ROOT.key, may={"crl_sign"}).pem, None),
    ],
)
def test_openssl_with_the_flags_of_nginx_agrees(tmp_path: Path, authorities: bytes, lists: bytes | None) -> None:
    """What is judged as sound lets in a client of each CA, and what is not refuses one."""
    (tmp_path / "ca").write_bytes(authorities)
    (tmp_path / "crl").write_bytes(lists or b"")
    command = ["openssl", "verify", "-purpose", "sslclient", "-CAfile", str(tmp_path / "ca")]
    command += ["-crl_check", "-crl_check_all", "-CRLfile", str(tmp_path / "crl")] if lists else []
    answers = []
    for issuer in [one for one in (ROOT, MIDDLE) if one is ROOT or MIDDLE.pem in authorities]:
        client = tmp_path / "client"
        client.write_bytes(make("client", issuer, usages=[ExtendedKeyUsageOID.CLIENT_AUTH]).pem)
        answers.append(subprocess.run([*command, str(client)], capture_output=True, check=False).returncode == 0)
    assert all(answers) == (judge_ca(authorities, lists) == [])
