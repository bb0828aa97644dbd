# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of API keys: what becomes of its lines. Pure functions."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import Client, Key, present_keys
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.line import (
    OLD,
    Entry,
    about,
    read,
    serialise,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.rotation import Verdict, end_on_host
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, DamagedFile
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.records import Line, Outcome, Record, merge

Entries = t.Mapping[t.Optional[str], Entry]


def named(content: bytes | None) -> dict[str, Entry]:
    """The entries of the file by their names; raises DamagedFile."""
    return {entry.name: entry for entry in read(content or b"")[1].values() if entry.name is not None}


def update(
    content: bytes | None,
    clients: t.Sequence[Client],
    verdicts: t.Mapping[str, Verdict],
    purge: bool,
    now: str,
) -> Outcome:
    """What becomes of the file, given the verdict on each key that the clients are to have."""
    lines, entries = read(content or b"")
    there = {entry.name: entry for entry in entries.values()}
    texts = {line.name: line.text for line in lines}
    listed = present_keys(clients)
    blocked = {key.name for key in listed if verdicts[key.name].blocked}
    keys = [key for key in listed if key.name not in blocked]
    places: dict[str, Key] = {}
    wanted = {}
    for key in keys:
        entry = _entry(key, verdicts[key.name].secret, there.get(key.name), now)
        if entry is not None:
            wanted[key.name] = entry
            places[entry.digest] = key
    old = superseded(keys, verdicts, places, now, there)
    old = {key.name: _marked(old[key.name], key, there) for key in keys if key.name in old}
    places.update({entry.digest: key for key in keys for entry in [old.get(key.name)] if entry})

    records = []
    for key in keys:
        records.append(_record(key, wanted.get(key.name), there, texts, _rotation(key, verdicts, there, old)))
        if key.name in old:
            records.append(_record(key, old[key.name], there, texts, ""))

    present = {key.name for key in keys}
    absent_keys = {key.name for client in clients for key in client.keys if not key.present} | blocked
    absent_clients = {client.name for client in clients if not client.present}

    def is_absent(name: str) -> bool:
        key = key_of(name)
        return key in absent_keys or key.rpartition(".")[0] in absent_clients or (name != key and key in present)

    if not purge:
        _refuse_doubles(lines, entries, {record.name for record in records}, places, is_absent)
    return merge(content, lines, records, purge, is_absent)


def superseded(
    keys: t.Sequence[Key], verdicts: t.Mapping[str, Verdict], taken: t.Container[str], now: str, there: Entries
) -> dict[str, Entry]:
    """The old keys that go on for a while, by the names of those that took their places.

    An old key with one of the digests `taken` is somebody's valid key, and counts as that. What `there` says of an old
    key makes its life shorter, on this host, and never longer.
    """
    found: dict[str, Entry] = {}
    digests: set[str] = set()
    for key in keys:
        marker = verdicts[key.name].marker
        if marker is None or marker.old is None or marker.old in taken or marker.old in digests:
            continue
        lines = [line for line in map(there.get, (key.name, key.name + OLD)) if line and line.digest == marker.old]
        end = end_on_host(min(marker.expires, key.expires or marker.expires), lines, now)
        if end > now:
            digests.add(marker.old)
            found[key.name] = Entry(key.name + OLD, marker.old, end)
    return found


def key_of(name: str) -> str:
    """The key that a line belongs to, be it the superseded one."""
    return name[: -len(OLD)] if name.endswith(OLD) else name


def _entry(key: Key, secret: str | None, old: Entry | None, now: str) -> Entry | None:
    """What the line must say; None for a key that is to be generated."""
    if secret is None:
        return None
    digest = key_form.digest(secret)
    created = old.created if old and old.digest == digest else now
    guessable = "yes" if key_form.is_guessable(secret) else None
    return Entry(key.name, digest, key.expires, key.not_before, created, key_form.last4(secret), guessable)


def _marked(old: Entry, key: Key, there: Entries) -> Entry:
    """The entry of a superseded key, whose secret nobody has any more: it can be guessed if its own line said so.

    What a line of a given key leaves open counts as well: the line may be older than the mark.
    """
    line = there.get(str(old.name))
    if line is None or line.digest != old.digest:
        line = there.get(key.name)
        if line is None or line.digest != old.digest:
            line = old
        if key.secret is not None and line.last4 is None:
            return replace(old, guessable="yes")
    return replace(old, guessable=line.guessable)


def _record(key: Key, entry: Entry | None, there: Entries, texts: t.Mapping[str | None, str], rotation: str) -> Record:
    if entry is None:
        change = rotation or ("key generated" if key.name in there else "")
        # Never written: the text only has to differ from what is there.
        return Record(key.name, "# to be generated", about(None, key.not_before, key.expires), change)
    name = str(entry.name)
    edits = _edits(there[name], entry) if name in there else ""
    # What else a line says, or leaves out, is no reason to write.
    text = texts[name] if name in there and not edits else serialise(entry)
    return Record(name, text, entry.about, (rotation or "edited: " + edits) if edits else "")


def _edits(old: Entry, new: Entry) -> str:
    """What counts of a line and is not as the inventory says, be it that either was edited."""
    edits = []
    if old.digest != new.digest:
        edits.append(("fingerprint", key_form.fingerprint(old.digest), key_form.fingerprint(new.digest)))
    if old.not_before != new.not_before:
        edits.append(("not_before", old.not_before or "none", new.not_before or "none"))
    if old.expires != new.expires:
        edits.append(("expires", old.expires or "none", new.expires or "none"))
    if old.guessable != new.guessable:
        edits.append(("guessable", old.guessable or "no", new.guessable or "no"))
    return "; ".join("%s was %s, will be %s" % edit for edit in edits)


def _rotation(key: Key, verdicts: t.Mapping[str, Verdict], there: Entries, old: t.Mapping[str, Entry]) -> str:
    marker = verdicts[key.name].marker
    if marker is None or marker.old is None or key.name not in there or there[key.name].digest != marker.old:
        return ""
    end = "valid until %s" % old[key.name].expires if key.name in old else "refused from now on"
    return "rotated; the old key (fingerprint %s) is %s" % (key_form.fingerprint(marker.old), end)


def _refuse_doubles(
    lines: t.Sequence[Line],
    entries: t.Mapping[int, Entry],
    listed: t.AbstractSet[str],
    places: t.Mapping[str, Key],
    is_absent: t.Callable[[str], bool],
) -> None:
    """Lines that stay may have neither the name of a key without its hash nor the hash of another key."""
    for line in lines:
        entry = entries.get(line.number)
        if entry is None or line.name in listed or is_absent(line.name or ""):
            continue
        if entry.name is None and line.text.strip() in listed:
            # Kept, it would be a key that anybody can guess.
            raise DamagedFile(line.number, "it has the name of a key and no hash")
        if entry.digest in places:
            message = "%s: line %d of the file has the same key, so nobody could tell them apart; remove that line"
            raise BadInput([message % (places[entry.digest].place, line.number)])
