# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attacks: which requests are made, and what must come of each. Pure functions."""

from __future__ import annotations

import base64
import json
import typing as t
from dataclasses import dataclass, field

from ansible_collections.gatehouse.ollama.plugins.module_utils._wall_http import Answer, Header, Request, join, request

# What the gateway itself says, and Ollama does not: who sees it was not let through.
GATEWAY_MESSAGES = (
    b"this client may not do this",
    b"there is no such route",
    b"the gateway has a fault that its log tells about",
    b"Ollama cannot be reached",
    b"the gateway is overloaded",
    b"Ollama did not answer in time",
)

# Names that exist nowhere, in requests that a server would refuse if they reached it.
_MODEL = "gatehouse-wall.invalid/none/none:none"
_PARAMETERS = {":model": "gatehouse-wall", ":digest": "sha256:" + "0" * 64, ":key": "gatehouse-wall"}
# Ollama is written in Go, whose HTTP server answers a header with a control character with 400, before anything else
# happens. nginx does not look. So even a request that wrongly gets through to a route that acts does nothing.
_HARMLESS = Header("X-Gatehouse-Wall", b"\x01")
_ACTING = ("models", "account")

# What must not arrive at the server next to credentials.
COOKIE = b"gatehouse-wall-cookie"
ORIGIN = b"https://gatehouse-wall.invalid"


@dataclass(frozen=True)
class Expectation:
    """What must come of an attack, in words and as a test."""

    text: str
    holds: t.Callable[[Answer], bool]


@dataclass(frozen=True)
class Attack:
    """One request. `route` and `column` say where it stands in the table, if it does."""

    kind: str
    name: str
    request: Request
    expects: Expectation
    route: str = ""
    column: str = ""


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    scope: str
    kind: str
    model: str
    fields: t.Tuple[str, ...]

    @property
    def name(self) -> str:
        return "%s %s" % (self.method, self.path)


@dataclass(frozen=True)
class Credential:
    """A short-lived credential; `value` is a key, or for basic user:password."""

    name: str
    kind: str
    value: str = field(repr=False)
    scopes: t.Tuple[str, ...]
    valid: bool

    @property
    def encoded(self) -> bytes:
        value = self.value.encode()
        return base64.b64encode(value) if self.kind == "basic" else value

    def header(self) -> Header:
        scheme = self.kind.capitalize()
        return Header("Authorization", scheme.encode() + b" " + self.encoded, "%s <%s>" % (scheme, self.name))

    def api_key(self) -> Header:
        return Header("x-api-key", self.value.encode(), "<%s>" % self.name)

    def may(self, scope: str) -> bool:
        return scope == "any" or scope in self.scopes or "admin" in self.scopes


def _is_401(answer: Answer) -> bool:
    return answer.statuses == [401] and b"\r\nwww-authenticate: " in answer.raw.lower()


def _is_refused(answer: Answer) -> bool:
    return all(status in (400, 401, 413, 414, 431) for status in answer.statuses)


def _is_judged(answer: Answer) -> bool:
    """For requests that may be understood in more than one way: whatever it was taken for, nothing was let through."""
    return all(400 <= status < 500 for status in answer.statuses)


def _is_unknown(answer: Answer) -> bool:
    if answer.status == 404:
        return b"there is no such route" in answer.raw or b"\r\n\r\n" not in answer.raw.rstrip()
    return answer.statuses in ([400], [405])


def _is_served(answer: Answer) -> bool:
    own = any(message in answer.raw for message in GATEWAY_MESSAGES)
    return bool(answer.statuses) and answer.status not in (101, 401, 403) and not own


UNAUTHORIZED = Expectation("401 with WWW-Authenticate", _is_401)
REFUSED = Expectation("401 or another refusal", _is_refused)
JUDGED = Expectation("nothing that was let through", _is_judged)
UNKNOWN = Expectation("404, there is no such route", _is_unknown)
FORBIDDEN = Expectation("403", lambda answer: answer.statuses == [403])
SERVED = Expectation("an answer of Ollama", _is_served)
TURNED_AWAY = Expectation(
    "400, 401, 404 or 405", lambda answer: len(answer.statuses) == 1 and answer.status in (400, 401, 404, 405)
)
CLOSED = Expectation(
    "no answer, or 401", lambda answer: not answer.raw.startswith(b"HTTP/") or answer.statuses == [401]
)


def door() -> Request:
    """What is asked of a side door."""
    return request("GET", "/api/version", host="localhost")


def on_route(route: Route, headers: t.Sequence[Header] = ()) -> Request:
    """A request for a route that is whole, and that a server would refuse or answer without doing anything."""
    path = route.path
    for name, value in _PARAMETERS.items():
        path = path.replace(name, value)
    fields = list(headers)
    body = b""
    if route.kind in _ACTING:
        fields.append(_HARMLESS)
    if route.model == "body":
        # Of the members that may stand for one another the first.
        names = [one for one in route.fields if one != "name" or "model" not in route.fields]
        body = json.dumps({**{one: _MODEL for one in names}, "stream": False}).encode()
        fields.append(Header("Content-Type", b"application/json"))
    elif route.model == "form":
        form = '--wall\r\nContent-Disposition: form-data; name="model"\r\n\r\n%s\r\n--wall--\r\n'
        body = (form % _MODEL).encode()
        fields.append(Header("Content-Type", b"multipart/form-data; boundary=wall"))
    elif route.method == "POST":
        body = b"{}"
    return request(route.method, path, fields, body)


def without_right(routes: t.Sequence[Route], credentials: t.Sequence[Credential]) -> t.Iterator[Attack]:
    """Every route without a credential, and with those that are wrong, ended or malformed."""
    kinds = sorted({one.kind for one in credentials})
    for route in routes:
        yield _attack("no credential", route, "none", "no credential", on_route(route), UNAUTHORIZED)
    for route in routes:
        for kind in kinds:
            for name, header in wrong(kind):
                yield _attack("wrong credential", route, "wrong", name, on_route(route, [header]), UNAUTHORIZED)
    for credential in credentials:
        if not credential.valid:
            for route in routes:
                sent = on_route(route, [credential.header()])
                yield _attack("credential that ended", route, credential.name, credential.name, sent, UNAUTHORIZED)
    for credential in _admins(credentials):
        for route in routes:
            for name, header in malformed(credential):
                yield _attack("malformed credential", route, "malformed", name, on_route(route, [header]), REFUSED)


def without_scope(
    routes: t.Sequence[Route], served: t.Sequence[Route], credentials: t.Sequence[Credential]
) -> t.Iterator[Attack]:
    """Every route with the credentials that may not use it."""
    for credential in _valid(credentials):
        for route in routes:
            if route not in served or not credential.may(route.scope):
                expects = FORBIDDEN if route in served else UNKNOWN
                sent = on_route(route, [credential.header()])
                yield _attack("scopes", route, credential.name, credential.name, sent, expects)


def with_scope(served: t.Sequence[Route], credentials: t.Sequence[Credential]) -> t.Iterator[Attack]:
    """Every route with the credentials that may use it, so that nobody takes a closed door for a wall."""
    for credential in _valid(credentials):
        for route in served:
            # Nobody can promise of a route of the account that a request does nothing at ollama.com.
            if credential.may(route.scope) and route.scope != "account":
                sent = on_route(route, [credential.header()])
                yield _attack("what is allowed", route, credential.name, credential.name, sent, SERVED)


def _valid(credentials: t.Sequence[Credential]) -> list[Credential]:
    return [one for one in credentials if one.valid]


def _admins(credentials: t.Sequence[Credential]) -> list[Credential]:
    return [one for one in _valid(credentials) if "admin" in one.scopes]


def _attack(kind: str, route: Route, column: str, what: str, sent: Request, expects: Expectation) -> Attack:
    return Attack(kind, "%s with %s" % (route.name, what), sent, expects, route.name, column)


def wrong(kind: str) -> list[tuple[str, Header]]:
    """Well-formed credentials that nobody has."""
    if kind == "basic":
        encoded = base64.b64encode(b"gatehouse-wall-nobody:wrong")
        return [("an unknown user", Header("Authorization", b"Basic " + encoded, "Basic <an unknown user>"))]
    key = b"gatehouse-wall-wrong-key-0123456789abcdef"
    return [
        ("an unknown key", Header("Authorization", b"Bearer " + key)),
        ("an unknown x-api-key", Header("x-api-key", key)),
    ]


def malformed(credential: Credential) -> list[tuple[str, Header]]:
    """Spellings of a valid credential that are none (RFC 9110, section 11; RFC 6750, section 2.1; RFC 7617)."""
    scheme, token = credential.kind.capitalize().encode(), credential.encoded
    valid = scheme + b" " + token
    values = {
        "no scheme": token,
        "the scheme alone": scheme,
        "the scheme and a space": scheme + b" ",
        "no space": scheme + token,
        "a tab for the space": scheme + b"\t" + token,
        "an unknown scheme": b"Token " + token,
        "the scheme in quotes": b'"%s" %s' % (scheme, token),
        "a word in front": b"Foo " + valid,
        "the other scheme": (b"Bearer " if credential.kind == "basic" else b"Basic ") + token,
        "quotes": scheme + b' "' + token + b'"',
        "a name in front": scheme + b" token=" + token,
        "a parameter behind": valid + b"; a=b",
        "a list": valid + b", " + valid,
        "two credentials": valid + b" " + token,
        "a percent-encoded space": scheme + b"%20" + token,
        "a byte that is no UTF-8": valid + b"\xff",
        "a NUL": valid + b"\x00",
        "a control character": valid + b"\x01",
        "an equals sign in front": scheme + b" =" + token,
        "one sign less": scheme + b" " + token[1:],
        "7000 signs more": valid + b"A" * 7000,
    }
    values.update(_malformed_basic(credential) if credential.kind == "basic" else _malformed_bearer(credential))
    return [
        (name, Header("Authorization", value, "<%s, spelled with %s>" % (credential.name, name)))
        for name, value in values.items()
    ]


def _malformed_basic(credential: Credential) -> dict[str, bytes]:
    user, _colon, password = credential.value.partition(":")

    def basic(text: str, encoding: str = "utf-8") -> bytes:
        return b"Basic " + base64.b64encode(text.encode(encoding))

    return {
        "plain text": b"Basic " + credential.value.encode(),
        "no colon": basic(user + password),
        "no password": basic(user + ":"),
        "no user": basic(":" + password),
        "the user in capitals": basic(user.upper() + ":" + password),
        "a space behind the user": basic(user + " :" + password),
        "a NUL behind the user": basic(user + "\0:" + password),
        "a newline behind the password": basic(credential.value + "\n"),
        "a part of the password": basic(credential.value[:-1]),
        "a longer password": basic(credential.value + "x"),
        "UTF-16": basic(credential.value, "utf-16"),
        "base64 twice": b"Basic " + base64.b64encode(credential.encoded),
    }


def _malformed_bearer(credential: Credential) -> dict[str, bytes]:
    token = credential.encoded
    return {
        "the key in other case": b"Bearer " + token.swapcase(),
        "the key backwards": b"Bearer " + token[::-1],
        "one sign more": b"Bearer " + token + b"A",
        "base64": b"Bearer " + base64.b64encode(token),
        "the client's name": b"Bearer gatehouse-wall-admin",
    }


def smuggling(credentials: t.Sequence[Credential]) -> t.Iterator[Attack]:
    """Headers and framings that a proxy and a server may understand differently, and credentials where none belong."""
    body = b'{"model":"%s","stream":false}' % _MODEL.encode()
    for name, headers, sent in (
        (
            "Transfer-Encoding with Content-Length",
            [("Transfer-Encoding", b"chunked"), ("Content-Length", b"4")],
            b"0\r\n\r\n",
        ),
        ("two Content-Length", [("Content-Length", b"0"), ("Content-Length", b"%d" % len(body))], body),
        ("a negative Content-Length", [("Content-Length", b"-1")], body),
        ("a hexadecimal Content-Length", [("Content-Length", b"0x10")], body),
        ("a list of Content-Length", [("Content-Length", b"4, 4")], b"abcd"),
        ("an unknown Transfer-Encoding", [("Transfer-Encoding", b"xchunked")], b"0\r\n\r\n"),
        (
            "Transfer-Encoding twice",
            [("Transfer-Encoding", b"chunked"), ("Transfer-Encoding", b"identity")],
            b"0\r\n\r\n",
        ),
        ("a space before the colon", [("Transfer-Encoding ", b"chunked")], b"0\r\n\r\n"),
        ("a folded header", [("X-Folded", b"a\r\n Transfer-Encoding: chunked")], b"0\r\n\r\n"),
    ):
        fields = [Header(*one) for one in headers]
        whole = request("POST", "/api/chat", fields)
        hidden = request("GET", "/api/tags")
        yield Attack("smuggling", name, join(Request(whole.raw + sent, whole.shown), hidden), JUDGED)
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
    yield _smuggle(
        "an upgrade to WebSocket",
        [
            Header("Upgrade", b"websocket"),
            Header("Connection", b"Upgrade"),
            Header("Sec-WebSocket-Version", b"13"),
            Header("Sec-WebSocket-Key", b"Z2F0ZWhvdXNlLXdhbGwtLQ=="),
        ],
    )
    for credential in _admins(credentials):
        yield from _misplaced(credential)


def _misplaced(credential: Credential) -> t.Iterator[Attack]:
    """A valid credential where it is none, twice, or beside another one."""
    good, value = credential.header(), credential.encoded
    bad = wrong(credential.kind)[0][1]
    kind = credential.kind
    yield _smuggle("%s: a wrong one first" % kind, [bad, good])
    yield _smuggle("%s: a wrong one second" % kind, [good, bad])
    yield _smuggle("%s: the same twice" % kind, [good, good])
    yield _smuggle("%s: beside a wrong x-api-key" % kind, [good, Header("x-api-key", b"gatehouse-wall-wrong")])
    for name in ("Proxy-Authorization", "X-Authorization", "Authorization_", "X-Forwarded-Authorization"):
        yield _smuggle("%s: in %s" % (kind, name), [Header(name, good.value, good.shown)])
    yield _smuggle("%s: in a cookie" % kind, [Header("Cookie", b"Authorization=" + value, good.shown)])
    yield _smuggle("%s: in Sec-WebSocket-Protocol" % kind, [Header("Sec-WebSocket-Protocol", value, good.shown)])
    for parameter in ("access_token", "api_key", "key", "Authorization"):
        sent = request("GET", "/api/tags?%s=%s" % (parameter, value.decode()))
        shown = sent.shown.replace(value.decode(), "<%s>" % credential.name)
        yield Attack("smuggling", "%s: in the query as %s" % (kind, parameter), Request(sent.raw, shown), UNAUTHORIZED)
    # The first one is answered; the second one has no credential, though it comes from the same connection.
    first = request("GET", "/api/version", [good], close=False)
    last_refused = Expectation("401 for the second one", lambda answer: answer.statuses[1:] == [401])
    both = join(first, request("GET", "/api/tags"))
    yield Attack("smuggling", "%s: a request behind one that may" % kind, both, last_refused)


def _smuggle(name: str, headers: t.Sequence[Header]) -> Attack:
    return Attack("smuggling", name, request("GET", "/api/tags", headers), REFUSED)


_SPELLINGS = (
    "/{0}/{1}/",
    "//{0}/{1}",
    "/{0}//{1}",
    "/./{0}/{1}",
    "/{0}/./{1}",
    "/{0}/x/../{1}",
    "/x/../{0}/{1}",
    "/../{0}/{1}",
    "/{0}/%2e/{1}",
    "/{0}/x/%2e%2e/{1}",
    "/{0}/x%2f..%2f{1}",
    "/{0}%2f{1}",
    "/{0}%252f{1}",
    "/{0}\\{1}",
    "/{0}%5c{1}",
    "/%61pi/{1}",
    "/{0}/%{2:02x}{3}",
    "/{0}/%c1%a1{3}",
    "/{4}/{5}",
    "/{4}/{1}",
    "/{0}/{1}%00",
    "/{0}/{1}%00.js",
    "/{0}/{1}%20",
    "/{0}/{1}%0d%0aX:%20y",
    "/{0};x/{1}",
    "/{0}/{1};x",
    "/{0}/{1}.json",
    "/{0}/{1}#",
    "/{0}/{1}%23",
    "/{0}/{1}%3fx",
    "{0}/{1}",
    "/healthz/../{0}/{1}",
    "/healthz/..%2f{0}/{1}",
    "/healthz//{0}/{1}",
)
# The same request (RFC 9112, section 3.2.2), whatever host it names.
_ABSOLUTE = ("http://ollama:11434/api/tags", "http://localhost/api/tags", "HTTP://LOCALHOST:1/api/tags")


def path_tricks(credentials: t.Sequence[Credential]) -> t.Iterator[Attack]:
    """Other spellings of a path: without a credential none is let in, with one none becomes a route."""
    first, second = "api", "tags"
    signs = (first, second, ord(second[0]), second[1:], first.upper(), second.upper())
    spellings = [spelling.format(*signs) for spelling in _SPELLINGS]
    for target in (*spellings, *_ABSOLUTE):
        yield _trick(target, None, REFUSED)
    for credential in _valid(credentials):
        for target in spellings:
            yield _trick(target, credential, UNKNOWN)
        if not credential.may("models_read"):
            for target in _ABSOLUTE:
                yield _trick(target, credential, FORBIDDEN)


def _trick(target: str, credential: Credential | None, expects: Expectation) -> Attack:
    name = "%s with %s" % (target, credential.name if credential else "no credential")
    return Attack("path tricks", name, request("GET", target, [credential.header()] if credential else []), expects)


_UNLISTED = (
    ("GET", "/metrics"),
    ("GET", "/debug/pprof/"),
    ("GET", "/api"),
    ("GET", "/api/"),
    ("GET", "/v1"),
    ("GET", "/api/gatehouse-wall"),
    ("GET", "/v1/files"),
    ("GET", "/.gatehouse/401"),
    ("GET", "/clients/clients.json"),
    ("GET", "/favicon.ico"),
    ("POST", "/api/tags"),
    ("PUT", "/api/tags"),
    ("PATCH", "/api/tags"),
    ("DELETE", "/api/tags"),
    ("TRACE", "/api/tags"),
    ("PROPFIND", "/api/tags"),
    ("get", "/api/tags"),
    ("OPTIONS", "/api/tags"),
    ("OPTIONS", "*"),
    ("CONNECT", "ollama:11434"),
    ("GET", "/api/chat"),
    ("GET", "/api/delete"),
)


def unlisted(credentials: t.Sequence[Credential]) -> t.Iterator[Attack]:
    """What is in no table: refused without a credential, unknown with every one."""
    for method, target in _UNLISTED:
        what = "%s %s" % (method, target)
        yield Attack("routes that are none", "%s without a credential" % what, request(method, target), TURNED_AWAY)
        for credential in _valid(credentials):
            sent = request(method, target, [credential.header()])
            yield Attack("routes that are none", "%s with %s" % (what, credential.name), sent, UNKNOWN)


def mirrored(credentials: t.Sequence[Credential]) -> Request:
    """Requests whose headers a mirror in place of Ollama shows, one for each form of a valid credential."""
    extra = [Header("Cookie", COOKIE), Header("Origin", ORIGIN)]
    forms = []
    for credential in _admins(credentials):
        forms.append([credential.header()])
        if credential.kind == "bearer":
            forms.append([credential.api_key()])
    return join(
        *(
            request("GET", "/api/version", [*form, *extra], close=number == len(forms))
            for number, form in enumerate(forms, 1)
        )
    )
