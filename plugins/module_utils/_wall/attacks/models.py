# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks of a client that may use some models only: every other model, by every spelling of it. Pure functions."""

from __future__ import annotations

import gzip
import json
import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attack import (
    FORBIDDEN,
    UNKNOWN,
    Attack,
    Expectation,
    is_gateways,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks.routes import (
    DIGEST,
    MODEL,
    MODELS,
    Route,
    json_of,
    members,
    on_route,
    sent_to,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.credentials import Credential, limited
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Answer, Header, Request

KIND = "lists of models"

# Neither of these exists, nor may the client use them.
OTHER = "gatehouse-wall.invalid/none/other:none"
_OTHER_SHORT = "gatehouse-wall-other"

_FORM = "multipart/form-data; boundary=wall"
# How the gateway begins to say what is wrong with a body, which Ollama does not.
_REASON = re.compile(
    rb'"(?:error|message)": ?"(?:the (?:body|form|name|query|request) |a (?:body|part) |something follows )'
)
_NAMED = re.compile(rb'"(?:name|model|id|digest)" *: *"([^"]*)"')


def _is_refused(answer: Answer) -> bool:
    """For its model, or since the gateway itself cannot tell which one is meant."""
    if answer.timed_out or len(answer.statuses) != 1:
        return False
    return answer.status == 403 or (answer.status in (400, 404, 413, 415) and _is_said(answer))


def _is_said(answer: Answer) -> bool:
    return is_gateways(answer) or bool(_REASON.search(answer.raw))


def _shows_none(answer: Answer) -> bool:
    return bool(answer.statuses) and not [one for one in _NAMED.findall(answer.raw) if one.decode() not in MODELS]


_REFUSED = Expectation("403, or another refusal of the gateway", _is_refused)
_SHOWS_NONE = Expectation("no model that the client may not use", _shows_none, lets_in=True)


def without_model(
    routes: t.Sequence[Route], served: t.Sequence[Route], credentials: t.Sequence[Credential]
) -> t.Iterator[Attack]:
    """All that such a client may not do. Every spelling is tried with the first one, since all are judged alike."""
    for number, credential in enumerate(limited(credentials)):
        for route in routes:
            if route not in served:
                yield _attack(route, credential, "", on_route(route, [credential.header()]), UNKNOWN)
            elif not credential.may(route.scope) or ":digest" in route.path:
                # What a blob belongs to cannot be told.
                yield _attack(route, credential, "", on_route(route, [credential.header()]), FORBIDDEN)
            elif route.model == "list" and route.method == "GET":
                yield _attack(route, credential, "", on_route(route, [credential.header()]), _SHOWS_NONE)
            else:
                for what, sent in _others(route, credential, every=number == 0):
                    yield _attack(route, credential, what, sent, _REFUSED)


def _attack(route: Route, credential: Credential, what: str, sent: Request, expects: Expectation) -> Attack:
    name = f"{route.name} with {credential.name}{': ' + what if what else ''}"
    return Attack(KIND, name, sent, expects, route.name, credential.name)


def _others(route: Route, credential: Credential, every: bool) -> t.Iterator[tuple[str, Request]]:
    given = [credential.header()]
    if route.model == "path":
        for name in _PATHS if every else _PATHS[:1]:
            yield name, sent_to(route, route.path.replace(":model", name), given)
    elif route.model == "form":
        for what, body, kind, query in _forms() if every else _forms()[:1]:
            typed = [*given, Header("Content-Type", kind.encode())]
            yield what, sent_to(route, route.path + query, typed, body)
    elif route.model == "body":
        typed = [*given, Header("Content-Type", b"application/json")]
        for field in route.fields:
            yield f"as {field}", sent_to(route, route.path, typed, json_of({**members(route), field: OTHER}))
        if every:
            for what, body in (*_names(route), *_spellings(route), *_digests(route)):
                yield what, sent_to(route, route.path, typed, body)
            yield from _encoded(route, given)


_PATHS = (
    _OTHER_SHORT,
    _OTHER_SHORT.upper(),
    _OTHER_SHORT + ":latest",
    MODELS[1] + ":other",
    MODELS[1] + "%3Aother",
    MODELS[1] + ":cloud",
    MODELS[1] + "@sha256:" + "0" * 64,
    "gatehouse%2dwall%2dother",
    "library%2f" + _OTHER_SHORT,
    "library/" + _OTHER_SHORT,
    f"{MODELS[1]}/../{_OTHER_SHORT}",
    f"{MODELS[1]}/..%2f{_OTHER_SHORT}",
    MODELS[1] + "%00" + _OTHER_SHORT,
)


def _names(route: Route) -> t.Iterator[tuple[str, bytes]]:
    """Names of other models, each in the place of the one that is allowed."""
    first, *_others = members(route)
    for name in (
        *(OTHER.upper(), "https://" + OTHER, " " + OTHER, OTHER + ":local", f"{MODEL},{OTHER}"),
        *(_OTHER_SHORT, "registry.ollama.ai/library/" + _OTHER_SHORT),
        *(
            MODEL.rpartition(":")[0],
            MODEL.rpartition(":")[0] + ":other",
            MODEL.replace("/none/none", "/none/none/../other"),
        ),
        *(MODEL + ":cloud", MODEL + "-cloud", MODEL + "@sha256:" + "0" * 64, MODEL + "\0"),
        *("sha256:" + "0" * 64, "*"),
    ):
        yield f"as {json.dumps(name)}", json_of({**members(route), first: name})


def _spellings(route: Route) -> t.Iterator[tuple[str, bytes]]:
    """Bodies that could be read in two ways."""
    rest = members(route)
    first, *_others = rest
    del rest[first]
    more = [json.dumps(rest)[1:-1]] if rest else []
    ours, theirs = json.dumps(MODEL), json.dumps(OTHER)
    escaped = f"\\u{ord(first[0]):04x}{first[1:]}"
    keys = {"capitals": first.upper(), "a capital": first.capitalize(), "an escape": escaped}
    if "s" in first:
        # Go takes it for an s.
        keys["a long s"] = first.replace("s", "\u017f", 1)

    def body(*named: tuple[str, str]) -> bytes:
        return ("{%s}" % ",".join([*('"%s":%s' % one for one in named), *more])).encode()

    for what, key in {"the same": first, **keys}.items():
        yield f"behind the allowed one, {what} as key", body((first, ours), (key, theirs))
        yield f"before the allowed one, {what} as key", body((key, theirs), (first, ours))
    for what, key in keys.items():
        yield f"{what} as key", body((key, theirs))
    yield "with an escape", body((first, theirs.replace("o", "\\u006f")))
    yield "beside the allowed one, deeper", body(("options", f'{{"{first}":{ours}}}'), (first, theirs))
    yield "in a list", body((first, f"[{theirs}]"))
    yield "in an object", body((first, f'{{"name":{theirs}}}'))
    yield "in an array", b"[" + body((first, theirs)) + b"]"
    yield "before a second body", body((first, theirs)) + body((first, ours))
    yield "in a second body", body((first, ours)) + body((first, theirs))
    yield "behind a byte order mark", b"\xef\xbb\xbf" + body((first, theirs))
    yield "in UTF-16", body((first, theirs)).decode().encode("utf-16")
    yield "with a byte that is no UTF-8 in the key", body((first, ours), (first, theirs)).replace(b'"', b'"\xff', 1)


def _digests(route: Route) -> t.Iterator[tuple[str, bytes]]:
    """Weights by their digest make a model of the client's own out of another one."""
    if route.path != "/api/create":
        return
    weights = {"wall.gguf": DIGEST}
    for member in ("files", "adapters", "Files", "ADAPTERS"):
        yield f"its weights in {member}", json_of({"model": MODEL, member: weights})
    yield "its weights beside from", json_of({"model": MODEL, "from": MODEL, "adapters": weights})


def _encoded(route: Route, given: t.Sequence[Header]) -> t.Iterator[tuple[str, Request]]:
    """The body in another form than usual."""
    first, *_others = members(route)
    body = json_of({**members(route), first: OTHER})
    typed = [*given, Header("Content-Type", b"application/json")]
    yield "as plain text", sent_to(route, route.path, [*given, Header("Content-Type", b"text/plain")], body)
    for coding in (b"gzip", b"identity, gzip"):
        sent = sent_to(route, route.path, [*typed, Header("Content-Encoding", coding)], gzip.compress(body))
        yield f"with Content-Encoding: {coding.decode()}", sent
    chunked = sent_to(route, route.path, [*typed, Header("Transfer-Encoding", b"chunked")])
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:12], body[12:])) + b"0\r\n\r\n"
    yield "in chunks", Request(chunked.raw + chunks, chunked.shown + "\n\n(chunks)\n" + body.decode())


def _forms() -> list[tuple[str, bytes, str, str]]:
    """What, the body, its type and the query behind the path."""

    def field(value: str, head: str = 'form-data; name="model"') -> str:
        return f"--wall\r\nContent-Disposition: {head}\r\n\r\n{value}\r\n"

    def form(*fields: str) -> bytes:
        return ("".join(fields) + "--wall--\r\n").encode()

    return [
        ("as model", form(field(OTHER)), _FORM, ""),
        ("behind the allowed one", form(field(MODEL), field(OTHER)), _FORM, ""),
        ("before the allowed one", form(field(OTHER), field(MODEL)), _FORM, ""),
        ("without quotes", form(field(OTHER, "form-data; name=model")), _FORM, ""),
        ("with an escape", form(field(OTHER, 'form-data; name="mod\\el"')), _FORM, ""),
        ("with a name beside it", form(field(OTHER, "form-data; name=\"x\"; name*=utf-8''model")), _FORM, ""),
        ("as a file", form(field(MODEL), field(OTHER, 'form-data; name="model"; filename="x"')), _FORM, ""),
        ("in the query", form(field(MODEL)), _FORM, "?model=" + OTHER),
        ("in the query, escaped", form(field(MODEL)), _FORM, "?mode%6c=" + OTHER),
        ("with two boundaries", form(field(OTHER)), _FORM + "; boundary=other", ""),
        ("not as a form with parts", ("model=" + OTHER).encode(), "application/x-www-form-urlencoded", ""),
        ("with another boundary in front", form(field(OTHER)), 'multipart/form-data; boundary="wall"', ""),
    ]
