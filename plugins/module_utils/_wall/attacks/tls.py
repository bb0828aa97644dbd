# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks on how the gateway speaks TLS, on its names, and on the plain port beside it."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace
from urllib.parse import urlsplit

from ansible_collections.gatehouse.ollama.plugins.module_utils._text.addresses import bracketed, is_address
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attack import (
    UNAUTHORIZED,
    Attack,
    Expectation,
    all_are,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks import hello
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks.routes import Route, on_route
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.credentials import Credential, admins
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import (
    Address,
    Answer,
    Header,
    Request,
    request,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.link import (
    Link,
    Links,
    with_client_certificate,
)

KIND = "TLS"
PLAIN_PORT = "plain port"
FOREIGN = "gatehouse-wall.invalid"

_TURNED_DOWN = Expectation("a TLS alert, and no ServerHello", hello.is_turned_down)


def _refuses(*statuses: int) -> t.Callable[[Answer], bool]:
    """One of these, or an alert of TLS. An end without a word is none: that may be a worker that the attack ended."""
    return lambda answer: all_are(answer, statuses) or (answer.alerted and not answer.raw)


_ONLY_400 = Expectation("400", _refuses(400))
_ELSEWHERE = Expectation("421 or another refusal", _refuses(400, 401, 421))
_CERTIFIED = Expectation(
    "an answer from a server with the certificate that it must have", lambda answer: answer.status == 200
)


def handshakes(links: Links) -> t.Iterator[Attack]:
    """Without a credential: the certificate, and what no server should speak any more."""
    asked = request("GET", "/healthz", host=bracketed(links.first.name or ""))
    yield _attack("the certificate", asked, _CERTIFIED, links.first)
    link = replace(links.usual, context=None)
    name = links.usual.name
    for sni in [name, None] if name and not is_address(name) else [None]:
        about = "" if sni else " without a name"
        for version, number in (("SSL 3", hello.SSL3), ("TLS 1.0", hello.TLS10), ("TLS 1.1", hello.TLS11)):
            # A server has to take the name from the extension, which SSL 3 has not.
            if number > hello.SSL3 or sni is None:
                what = f"a handshake with {version}{about}"
                sent = Request(hello.client_hello(number, hello.OLD_SUITES, sni), f"a ClientHello of {version}")
                yield _attack(what, sent, _TURNED_DOWN, link)
        for weakness, suites in hello.WEAK_SUITES.items():
            what = f"a handshake with cipher suites {weakness}{about}"
            sent = Request(hello.client_hello(hello.TLS12, suites, sni), f"a ClientHello of TLS 1.2, suites {weakness}")
            yield _attack(what, sent, _TURNED_DOWN, link)


def names(link: Link, name: str, credentials: t.Sequence[Credential]) -> t.Iterator[Attack]:
    """Who asks for another server, or speaks no TLS, is not let in even with a credential that is valid."""
    unnamed = replace(link, name=None)
    yield _attack("no SNI and no credential", request("GET", "/api/tags", host=bracketed(name)), UNAUTHORIZED, unnamed)
    # One that is foreign, and two that only look like this one; no wildcard that this one may come from has them.
    dotless = "-".join(name.rsplit(".", 1)) if "." in name else "x" + name
    foreign = {FOREIGN: FOREIGN, "the name and more": f"{name}.{FOREIGN}", dotless: dotless}
    for credential in admins(credentials):
        given, kind = [credential.header()], credential.kind
        sent = request("GET", "/api/tags", given, host=bracketed(name))
        yield _attack(f"{kind}: plain HTTP on the port of TLS", sent, _ONLY_400, replace(link, context=None))
        for what, other in foreign.items():
            sent = request("GET", "/api/tags", given, host=other)
            yield _attack(f"{kind}: Host is {what}", sent, _ELSEWHERE, link)
            yield _attack(f"{kind}: Host is {what}, no SNI", sent, _ELSEWHERE, unnamed)
        sent = request("GET", "/api/tags", given, host=FOREIGN)
        yield _attack(f"{kind}: Host and SNI are {FOREIGN}", sent, _ELSEWHERE, replace(link, name=FOREIGN))
        sent = request("GET", f"http://{FOREIGN}/api/tags", given, host=bracketed(name))
        yield _attack(f"{kind}: the target is of {FOREIGN}", sent, _ELSEWHERE, link)
        sent = request("GET", "/api/tags", [Header("Host", FOREIGN.encode()), *given], host=bracketed(name))
        yield _attack(f"{kind}: two Host", sent, _ELSEWHERE, link)
        sent = _without_host(request("GET", "/api/tags", given, version="HTTP/1.0"))
        yield _attack(f"{kind}: no Host", sent, _ELSEWHERE, link)


def client_certificates(
    link: Link, name: str, pem: str | None, credentials: t.Sequence[Credential]
) -> t.Iterator[Attack]:
    """A client certificate that is not to be accepted spoils even a request with a valid credential."""
    if not pem:
        return
    certified = with_client_certificate(link, pem)
    for credential in admins(credentials):
        for about, one in (("", certified), (", no SNI", replace(certified, name=None))):
            what = f"{credential.kind}: beside a client certificate that is not to be accepted{about}"
            sent = request("GET", "/api/tags", [credential.header()], host=bracketed(name))
            yield _attack(what, sent, Expectation("400 or 401, or no handshake", _refuses(400, 401)), one)


def plain_port(
    address: Address, name: str, routes: t.Sequence[Route], credentials: t.Sequence[Credential]
) -> t.Iterator[Attack]:
    """The port without TLS sends everybody to the gateway's own name, and gives back nothing that it was given."""
    link = Link(address)
    for credential in [None, *admins(credentials)]:
        given = [credential.header()] if credential else []
        expects = _redirects(name, credential)
        suffix = f" with {credential.name} ({credential.kind})" if credential else ""
        for route in routes:
            # As elsewhere, no route of the account is asked with a credential that may use it.
            if credential is None or route.scope != "account":
                yield Attack(PLAIN_PORT, route.name + suffix, on_route(route, given), expects, link=link)
        for what, sent in _redirections(given):
            yield Attack(PLAIN_PORT, what + suffix, sent, expects, link=link)


def _redirections(given: t.Sequence[Header]) -> t.Iterator[t.Tuple[str, Request]]:
    """What may lead to somewhere else, or out of the folder of ACME's challenges."""
    foreign = FOREIGN.encode()
    yield f"Host: {FOREIGN}", request("GET", "/api/tags", given, host=FOREIGN)
    yield f"the target is of {FOREIGN}", request("GET", f"http://{FOREIGN}/api/tags", given)
    for name in ("X-Forwarded-Host", "X-Host", "X-Original-URL", "X-Rewrite-URL"):
        yield name, request("GET", "/api/tags", [Header(name, foreign), *given])
    yield "Forwarded", request("GET", "/api/tags", [Header("Forwarded", b"host=" + foreign), *given])
    yield "two Host", request("GET", "/api/tags", [Header("Host", foreign), *given])
    yield "no Host", _without_host(request("GET", "/api/tags", given, version="HTTP/1.0"))
    for target in (
        "/healthz",
        f"//{FOREIGN}/api/tags",
        f"/@{FOREIGN}/",
        f"/%0d%0a{_INJECTED}:%20x",
        "/.well-known/acme-challenge/gatehouse-wall",
        "/.well-known/acme-challenge/../../api/tags",
        "/.well-known/acme-challenge/..%2f..%2fclients%2fclients.json",
        "/.well-known/acme-challenge../clients/clients.json",
    ):
        yield "GET " + target, request("GET", target, given)


_INJECTED = "X-Gatehouse-Wall"
_LOCATION = re.compile(rb"\r\nlocation: *([^\r\n]*)", re.IGNORECASE)


def _redirects(name: str, credential: Credential | None) -> Expectation:
    secrets = [credential.encoded, credential.value.encode()] if credential else []

    def holds(answer: Answer) -> bool:
        head = answer.raw.partition(b"\r\n\r\n")[0]
        if answer.timed_out or not answer.statuses or any(secret in answer.raw for secret in secrets):
            return False
        if b"\r\n%s:" % _INJECTED.lower().encode() in head.lower():
            return False
        if answer.statuses == [308]:
            return [_target(location) for location in _LOCATION.findall(head)] == [("https", name.lower())]
        return all(status in (400, 404, 421) for status in answer.statuses)

    return Expectation(f"308 to https://{bracketed(name)}, 400, 404 or 421, without the credential", holds)


def _target(location: bytes) -> t.Tuple[str, str]:
    try:
        parts = urlsplit(location.decode("latin-1"))
        return parts.scheme, parts.hostname or ""
    except ValueError:
        return "", ""


def _without_host(sent: Request) -> Request:
    lines = sent.raw.split(b"\r\n")
    shown = sent.shown.split("\n")
    return Request(b"\r\n".join([lines[0], *lines[2:]]), "\n".join([shown[0], *shown[2:]]))


def _attack(what: str, sent: Request, expects: Expectation, link: Link) -> Attack:
    return Attack(KIND, what, sent, expects, link=link)
