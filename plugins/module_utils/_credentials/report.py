# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway's files say of its clients, without anything that lets somebody in. Pure functions.

The readers are tolerant, unlike those of the modules that write these files: they skip what is damaged, and say where.
No text of a damaged line is told: it may be a secret. Nothing that steers a terminal is told either: whoever took the
host over may have written it.
"""

from __future__ import annotations

import datetime
import json
import re
import typing as t
from dataclasses import asdict, dataclass, field

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.access_log import Credential, Uses
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import ALL_MODELS, DEFAULT_SCOPES
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.file import parse
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.form import OLD
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.limits import Limits, are_sound
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.passwords.hashing import identify
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.rights import OTHERS
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import DamagedFile

# As the gateway calls it in its log. No client can have this name.
PLAIN_TEXT = "(plain text)"
UNKNOWN_SCHEME = "another kind of hash"
# {SHA}, {SSHA} and {PLAIN}: damage for OpenResty; plain nginx lets people in by them, and each is guessed at once.
_UNSALTED = "a password must not be kept in this form; make the line anew with `htpasswd -B`, or without -s and -p"

# What a client has lists of, and what it has where there is none.
_LISTS: tuple[tuple[str, list[str] | None], ...] = (("scopes", None), ("models", None), ("certificates", []))

# So many numbers of lines are told; who repairs these finds the others.
_TOLD = 10


@dataclass(frozen=True)
class Key:
    """What a line of `api_keys` says, but for the hash; moments are like 2027-01-01T00:00:00Z."""

    client: str
    id: str
    fingerprint: str
    last4: str | None = None
    created: str | None = None
    not_before: str | None = None
    expires: str | None = None
    in_path: bool = False

    def state(self, now: str) -> str:
        """Whether the gateway takes the key now, and otherwise why not."""
        if self.expires is not None and self.expires <= now:
            return "expired"
        if self.not_before is not None and now < self.not_before:
            return "not yet valid"
        return "superseded" if self.id.endswith(OLD) else "valid"


@dataclass(frozen=True)
class Rights:
    """What `clients.json` says of a client."""

    scopes: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    owner: str | None = None
    comment: str | None = None
    key_comments: dict[str, str] = field(default_factory=dict)
    certificates: list[str] = field(default_factory=list)
    limits: Limits = field(default_factory=dict)


@dataclass
class Damage:
    """What is wrong with one file: reasons, each with the numbers of its lines."""

    file: str
    reasons: dict[str, list[int]] = field(default_factory=dict)

    def add(self, reason: str, line: int) -> None:
        self.reasons.setdefault(reason, []).append(line)

    def texts(self) -> list[str]:
        return [f"{self.file}, {_lines(numbers)}: {reason}" for reason, numbers in self.reasons.items()]


def read_keys(content: bytes, damage: Damage) -> list[Key]:
    """The keys of the file `api_keys`."""
    keys = []
    for number, text in _records(content, damage):
        try:
            entry = parse(number, text)
        except DamagedFile as error:
            damage.add(error.reason, number)
            continue
        fingerprint = key_form.fingerprint(entry.digest)
        client, _dot, key_id = (entry.name or "").rpartition(".")
        if entry.name is None:
            client, key_id = PLAIN_TEXT, f"sha256:{fingerprint}"
        said = entry.last4, entry.created, entry.not_before, entry.expires, entry.in_path is not None
        keys.append(Key(client, key_id, fingerprint, *said))
    return keys


def read_passwords(content: bytes, damage: Damage) -> dict[str, str]:
    """The users of the file `htpasswd`, with how their passwords are hashed."""
    schemes: dict[str, str] = {}
    for number, text in _records(content, damage):
        name, colon, hashed = text.partition(":")
        if not colon or not name or re.search(r"\s", name) or not name.isprintable():
            damage.add("it does not begin with a name without spaces and a colon", number)
        elif name in schemes:
            damage.add("an earlier line has the same name, and counts", number)
        else:
            schemes[name] = str(identify(hashed) or UNKNOWN_SCHEME)
            if hashed.startswith("{"):
                damage.add(_UNSALTED, number)
    return schemes


def read_rights(content: bytes, damage: Damage) -> dict[str, Rights]:
    """What the file `clients.json` says of clients."""
    try:
        entries = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        damage.add("it is not JSON", getattr(error, "lineno", 1))
        return {}
    if not isinstance(entries, dict):
        damage.add("it is not a JSON object of clients", 1)
        return {}
    rights = {}
    damaged = []
    for name, entry in entries.items():
        if _is_entry(entry):
            scopes, models, certificates = (
                [printable(text) for text in entry.get(one, [])] for one, _default in _LISTS
            )
            owner, comment = _text(entry.get("owner")), _text(entry.get("comment"))
            rights[printable(name)] = Rights(
                scopes, models, owner, comment, _key_comments(entry.get("keys")), certificates, _limits(entry)
            )
        else:
            damaged.append(name)
    begins: dict[str, int] = {}
    for number, line in enumerate(content.split(b"\n") if damaged else (), 1):
        begins.setdefault(line.decode("utf-8").strip().partition(": ")[0], number)
    for name in damaged:
        reason = (
            "a client must have scopes and models, and may have certificates, each a list of texts; its limits are "
            "whole numbers by their names"
        )
        damage.add(reason, begins.get(f'"{name}"', 1))
    return rights


def creations(keys: t.Iterable[Key]) -> dict[Credential, datetime.datetime]:
    """When keys were created, where that is known."""
    return {
        (key.client, key.id): datetime.datetime.fromisoformat(key.created.replace("Z", "+00:00"))
        for key in keys
        if key.created is not None
    }


def describe(
    keys: t.Iterable[Key],
    passwords: t.Mapping[str, str],
    rights: t.Mapping[str, Rights],
    uses: Uses,
    now: str,
    revoked: t.Iterable[str] = (),
) -> list[dict[str, t.Any]]:
    """What the module returns of each client, by name. `revoked` are names of keys that stay out."""
    # The gateway gives these the scopes that a client has by default.
    others = rights.get(OTHERS, Rights())
    in_plain_text = Rights(list(DEFAULT_SCOPES), list(ALL_MODELS), limits=others.limits)
    known = {**{name: right for name, right in rights.items() if name != OTHERS}, PLAIN_TEXT: in_plain_text}
    api_keys: dict[str, list[dict[str, t.Any]]] = {}
    for key in sorted(keys, key=lambda key: key.id):
        api_keys.setdefault(key.client, []).append(_describe_key(key, known.get(key.client, others), uses, now))
    by_hand = {*api_keys, *passwords} - set(rights)
    for client, _dot, key_id in (name.rpartition(".") for name in sorted(revoked)):
        if key_id not in [key["id"] for key in api_keys.get(client, [])]:
            api_keys.setdefault(client, []).append(_describe_revoked(client, key_id, uses))
    # Of credentials that are gone, too: whether a client is still about does not depend on its keys.
    last: dict[str, datetime.datetime] = {}
    for (name, _key), moment in uses.last.items():
        last[name] = max(last.get(name, moment), moment)
    named = [name for name in rights if name in known and (rights[name].scopes or rights[name].certificates)]
    clients = []
    for name in sorted({*api_keys, *passwords, *named}):
        right = known.get(name, others)
        password = dict(scheme=passwords[name], last_use=told(uses.last.get((name, "")))) if name in passwords else None
        clients.append(
            dict(
                name=name,
                by_hand=name in by_hand,
                owner=right.owner,
                comment=right.comment,
                scopes=right.scopes,
                models=right.models,
                limits=right.limits,
                password=password,
                certificates=[dict(subject=subject, state="valid") for subject in right.certificates],
                api_keys=api_keys.get(name, []),
                last_use=told(last.get(name)),
            )
        )
    return clients


def told(moment: datetime.datetime | None) -> str | None:
    """The moment as 2027-01-01T00:00:00Z."""
    return None if moment is None else key_form.moment(moment.astimezone(datetime.timezone.utc))


def _describe_key(key: Key, right: Rights, uses: Uses, now: str) -> dict[str, t.Any]:
    said = asdict(key)
    used = uses.last.get((said.pop("client"), key.id))
    named = key.id[: -len(OLD)] if key.id.endswith(OLD) else key.id
    return dict(said, comment=right.key_comments.get(named), state=key.state(now), last_use=told(used))


def _describe_revoked(client: str, key_id: str, uses: Uses) -> dict[str, t.Any]:
    """The host knows nothing of it any more."""
    unknown = dict.fromkeys(("fingerprint", "last4", "created", "not_before", "expires", "in_path", "comment"))
    return dict(unknown, id=printable(key_id), state="revoked", last_use=told(uses.last.get((client, key_id))))


def _records(content: bytes, damage: Damage) -> t.Iterator[tuple[int, str]]:
    """The lines that are neither empty nor comments, with their numbers."""
    for number, line in enumerate(content.split(b"\n"), 1):
        try:
            text = line.decode("utf-8").strip()
        except UnicodeDecodeError:
            damage.add("it is not UTF-8 text", number)
            continue
        if text and not text.startswith("#"):
            yield number, text


def _is_entry(entry: t.Any) -> bool:
    if not isinstance(entry, dict) or not are_sound(entry.get("limits", {})):
        return False
    return all(_is_list(entry.get(one, default)) for one, default in _LISTS)


def _limits(entry: t.Mapping[str, t.Any]) -> Limits:
    limits = dict(entry.get("limits", {}))
    if "models" in limits:
        limits["models"] = {printable(pattern): one for pattern, one in limits["models"].items()}
    return limits


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _text(value: object) -> str | None:
    return printable(value) if isinstance(value, str) and value else None


def printable(text: str) -> str:
    """The same without what steers a terminal or hides text, as escapes like those of JSON."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def _key_comments(value: object) -> dict[str, str]:
    entries = value.items() if isinstance(value, dict) else ()
    comments = {printable(key): _text(entry.get("comment")) for key, entry in entries if isinstance(entry, dict)}
    return {key: comment for key, comment in comments.items() if comment}


def _lines(numbers: t.Sequence[int]) -> str:
    first = ", ".join(map(str, numbers[:_TOLD]))
    more = f" and {len(numbers) - _TOLD} more" if len(numbers) > _TOLD else ""
    return f"line{'s' if len(numbers) > 1 else ''} {first}{more}"
