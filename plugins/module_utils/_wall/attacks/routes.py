# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks on the routes of the table, with every kind of credential. Pure functions."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attack import (
    FORBIDDEN,
    REFUSED,
    SERVED,
    UNAUTHORIZED,
    UNKNOWN,
    Attack,
    Expectation,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.credentials import (
    Credential,
    admins,
    limited,
    malformed,
    valid,
    wrong,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Header, Request, request

# Names that exist nowhere, in requests that a server would refuse if they reached it.
MODEL = "gatehouse-wall.invalid/none/none:none"

DIGEST = "sha256:" + "0" * 64

_PARAMETERS = {":model": "gatehouse-wall", ":digest": DIGEST, ":key": "gatehouse-wall"}

# All that requests name: a client with these models may do what one with all of them may.
MODELS = (MODEL, _PARAMETERS[":model"])

# Ollama is written in Go, whose HTTP server answers a header with a control character with 400, before anything else
# happens. nginx does not look, and passes this one on. So even a request that wrongly gets through to a route that acts
# does nothing.
_HARMLESS = Header("OpenAI-Beta", b"\x01")

_ACTING = ("models", "account")


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    scope: str
    kind: str
    model: str
    fields: t.Sequence[str]
    # Whether the gateway answers itself.
    own: bool = False

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


def on_route(route: Route, headers: t.Sequence[Header] = ()) -> Request:
    """A request for a route that is whole, and that a server would refuse or answer without doing anything."""
    path = route.path
    for name, value in _PARAMETERS.items():
        path = path.replace(name, value)
    if route.model == "body":
        return sent_to(route, path, [*headers, Header("Content-Type", b"application/json")], json_of(members(route)))
    if route.model == "form":
        form = '--wall\r\nContent-Disposition: form-data; name="model"\r\n\r\n%s\r\n--wall--\r\n'
        kind = Header("Content-Type", b"multipart/form-data; boundary=wall")
        return sent_to(route, path, [*headers, kind], (form % MODEL).encode())
    return sent_to(route, path, headers, b"{}" if route.method == "POST" else b"")


def members(route: Route) -> dict[str, t.Any]:
    """Those of a body that names the model; of those that may stand for one another the first."""
    named: dict[str, t.Any] = {one: MODEL for one in route.fields if one != "name" or "model" not in route.fields}
    return named if route.kind in _ACTING else {**named, "stream": False}


def sent_to(route: Route, path: str, headers: t.Sequence[Header], body: bytes = b"") -> Request:
    """A request that does nothing if it gets through, whatever its body says."""
    return request(route.method, path, [*headers, *([_HARMLESS] if route.kind in _ACTING else [])], body)


def json_of(members: t.Mapping[str, t.Any]) -> bytes:
    return json.dumps(members).encode()


def without_right(routes: t.Sequence[Route], credentials: t.Sequence[Credential]) -> t.Iterator[Attack]:
    """Every route without a credential, and with those that are wrong or ended, and with some that are malformed."""
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
                yield _presented("credential that does not count", route, credential, UNAUTHORIZED)
    for credential in admins(credentials):
        for number, (name, header) in enumerate(malformed(credential)):
            for route in _in_turn(routes, number):
                yield _attack("malformed credential", route, "malformed", name, on_route(route, [header]), REFUSED)


def _in_turn(routes: t.Sequence[Route], number: int) -> t.Iterator[Route]:
    """One route of each scope, the next one for the next number: how a header is read does not depend on the route."""
    alike: dict[str, list[Route]] = {}
    for route in routes:
        alike.setdefault(route.scope, []).append(route)
    return (group[number % len(group)] for group in alike.values())


def without_scope(
    routes: t.Sequence[Route], served: t.Sequence[Route], credentials: t.Sequence[Credential]
) -> t.Iterator[Attack]:
    """Every route with the credentials that may not use it."""
    for credential in valid(credentials):
        for route in routes:
            if route not in served or not credential.may(route.scope):
                expects = FORBIDDEN if route in served else UNKNOWN
                yield _presented("scopes", route, credential, expects)


def with_scope(served: t.Sequence[Route], credentials: t.Sequence[Credential]) -> t.Iterator[Attack]:
    """Every route with the credentials that may use it, so that nobody takes a closed door for a wall."""
    for credential in [*valid(credentials), *limited(credentials)]:
        for route in served:
            # Nobody can promise of a route of the account that a request does nothing at ollama.com. What a blob
            # belongs to cannot be told, so who may use some models only may use none.
            is_left_out = route.scope == "account" or (credential.models and ":digest" in route.path)
            if credential.may(route.scope) and not is_left_out:
                yield _presented("what is allowed", route, credential, SERVED)


def _presented(kind: str, route: Route, credential: Credential, expects: Expectation) -> Attack:
    sent = on_route(route, [credential.header()])
    return _attack(kind, route, credential.name, credential.name, sent, expects)


def _attack(kind: str, route: Route, column: str, what: str, sent: Request, expects: Expectation) -> Attack:
    return Attack(kind, f"{route.name} with {what}", sent, expects, route.name, column)
