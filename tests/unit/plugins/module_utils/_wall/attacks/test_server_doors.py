# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attack on the doors of servers: a sound one withstands it, each broken one is found, and so is a dead one."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall import certificates
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks import server_doors
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Address, Answer
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.run import Budget, Result
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.table import hole, summary

from tests.certificates import Authority, Issued
from tests.unit.tls_server import context, reply, target

CA = Authority("Gatehouse door CA")
GATEWAYS = ["gate1", "gate2"]
ROUTES = ["/gatehouse/door", "/api/tags", "/api/chat"]


@dataclass
class Door:
    """A small door. Each of its faults is off."""

    # Whoever shows no certificate, or one of a CA that it does not know, is answered.
    open_to_all: bool = False
    # Any name will do.
    any_name: bool = False
    # All that follows the slash goes on.
    every_path: bool = False
    plain: bool = False
    dead: bool = False
    # How often it says that Ollama does not answer.
    busy: int = 0

    def answer(self, request: bytes, name: str | None) -> bytes:
        if name is None:
            return reply(400)
        if name not in GATEWAYS and not self.any_name and not self.open_to_all:
            return reply(403)
        if target(request) not in ROUTES or not request.startswith((b"GET ", b"POST ")):
            said = "404 page not found" if self.every_path else '{"error":"there is no such route"}'
            return reply(404, said, f"Content-Type: {'text/plain' if self.every_path else 'application/json'}")
        if (request.startswith(b"POST ")) != (target(request) == "/api/chat"):
            return reply(404, '{"error":"there is no such route"}')
        if target(request) == "/gatehouse/door" and self.busy > 0:
            self.busy -= 1
            return reply(503, '{"error":"Ollama does not answer"}')
        return reply(200, "{}")

    def speak(self, connection: socket.socket, tls: ssl.SSLContext) -> None:
        if self.dead:
            return
        if connection.recv(1, socket.MSG_PEEK) != b"\x16":
            request = connection.recv(65536)
            known = self.plain and request.startswith((b"GET ", b"POST "))
            connection.sendall(self.answer(request, "gate1") if known else reply(400))
            return
        with tls.wrap_socket(connection, server_side=True) as wrapped:
            shown: Any = wrapped.getpeercert() or {}
            names = [value for rdn in shown.get("subject", ()) for key, value in rdn if key == "commonName"]
            name = "".join(map(str, names)) or ("" if self.open_to_all else None)
            wrapped.sendall(self.answer(wrapped.recv(65536), name))


@contextlib.contextmanager
def serving(door: Door, folder: Path, issued: Issued | None = None) -> Iterator[Address]:
    tls = context(folder, issued or CA.issue("gatehouse-door"))
    if not door.open_to_all:
        tls.verify_mode = ssl.CERT_OPTIONAL
        tls.load_verify_locations(cadata=CA.pem)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:

        def one(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), connection:
                connection.settimeout(3)
                door.speak(connection, tls)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=one, args=[connection], daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield Address("127.0.0.1", listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)


NOW = datetime.datetime.now(datetime.timezone.utc)
MADE = (CA.own.certificate, CA.own.key, GATEWAYS, NOW)
WORTHLESS = [server_doors.Certificate(**one) for one in certificates.worthless(*MADE)]
VALID = [server_doors.Certificate(**one) for one in certificates.valid(*MADE)]


def attack(
    *doors: Address, shown: list[server_doors.Certificate] | None = None, ca: str | None = CA.pem
) -> list[Result]:
    tried = [*WORTHLESS, *VALID] if shown is None else shown
    return list(server_doors.attack(doors, tried, ca, 2, Budget(3000, 2000, 60)))


def test_a_sound_door_withstands_and_lets_a_gateway_in(tmp_path: Path) -> None:
    with serving(Door(), tmp_path) as door:
        results = attack(door)
    assert hole(results) == ""
    assert [line.rpartition(":")[0] for line in summary(results)] == [
        "✓ doors without a gateway's certificate",
        "✓ doors by other ways than HTTPS",
        "✓ doors with a gateway's certificate",
        "✓ doors beyond their routes",
    ]
    assert len({one.name for one in results}) == len(results) > 200


def test_every_certificate_is_shown_on_every_kind_of_route(tmp_path: Path) -> None:
    with serving(Door(), tmp_path) as door:
        results = attack(door)
    tried = {(one.route, one.column) for one in results if one.route and one.route != "a gateway's"}
    names = ["none", *(one.name for one in WORTHLESS)]
    assert tried == {(name, column) for name in names for column in ("status", "read", "inference")}
    assert len(server_doors.lines(results, every=True)) == len(names) + 2
    lines = [line.split() for line in server_doors.lines(results, every=False)]
    assert lines[0] == ["certificate", "status", "read", "inference"]
    assert lines[-1] == ["a", "gateway's", "in", "-", "-"]
    assert len(lines) < 7, "a picture for a screen"


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (Door(open_to_all=True), "doors without a gateway's certificate"),
        (Door(any_name=True), "doors without a gateway's certificate"),
        (Door(plain=True), "doors by other ways than HTTPS"),
        (Door(dead=True), "doors with a gateway's certificate"),
        (Door(every_path=True), "doors beyond their routes"),
    ],
    ids=["open to all", "any name", "plain HTTP", "dead", "every path"],
)
def test_a_broken_door_is_found_and_what_came_back_is_shown(fault: Door, found: str, tmp_path: Path) -> None:
    with serving(fault, tmp_path) as door:
        text = hole(attack(door))
    assert text.startswith(f"The wall has a hole ({found}): {door.name}: ")
    assert "Sent:\n    " in text
    assert "Came back:\n    " in text
    assert "PRIVATE KEY" not in text


def test_a_door_that_takes_any_name_is_found_by_the_first_name_that_is_no_gateway_s(tmp_path: Path) -> None:
    with serving(Door(any_name=True), tmp_path) as door:
        results = attack(door)
    names = {one.route for one in results if not one.held and one.route}
    assert names == {
        "of no gateway",
        "a gateway's name and more",
        "a gateway's name in capitals",
        "a gateway's name as a unit's",
        "a gateway's name behind a comma",
    }
    assert f"{door.name}: status, with a certificate of no gateway." in hole(results)
    (line,) = [line for line in server_doors.lines(results, every=False) if line.startswith("of no gateway ")]
    assert line.split()[3:] == ["✗", "in"] * 3


@pytest.mark.parametrize(("busy", "found"), [(2, ""), (3, "HTTP/1.1 503")])
def test_a_server_that_is_busy_is_asked_three_times(busy: int, found: str, tmp_path: Path) -> None:
    with serving(Door(busy=busy), tmp_path) as door:
        text = hole(attack(door, shown=VALID))
    assert found in text
    assert bool(found) is bool(text)


def test_a_door_of_another_ca_is_not_taken_for_the_right_one(tmp_path: Path) -> None:
    with serving(Door(), tmp_path, Authority("Another").issue("gatehouse-door")) as door:
        text = hole(attack(door))
    assert text.startswith("The wall has a hole (doors with a gateway's certificate)")
    assert "certificate verify failed" in text


def test_from_elsewhere_nothing_is_valid_and_only_strangers_are_tried(tmp_path: Path) -> None:
    with serving(Door(), tmp_path) as first, serving(Door(), tmp_path) as second:
        results = attack(first, second, shown=WORTHLESS)
    assert hole(results) == ""
    assert {one.kind for one in results} == {server_doors.STRANGERS, server_doors.BESIDE}
    assert {one.name.split(": ")[0] for one in results} == {first.name, second.name}


def test_a_door_that_is_not_reached_is_told_and_not_tried(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gone = Address("127.0.0.1", listener.getsockname()[1])
    results = attack(gone)
    assert [(one.kind, one.held) for one in results] == [(server_doors.UNREACHED, True)]
    assert server_doors.lines(results, every=False) == [
        f"{gone.name} is not reached from here, so nothing was tried there"
    ]
    with serving(Door(), tmp_path) as door:
        results = attack(gone, door)
    assert hole(results) == ""
    assert server_doors.lines(results, every=False)[-2:] == [
        "",
        f"{gone.name} is not reached from here, so nothing was tried there",
    ]


def test_where_there_is_no_door_there_is_nothing_to_say() -> None:
    assert attack() == []
    assert server_doors.lines([], every=True) == []


@pytest.mark.parametrize(
    ("pem", "ca", "option"), [("none", CA.pem, "door_certificates"), (VALID[0].pem, "none", "door_ca")]
)
def test_what_is_no_certificate_is_told_by_its_option(pem: str, ca: str, option: str, tmp_path: Path) -> None:
    with serving(Door(), tmp_path) as door, pytest.raises(GatehouseError, match=f"^{option}: it must be "):
        attack(door, shown=[server_doors.Certificate("one", pem, valid=True)], ca=ca)


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        (Answer(reply(400)), True),
        (Answer(reply(403)), True),
        (Answer(reply(496)), True),
        (Answer(), True),
        (Answer(error="alert", alerted=True), True),
        (Answer(b"\x15\x03\x03\x00\x02\x02\x28"), True),
        (Answer(reply(200)), False),
        (Answer(reply(404)), False),
        (Answer(reply(503)), False),
        # The second of two was let through.
        (Answer(reply(400) + reply(200)), False),
        (Answer(timed_out=True), False),
        # The settings of HTTP/2.
        (Answer(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00"), False),
        # An answer of HTTP/0.9.
        (Answer(b'{"models":[]}'), False),
        (Answer(b"\x16\x03\x03\x00\x2a\x02"), False),
    ],
)
def test_only_a_refusal_an_alert_and_the_end_of_the_connection_are_refusals(answer: Answer, refused: bool) -> None:
    assert server_doors.is_refused(answer) is refused
