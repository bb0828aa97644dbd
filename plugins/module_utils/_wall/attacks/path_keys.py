# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks with keys in the path, where only those may stand that are meant for it. Pure functions."""

from __future__ import annotations

import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attack import (
    FORBIDDEN,
    SERVED,
    TURNED_AWAY,
    UNAUTHORIZED,
    Attack,
    Expectation,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.credentials import Credential
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Header, Request, request

_KIND = "keys in the path"
_WRONG = "gatehouse-wall-wrong-key-0123456789abcdef"
# Where the key is taken, by a route for every client.
_TARGET = "/key/{}/api/version"
_SPELLINGS = (
    *("/key/{}", "/key//{}/api/version", "//key/{}/api/version", "/KEY/{}/api/version", "/%6bey/{}/api/version"),
    *("/key%2f{}/api/version", "/x/../key/{}/api/version", "/key/{}%2fapi/version", "/keys/{}/api/version"),
    *("/key/{}/key/{}/api/version", "/key/{}/../api/version", "/key/{}/api/../../../api/version"),
    *("/key/{}//api/version", "/key/{}/metrics", "/key/{}/gatehouse/usage", "/key/{}/.gatehouse/401"),
    *("/key/{}=/api/version", "/{}/api/version"),
)


def keys_in_path(credentials: t.Sequence[Credential], are_taken: bool) -> t.Iterator[Attack]:
    """`are_taken`: whether the gateway takes any: it needs HTTPS for that."""
    keys = [one for one in credentials if one.kind == "bearer"]
    if not keys:
        return
    yield _attack("an unknown key", request("GET", _TARGET.format(_WRONG)), UNAUTHORIZED)
    for one in keys:
        lets_in = are_taken and one.valid and one.in_path
        yield _attack(one.name, _below(one), SERVED if lets_in else UNAUTHORIZED)
    for one in (one for one in keys if one.in_path and one.valid):
        for spelling in _SPELLINGS:
            yield _attack(f"{one.name} as {spelling}", _below(one, spelling), TURNED_AWAY)
        if are_taken:
            for name, header in (("in a header, too", one.header()), ("beside x-api-key", one.api_key())):
                yield _attack(f"{one.name} {name}", _below(one, headers=[header]), UNAUTHORIZED)
            # Whatever stands in the path, scopes are the client's.
            yield _attack(f"{one.name} without the scope", _below(one, "/key/{}/api/tags"), FORBIDDEN)


def _below(credential: Credential, target: str = _TARGET, headers: t.Sequence[Header] = ()) -> Request:
    made = request("GET", target.replace("{}", credential.value), headers)
    return Request(made.raw, made.shown.replace(credential.value, f"<{credential.name}>"))


def _attack(what: str, sent: Request, expects: Expectation) -> Attack:
    return Attack(_KIND, f"GET {_TARGET.format('<key>')} with {what}", sent, expects)
