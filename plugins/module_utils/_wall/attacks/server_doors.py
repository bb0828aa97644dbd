# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks on the doors of servers, which must answer nobody but who shows a certificate of a gateway."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.gatehouse.ollama.plugins.module_utils._wall import link
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attack import Attack, Expectation, all_are
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks import hello, tricks
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks.routes import MODEL
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import (
    Address,
    Answer,
    Header,
    Request,
    join,
    request,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.link import Link
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.run import Budget, Result, run
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.table import table

UNREACHED = "doors that are not reached from here"
STRANGERS = "doors without a gateway's certificate"
BESIDE = "doors by other ways than HTTPS"
GATEWAYS = "doors with a gateway's certificate"
BEYOND = "doors beyond their routes"
_KINDS = (UNREACHED, STRANGERS, BESIDE, GATEWAYS, BEYOND)

# What all doors are called in TLS.
NAME = "gatehouse-door"
STATUS = "/gatehouse/door"
# As for side doors: packets that a firewall drops are not waited for as long as an answer.
_TO_CONNECT = 4

_TRIES = 3

_NONE = "none"
_COLUMNS = ("status", "read", "inference")
_BODY = json.dumps({"model": MODEL, "stream": False}).encode()
_REQUESTS = {
    "status": request("GET", STATUS, host=NAME),
    "read": request("GET", "/api/tags", host=NAME),
    "inference": request("POST", "/api/chat", [Header("Content-Type", b"application/json")], _BODY, host=NAME),
}


@dataclass(frozen=True)
class Certificate:
    """What a door is tried with; `pem` is its key, itself and what is shown with it."""

    name: str
    pem: str = field(repr=False)
    # Whether it is one of a gateway, which a door has to take.
    valid: bool = False


@dataclass(frozen=True)
class _Patient(Link):
    """Asks again where Ollama, which may be busy, took too long to say how it stands."""

    def send(self, raw: bytes, timeout: float) -> Answer:
        answer = super().send(raw, timeout)
        for _again in range(_TRIES - 1):
            if answer.status == 503:
                answer = super().send(raw, timeout)
        return answer


def attack(
    doors: t.Sequence[Address], certificates: t.Sequence[Certificate], ca: str | None, timeout: float, budget: Budget
) -> t.Iterator[Result]:
    """What came of it, up to the end of the first class in which one did not hold. Raises GatehouseError."""
    reached = [door for door in doors if _is_reached(door, timeout)]
    for door in doors:
        if door not in reached:
            yield Result(UNREACHED, door.name, True, "", "", "")
    if not reached:
        return
    # Whom the door's certificate does not matter to, and who wants to see it.
    anybody = link.unproven(reached[0], NAME)
    strangers: dict[str, Link] = {_NONE: anybody}
    certain: dict[str, Link] = {}
    for one in certificates:
        ways = certain if one.valid else strangers
        proof = ca if one.valid else None
        ways[one.name] = link.with_client_certificate(anybody, one.pem, "door_certificates", proof)
    made = [*_everywhere(reached, strangers, _without_right), *_everywhere(reached, {_NONE: anybody}, _beside)]
    made += [*_everywhere(reached, certain, _with_right), *_everywhere(reached, certain, _beyond)]
    yield from run(made, lambda one: (one.link or anybody).send(one.request.raw, timeout), budget)


def lines(results: t.Sequence[Result], every: bool) -> list[str]:
    """A table of who got what at the doors, and what was not tried; empty where there was none."""
    there = [result for result in results if result.kind in _KINDS]
    names = list(dict.fromkeys(result.route for result in there if result.route))
    found = table(there, names, _COLUMNS, every, head="certificate") if names else []
    missed = unreached(results)
    return [*found, *([""] if found and missed else []), *missed]


def unreached(results: t.Sequence[Result]) -> list[str]:
    """A sentence for each door that was not tried."""
    missed = [result.name for result in results if result.kind == UNREACHED]
    return [f"{name} is not reached from here, so nothing was tried there" for name in missed]


def _is_reached(door: Address, timeout: float) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((door.host, door.port), min(timeout, _TO_CONNECT)):
        return True
    return False


Make = t.Callable[[str, Link], t.Iterator[Attack]]


def _everywhere(doors: t.Sequence[Address], ways: t.Mapping[str, Link], make: Make) -> t.Iterator[Attack]:
    """What is tried at each door with each certificate."""
    for door in doors:
        for name, way in ways.items():
            for one in make(name, replace(way, address=door)):
                yield replace(one, name=f"{door.name}: {one.name}")


def _without_right(name: str, way: Link) -> t.Iterator[Attack]:
    """A request on each kind of route; and one that hides another one, so that the second is not forgotten."""
    for column, sent in _REQUESTS.items():
        yield Attack(STRANGERS, _with(name, column), sent, _REFUSED, name, column, way)
    for what, sent in tricks.framed(host=NAME):
        yield Attack(STRANGERS, _with(name, what), sent, _UNREAD, link=way)
    claimed = [Header(one, b"SUCCESS") for one in ("X-SSL-Client-Verify", "SSL-Client-Verify", "X-Client-Verify")]
    claimed += [Header("X-Forwarded-For", b"127.0.0.1"), Header("X-Real-IP", b"127.0.0.1")]
    sent = request("GET", "/api/tags", claimed, host=NAME)
    yield Attack(STRANGERS, _with(name, "headers that tell of a certificate"), sent, _REFUSED, link=way)


def _with(name: str, what: str) -> str:
    return f"{what}, no certificate" if name == _NONE else f"{what}, with a certificate {name}"


def _beside(_name: str, way: Link) -> t.Iterator[Attack]:
    """Who speaks something else than HTTPS of today."""
    plain = replace(way, context=None)
    for column, sent in _REQUESTS.items():
        yield Attack(BESIDE, f"plain HTTP, {column}", sent, _REFUSED, link=plain)
    for what, sent in tricks.framed(host=NAME):
        yield Attack(BESIDE, f"plain HTTP, {what}", sent, _UNREAD, link=plain)
    proxied = Request(b"PROXY TCP4 127.0.0.1 127.0.0.1 1 1\r\n", "PROXY TCP4 127.0.0.1 127.0.0.1 1 1\n")
    yield Attack(BESIDE, "plain HTTP, PROXY protocol", join(proxied, _REQUESTS["read"]), _REFUSED, link=plain)
    for what, one in (("plain", plain), ("over TLS", way)):
        yield Attack(BESIDE, f"HTTP/2 with prior knowledge, {what}", _HTTP2, _REFUSED, link=one)
    old = (("SSL 3", hello.SSL3), ("TLS 1.0", hello.TLS10), ("TLS 1.1", hello.TLS11))
    for version, number in old:
        sent = Request(hello.client_hello(number, hello.OLD_SUITES, NAME), f"a ClientHello of {version}")
        yield Attack(BESIDE, f"a handshake with {version}", sent, _NO_HANDSHAKE, link=plain)


def _with_right(name: str, way: Link) -> t.Iterator[Attack]:
    """A gateway is let in: a door that is dead is not taken for one that is closed."""
    patient = _Patient(way.address, way.context, way.name)
    yield Attack(GATEWAYS, f"status, with {name}", _REQUESTS["status"], _LET_IN, name, "status", patient)


def _beyond(name: str, way: Link) -> t.Iterator[Attack]:
    """What is in no table is nothing that even a gateway gets."""
    targets = [("GET", target) for target in (*tricks.spellings(), *_NO_ROUTES)]
    targets += [(method, path) for path in ("/api/tags", STATUS) for method in tricks.NO_METHODS]
    for method, target in [*targets, ("OPTIONS", "*"), ("CONNECT", "ollama:11434")]:
        sent = request(method, target, host=NAME)
        yield Attack(BEYOND, f"{method} {target}, with {name}", sent, _UNKNOWN, link=way)


_NO_ROUTES = (
    *("/../", "/../metrics", "/metrics", "/api", "/api/", "/v1", "/v1/files", "/healthz", "/debug/pprof/"),
    *("/gatehouse/", "/gatehouse/usage", "/gatehouse/door/", "/gatehouse/door/../usage"),
    *("/gatehouse/door%2f..%2f..%2fmetrics", "/gatehouse/door/../../api/tags", "//gatehouse/door", "/Gatehouse/door"),
    # Of a route it would be the same request (RFC 9112, section 3.2.2).
    *("http://ollama:11434/metrics", "http://localhost/gatehouse/usage", f"https://{NAME}/metrics", "ollama:11434"),
)


def _http2() -> Request:
    """The preface, settings, and a GET on /api/tags (RFC 9113, section 3.4; RFC 7541)."""
    path, authority = b"/api/tags", NAME.encode()
    block = b"\x82\x87\x04" + bytes([len(path)]) + path + b"\x01" + bytes([len(authority)]) + authority
    headers = len(block).to_bytes(3, "big") + b"\x01\x05\x00\x00\x00\x01" + block
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    return Request(preface + headers, "the preface of HTTP/2, and GET /api/tags in its frames")


_HTTP2 = _http2()


def is_refused(answer: Answer) -> bool:
    """Nothing but refusals came, or the end of the connection, or an alert of TLS; frames of HTTP/2 are none."""
    if answer.timed_out:
        return False
    return not answer.raw or all_are(answer, (400, 403, 495, 496)) or hello.is_turned_down(answer)


def _is_unread(answer: Answer) -> bool:
    """The same, or what nginx says to a framing that it does not know, before it looks at certificates."""
    return is_refused(answer) or (answer.statuses == [501] and not _OF_OLLAMA.search(answer.raw))


def _is_turned_down(answer: Answer) -> bool:
    return not answer.timed_out and (not answer.raw or hello.is_turned_down(answer))


# Ollama's own answers to what it does not know are text.
_OF_OLLAMA = re.compile(rb"\r\ncontent-type: *text/plain|page not found", re.IGNORECASE)


def _is_unknown(answer: Answer) -> bool:
    return all_are(answer, (400, 404, 405)) and not _OF_OLLAMA.search(answer.raw)


_REFUSED = Expectation("400 or 403, or the end of the connection", is_refused)
_UNREAD = Expectation("400, 403 or the door's own 501, or the end of the connection", _is_unread)
_NO_HANDSHAKE = Expectation("a TLS alert or the end of the connection", _is_turned_down)
_LET_IN = Expectation(
    "200 from a door that its CA vouches for; the certificate is good for ten minutes by the controller's clock",
    lambda answer: answer.statuses == [200],
    lets_in=True,
)
_UNKNOWN = Expectation("400 or 404, said by the door", _is_unknown)
