# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wall's attacks on TLS: a sound server withstands them, and each hole is found by its name."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.addresses import is_address
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall import link
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks import hello as wall_hello
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Answer, named, read_url, request
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.run import Budget, Result
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.table import hole
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.wall import Wall
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from tests.certificates import DAY, Authority, Issued, name, now
from tests.unit import tls_server
from tests.unit.tls_server import KEY, NAME, careless, context, field, old, redirect, reply, right, server, target

ROUTES = [
    {"method": "GET", "path": "/api/tags", "scope": "models_read", "class": "read", "model": "", "fields": []},
    {"method": "POST", "path": "/api/me", "scope": "account", "class": "account", "model": "", "fields": []},
]
CREDENTIALS = [{"name": "admin", "kind": "bearer", "value": KEY, "scopes": ["admin"], "valid": True}]
CLASSES = ("TLS", "plain port")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def issued(authority: Authority) -> Issued:
    return authority.issue(NAME)


@pytest.fixture(scope="module")
def rsa() -> Issued:
    """Static RSA needs a key that can encrypt."""
    key = generate_private_key(65537, 2048)
    subject = name(NAME)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now() - DAY).not_valid_after(now() + DAY)
    return Issued(builder.sign(key, SHA256()), key)  # type: ignore[arg-type]


@pytest.fixture
def modern(tmp_path: Path, issued: Issued) -> ssl.SSLContext:
    return context(tmp_path, issued)


def attack(port: int, **options: Any) -> list[Result]:
    """What came of the attacks that are about TLS."""
    everything: dict[str, Any] = {
        **{"url": f"https://127.0.0.1:{port}", "server_name": NAME, "routes": ROUTES, "credentials": CREDENTIALS},
        **{"allow_account_routes": True, "side_doors": [], "request_timeout": 3},
        **{"auth_failures": 0, "rewrite": None, **options},
    }
    results = Wall(read_url(everything["url"]), everything, None).attack(Budget(3000, 2000, 60))
    return [result for result in results if result.kind in CLASSES]


def holes(results: list[Result]) -> list[str]:
    return [result.name for result in results if not result.held]


class TestServers:
    def test_a_right_one_withstands(self, modern: ssl.SSLContext, tmp_path: Path) -> None:
        with server(right, modern) as port, server(redirect) as plain:
            results = attack(port, certificate=str(tmp_path / "server.pem"), http_port=plain)
        assert hole(results) == ""
        assert {result.kind for result in results} == set(CLASSES)
        assert len({(result.kind, result.name) for result in results}) == len(results) > 60

    def test_one_that_a_ca_vouches_for_withstands(
        self, modern: ssl.SSLContext, authority: Authority, tmp_path: Path
    ) -> None:
        (tmp_path / "ca.pem").write_text(authority.pem)
        with server(right, modern) as port:
            assert hole(attack(port, ca_file=str(tmp_path / "ca.pem"))) == ""

    def test_a_plain_server_is_asked_nothing_about_tls(self) -> None:
        with server(careless) as port:
            assert attack(port, url=f"http://127.0.0.1:{port}") == []

    @pytest.mark.parametrize("vouched", ["another certificate", "another name", "no CA that is known"])
    def test_one_that_is_not_the_right_one_is_given_no_credential(
        self, vouched: str, authority: Authority, tmp_path: Path
    ) -> None:
        options: dict[str, str] = {}
        if vouched == "another certificate":
            (tmp_path / "expected.pem").write_text(authority.issue(NAME).pem)
            options["certificate"] = str(tmp_path / "expected.pem")
        elif vouched == "another name":
            (tmp_path / "ca.pem").write_text(authority.pem)
            options["ca_file"] = str(tmp_path / "ca.pem")
        seen = []

        def spy(request: bytes, tls: bool) -> bytes:
            if tls:
                seen.append(request)
            return right(request, tls)

        with server(spy, context(tmp_path, authority.issue("other.example.com"))) as port:
            results = attack(port, **options)
        found = hole(results)
        assert found.startswith("The wall has a hole (TLS): the certificate.\nSent:\n    GET /healthz")
        assert ("the server presents another certificate" in found) or ("certificate verify failed" in found)
        assert not any(KEY.encode() in request for request in seen)

    @pytest.mark.parametrize(
        ("version", "ciphers"),
        [(ssl.TLSVersion.TLSv1, "ALL"), (ssl.TLSVersion.TLSv1_1, "ALL")],
        ids=["TLS 1.0", "TLS 1.1"],
    )
    def test_old_versions_are_found(
        self, version: ssl.TLSVersion, ciphers: str, tmp_path: Path, issued: Issued
    ) -> None:
        with server(right, old(context(tmp_path, issued, ciphers), version), patience=1) as port:
            found = holes(attack(port, certificate=str(tmp_path / "server.pem")))
        assert "a handshake with TLS 1.1" in found
        assert ("a handshake with TLS 1.0" in found) is (version == ssl.TLSVersion.TLSv1)

    @pytest.mark.parametrize(("number", "name"), [(b"\3\0", "SSL 3"), (b"\3\1", "TLS 1.0"), (b"\3\2", "TLS 1.1")])
    def test_a_hello_of_an_old_version_is_found_and_shown(
        self, number: bytes, name: str, modern: ssl.SSLContext, tmp_path: Path
    ) -> None:
        with server(right, modern, hello=number) as port:
            results = attack(port, certificate=str(tmp_path / "server.pem"))
        assert {one.split(" without")[0] for one in holes(results)} == {f"a handshake with {name}"}
        assert f"Came back:\n    a ServerHello, version {number.hex()}" in hole(results)

    @pytest.mark.parametrize(
        ("ciphers", "weakness"),
        [
            ("eNULL", "without encryption"),
            ("aNULL", "without a certificate"),
            ("AES128-SHA", "without forward secrecy"),
        ],
    )
    def test_weak_cipher_suites_are_found(
        self, ciphers: str, weakness: str, tmp_path: Path, issued: Issued, rsa: Issued
    ) -> None:
        one = rsa if ciphers == "AES128-SHA" else issued
        with server(right, context(tmp_path, one, f"ECDHE+AESGCM:{ciphers}"), patience=1) as port:
            found = holes(attack(port, certificate=str(tmp_path / "server.pem")))
        assert f"a handshake with cipher suites {weakness}" in found

    @pytest.mark.parametrize(
        ("handler", "name"),
        [
            (lambda request, tls: right(request, True), "bearer: plain HTTP on the port of TLS"),
            (careless, f"bearer: Host and SNI are {tls_server.FOREIGN}"),
            (
                lambda request, tls: (careless if target(request) != "/healthz" else right)(request, tls),
                "bearer: no Host",
            ),
            (
                lambda request, tls: right(request, tls).replace(b"421", b"307"),
                "bearer: Host is the name and more, no SNI",
            ),
        ],
        ids=["plain HTTP", "any host", "any host but for the health", "redirects"],
    )
    def test_what_is_served_by_another_name_or_in_the_clear_is_found(
        self, handler: tls_server.Handler, name: str, modern: ssl.SSLContext, tmp_path: Path
    ) -> None:
        with server(handler, modern) as port:
            results = attack(port, certificate=str(tmp_path / "server.pem"))
        assert name in holes(results)
        assert KEY not in hole(results)

    def test_one_that_answers_nobody_without_sni_is_found(self, modern: ssl.SSLContext, tmp_path: Path) -> None:
        def refuse(_socket: Any, name: str | None, _context: Any) -> int | None:
            return None if name else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

        modern.sni_callback = refuse
        with server(right, modern) as port:
            results = attack(port, certificate=str(tmp_path / "server.pem"))
        assert holes(results) == ["no SNI and no credential"]


class TestClientCertificates:
    @pytest.fixture
    def expired(self) -> str:
        one = Authority("Another CA").issue(subject="CN=mallory", client=True, begin=now() - 2 * DAY, end=now() - DAY)
        return one.pem + one.key_pem

    def test_a_server_that_checks_them_withstands(
        self, modern: ssl.SSLContext, authority: Authority, expired: str, tmp_path: Path
    ) -> None:
        modern.verify_mode = ssl.CERT_OPTIONAL
        modern.load_verify_locations(cadata=authority.pem)
        with server(right, modern) as port:
            results = attack(port, certificate=str(tmp_path / "server.pem"), client_certificate=expired)
        assert hole(results) == ""
        assert sum("client certificate" in result.name for result in results) == 2

    def test_a_server_that_does_not_is_found(self, modern: ssl.SSLContext, expired: str, tmp_path: Path) -> None:
        with server(right, modern) as port:
            results = attack(port, certificate=str(tmp_path / "server.pem"), client_certificate=expired)
        name = "bearer: beside a client certificate that is not to be accepted"
        assert holes(results) == [name, name + ", no SNI"]

    def test_what_is_none_is_told_without_a_word_of_it(self, modern: ssl.SSLContext, tmp_path: Path) -> None:
        with server(right, modern) as port, pytest.raises(GatehouseError) as raised:
            attack(port, certificate=str(tmp_path / "server.pem"), client_certificate="secret words")
        assert str(raised.value) == "client_certificate: it must be a certificate and its private key, as PEM"


def _echo(request: bytes, tls: bool) -> bytes:
    return redirect(request, tls) + b"".join(one.encode() for one in field(request, "Authorization"))


def _to_host(request: bytes, tls: bool) -> bytes:
    return redirect(request, tls).replace(NAME.encode(), (field(request, "Host") or [NAME])[-1].encode())


def _to_forwarded(request: bytes, tls: bool) -> bytes:
    return redirect(request, tls).replace(NAME.encode(), (field(request, "X-Forwarded-Host") or [NAME])[0].encode())


class TestPlainPort:
    @pytest.fixture
    def attack_plain(self, modern: ssl.SSLContext, tmp_path: Path) -> Iterator[Callable[[tls_server.Handler], Any]]:
        with contextlib.ExitStack() as stack:
            port = stack.enter_context(server(right, modern))

            def one(handler: tls_server.Handler) -> list[Result]:
                plain = stack.enter_context(server(handler))
                return attack(port, certificate=str(tmp_path / "server.pem"), http_port=plain)

            yield one

    @pytest.mark.parametrize(
        ("handler", "name"),
        [
            (careless, "GET /api/tags with admin (bearer)"),
            (_echo, "GET /api/tags with admin (bearer)"),
            (_to_host, f"Host: {tls_server.FOREIGN}"),
            (_to_forwarded, "X-Forwarded-Host"),
            (
                lambda request, tls: redirect(request, tls).replace(b"%0d%0a", b"\r\n"),
                "GET /%0d%0aX-Gatehouse-Wall:%20x",
            ),
            (lambda request, tls: redirect(request, tls).replace(b"308", b"302"), "GET /api/tags"),
            (lambda request, tls: redirect(request, tls).replace(b"https:", b"http:"), "GET /api/tags"),
            (lambda request, tls: redirect(request, tls).replace(b"m/", b"m"), f"GET /@{tls_server.FOREIGN}/"),
            (lambda request, tls: reply(308), "GET /api/tags"),
        ],
        ids=["serves", "echo", "Host", "forwarded", "newline", "302", "http", "no slash", "no Location"],
    )
    def test_each_hole_is_found(self, handler: tls_server.Handler, name: str, attack_plain: Any) -> None:
        results = attack_plain(handler)
        assert name in holes(results)
        assert hole(results).startswith("The wall has a hole (plain port): ")
        assert f"Expected: 308 to https://{NAME}, 400, 404 or 421, without the credential." in hole(results)

    def test_refusals_are_sound_too(self, attack_plain: Any) -> None:
        assert holes(attack_plain(lambda request, tls: reply(404))) == []

    def test_no_route_of_the_account_is_asked_with_a_credential(self, attack_plain: Any) -> None:
        names = {result.name for result in attack_plain(redirect)}
        assert "POST /api/me" in names
        assert "POST /api/me with admin (bearer)" not in names


class TestHello:
    def test_only_alerts_turn_down(self) -> None:
        alert = b"\x15\x03\x01\x00\x02\x02\x46"
        assert wall_hello.is_turned_down(Answer(alert))
        assert wall_hello.is_turned_down(Answer(alert * 2))
        hello = b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01" + bytes(36)
        for raw in (hello, alert + hello, b"HTTP/1.1 400 Bad Request\r\n\r\n", alert[:3]):
            assert not wall_hello.is_turned_down(Answer(raw))
        assert not wall_hello.is_turned_down(Answer(timed_out=True))
        # A worker that crashes says nothing.
        assert not wall_hello.is_turned_down(Answer())

    def test_a_name_is_asked_for_only_if_it_is_one(self) -> None:
        assert NAME.encode() in wall_hello.client_hello(wall_hello.TLS12, [1], NAME)
        assert [is_address(one) for one in (NAME, "127.0.0.1", "::1")] == [False, True, True]


class TestCertificateFile:
    def test_the_first_certificate_is_read_from_behind_a_key(
        self, issued: Issued, authority: Authority, tmp_path: Path
    ) -> None:
        file = tmp_path / "server.pem"
        file.write_text(issued.key_pem + issued.pem + authority.pem)
        assert link.first_certificate(str(file)) == ssl.PEM_cert_to_DER_cert(issued.pem)

    @pytest.mark.parametrize("text", ["", "a secret", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"])
    def test_a_file_without_one_is_told_and_nothing_of_it(self, text: str, tmp_path: Path) -> None:
        file = tmp_path / "server.pem"
        file.write_text(text)
        with pytest.raises(GatehouseError) as raised:
            link.first_certificate(str(file))
        assert str(raised.value) == f"certificate: {file}: there is none in it"

    def test_a_file_that_is_missing_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(GatehouseError, match=r"certificate: .*: it cannot be read: No such file"):
            link.first_certificate(str(tmp_path / "server.pem"))


def test_a_request_by_another_name_is_the_same_but_for_host() -> None:
    sent = named(request("GET", "/api/tags", version="HTTP/1.1"), "[::1]")
    assert sent.raw == b"GET /api/tags HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n"
    assert sent.shown == "GET /api/tags HTTP/1.1\nHost: [::1]\nConnection: close"
