# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of API keys: `alice.laptop sha256:<64 hexadecimal digits> expires=2027-01-01T00:00:00Z`. Pure functions."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.gatehouse.ollama.plugins.module_utils import _keys
from ansible_collections.gatehouse.ollama.plugins.module_utils._clients import Client, present_keys
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, DamagedFile
from ansible_collections.gatehouse.ollama.plugins.module_utils._records import (
    Line,
    Outcome,
    Record,
    merge,
    read_lines,
)

_RECORD = re.compile(
    r"([a-z0-9][a-z0-9._-]*\.[a-z0-9][a-z0-9_-]*)\s+sha256:([0-9A-Fa-f]{64})(?:\s+expires=(\S+))?\Z", re.ASCII
)
_EXPECTED = "alice.laptop sha256:<64 hexadecimal digits> expires=2027-01-01T00:00:00Z"
PLAIN_TEXT = "a plain-text line"


@dataclass(frozen=True)
class Entry:
    """What a line says of a key; `name` is None for a key in plain text."""

    name: t.Optional[str]
    digest: str
    expires: t.Optional[str] = None

    @property
    def about(self) -> str:
        if self.name is None:
            return PLAIN_TEXT
        about = "fingerprint %s" % _keys.fingerprint(self.digest)
        return "%s, expires %s" % (about, self.expires) if self.expires else about


def parse(number: int, text: str) -> Entry:
    """The entry of a line that is neither empty nor a comment; raises DamagedFile."""
    text = text.strip()
    if _keys.is_token(text):
        return Entry(None, _keys.digest(text))
    found = _RECORD.match(text)
    if found is None:
        raise DamagedFile(number, "it is neither like %s nor a single key in plain text" % _EXPECTED)
    name, digest, expires = found.groups()
    if expires is not None and not _is_canonical(expires):
        raise DamagedFile(number, "what follows expires= must be a moment such as 2027-01-01T00:00:00Z")
    return Entry(name, digest.lower(), expires)


def serialise(entry: Entry) -> str:
    """The line of an entry, without newline."""
    text = "%s sha256:%s" % (entry.name, entry.digest)
    return "%s expires=%s" % (text, entry.expires) if entry.expires else text


def read(content: bytes) -> tuple[list[Line], dict[int, Entry]]:
    """The lines of the file, and the entries by line number; raises DamagedFile."""
    entries: dict[int, Entry] = {}
    digests: dict[str, int] = {}

    def read_line(number: int, text: str) -> Line:
        entry = entries[number] = parse(number, text)
        if entry.digest in digests:
            raise DamagedFile(number, "it has the same key as line %d" % digests[entry.digest])
        digests[entry.digest] = number
        return Line(number, text, entry.name, entry.about)

    return read_lines(content, read_line), entries


def update(
    content: bytes | None,
    clients: t.Sequence[Client],
    secret_of: t.Callable[[str], str | None],
    purge: bool,
) -> Outcome:
    """What becomes of the file. `secret_of` gives a key's secret by its name, None if it is yet to be generated."""
    lines, entries = read(content or b"")
    there = {entry.name: entry for entry in entries.values() if entry.name is not None}
    texts = {line.name: line.text for line in lines}
    absent_clients = {client.name for client in clients if not client.present}
    absent_keys = {key.name for client in clients for key in client.keys if not key.present}

    records = []
    places: dict[str, str] = {}
    for key in present_keys(clients):
        old = there.get(key.name)
        secret = secret_of(key.name)
        if secret is None:
            about = "to be generated" + (", expires %s" % key.expires if key.expires else "")
            # Never written: the text only has to differ from what is there.
            records.append(Record(key.name, "# to be generated", about, "key generated" if old else ""))
            continue
        entry = Entry(key.name, _keys.digest(secret), key.expires)
        places[entry.digest] = key.place
        text = texts[key.name] if old == entry else serialise(entry)
        records.append(Record(key.name, text, entry.about, _change(old, entry)))

    def is_absent(name: str) -> bool:
        return name in absent_keys or name.rpartition(".")[0] in absent_clients

    if not purge:
        listed = {record.name for record in records}
        foreign = [line for line in lines if line.name not in listed and not is_absent(line.name or "")]
        for line in foreign:
            entry_there = entries.get(line.number)
            if entry_there is None:
                continue
            if entry_there.name is None and line.text.strip() in listed:
                # Kept, it would be a key that anybody can guess.
                raise DamagedFile(line.number, "it has the name of a key and no hash")
            if entry_there.digest in places:
                message = "%s: line %d of the file has the same key, so nobody could tell them apart; remove that line"
                raise BadInput([message % (places[entry_there.digest], line.number)])
    return merge(content, lines, records, purge, is_absent)


def _change(old: Entry | None, new: Entry) -> str:
    if old is None or old == new:
        return ""
    return "key changed" if old.digest != new.digest else "expiry changed"


def _is_canonical(expires: str) -> bool:
    try:
        return _keys.read_expiry(expires) == expires
    except ValueError:
        return False
