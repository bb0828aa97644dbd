# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credentials of the wall: valid ones, wrong ones, and spellings of a valid one that are none."""

from __future__ import annotations

import base64
import typing as t
from dataclasses import dataclass, field

from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Header

# As options of a module have one.
CREDENTIAL_OPTIONS: dict[str, dict[str, t.Any]] = dict(
    name=dict(type="str", required=True),
    kind=dict(type="str", choices=["basic", "bearer"], required=True),
    value=dict(type="str", required=True, no_log=True),
    scopes=dict(type="list", elements="str", default=[]),
    valid=dict(type="bool", default=True),
    models=dict(type="list", elements="str", default=[]),
    in_path=dict(type="bool", default=False),
)


@dataclass(frozen=True)
class Credential:
    """A short-lived credential; `value` is a key, or for basic user:password. Without `models` all of them."""

    name: str
    kind: str
    value: str = field(repr=False)
    scopes: t.Sequence[str]
    valid: bool
    models: t.Sequence[str] = ()
    # Whether it is a key that may stand in the path.
    in_path: bool = False

    @property
    def encoded(self) -> bytes:
        value = self.value.encode()
        return base64.b64encode(value) if self.kind == "basic" else value

    def header(self) -> Header:
        scheme = self.kind.capitalize()
        return Header("Authorization", scheme.encode() + b" " + self.encoded, f"{scheme} <{self.name}>")

    def api_key(self) -> Header:
        return Header("x-api-key", self.value.encode(), f"<{self.name}>")

    def may(self, scope: str) -> bool:
        return scope == "any" or scope in self.scopes or "admin" in self.scopes


def valid(credentials: t.Sequence[Credential]) -> list[Credential]:
    """Those that count, but for those that are for the path alone."""
    return [one for one in credentials if one.valid and not one.models and not one.in_path]


def limited(credentials: t.Sequence[Credential]) -> list[Credential]:
    """Those that count, and may use some models only."""
    return [one for one in credentials if one.valid and one.models]


def admins(credentials: t.Sequence[Credential]) -> list[Credential]:
    return [one for one in valid(credentials) if "admin" in one.scopes]


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
    whole = scheme + b" " + token
    values = {
        "no scheme": token,
        "the scheme alone": scheme,
        "the scheme and a space": scheme + b" ",
        "no space": scheme + token,
        "a tab for the space": scheme + b"\t" + token,
        "an unknown scheme": b"Token " + token,
        "the scheme in quotes": b'"%s" %s' % (scheme, token),
        "a word in front": b"Foo " + whole,
        "the other scheme": (b"Bearer " if credential.kind == "basic" else b"Basic ") + token,
        "quotes": scheme + b' "' + token + b'"',
        "a name in front": scheme + b" token=" + token,
        "a parameter behind": whole + b"; a=b",
        "a list": whole + b", " + whole,
        "two credentials": whole + b" " + token,
        "a percent-encoded space": scheme + b"%20" + token,
        "a byte that is no UTF-8": whole + b"\xff",
        "a NUL": whole + b"\x00",
        "a control character": whole + b"\x01",
        "an equals sign in front": scheme + b" =" + token,
        "one sign less": scheme + b" " + token[1:],
        "7000 signs more": whole + b"A" * 7000,
    }
    values.update(_malformed_basic(credential) if credential.kind == "basic" else _malformed_bearer(credential))
    return [
        (name, Header("Authorization", value, f"<{credential.name}, spelled with {name}>"))
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
