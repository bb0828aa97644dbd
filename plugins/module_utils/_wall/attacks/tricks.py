# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks beside the table: smuggled headers and framings, spellings of paths, routes that are none. Pure functions."""

from __future__ import annotations

import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attack import (
    JUDGED,
    REFUSED,
    TURNED_AWAY,
    UNAUTHORIZED,
    UNKNOWN,
    Attack,
    Expectation,
    one_of,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks.routes import MODEL
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.credentials import Credential, admins, valid, wrong
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import HOST, Header, Request, join, request

# What must not arrive at the server next to credentials.
COOKIE = b"gatehouse-wall-cookie"

ORIGIN = b"https://gatehouse-wall.invalid"


_BODY = b'{"model":"%s","stream":false}' % MODEL.encode()
_CHUNKED = ("Transfer-Encoding", b"chunked")
# Name, headers, and what follows them.
_FRAMINGS: t.Tuple[t.Tuple[str, t.List[t.Tuple[str, bytes]], bytes], ...] = (
    ("Transfer-Encoding with Content-Length", [_CHUNKED, ("Content-Length", b"4")], b"0\r\n\r\n"),
    ("two Content-Length", [("Content-Length", b"0"), ("Content-Length", b"%d" % len(_BODY))], _BODY),
    ("a negative Content-Length", [("Content-Length", b"-1")], _BODY),
    ("a hexadecimal Content-Length", [("Content-Length", b"0x10")], _BODY),
    ("a list of Content-Length", [("Content-Length", b"4, 4")], b"abcd"),
    ("an unknown Transfer-Encoding", [("Transfer-Encoding", b"xchunked")], b"0\r\n\r\n"),
    ("Transfer-Encoding twice", [_CHUNKED, ("Transfer-Encoding", b"identity")], b"0\r\n\r\n"),
    ("a space before the colon", [("Transfer-Encoding ", b"chunked")], b"0\r\n\r\n"),
    ("a folded header", [("X-Folded", b"a\r\n Transfer-Encoding: chunked")], b"0\r\n\r\n"),
)


def framed(given: t.Sequence[Header] = (), host: str = HOST) -> t.Iterator[tuple[str, Request]]:
    """Each hides a second request, which has none of these headers, behind the first one."""
    hidden = request("GET", "/api/tags", host=host)
    for name, headers, follows in _FRAMINGS:
        whole = request("POST", "/api/chat", [*given, *(Header(*one) for one in headers)], host=host, close=False)
        yield name, join(Request(whole.raw + follows, whole.shown), hidden)


def _framings(credential: Credential | None) -> t.Iterator[Attack]:
    """Each hides a second request, which has no credential, behind the first one."""
    for name, sent in framed([credential.header()] if credential else []):
        about = f"{name} with {credential.name if credential else 'no credential'}"
        yield Attack("smuggling", about, sent, JUDGED)


_UPGRADE = [
    Header("Upgrade", b"websocket"),
    Header("Connection", b"Upgrade"),
    Header("Sec-WebSocket-Version", b"13"),
    Header("Sec-WebSocket-Key", b"Z2F0ZWhvdXNlLXdhbGwtLQ=="),
]
_NO_WEBSOCKET = one_of("426", 426)


def smuggling(credentials: t.Sequence[Credential]) -> t.Iterator[Attack]:
    """Headers and framings that a proxy and a server may understand differently, and credentials where none belong."""
    yield from _framings(None)
    for credential in valid(credentials):
        if "inference" in credential.scopes:
            yield from _framings(credential)
    yield _smuggle("headers of 70 kB", [Header("X-Large", b"a" * 7000)] * 10)
    yield _smuggle("a header that is no UTF-8", [Header("X-Bytes", b"\xff\xfe\xc0\xaf")])
    yield Attack("smuggling", "HTTP/1.0", request("GET", "/api/tags", version="HTTP/1.0"), REFUSED)
    yield Attack("smuggling", "HTTP/2.0", request("GET", "/api/tags", version="HTTP/2.0"), JUDGED)
    yield Attack("smuggling", "no HTTP", Request(b"\x16\x03\x01\x00\xa5\x01\r\n\r\n", "a TLS handshake"), REFUSED)
    for name in ("X-Original-URL", "X-Rewrite-URL", "X-Accel-Redirect"):
        yield _smuggle(name, [Header(name, b"/healthz")])
    for name in ("X-Forwarded-For", "X-Real-IP", "X-Client-IP", "True-Client-IP", "X-Forwarded-Host"):
        yield _smuggle(name, [Header(name, b"127.0.0.1")])
    yield _smuggle("Forwarded", [Header("Forwarded", b"for=127.0.0.1;host=localhost")])
    for name in ("X-Forwarded-User", "X-Remote-User", "Remote-User", "X-Auth-Request-User", "X-WEBAUTH-USER"):
        yield _smuggle(name, [Header(name, b"gatehouse-wall-admin")])
    yield _smuggle("the header of the preflight", [Header("Access-Control-Request-Method", b"GET")])
    yield _smuggle("an upgrade to WebSocket", _UPGRADE)
    for credential in valid(credentials):
        sent = request("GET", "/v1/responses", [credential.header(), *_UPGRADE])
        yield Attack("smuggling", f"an upgrade to WebSocket with {credential.name}", sent, _NO_WEBSOCKET)
    for credential in admins(credentials):
        yield from _misplaced(credential)


def _misplaced(credential: Credential) -> t.Iterator[Attack]:
    """A valid credential where it is none, twice, or beside another one."""
    good, value = credential.header(), credential.encoded
    bad = wrong(credential.kind)[0][1]
    kind = credential.kind
    yield _smuggle(f"{kind}: a wrong one first", [bad, good])
    yield _smuggle(f"{kind}: a wrong one second", [good, bad])
    yield _smuggle(f"{kind}: the same twice", [good, good])
    yield _smuggle(f"{kind}: beside a wrong x-api-key", [good, Header("x-api-key", b"gatehouse-wall-wrong")])
    for name in ("Proxy-Authorization", "X-Authorization", "Authorization_", "X-Forwarded-Authorization"):
        yield _smuggle(f"{kind}: in {name}", [Header(name, good.value, good.shown)])
    yield _smuggle(f"{kind}: in a cookie", [Header("Cookie", b"Authorization=" + value, good.shown)])
    yield _smuggle(f"{kind}: in Sec-WebSocket-Protocol", [Header("Sec-WebSocket-Protocol", value, good.shown)])
    for parameter in ("access_token", "api_key", "key", "Authorization"):
        sent = request("GET", f"/api/tags?{parameter}={value.decode()}")
        shown = sent.shown.replace(value.decode(), f"<{credential.name}>")
        yield Attack("smuggling", f"{kind}: in the query as {parameter}", Request(sent.raw, shown), UNAUTHORIZED)
    # The first one is answered; the second one has no credential, though it comes from the same connection.
    first = request("GET", "/api/version", [good], close=False)
    last_refused = Expectation("401 for the second one", lambda answer: answer.statuses[1:] == [401])
    both = join(first, request("GET", "/api/tags"))
    yield Attack("smuggling", f"{kind}: a request behind one that may", both, last_refused)


def _smuggle(name: str, headers: t.Sequence[Header]) -> Attack:
    return Attack("smuggling", name, request("GET", "/api/tags", headers), REFUSED)


_SPELLINGS = (
    *(
        "/{0}/{1}/",
        "//{0}/{1}",
        "/{0}//{1}",
        "/./{0}/{1}",
        "/{0}/./{1}",
        "/{0}/x/../{1}",
        "/x/../{0}/{1}",
        "/../{0}/{1}",
    ),
    *(
        "/{0}/%2e/{1}",
        "/{0}/x/%2e%2e/{1}",
        "/{0}/x%2f..%2f{1}",
        "/{0}%2f{1}",
        "/{0}%252f{1}",
        "/{0}\\{1}",
        "/{0}%5c{1}",
    ),
    *("/%61pi/{1}", "/{0}/%{2:02x}{3}", "/{0}/%c1%a1{3}", "/{4}/{5}", "/{4}/{1}", "/{0}/{1}%00", "/{0}/{1}%00.js"),
    *("/{0}/{1}%20", "/{0}/{1}%0d%0aX:%20y", "/{0};x/{1}", "/{0}/{1};x", "/{0}/{1}.json", "/{0}/{1}#", "/{0}/{1}%23"),
    *("/{0}/{1}%3fx", "{0}/{1}", "/healthz/../{0}/{1}", "/healthz/..%2f{0}/{1}", "/healthz//{0}/{1}"),
)

# The same request (RFC 9112, section 3.2.2). A gateway that has names may refuse others.
_ABSOLUTE = ("http://ollama:11434/api/tags", "http://localhost/api/tags", "HTTP://LOCALHOST:1/api/tags")
_FORBIDDEN_OR_ELSEWHERE = one_of("403 or 421", 403, 421)


def spellings() -> list[str]:
    """Other spellings of the path /api/tags."""
    first, second = "api", "tags"
    signs = (first, second, ord(second[0]), second[1:], first.upper(), second.upper())
    return [spelling.format(*signs) for spelling in _SPELLINGS]


def path_tricks(credentials: t.Sequence[Credential]) -> t.Iterator[Attack]:
    """Other spellings of a path: without a credential none is let in, with one of admin's none becomes a route.

    Whoever has another scope may do less than that.
    """
    spelled = spellings()
    for target in (*spelled, *_ABSOLUTE):
        yield _trick(target, None, REFUSED)
    for credential in admins(credentials):
        for target in spelled:
            yield _trick(target, credential, UNKNOWN)
    for credential in valid(credentials):
        if not credential.may("models_read"):
            for target in _ABSOLUTE:
                yield _trick(target, credential, _FORBIDDEN_OR_ELSEWHERE)


def _trick(target: str, credential: Credential | None, expects: Expectation) -> Attack:
    name = f"{target} with {credential.name if credential else 'no credential'}"
    return Attack("path tricks", name, request("GET", target, [credential.header()] if credential else []), expects)


_NO_ROUTES = (
    *("/metrics/", "/debug/pprof/", "/api", "/api/", "/v1", "/api/gatehouse-wall", "/v1/files", "/.gatehouse/401"),
    *("/clients/clients.json", "/favicon.ico", "/api/chat", "/api/delete"),
)
NO_METHODS = ("POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "get", "OPTIONS")
_UNLISTED = (
    *(("GET", path) for path in _NO_ROUTES),
    *((method, "/api/tags") for method in NO_METHODS),
    *(("OPTIONS", "*"), ("CONNECT", "ollama:11434")),
)


def unlisted(credentials: t.Sequence[Credential]) -> t.Iterator[Attack]:
    """What is in no table: refused without a credential, unknown even to admin."""
    for method, target in _UNLISTED:
        what = f"{method} {target}"
        yield Attack("routes that are none", f"{what} without a credential", request(method, target), TURNED_AWAY)
        for credential in admins(credentials):
            sent = request(method, target, [credential.header()])
            yield Attack("routes that are none", f"{what} with {credential.name}", sent, UNKNOWN)


def mirrored(credentials: t.Sequence[Credential]) -> Request:
    """Requests whose headers a mirror in place of Ollama shows, one for each form of a valid credential."""
    extra = [*(Header(name, COOKIE) for name in ("Cookie", "api-key", "x-unknown")), Header("Origin", ORIGIN)]
    forms = []
    for credential in admins(credentials):
        forms.append([credential.header()])
        if credential.kind == "bearer":
            forms.append([credential.api_key()])
    return join(
        *(
            request("GET", "/api/version", [*form, *extra], close=number == len(forms))
            for number, form in enumerate(forms, 1)
        )
    )
