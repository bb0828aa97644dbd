# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that live as long as an attack: one for each scope, one of some models only, an expired and a revoked one."""

from __future__ import annotations

import datetime
import secrets
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials import rights
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import (
    SCOPES,
    Rules,
    present_keys,
    sound_clients,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.file import KeyFile
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.memory import Verdict
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.passwords import file as password_file
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.passwords.hashing import (
    Hasher,
    choose_scheme,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks.routes import MODELS

PREFIX = "gatehouse-wall-"
# Who is refused would be able to do everything.
_ENDED = {"expired": "admin", "revoked": "admin"}
_KEY_ID = "wall"
# Whose key may stand in the path. Those that have ended could, too.
_IN_PATH = "in_path"
# Who may do everything but with some models only; on plain nginx, which does not limit models, there is none.
_LIMITED = "limited"
# Any scheme is strong enough for a long random password, and this one lets the attack be over soon.
_SCHEME = "apr1"

Entry = t.Dict[str, t.Any]


def make_up(
    kinds: t.Sequence[str],
    now: datetime.datetime,
    life: datetime.timedelta,
    certificates: str = "none",
    limits_models: bool = True,
) -> dict[str, list[Entry]]:
    """The clients, those that stay when one is revoked, and the credentials; `kinds` are basic, bearer or both.

    Where all requests need certificates no credential is valid: none of these clients has one.
    """
    clients: list[Entry] = []
    credentials: list[Entry] = []
    scopes = {**{scope: [scope] for scope in SCOPES}, **{name: [scope] for name, scope in _ENDED.items()}}
    if "bearer" in kinds:
        scopes[_IN_PATH] = ["inference"]
    if limits_models:
        scopes[_LIMITED] = [scope for scope in SCOPES if scope != "admin"]
    for name, granted in scopes.items():
        client = PREFIX + name
        models = list(MODELS) if name == _LIMITED else []
        entry: Entry = dict(name=client, scopes=granted, **(dict(models=models) if models else {}))
        about = dict(name=name, scopes=granted, valid=name not in _ENDED and certificates != "all", models=models)
        if "bearer" in kinds:
            expires = now - datetime.timedelta(minutes=1) if name == "expired" else now + life
            key, in_path = secrets.token_urlsafe(32), name in (_IN_PATH, *_ENDED)
            until = expires.strftime("%Y-%m-%dT%H:%M:%SZ")
            entry["keys"] = [dict(id=_KEY_ID, secret=key, expires=until, **(dict(in_path=True) if in_path else {}))]
            credentials.append(dict(about, kind="bearer", value=key, in_path=in_path))
        # Passwords do not expire.
        if "basic" in kinds and name not in ("expired", _IN_PATH):
            entry["password"] = secrets.token_urlsafe(32)
            credentials.append(dict(about, kind="basic", value=f"{client}:{entry['password']}"))
        if "keys" in entry or "password" in entry:
            clients.append(entry)
    kept = [client for client in clients if client["name"] != PREFIX + "revoked"]
    return dict(clients=clients, kept=kept, credentials=credentials)


def rights_files(clients: t.Sequence[Entry], engine: str) -> dict[str, str]:
    """The files of what they may do, by their paths below the folder of a gateway's clients."""
    outcome, allowed = rights.update(None, sound_clients(clients, Rules(scheme=_SCHEME, keys=True)), purge=True)
    scopes = rights.scope_files(allowed) if engine == "nginx" else {}
    return {"clients.json": outcome.text, **{f"scopes/{name}": content for name, content in scopes.items()}}


def credential_files(clients: t.Sequence[Entry], kinds: t.Sequence[str], now: datetime.datetime) -> dict[str, str]:
    """The files of their keys and passwords, as the modules api_keys and htpasswd write them."""
    read = sound_clients(clients, Rules(scheme=_SCHEME, keys=True))
    files = {}
    if "bearer" in kinds:
        verdicts = {key.name: Verdict(key.secret) for key in present_keys(read)}
        files["api_keys"] = KeyFile(None).update(read, verdicts, True, key_form.moment(now))[0].text
    if "basic" in kinds:
        files["htpasswd"] = password_file.update(None, read, Hasher(choose_scheme(_SCHEME)), True).text
    return files
