# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the wall that need no gateway."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import Rules, sound_clients
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall import attack as wall_attack
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall import clients as wall_clients
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall import http, run
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks import models, tricks
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks import routes as wall_routes
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks.routes import MODELS
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.credentials import Credential, malformed
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Address, Answer
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.run import Result
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.table import hole, summary, table
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.wall import (
    Forgetting,
    Wall,
    is_own_network,
)
from passlib.hash import apr_md5_crypt

ROLE = Path(__file__).resolve().parents[5] / "roles" / "ollama_gateway"
VARIABLES = yaml.safe_load((ROLE / "vars/main/main.yml").read_text(encoding="utf-8"))
ROUTES = [
    wall_routes.Route(one["method"], one["path"], one["scope"], one["class"], one["model"], tuple(one["fields"]))
    for one in yaml.safe_load((ROLE / "vars/main/routes.yml").read_text(encoding="utf-8"))["__ollama_gateway_routes"]
]
KEY = "ghk_a-key-that-is-secret-0123456789"
CREDENTIALS = [
    Credential("admin", "bearer", KEY, ("admin",), True),
    Credential("inference", "basic", "gatehouse-wall-inference:" + KEY[::-1], ("inference",), True),
    Credential("admin", "basic", "gatehouse-wall-admin:pass" + KEY, ("admin",), True),
    Credential("revoked", "bearer", "revoked" + KEY, ("admin",), False),
    Credential("limited", "bearer", "limited" + KEY, ("inference", "models_read", "models_write"), True, MODELS),
    Credential("limited", "basic", "gatehouse-wall-limited:" + KEY, ("inference",), True, MODELS),
]
SERVED = [route for route in ROUTES if route.scope != "account"]
EVERY_ATTACK = [
    *wall_routes.without_right(ROUTES, CREDENTIALS),
    *tricks.path_tricks(CREDENTIALS),
    *tricks.unlisted(CREDENTIALS),
    *tricks.smuggling(CREDENTIALS),
    *wall_routes.without_scope(ROUTES, SERVED, CREDENTIALS),
    *models.without_model(ROUTES, SERVED, CREDENTIALS),
    *wall_routes.with_scope(SERVED, CREDENTIALS),
]


def answer(status: int, body: str = "", headers: str = "") -> Answer:
    return Answer(f"HTTP/1.1 {status} Words\r\n{headers}\r\n{body}".encode())


class TestAttacks:
    def test_what_is_shown_of_a_request_holds_no_credential(self) -> None:
        secrets = {one.value for one in CREDENTIALS} | {one.encoded.decode() for one in CREDENTIALS}
        shown = [attack.request.shown + attack.name for attack in EVERY_ATTACK]
        assert [text for text in shown if any(secret in text or secret[:-1] in text for secret in secrets)] == []

    def test_there_are_at_least_twenty_malformed_spellings_of_each_kind_and_none_is_the_valid_one(self) -> None:
        for credential in CREDENTIALS[:2]:
            values = [header.value for _name, header in malformed(credential)]
            assert len(values) == len(set(values)) >= 20
            assert credential.header().value not in values

    def test_every_route_is_attacked_without_a_right_in_every_way(self) -> None:
        tried = {(attack.route, attack.column) for attack in wall_routes.without_right(ROUTES, CREDENTIALS)}
        assert tried == {(r.name, c) for r in ROUTES for c in ("none", "wrong", "revoked", "malformed")}

    def test_every_malformed_spelling_is_tried_at_a_route_of_every_scope(self) -> None:
        scopes = {route.name: route.scope for route in ROUTES}
        attacks = [one for one in wall_routes.without_right(ROUTES, CREDENTIALS) if one.column == "malformed"]
        tried = {(one.name.rpartition(" with ")[2], scopes[one.route]) for one in attacks}
        spellings = {name for one in wall_routes.admins(CREDENTIALS) for name, _header in malformed(one)}
        assert tried == {(name, scope) for name in spellings for scope in scopes.values()}

    def test_every_route_is_asked_with_every_valid_credential_but_for_the_account(self) -> None:
        tried = {
            (attack.route, attack.column)
            for attack in [
                *wall_routes.without_scope(ROUTES, ROUTES, CREDENTIALS),
                *wall_routes.with_scope(ROUTES, CREDENTIALS),
            ]
        }
        every = {(route.name, name) for route in ROUTES for name in ("admin", "inference")}
        assert every - tried == {(route.name, "admin") for route in ROUTES if route.scope == "account"}

    def test_where_no_credential_counts_each_must_be_refused_and_nothing_else_is_promised(self) -> None:
        ended = [dataclasses.replace(one, valid=False) for one in CREDENTIALS]
        tried = list(wall_routes.without_right(ROUTES, ended))
        names = {one.name for one in ended}
        assert {(one.route, one.column) for one in tried} == {
            (r.name, c) for r in ROUTES for c in {"none", "wrong", *names}
        }
        assert {one.expects for one in tried} == {wall_attack.UNAUTHORIZED}
        for attacks in (
            wall_routes.without_scope(ROUTES, SERVED, ended),
            wall_routes.with_scope(SERVED, ended),
            *(trick(ended) for trick in (tricks.path_tricks, tricks.unlisted, tricks.smuggling)),
        ):
            secrets = [one.encoded for one in ended]
            assert [one for one in attacks if any(secret in one.request.raw for secret in secrets)] == []

    def test_where_no_credential_counts_the_mirror_is_not_asked_and_the_table_says_so(self) -> None:
        ended = [dict(name=n, kind="bearer", value=n, scopes=["admin"], valid=False) for n in ("inference", "revoked")]
        options = dict(routes=[], credentials=ended, side_doors=[], request_timeout=1)

        def mirror(_requests: bytes) -> Answer:
            raise AssertionError

        assert Wall(None, options, mirror).attack(run.Budget(1, 1, 1)) == []
        header, *_lines, end = Wall(Address("127.0.0.1", 1), options, None).table([])
        assert header.split() == ["route", "none", "wrong", "inference", "revoked"]
        assert end.startswith("No credential counts, so it was not tried who is let in")

    def test_no_request_on_a_route_that_acts_could_do_so(self) -> None:
        """Go's server refuses a control character in a header, before it looks for a route."""
        acting = {route.name for route in ROUTES if route.kind in ("models", "account")}
        sent = [attack.request.raw for attack in EVERY_ATTACK if attack.route in acting]
        assert len(sent) > 100
        assert [raw for raw in sent if b"\r\nOpenAI-Beta: \x01\r\n" not in raw] == []
        changing = [a for a in EVERY_ATTACK if not a.route and b"/api/" in a.request.raw[:40]]
        assert {a.request.raw.split(b" ")[0] for a in changing if b"/api/tags" not in a.request.raw} <= {
            b"GET",
            b"POST",
        }

    @pytest.mark.parametrize(
        ("expectation", "held", "not_held"),
        [
            (
                wall_attack.UNAUTHORIZED,
                [answer(401, headers="WWW-Authenticate: Bearer\r\n")],
                [answer(200), answer(403), answer(401), Answer()],
            ),
            (
                wall_attack.REFUSED,
                [answer(401), answer(400)],
                # A worker that crashes says nothing.
                [answer(200), answer(404), answer(502), Answer(timed_out=True), Answer()],
            ),
            (wall_attack.FORBIDDEN, [answer(403)], [answer(200), answer(401), answer(404), Answer()]),
            (
                wall_attack.UNKNOWN,
                [
                    answer(404, '{"error":"there is no such route"}'),
                    answer(400, "the request is malformed"),
                    answer(405, "this method is not allowed"),
                    answer(404),
                ],
                [
                    answer(404, '{"error":"model not found"}'),
                    answer(400, "400 Bad Request: invalid header value"),
                    answer(405, "405 method not allowed"),
                    answer(200),
                    answer(403),
                    Answer(),
                ],
            ),
            (
                wall_attack.SERVED,
                [answer(200), answer(400, "invalid header value"), answer(404, "model not found"), answer(500)],
                [
                    answer(403),
                    answer(401),
                    answer(404, "there is no such route"),
                    answer(502, "Ollama cannot be reached"),
                    Answer(),
                ],
            ),
            (
                wall_attack.CLOSED,
                [Answer(), Answer(b"\x15\x03"), answer(401), Answer(timed_out=True, connected=False)],
                [answer(200), answer(403), answer(404), Answer(timed_out=True), Answer(b"x", timed_out=True)],
            ),
            (
                wall_attack.JUDGED,
                [answer(400), answer(401)],
                [answer(200), Answer(), Answer(b"HTTP/1.1 400 Bad\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")],
            ),
        ],
        ids=["unauthorized", "refused", "forbidden", "unknown", "served", "closed", "judged"],
    )
    def test_an_expectation_tells_what_held_from_what_did_not(
        self, expectation: wall_attack.Expectation, held: list[Answer], not_held: list[Answer]
    ) -> None:
        assert [one for one in held if not expectation.holds(one)] == []
        assert [one for one in not_held if expectation.holds(one)] == []

    def test_the_gateways_own_words_are_those_of_the_role(self) -> None:
        errors = VARIABLES["__ollama_gateway_errors"]
        words = {error["message"] for error in errors if not error["message"].startswith("$")}
        template = (ROLE / "templates/errors.conf.j2").read_text(encoding="utf-8")
        reasons = {"the request is malformed", "this port speaks HTTPS only", "the client certificate is not valid"}
        reasons |= {"this client may not do this", "there are too many requests", "the gateway is overloaded"}
        assert [reason for reason in reasons if reason not in template] == []
        waiting = "Ollama is being replaced, try again later"
        assert any(waiting in path.read_text(encoding="utf-8") for path in (ROLE / "files/lua").rglob("*.lua"))
        assert words | reasons | {waiting} == {message.decode() for message in wall_attack.GATEWAY_MESSAGES}


class TestHttp:
    @pytest.mark.parametrize(
        ("url", "address"),
        [
            ("http://127.0.0.1:8880", Address("127.0.0.1", 8880)),
            ("http://[::1]:8880/", Address("::1", 8880)),
            ("https://llm.example.com", Address("llm.example.com", 443, True)),
        ],
    )
    def test_a_url_is_read(self, url: str, address: Address) -> None:
        assert http.read_url(url) == address

    @pytest.mark.parametrize("url", ["127.0.0.1:8880", "ftp://a", "http://a/path", "http://a?b", "http://"])
    def test_what_is_no_url_of_a_gateway_is_refused(self, url: str) -> None:
        with pytest.raises(ValueError, match="such as http://"):
            http.read_url(url)

    def test_all_answers_on_a_connection_are_seen_even_without_a_newline_between(self) -> None:
        raw = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{}HTTP/1.1 401 Unauthorized\r\n\r\n"
        assert Answer(raw).statuses == [200, 401]
        assert Answer(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").status == 101

    def test_what_came_back_is_shown_without_credentials(self) -> None:
        shown = answer(200, "Authorization: Bearer " + KEY).shown([KEY.encode()])
        assert KEY not in shown
        assert "Authorization: Bearer <a credential>" in shown

    def test_control_characters_are_shown_as_numbers(self) -> None:
        assert "\\x1b" in Answer(b"HTTP/1.1 200 OK\r\n\x1b[2J\xff").shown()
        assert "\x1b" not in Answer(b"\x1b[2J").shown()

    def test_a_closed_port_is_an_answer_that_says_so(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        seen = http.send(Address("127.0.0.1", port), b"", 1)
        assert seen.status == 0
        assert "refused" in seen.shown()

    def test_a_server_that_never_answers_is_left_after_the_timeout(self) -> None:
        with _server(b"") as address:
            begun = time.monotonic()
            seen = http.send(address, b"GET / HTTP/1.1\r\n\r\n", 0.3)
        assert seen.shown() == "nothing within 0.3 seconds"
        assert time.monotonic() - begun < 3


@contextmanager
def _server(reply: bytes) -> Iterator[Address]:
    """Answers each connection with `reply`; with nothing at all if it is empty."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        kept = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                kept.append(connection)
                if reply:
                    connection.recv(65536)
                    connection.sendall(reply)
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield Address("127.0.0.1", listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        for connection in kept:
            connection.close()


def _attack(kind: str, name: str = "one") -> wall_attack.Attack:
    return wall_attack.Attack(kind, name, http.Request(b"", "GET /"), wall_attack.REFUSED)


def _wall(options: dict[str, object], log: Callable[[], bytes] | None = None, address: Address | None = None) -> Wall:
    made: dict[str, object] = dict(routes=[], credentials=[], side_doors=[], request_timeout=1)
    made.update(url="http://gateway", rewrite=None, auth_failures=0, allow_account_routes=False)
    return Wall(address, {**made, **options}, None, log)


class TestWhatIsNotTried:
    LIMITED = dict(name="limited", kind="bearer", value=KEY, scopes=["inference"], valid=True, models=list(MODELS))
    ADMIN = dict(name="admin", kind="bearer", value=KEY[::-1], scopes=["admin"], valid=True, models=[])

    def test_http3_is_told_where_it_is_on(self) -> None:
        for on in (True, False):
            table = _wall({"http3": on, "credentials": [self.ADMIN]}, address=Address("127.0.0.1", 1)).table([])
            assert any(line.startswith("HTTP/3 is on and was not tried") for line in table) is on

    def test_lists_of_models_are_told_where_no_client_has_one(self) -> None:
        for credentials, told in (([self.ADMIN], True), ([self.ADMIN, self.LIMITED], False)):
            table = _wall({"credentials": credentials}, address=Address("127.0.0.1", 1)).table([])
            assert any(line.startswith("No client has a list of models (plain nginx") for line in table) is told
            assert ("limited" in table[0]) is not told


class TestWorkers:
    def test_a_worker_that_crashed_during_the_attack_is_a_hole(self) -> None:
        lines = [b"[alert] 1#1: worker process 7 exited on signal 11 (core dumped)\n"]
        for crashed in (0, 1):
            log = iter([lines[0], lines[0] * (1 + crashed)])
            with _server(b"HTTP/1.1 200 OK\r\n\r\nok") as address:
                results = _wall({}, lambda log=log: next(log), address).attack(run.Budget(100, 400, 9))  # type: ignore[misc]
            assert results[-1].kind == "workers"
            assert results[-1].held is not bool(crashed)
            assert results[-1].came_back == f"{crashed} ended on a signal, says its log"

    def test_where_the_log_is_not_given_nothing_is_said_of_them(self) -> None:
        with _server(b"HTTP/1.1 200 OK\r\n\r\nok") as address:
            results = _wall({}, None, address).attack(run.Budget(100, 400, 9))
        assert "workers" not in {one.kind for one in results}


class TestRun:
    def test_the_first_class_with_a_hole_is_the_last_that_is_tried(self) -> None:
        made = [_attack("a"), _attack("b", "hole"), _attack("b"), _attack("c")]
        results = list(
            run.run(made, lambda attack: answer(200 if attack.name == "hole" else 401), run.Budget(10, 1000, 10))
        )
        assert [(result.kind, result.held) for result in results] == [("a", True), ("b", False), ("b", True)]

    def test_too_many_attacks_are_refused_before_the_first_of_them(self) -> None:
        sent = []

        def send(attack: wall_attack.Attack) -> Answer:
            sent.append(attack)
            return answer(401)

        with pytest.raises(GatehouseError, match=r"3 more attacks.*max_requests allows 2.*raise max_requests"):
            list(run.run([_attack("a")] * 3, send, run.Budget(2, 1000, 10)))
        assert sent == []

    def test_no_more_attacks_are_made_when_the_time_is_over(self) -> None:
        with pytest.raises(GatehouseError, match=r"longer than the timeout of 0\.1 seconds"):
            list(run.run([_attack("a")] * 50, lambda _: answer(401), run.Budget(100, 100, 0.1)))

    def test_no_more_attacks_are_made_in_a_second_than_allowed(self) -> None:
        begun = time.monotonic()
        list(run.run([_attack("a")] * 21, lambda _: answer(401), run.Budget(100, 100, 10)))
        assert time.monotonic() - begun >= 0.19


def _got(route: str, column: str, got: str, held: bool = True) -> Result:
    return Result("scopes", f"{route} with {column}", held, "", "", "", route, column, got=got)


class TestTable:
    RESULTS = (
        Result("no credential", "GET /a with no credential", True, "", "", "401", "GET /a", "none", got="401"),
        Result("scopes", "GET /a with bob", True, "", "", "403", "GET /a", "bob", got="403"),
        Result(
            "scopes", "GET /a with bob", False, "GET /a HTTP/1.1", "HTTP/1.1 200 OK", "403", "GET /a", "bob", got="in"
        ),
    )

    def test_a_cell_says_what_the_credential_got_and_marks_a_hole(self) -> None:
        assert table(self.RESULTS, ["GET /a", "GET /long"], ["none", "bob", "admin"]) == [
            "route      none  bob   admin",
            "GET /a     401   ✗ in  -",
            "GET /long  -     -     -",
        ]

    def test_routes_where_all_got_the_same_share_a_line_unless_every_one_is_asked_for(self) -> None:
        routes = ["GET /long", "GET /a", "GET /holed", "GET /as", "POST /b"]
        results = [_got(route, "bob", "403") for route in routes]
        results += [_got("POST /b", "bob", "in"), _got("GET /holed", "admin", "403", held=False)]
        assert table(results, routes, ["bob", "admin"]) == [
            "route              bob  admin",
            "GET /a and 2 more  403  -",
            "GET /holed         403  ✗ 403",
            "POST /b            in   -",
        ]
        assert [line.split("  ")[0] for line in table(results, routes, ["bob"], every=True)] == ["route", *routes]

    def test_of_several_refusals_the_usual_one_is_shown(self) -> None:
        results = [_got("GET /a", "malformed", got) for got in ("401", "400", "400")]
        assert table(results, ["GET /a"], ["malformed"]) == ["route   malformed", "GET /a  400"]

    def test_every_class_has_a_line(self) -> None:
        assert summary(self.RESULTS) == ["✓ no credential: 1", "✗ scopes: 2, holes: 1"]

    def test_a_hole_is_told_with_what_was_sent_and_what_came_back(self) -> None:
        assert hole(self.RESULTS).splitlines() == [
            "The wall has a hole (scopes): GET /a with bob.",
            "Sent:",
            "    GET /a HTTP/1.1",
            "Came back:",
            "    HTTP/1.1 200 OK",
            "Expected: 403.",
        ]
        assert hole(self.RESULTS[:2]) == ""


class TestOwnNetwork:
    ROUTES = (
        "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
        "eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0\n"
        "eth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n"
        "docker0 000011AC 00000000 0001 0 0 0 0000FFFF 0 0 0\n"
    )

    @pytest.mark.parametrize(
        ("host", "own"),
        [
            ("172.17.0.2", True),
            ("192.0.2.77", True),
            ("172.18.0.2", False),
            ("10.0.0.1", False),
            ("fd00::2", True),
            ("2606:4700::1", False),
        ],
    )
    def test_an_address_is_in_a_network_of_the_host_or_behind_a_router(
        self, host: str, own: bool, tmp_path: Path
    ) -> None:
        file = tmp_path / "route"
        file.write_text(self.ROUTES)
        assert is_own_network(host, file) is own

    def test_where_the_host_cannot_tell_it_is_taken_for_its_own(self, tmp_path: Path) -> None:
        assert is_own_network("172.18.0.2", tmp_path / "missing") is True


class TestClients:
    NOW = datetime.datetime(2026, 11, 25, 12, 0, tzinfo=datetime.timezone.utc)

    @pytest.mark.parametrize("kinds", [["basic"], ["bearer"], ["basic", "bearer"]])
    def test_they_are_clients_that_the_modules_take(self, kinds: list[str]) -> None:
        made = wall_clients.make_up(kinds, self.NOW, datetime.timedelta(minutes=15))
        for entries in (made["clients"], made["kept"]):
            assert sound_clients(entries, Rules(scheme="apr1", keys=True))
        assert [one["name"] for one in made["clients"] if one not in made["kept"]] == ["gatehouse-wall-revoked"]

    def test_keys_expire_even_if_nobody_removes_them(self) -> None:
        made = wall_clients.make_up(["bearer"], self.NOW, datetime.timedelta(minutes=15))
        expires = {one["name"]: one["keys"][0]["expires"] for one in made["clients"]}
        assert expires.pop("gatehouse-wall-expired") == "2026-11-25T11:59:00Z"
        assert set(expires.values()) == {"2026-11-25T12:15:00Z"}

    def test_no_secret_is_used_twice(self) -> None:
        values = [
            one["value"]
            for _ in range(2)
            for one in wall_clients.make_up(["basic", "bearer"], self.NOW, datetime.timedelta(1))["credentials"]
        ]
        assert len(set(values)) == len(values) == 32

    def test_every_scope_and_both_ends_are_there(self) -> None:
        made = wall_clients.make_up(["bearer"], self.NOW, datetime.timedelta(1))
        assert {one["name"]: one["valid"] for one in made["credentials"]} == {
            **dict.fromkeys(["inference", "models_read", "models_write", "metrics", "admin"], True),
            **dict.fromkeys(["limited", "in_path"], True),
            "expired": False,
            "revoked": False,
        }

    def test_one_has_a_list_of_models_unless_the_gateway_has_none(self) -> None:
        for limits in (True, False):
            made = wall_clients.make_up(["bearer"], self.NOW, datetime.timedelta(1), limits_models=limits)
            assert [one["name"] for one in made["credentials"] if one["models"]] == (["limited"] if limits else [])
            clients = {one["name"]: one for one in made["clients"] if "models" in one}
            assert set(clients) == ({"gatehouse-wall-limited"} if limits else set())
            assert "admin" not in {scope for one in clients.values() for scope in one["scopes"]}

    def test_their_files_are_those_that_a_gateway_reads(self) -> None:
        """Keys and passwords are hashed there; what plain nginx cannot read in clients.json it has as files."""
        made = wall_clients.make_up(["basic", "bearer"], self.NOW, datetime.timedelta(1), limits_models=False)
        files = wall_clients.credential_files(made["clients"], ["basic", "bearer"], self.NOW)
        assert sorted(files) == ["api_keys", "htpasswd"]
        for one in made["credentials"]:
            name, secret = f"gatehouse-wall-{one['name']}", one["value"].rpartition(":")[2]
            assert secret not in "".join(files.values())
            if one["kind"] == "basic":
                (line,) = (line for line in files["htpasswd"].splitlines() if line.startswith(f"{name}:"))
                assert apr_md5_crypt.verify(secret, line.partition(":")[2])
            else:
                (line,) = (line for line in files["api_keys"].splitlines() if f"{name}.wall" in line)
                assert key_form.digest(secret) in line
        assert sorted(wall_clients.rights_files(made["clients"], "openresty")) == ["clients.json"]
        rights = wall_clients.rights_files(made["clients"], "nginx")
        assert set(json.loads(rights["clients.json"])) == {one["name"] for one in made["clients"]}
        assert {"scopes/models_read/gatehouse-wall-models_read", "scopes/inference/gatehouse-wall-admin"} < set(rights)
        assert "scopes/inference/gatehouse-wall-models_read" not in rights

    @pytest.mark.parametrize("kinds", [["basic"], ["bearer"], ["basic", "bearer"]])
    def test_none_counts_where_all_requests_need_a_certificate(self, kinds: list[str]) -> None:
        made = wall_clients.make_up(kinds, self.NOW, datetime.timedelta(1), "all")
        assert {one["valid"] for one in made["credentials"]} == {False}
        for certificates in ("none", "any"):
            made = wall_clients.make_up(kinds, self.NOW, datetime.timedelta(1), certificates)
            assert {one["name"] for one in made["credentials"] if one["valid"]} >= {"admin", "inference"}


def test_a_basic_credential_is_sent_as_the_rfc_says() -> None:
    header = CREDENTIALS[1].header()
    assert base64.b64decode(header.value.removeprefix(b"Basic ")).decode() == CREDENTIALS[1].value


class TestForgetting:
    """A gateway that looks at contents, not at times, forgets as well."""

    def test_each_try_finds_another_content_that_says_the_same(self, tmp_path: Path) -> None:
        file = tmp_path / "clients.json"
        file.write_text('{"a": 1}\n')
        file.chmod(0o640)
        forgetting = Forgetting(str(file), 20)
        seen = []
        for _ in range(10):
            with forgetting.one_try():
                seen.append(file.read_text())
        assert len(set(seen)) == 10
        assert all(json.loads(text) == {"a": 1} for text in seen)
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
        assert os.listdir(tmp_path) == ["clients.json"]

    def test_tries_at_once_never_see_half_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "clients.json"
        file.write_text('{"a": 1}\n')
        forgetting = Forgetting(str(file), 20)

        def one(_number: int) -> Any:
            with forgetting.one_try():
                return json.loads(file.read_text())

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(one, range(200))) == [{"a": 1}] * 200

    @pytest.mark.parametrize(("limit", "path"), [(0, "there.json"), (10, None)])
    def test_without_a_limit_or_a_file_nothing_is_written(self, tmp_path: Path, limit: int, path: str | None) -> None:
        file = tmp_path / "there.json"
        file.write_text("{}")
        with Forgetting(str(tmp_path / path) if path else None, limit).one_try():
            assert file.read_text() == "{}"

    def test_a_file_that_is_not_there_is_the_error(self, tmp_path: Path) -> None:
        path = str(tmp_path / "no")
        with pytest.raises(GatehouseError, match="it cannot be replaced"), Forgetting(path, 10).one_try():
            pass
