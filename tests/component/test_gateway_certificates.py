# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that are known by the subjects of their certificates, and whoever only looks like one of them."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.subject import subject
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.clients import make_up
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Address
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.run import Budget
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.wall import Wall

from tests.certificates import DAY, Authority, Issued, now
from tests.component import rendering
from tests.component.contract.replay import Reply, connect, send
from tests.component.gateways import KEYS, PASSWORDS, Gateway, basic, record, status, with_tls
from tests.component.upstreams import Echo

ALICE, BOB = "CN=alice,O=Example", "CN=bob"
ALICES_KEY, BOBS_KEY = f"Bearer {KEYS['alice.laptop']}", f"Bearer {KEYS['bob.ci']}"
ALICES_PASSWORD, BOBS_PASSWORD = (basic(name, PASSWORDS[name]) for name in ("alice", "bob"))
NAMES = ["127.0.0.1"]


class People:
    """Those who have certificates, good ones and others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers = Authority("Server CA")
        self.authority = Authority("Client CA")
        self.revoked = self.authority.issue(subject=ALICE, client=True)
        self.authority.revoked.append(self.revoked.certificate.serial_number)
        self.alice = self.context(self.authority.issue(subject=ALICE, client=True))
        self.bob = self.context(self.authority.issue(subject=BOB, client=True))
        self.mallory = self.context(self.authority.issue(subject="CN=mallory", client=True))
        self.nobody = self.context()

    def context(self, issued: Issued | None = None, *issuers: Issued) -> ssl.SSLContext:
        """How somebody speaks to the gateway who has this certificate, and shows those of its issuers."""
        context = ssl.create_default_context(cadata=self.servers.pem)
        if issued:
            path = self.folder / f"{issued.certificate.serial_number}.pem"
            path.write_text(issued.key_pem + "".join(one.pem for one in (issued, *issuers)))
            context.load_cert_chain(path)
        return context

    def with_subject(self, text: str) -> ssl.SSLContext:
        return self.context(self.authority.issue(subject=text, client=True))


def own(**certificates: list[str]) -> dict[str, Any]:
    """The file of clients: carol may only list models, the others everything."""
    return {
        name: {
            "scopes": ["models_read"] if name == "carol" else ["admin"],
            "models": ["*"],
            **({"certificates": certificates[name]} if name in certificates else {}),
        }
        for name in ("alice", "bob", "carol")
    }


def write(server: Gateway, clients: dict[str, Any]) -> None:
    server.write("clients.json", [json.dumps(clients)])


def prepared(folder: Path, upstream: Echo, people: People, **variables: Any) -> Gateway:
    variables = {"ollama_gateway_client_ca": "given", "ollama_gateway_client_crl": "given", **variables}
    server = Gateway(folder, "both", upstream.address, **with_tls(NAMES), **variables)
    server.put(folder / "conf" / "client_ca.pem", people.authority.pem)
    server.put(folder / "conf" / "client_crl.pem", people.authority.crl())
    server.present(people.servers.issue(*NAMES), people.servers)
    write(server, own(alice=[ALICE], bob=[BOB]))
    return server


def started(server: Gateway) -> Iterator[Gateway]:
    with server.running():
        yield server


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    return People(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def lenient(upstream: Echo, people: People, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway for which a certificate is enough."""
    yield from started(prepared(tmp_path_factory.mktemp("any"), upstream, people))


@pytest.fixture(scope="module")
def strict(upstream: Echo, people: People, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that wants a certificate and a credential."""
    variables = {"ollama_gateway_client_certificates": "all"}
    yield from started(prepared(tmp_path_factory.mktemp("all"), upstream, people, **variables))


@pytest.fixture(params=["lenient", "strict"])
def server(request: pytest.FixtureRequest) -> Gateway:
    """Each of the two in turn."""
    found: Gateway = request.getfixturevalue(request.param)
    return found


@pytest.fixture(autouse=True)
def known_clients(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    for name in {"lenient", "strict"} & set(request.fixturenames):
        write(request.getfixturevalue(name), own(alice=[ALICE], bob=[BOB]))


def ask(
    server: Gateway, who: ssl.SSLContext, credential: str | None = None, *headers: str, path: str = "/api/version"
) -> Reply:
    lines = [*headers, *([f"Authorization: {credential}"] if credential is not None else [])]
    return send(server.address, server.wire(path, *lines), tls=who)


def asked(server: Gateway, who: ssl.SSLContext, credential: str | None = None, *headers: str) -> int:
    return status(ask(server, who, credential, *headers))


def client_of(server: Gateway, reply: Reply) -> tuple[str, str]:
    line = server.log_of(reply.header("X-Request-Id"))
    return line["client"], line["key"]


class TestBadCertificates:
    """What nginx refuses, whatever else is presented."""

    @pytest.mark.parametrize("kind", ["foreign", "expired", "early", "revoked", "of a server", "self-made"])
    def test_it_is_refused_with_and_without_a_credential(self, server: Gateway, people: People, kind: str) -> None:
        authority = people.authority
        # Signed with a certificate that is none of a CA.
        alices = authority.issue(subject=ALICE, client=True)
        forger = Authority("unused")
        forger.own = alices
        issued = {
            "foreign": lambda: Authority("Client CA").issue(subject=ALICE, client=True),
            "expired": lambda: authority.issue(subject=ALICE, client=True, begin=now() - 2 * DAY, end=now() - DAY),
            "early": lambda: authority.issue(subject=ALICE, client=True, begin=now() + DAY, end=now() + 2 * DAY),
            "revoked": lambda: people.revoked,
            "of a server": lambda: authority.issue(subject=ALICE),
            "self-made": lambda: forger.issue(subject=BOB, client=True),
        }[kind]()
        who = people.context(issued, alices) if kind == "self-made" else people.context(issued)
        for credential in (None, ALICES_KEY, ALICES_PASSWORD, BOBS_KEY):
            reply = ask(server, who, credential)
            assert status(reply) == 400
            assert json.loads(reply.body) == {"error": "the client certificate is not valid"}

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_no_session_outlives_what_was_verified(
        self, lenient: Gateway, people: People, version: ssl.TLSVersion
    ) -> None:
        who = people.with_subject(ALICE)
        who.minimum_version = who.maximum_version = version
        host, _colon, port = lenient.address.rpartition(":")
        session = None
        for _ in range(3):
            plain = socket.create_connection((host, int(port)), 10)
            with who.wrap_socket(plain, server_hostname=host, session=session) as connection:
                connection.sendall(lenient.wire("/api/version"))
                assert b" 200 " in connection.recv(4096)
                assert connection.session_reused is False
                session = connection.session


class TestAny:
    def test_the_subject_tells_who_it_is(self, lenient: Gateway, people: People) -> None:
        for who, name in ((people.alice, "alice"), (people.bob, "bob")):
            reply = ask(lenient, who)
            assert status(reply) == 200
            assert client_of(lenient, reply) == (name, "")

    def test_over_http_2_too(self, lenient: Gateway, people: People) -> None:
        issued = people.authority.issue(subject=ALICE, client=True)
        people.context(issued)
        pem = people.folder / f"{issued.certificate.serial_number}.pem"
        ca = people.folder / "servers.pem"
        ca.write_text(people.servers.pem)
        command = [
            "curl",
            "-sS",
            "--http2",
            "--cacert",
            str(ca),
            "-w",
            "%{http_code} %{http_version}",
            "-o",
            "/dev/null",
        ]
        for certificate, wanted in ((["--cert", str(pem)], "200 2"), ([], "401 2")):
            url = f"https://{lenient.address}/api/version"
            done = subprocess.run([*command, *certificate, url], capture_output=True, text=True, timeout=20, check=True)
            assert done.stdout == wanted

    def test_scopes_are_those_of_the_client(self, lenient: Gateway, people: People) -> None:
        write(lenient, own(carol=[ALICE]))
        assert status(ask(lenient, people.alice, path="/api/tags")) == 200
        assert status(ask(lenient, people.alice, path="/api/ps")) == 200
        body = json.dumps({"model": "tiny"}).encode()
        wire = lenient.wire("/api/pull", method="POST", body=body)
        assert status(send(lenient.address, wire, tls=people.alice)) == 403

    def test_without_one_a_credential_is_needed_as_ever(self, lenient: Gateway, people: People) -> None:
        reply = ask(lenient, people.nobody)
        assert status(reply) == 401
        challenges = [value for name, value in reply.headers if name == "WWW-Authenticate"]
        assert challenges == ['Bearer realm="ollama"', 'Basic realm="ollama", charset="UTF-8"']
        assert asked(lenient, people.nobody, ALICES_KEY) == asked(lenient, people.nobody, BOBS_PASSWORD) == 200

    @pytest.mark.parametrize(
        "text",
        [
            "CN=mallory",
            "CN=Alice,O=Example",
            "CN=alice,O=example",
            "CN=alice",
            "O=Example,CN=alice",
            "CN=alice,O=Example,C=DE",
            "CN=x,CN=alice,O=Example",
            "CN=alice\\,O=Example",
            "CN=alice\\00,O=Example",
            "CN=alice\\ ,O=Example",
            "CN=alice+O=Example",
            "OU=alice,O=Example",
            "CN=\\D0\\B0lice,O=Example",
            "CN=bob\\00",
            "CN=bob\\0A",
            "CN=*",
        ],
    )
    def test_a_subject_that_is_not_exactly_that_of_a_client_is_nobodys(
        self, lenient: Gateway, people: People, text: str
    ) -> None:
        assert asked(lenient, people.with_subject(text)) == 401

    @pytest.mark.parametrize(
        "text",
        [
            "CN=Schmidt\\, Al,O=Example",
            "CN=J\u00fcrgen \u4e2d,O=\\#1 \\+ Co",
            "CN=a\\00b",
            "UID=17+CN=carol,DC=example,DC=org",
            "C=DE,ST=Hessen,L=Kassel,OU=IT,CN=carol",
        ],
    )
    def test_a_subject_with_odd_signs_is_known_as_the_inventory_writes_it(
        self, lenient: Gateway, people: People, text: str
    ) -> None:
        write(lenient, own(carol=[subject(text)]))
        reply = ask(lenient, people.with_subject(text))
        assert status(reply) == 200
        assert client_of(lenient, reply) == ("carol", "")

    def test_a_credential_counts_before_the_certificate(self, lenient: Gateway, people: People) -> None:
        for who in (people.alice, people.mallory):
            reply = ask(lenient, who, BOBS_KEY)
            assert status(reply) == 200
            assert client_of(lenient, reply) == ("bob", "ci")
            assert client_of(lenient, ask(lenient, who, BOBS_PASSWORD)) == ("bob", "")
            assert client_of(lenient, ask(lenient, who, None, "x-api-key: " + KEYS["bob.ci"])) == ("bob", "ci")
        for credential in ("Bearer wrong", basic("alice", "wrong"), "Foo", ""):
            assert asked(lenient, people.alice, credential) == 401
        assert asked(lenient, people.alice, None, "x-api-key: wrong") == 401

    def test_headers_that_tell_of_a_certificate_are_no_certificate(self, server: Gateway, people: People) -> None:
        told = [
            *("X-SSL-Client-Verify: SUCCESS", f"X-SSL-Client-S-DN: {ALICE}", f"X-SSL-Client-DN: {ALICE}"),
            *("SSL-Client-Verify: SUCCESS", f"SSL-Client-S-DN: {ALICE}", f"ssl_client_s_dn: {ALICE}"),
            *("ssl_client_verify: SUCCESS", "X-Client-Verify: SUCCESS", f"X-SSL-Client-CN: {ALICE}"),
            f'X-Forwarded-Client-Cert: Subject="{ALICE}"',
        ]
        for who in (people.nobody, people.mallory):
            assert asked(server, who, None, *told) == 401
            if server.variables.get("ollama_gateway_client_certificates") == "all":
                assert asked(server, who, ALICES_KEY, *told) == 401

    def test_a_change_counts_on_the_very_next_request_of_a_connection(self, lenient: Gateway, people: People) -> None:
        with connect(lenient.address, people.alice) as connection:
            stream = connection.makefile("rb")

            def status_of_next() -> int:
                connection.sendall(lenient.wire("/api/version"))
                found = int(stream.readline().split(b" ")[1])
                length = 0
                while line := stream.readline().strip():
                    name, _colon, value = line.partition(b": ")
                    length = int(value) if name == b"Content-Length" else length
                stream.read(length)
                return found

            for _ in range(20):
                assert status_of_next() == 200
                write(lenient, own(bob=[BOB]))
                assert status_of_next() == 401
                write(lenient, own(alice=[ALICE], bob=[BOB]))

    def test_a_file_in_which_two_clients_have_the_same_leaves_the_last_good_state(
        self, lenient: Gateway, people: People
    ) -> None:
        assert client_of(lenient, ask(lenient, people.alice)) == ("alice", "")
        # Each worker reads it after a second at the latest.
        time.sleep(1.5)
        for damage in (
            own(carol=[ALICE], bob=[ALICE]),
            own(bob=[""]),
            {**own(), "bob": {**own()["bob"], "certificates": ALICE}},
        ):
            write(lenient, damage)
            for _ in range(8):
                assert asked(lenient, people.alice) == asked(lenient, people.bob) == 200
            assert client_of(lenient, ask(lenient, people.alice)) == ("alice", "")
        assert "its certificates must be a list of subjects that no other client has" in lenient.logs()
        write(lenient, own(carol=[ALICE]))
        assert client_of(lenient, ask(lenient, people.alice)) == ("carol", "")
        assert asked(lenient, people.bob) == 401

    def test_a_file_without_certificates_is_read_as_ever(self, lenient: Gateway, people: People) -> None:
        write(lenient, own())
        assert asked(lenient, people.alice) == 401
        assert asked(lenient, people.alice, ALICES_KEY) == 200


class TestAll:
    def test_both_of_the_same_client_let_in(self, strict: Gateway, people: People) -> None:
        for who, credential, wanted in (
            (people.alice, ALICES_KEY, ("alice", "laptop")),
            (people.alice, ALICES_PASSWORD, ("alice", "")),
            (people.bob, BOBS_KEY, ("bob", "ci")),
        ):
            # The second time, the password is remembered.
            for _ in range(2):
                reply = ask(strict, who, credential)
                assert status(reply) == 200
                assert client_of(strict, reply) == wanted
        assert asked(strict, people.alice, None, "x-api-key: " + KEYS["alice.laptop"]) == 200

    def test_anything_else_is_refused_in_the_same_words(self, strict: Gateway, people: People) -> None:
        for scheme, right, wrong in (
            ("bearer", [ALICES_KEY, BOBS_KEY], "Bearer wrong"),
            ("basic", [ALICES_PASSWORD, BOBS_PASSWORD], basic("alice", "wrong")),
        ):
            answers = set()
            for who, credentials in (
                (people.nobody, [*right, wrong]),
                (people.mallory, [*right, wrong]),
                (people.alice, [right[1], wrong]),
                (people.bob, [right[0], wrong]),
            ):
                for credential in credentials:
                    reply = ask(strict, who, credential)
                    assert status(reply) == 401
                    shown = [header for header in reply.headers if header[0] not in ("Date", "X-Request-Id")]
                    answers.add((tuple(shown), reply.body))
            assert len(answers) == 1, scheme
            assert str(answers).count("WWW-Authenticate") == 2

    def test_a_certificate_alone_is_not_enough(self, strict: Gateway, people: People) -> None:
        for who in (people.alice, people.mallory, people.nobody):
            reply = ask(strict, who)
            assert status(reply) == 401
            assert reply.header("WWW-Authenticate") == 'Bearer realm="ollama"'

    def test_a_certificate_that_was_taken_away_counts_no_more(self, strict: Gateway, people: People) -> None:
        write(strict, own(bob=[BOB]))
        assert asked(strict, people.alice, ALICES_KEY) == 401
        write(strict, own(bob=[BOB, ALICE]))
        assert asked(strict, people.alice, ALICES_KEY) == 401
        assert asked(strict, people.alice, BOBS_KEY) == 200


@pytest.mark.parametrize("certificates", ["any", "all"])
def test_failed_tries_are_those_with_a_credential(
    upstream: Echo, people: People, tmp_path: Path, certificates: str
) -> None:
    variables = {"ollama_gateway_client_certificates": certificates, "ollama_gateway_auth_failures": 5}
    for server in started(prepared(tmp_path, upstream, people, **variables)):
        assert {asked(server, who) for _ in range(8) for who in (people.mallory, people.nobody)} == {401}
        # A right key without its certificate is one where both are needed.
        wrong = {"any": "Bearer wrong", "all": ALICES_KEY}[certificates]
        assert [asked(server, people.mallory, wrong) for _ in range(6)] == [401] * 5 + [429]
        assert asked(server, people.mallory) == 401
        assert asked(server, people.alice, ALICES_KEY) == 200


def test_where_no_ca_is_given_nobody_is_asked_for_a_certificate(upstream: Echo, people: People, tmp_path: Path) -> None:
    variables = {"ollama_gateway_client_ca": "", "ollama_gateway_client_crl": ""}
    for server in started(prepared(tmp_path, upstream, people, **variables)):
        assert asked(server, people.alice) == 401
        assert asked(server, people.alice, BOBS_KEY) == 200


def test_where_all_need_certificates_the_attack_sees_each_credential_without_one_refused(
    upstream: Echo, people: People, tmp_path: Path
) -> None:
    variables = {"ollama_gateway_client_certificates": "all", "__ollama_gateway_names": []}
    made = make_up(["basic", "bearer"], now(), DAY, "all")
    for server in started(prepared(tmp_path, upstream, people, **variables)):
        server.write("api_keys", [record(f"{one['name']}.wall", one["keys"][0]["secret"]) for one in made["clients"]])
        write(server, {one["name"]: {"scopes": one["scopes"], "models": ["*"]} for one in made["clients"]})
        host, _colon, port = server.address.rpartition(":")
        options: dict[str, Any] = {
            **dict(url=f"https://{server.address}", routes=rendering.value("__ollama_gateway_routes")),
            **dict(credentials=made["credentials"], side_doors=[], request_timeout=10, allow_account_routes=False),
            **dict(rewrite=None, auth_failures=0, certificate=str(server.folder / "tls" / "server.pem")),
        }
        wall = Wall(Address(host, int(port), tls=True), options, None)
        results = wall.attack(Budget(10_000, 400, 120))
        assert [one for one in results if not one.held] == []
        tried = {one.column for one in results if one.kind == "credential that does not count"}
        assert tried == {
            "inference",
            "models_read",
            "models_write",
            "metrics",
            "admin",
            "limited",
            "in_path",
            "expired",
            "revoked",
        }
        assert "what is allowed" not in {one.kind for one in results}
        assert wall.table(results)[-1].startswith("No credential counts")
