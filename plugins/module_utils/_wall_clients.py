# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that live as long as an attack on the gateway: one for each scope, an expired one and a revoked one."""

from __future__ import annotations

import datetime
import secrets
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._clients import SCOPES

PREFIX = "gatehouse-wall-"
# Who is refused would be able to do everything.
_ENDED = {"expired": "admin", "revoked": "admin"}
_KEY_ID = "wall"

Entry = t.Dict[str, t.Any]


def make_up(
    kinds: t.Sequence[str], now: datetime.datetime, life: datetime.timedelta, certificates: str = "none"
) -> dict[str, list[Entry]]:
    """The clients, those to revoke, all to remove, and the credentials; `kinds` are basic, bearer or both.

    Where all requests need certificates no credential is valid: none of these clients has one.
    """
    clients: list[Entry] = []
    credentials: list[Entry] = []
    for name, scope in [*((scope, scope) for scope in SCOPES), *_ENDED.items()]:
        client = PREFIX + name
        entry: Entry = dict(name=client, scopes=[scope])
        about = dict(name=name, scopes=[scope], valid=name not in _ENDED and certificates != "all")
        if "bearer" in kinds:
            expires = now - datetime.timedelta(minutes=1) if name == "expired" else now + life
            key = secrets.token_urlsafe(32)
            entry["keys"] = [dict(id=_KEY_ID, secret=key, expires=expires.strftime("%Y-%m-%dT%H:%M:%SZ"))]
            credentials.append(dict(about, kind="bearer", value=key))
        # Passwords do not expire.
        if "basic" in kinds and name != "expired":
            entry["password"] = secrets.token_urlsafe(32)
            credentials.append(dict(about, kind="basic", value="%s:%s" % (client, entry["password"])))
        if "keys" in entry or "password" in entry:
            clients.append(entry)
    gone = [dict(name=client["name"], state="absent") for client in clients]
    revoked = [one for one in gone if one["name"] == PREFIX + "revoked"]
    return dict(clients=clients, revoked=revoked, gone=gone, credentials=credentials)
