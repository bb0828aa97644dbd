# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of what clients may do: `{"alice": {"models": ["*"], "scopes": ["inference"]}}`. Pure functions.

A client that is known by certificates has their subjects there, `"certificates": ["CN=alice,O=Example"]`, and one with
limits has them all, its own and the default's: `"limits": {"tokens_per_day": 1000000}`. Where the inventory has them,
texts for people stand beside these: `"owner": "…"`, `"comment": "…"` and `"keys": {"laptop": {"comment": "…"}}`.

The name `*`, which no client can have, stands for whoever is not named: somebody whose line was added to the file of
passwords or keys by hand, where that is left to people. Without it, or where it is absent, they may do nothing. Keys in
plain text, which the gateway takes in any case, have its limits.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import (
    ALL_MODELS,
    DEFAULT_SCOPES,
    SCOPES,
    Client,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.limits import Limits, are_sound, merged
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import DamagedFile
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.records import Outcome, split_lines

Rights = t.Dict[str, t.Dict[str, t.Any]]

# What a route may need: a client may do what needs `any` whatever its scopes, and what needs `account` with admin only.
NEEDS = ("any", *SCOPES, "account")

OTHERS = "*"
_OF_OTHERS = {"models": list(ALL_MODELS), "scopes": list(DEFAULT_SCOPES)}
# Of a client that is to be gone: it is named, so that it is none of the others while its line is still there.
_OF_ABSENT: dict[str, t.Any] = {"models": list(ALL_MODELS), "scopes": [], "absent": True}
# Beside the scopes, in the same form: whoever has a file here is none of the others. The last to go, by its name.
_NAMED = "named"

# The names that nginx lets a request have, which are those that clients can have. Others may be there by hand.
_ASKED_FOR = re.compile(r"[a-z0-9][a-z0-9._-]*\Z")

_MEMBERS = {"absent", "models", "scopes", "certificates", "limits", "owner", "comment", "keys"}


def update(
    content: bytes | None, clients: t.Sequence[Client], purge: bool, default_limits: Limits | None = None
) -> tuple[Outcome, Rights]:
    """What becomes of the file, and what it then says; None stands for no file. Raises DamagedFile."""
    there = {} if content is None else read(content)
    defaults = default_limits or {}
    wanted: Rights = {client.name: _entry(client, defaults) for client in clients if client.present}
    absent = {client.name for client in clients if not client.present}
    kept: Rights = {} if purge else {**there, **{name: _OF_ABSENT for name in sorted(absent)}}
    kept.update(_others(purge, defaults))
    rights = {**kept, **wanted}
    for name in _disputed({**wanted, **{name: kept[name] for name in kept if name not in wanted}}):
        raise DamagedFile(_line(content, name), "a certificate of this client is to be that of another one")
    changed = content is None or rights != there
    outcome = Outcome(
        text=_text(rights) if changed else (content or b"").decode("utf-8"),
        changed=changed,
        added=[name for name in wanted if name not in there],
        updated=[name for name in wanted if name in there and there[name] != wanted[name]],
        removed=[
            name
            for name in there
            if name != OTHERS and (name not in rights or (name in absent and rights[name] == _OF_ABSENT != there[name]))
        ],
        unchanged=[name for name in wanted if there.get(name) == wanted[name]],
        before="no such file\n" if content is None else _shown(there),
        after=_shown(rights),
    )
    return outcome, rights


def read(content: bytes) -> Rights:
    """What the file says; raises DamagedFile."""
    text = "\n".join(split_lines(content))
    try:
        rights = json.loads(text)
    except ValueError as error:
        raise DamagedFile(getattr(error, "lineno", 1), "it is not JSON") from None
    if not isinstance(rights, dict):
        raise DamagedFile(1, "it is not a JSON object of clients")
    for name, entry in rights.items():
        if not name.isprintable():
            raise DamagedFile(1, "a client has a name with characters that cannot be printed")
        if not _is_sound(entry):
            reason = (
                "a client must have scopes and models, each a list of names, that of models with one at least; its "
                "certificates are a list of subjects, its limits are whole numbers by their names, its owner and all "
                "comments are texts"
            )
            raise DamagedFile(_line(content, name), reason)
    for name in _disputed(rights):
        raise DamagedFile(_line(content, name), "a certificate of this client is that of another one too")
    return rights


def _line(content: bytes | None, name: str) -> int:
    """Where the client stands."""
    lines = split_lines(content or b"")
    return next((number for number, line in enumerate(lines, 1) if '"%s"' % name in line), 1)


def _disputed(rights: Rights) -> t.Iterator[str]:
    """The clients with a certificate of one that stands before them: the gateway takes no such file."""
    owners: dict[str, str] = {}
    for name, entry in rights.items():
        if any(owners.setdefault(subject, name) != name for subject in entry.get("certificates", [])):
            yield name


def limited(rights: Rights) -> list[str]:
    """Whose requests have to be judged by the model that they name, which plain nginx cannot."""
    return [name for name in sorted(rights) if not rights[name].get("absent") and not _has_all_models(rights[name])]


def with_limits(rights: Rights) -> list[str]:
    """Who has limits, which plain nginx does not keep."""
    return [name for name in sorted(rights) if not rights[name].get("absent") and rights[name].get("limits")]


def scope_files(rights: Rights) -> dict[str, str]:
    """What plain nginx, which cannot read a list of clients at run time, looks for: empty files, scope/client.

    Who may use some models only has none, and so may do nothing there.
    """
    named = sorted(filter(_ASKED_FOR.match, rights))
    others = [OTHERS] if OTHERS in rights else []
    may = {f"{need}/{name}": "" for need in NEEDS for name in others + named if _allows(rights[name], need)}
    return {**may, **{f"{_NAMED}/{name}": "" for name in named}}


def _allows(entry: t.Mapping[str, t.Any], need: str) -> bool:
    if entry.get("absent") or not _has_all_models(entry):
        return False
    return need == "any" or need in entry["scopes"] or "admin" in entry["scopes"]


def _has_all_models(entry: t.Mapping[str, t.Any]) -> bool:
    return set(ALL_MODELS) <= set(entry["models"])


def _others(purge: bool, defaults: Limits) -> Rights:
    """The entry of those that are not named. Where they may do nothing, there is one only if it has limits."""
    limits = merged({}, defaults)
    entry = {**(_OF_ABSENT if purge else _OF_OTHERS), **({"limits": limits} if limits else {})}
    return {} if purge and not limits else {OTHERS: entry}


def _entry(client: Client, defaults: Limits) -> dict[str, t.Any]:
    entry: dict[str, t.Any] = {"models": list(client.models), "scopes": list(client.scopes)}
    if client.certificates:
        entry["certificates"] = list(client.certificates)
    limits = merged(defaults, client.limits)
    if limits:
        entry["limits"] = limits
    notes = {"owner": client.owner, "comment": client.comment}
    entry.update({name: note for name, note in notes.items() if note is not None})
    keys = {key.id: {"comment": key.comment} for key in client.keys if key.present and key.comment is not None}
    return {**entry, "keys": keys} if keys else entry


def _is_sound(entry: object) -> bool:
    if not isinstance(entry, dict) or not {"models", "scopes"} <= set(entry) <= _MEMBERS:
        return False
    keys = entry.get("keys", {})
    if not isinstance(keys, dict) or any(not isinstance(key, dict) or set(key) != {"comment"} for key in keys.values()):
        return False
    notes = [entry.get("owner", ""), entry.get("comment", ""), *(key["comment"] for key in keys.values())]
    certificates = entry.get("certificates", [])
    if not all(map(_are_texts, (notes, certificates, entry["models"], entry["scopes"]))):
        return False
    if not are_sound(entry.get("limits", {})):
        return False
    is_said = bool(entry["models"]) and set(entry["scopes"]) <= set(SCOPES) and "" not in certificates
    return is_said and entry.get("absent", True) is True


def _are_texts(items: object) -> bool:
    return isinstance(items, list) and all(isinstance(item, str) for item in items)


def _text(rights: Rights) -> str:
    return json.dumps(rights, indent=2, sort_keys=True) + "\n"


def _shown(rights: Rights) -> str:
    """A line for each client: in the file each scope has one."""
    return "".join(f"{name}: {json.dumps(rights[name], sort_keys=True)}\n" for name in sorted(rights))
