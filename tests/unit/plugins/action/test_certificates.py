# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates that check_input reads, and what a user sees of them: by ansible-playbook."""

from __future__ import annotations

from typing import Any

from ansible.parsing.vault import VaultLib, VaultSecret
from cryptography.hazmat.primitives.serialization import PrivateFormat

from tests.unit.certificates import authority, crl, make
from tests.unit.conftest import Direct, Playbook, check_input

ROOT = authority("Root")
MIDDLE = authority("Middle", ROOT)
LEAF = make("gateway", MIDDLE, ("gateway.example.org", "192.0.2.7"))
SHORT = make("short", MIDDLE, ("gateway.example.org",), days=(-1, 10.5))
CHAIN = LEAF.pem + MIDDLE.pem
SECRETS = [
    line
    for pair in (LEAF, SHORT)
    for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)
    for line in pair.key_as(form).decode().splitlines()
    if "-----" not in line
]


def files(certificate: str = "{{ chain }}", private_key: str = "{{ key }}", **options: Any) -> dict[str, Any]:
    served = {"tls": "provided", "tls_certificate": certificate, "tls_private_key": private_key}
    return validate(**{**served, **options})


def validate(**options: Any) -> dict[str, Any]:
    clients = [{"name": "alice", "password": "correct-horse-1"}]
    return check_input("ollama_gateway", auth="basic", clients=clients, **options)


def assert_no_secret(text: str) -> None:
    for secret in SECRETS:
        assert secret not in text


def test_text_and_files_come_back_as_what_nginx_reads(direct: Direct) -> None:
    (direct.folder / "tls").mkdir()
    (direct.folder / "tls" / "chain.pem").write_bytes(CHAIN)
    (direct.folder / "tls" / "key.pem").write_bytes(LEAF.key_as(PrivateFormat.TraditionalOpenSSL))
    (direct.folder / "crl.pem").write_bytes(crl(ROOT))
    run = direct.run(
        [
            files(),
            files("tls/chain.pem", "tls/key.pem", server_names=["gateway.example.org"]),
            files("~/tls/chain.pem", str(direct.folder / "tls" / "key.pem")),
            validate(tls="self_signed", engine="openresty", client_ca="{{ ca }}", client_crl="crl.pem"),
            validate(),
        ],
        chain=CHAIN.decode(),
        key=LEAF.key_pem.decode(),
        ca=ROOT.pem.decode(),
    )
    text, path, home, clients, nothing = run.only
    assert text["tls_pem"].encode() == path["tls_pem"].encode() == home["tls_pem"].encode() == LEAF.key_pem + CHAIN
    assert text["names"] == ["gateway.example.org", "192.0.2.7"]
    assert path["names"] == ["gateway.example.org"]
    assert not text["changed"]
    assert (clients["client_ca"].encode(), clients["client_crl"].encode()) == (ROOT.pem, crl_of(direct))
    assert (text["client_ca"], text["client_crl"], clients["names"], clients["tls_pem"]) == ("", "", [], "")
    assert not {"names", "tls_pem", "client_ca", "client_crl"} & set(nothing)


def crl_of(direct: Direct) -> bytes:
    return (direct.folder / "crl.pem").read_bytes()


def test_files_and_text_of_a_vault_are_read_and_leave_nothing_behind(playbook: Playbook) -> None:
    vault = VaultLib([("default", VaultSecret(b"vault-password"))])
    (playbook.folder / "key.pem").write_bytes(vault.encrypt(LEAF.key_pem))
    (playbook.folder / "other.pem").write_bytes(VaultLib([("x", VaultSecret(b"other"))]).encrypt(LEAF.key_pem))
    lines = "\n".join("  " + line for line in vault.encrypt(LEAF.key_pem).decode().splitlines())
    (playbook.folder / "more.yml").write_text(f"key: !vault |\n{lines}\n")
    (playbook.folder / "vault").write_text("vault-password")
    options = ("-e", "@more.yml", "--vault-password-file", "vault", "-vvv")
    tasks = [files(private_key="key.pem"), files(), files(private_key="other.pem")]
    run = playbook.run(tasks, *options, chain=CHAIN.decode())
    file, text, other = run.only
    assert file["tls_pem"] == text["tls_pem"] != ""
    assert other["msg"] == (
        f"ollama_gateway_tls_private_key: {playbook.folder / 'other.pem'} cannot be read, or not be decrypted with the "
        "vault passwords of this run"
    )
    assert_no_secret(run.output)
    left = [path for path in (playbook.folder / ".ansible").rglob("*") if path.is_file()]
    assert_no_secret("".join(path.read_text(errors="replace") for path in left))


def test_all_problems_are_reported_at_once_and_readable_without_no_log(direct: Direct) -> None:
    options: dict[str, Any] = {"server_names": ["other.example.org"], "engine": "openresty"}
    run = direct.run(
        [
            files(**options, certificate="{{ leaf }}", client_ca="{{ leaf }}", client_crl="{{ crl }}"),
            files(**options, private_key="tls/missing.pem", client_ca="missing.pem"),
            files(**options, client_crl="missing.crl"),
            files(**options, private_key=""),
            files(**options, certificate=""),
        ],
        chain=CHAIN.decode(),
        key=ROOT.key_pem.decode(),
        leaf=LEAF.pem.decode(),
        crl=crl(ROOT).decode(),
    )
    several, missing, lonely, keyless, certless = [result["msg"].splitlines() for result in run.only]
    assert [line.split(": ")[0] for line in several] == [
        "ollama_gateway_tls_private_key",
        "ollama_gateway_server_names",
        "ollama_gateway_client_ca",
        "ollama_gateway_client_crl",
        "ollama_gateway_client_crl",
    ]
    assert missing[0].startswith(
        f"ollama_gateway_tls_private_key: there is no file {direct.folder / 'tls' / 'missing.pem'}; it must be PEM or"
    )
    assert missing[1].startswith(f"ollama_gateway_client_ca: there is no file {direct.folder / 'missing.pem'}")
    assert lonely == [
        "ollama_gateway_client_crl: it needs ollama_gateway_client_ca, the CA that signs client certificates"
    ]
    assert [lines[0].split(": ")[0] for lines in (keyless, certless)] == [
        "ollama_gateway_tls_private_key",
        "ollama_gateway_tls_certificate",
    ]


def test_no_secret_is_in_any_message_however_the_key_was_spoilt(playbook: Playbook) -> None:
    body = "".join(LEAF.key_pem.decode().splitlines()[1:-1])
    spoilt: dict[str, Any] = {
        "body": body,
        "lines": "\n".join(LEAF.key_pem.decode().splitlines()[1:-1]),
        "dashes": LEAF.key_pem.decode().replace("-----", "----"),
        "cut": LEAF.key_pem.decode()[:-20],
        "escaped": LEAF.key_pem.decode().replace("\n", "\\n"),
        "strange": body + "\0",
        "hexadecimal": LEAF.key_pem.hex(),
    }
    (playbook.folder / "body").write_text(body)
    tasks = [files(private_key=f"{{{{ {name} }}}}") for name in spoilt]
    tasks += [files(private_key="body"), files()]
    run = playbook.run(tasks, "-vvv", "--diff", chain=CHAIN.decode(), key=LEAF.key_pem.decode(), **spoilt)
    *failed, last = run.only
    assert all(result["msg"].startswith("ollama_gateway_tls_private_key: ") for result in failed)
    assert last["names"]
    assert_no_secret(run.output)
    assert body not in run.output
    assert LEAF.key_pem.hex() not in run.output


def test_the_key_is_hidden_also_when_it_is_used(playbook: Playbook) -> None:
    use = {"ansible.builtin.debug": {"msg": "{{ result_0.tls_pem | length }}"}}
    run = playbook.run([files(), use], "-vvv", chain=CHAIN.decode(), key=LEAF.key_pem.decode())
    assert run.returncode == 0, run.output
    assert run.only[1]["msg"] == len(LEAF.key_pem + CHAIN)
    assert_no_secret(run.output)


def test_warnings_are_shown(playbook: Playbook) -> None:
    run = playbook.run(
        [files()], "--check", chain=(MIDDLE.pem + SHORT.pem + ROOT.pem).decode(), key=SHORT.key_pem.decode()
    )
    assert run.returncode == 0, run.output
    output = " ".join(run.output.split())
    assert "the order of its certificates was repaired" in output
    assert "CN=Root is a root" in output
    assert "CN=short expires on" in output
    assert "in 10 days" in output


WILD = make("wild", MIDDLE, ("*.example.org", "2001:db8::1"))
SERVED = {
    "tls": "provided",
    "tls_certificate": (WILD.pem + MIDDLE.pem).decode(),
    "tls_private_key": WILD.key_pem.decode(),
}


def test_variables_of_tls_are_checked_with_the_clients(direct: Direct) -> None:
    run = direct.run(
        [
            validate(tls=False, bind="0.0.0.0"),
            validate(**SERVED, bind="0.0.0.0", server_names=["*.example.org", "2001:db8::1"], hsts=1, http3=True),
            validate(tls="{{ off }}", hsts=60, http3=True, server_names=["a:443"]),
            validate(tls="acme", engine="nginx", client_ca="x", acme_eab_hmac_key="planted+secret", client_crl="x"),
            validate(**{**SERVED, "tls_certificate": LEAF.pem.decode()}, bind="0.0.0.0"),
        ],
        off=False,
    )
    plain, served, off, acme, other = run.only
    assert other["msg"].startswith("ollama_gateway_tls_private_key: it does not belong to the certificate of")
    assert (served["names"], served["client_ca"]) == (["*.example.org", "2001:db8::1"], "")
    assert "set ollama_gateway_tls (self_signed, provided or acme)" in plain["msg"]
    assert not served.get("failed", False), run.output
    variables = [[line.split(": ")[0] for line in result["msg"].splitlines()] for result in (off, acme)]
    assert variables == [
        ["ollama_gateway_server_names", "ollama_gateway_hsts", "ollama_gateway_http3"],
        [
            "ollama_gateway_server_names",
            "ollama_gateway_acme_terms_agreed",
            "ollama_gateway_acme_eab_key_id",
            "ollama_gateway_acme_eab_hmac_key",
            "ollama_gateway_client_ca",
        ],
    ]
    assert "planted" not in run.output
