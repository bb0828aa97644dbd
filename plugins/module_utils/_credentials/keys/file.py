# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of API keys: how its lines are read, and what becomes of them. Pure functions.

A line is like `alice.laptop sha256:<64 hexadecimal digits> expires=2027-01-01T00:00:00Z`.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import Client, Key
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.form import OLD
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.memory import Verdict
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, DamagedFile
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.records import (
    Line,
    Outcome,
    Record,
    merge,
    read_lines,
)

_NAME = r"[a-z0-9][a-z0-9._-]*\.[a-z0-9][a-z0-9_-]*(?:~old)?"
# A name, or the first part of one if it has a dot or a tilde.
_NAME_CUT = re.compile(r"(?=.*[.~])[a-z0-9][a-z0-9._~-]*\Z", re.ASCII)
_RECORD = re.compile(r"(%s)\s+sha256:([0-9A-Fa-f]{64})((?:\s+\S+)*)\Z" % _NAME, re.ASCII)
_EXPECTED = "alice.laptop sha256:<64 hexadecimal digits> expires=2027-01-01T00:00:00Z"
_LAST4 = re.compile(r"[A-Za-z0-9._~+/=-]{4}\Z")
# In the order in which they are written.
_ATTRIBUTES = ("not_before", "expires", "created", "last4", "guessable", "in_path")
# These say yes, or are not there.
_MARKS = ("guessable", "in_path")


@dataclass(frozen=True)
class Entry:
    """What a line says of a key; `name` is None for a key in plain text.

    `guessable` is "yes" for a key of less than 128 bits, which the gateway then does not let be tried at will, and
    `in_path` for one that may stand in the path of a URL.
    """

    name: str | None
    digest: str
    expires: str | None = None
    not_before: str | None = None
    created: str | None = None
    last4: str | None = None
    guessable: str | None = None
    in_path: str | None = None

    @property
    def about(self) -> str:
        if self.name is None:
            return "a plain-text line"
        return _about(f"fingerprint {key_form.fingerprint(self.digest)}", self)


def _about(shown: str, key: Entry | Key) -> str:
    """What a diff says of a key."""
    begins = f", not before {key.not_before}" if key.not_before else ""
    ends = f", expires {key.expires}" if key.expires else ""
    return shown + begins + ends + (", may stand in the path" if key.in_path else "")


def parse(number: int, text: str) -> Entry:
    """The entry of a line that is neither empty nor a comment; raises DamagedFile."""
    text = text.strip()
    if _NAME_CUT.match(text):
        # It would be a key that anybody can guess.
        raise DamagedFile(number, "it has the name of a key and no hash")
    if key_form.is_token(text):
        if len(text) < key_form.SHORTEST:
            raise DamagedFile(number, f"a key in plain text must have at least {key_form.SHORTEST} characters")
        return Entry(None, key_form.digest(text))
    found = _RECORD.match(text)
    if found is None:
        raise DamagedFile(number, f"it is neither like {_EXPECTED} nor a single key in plain text")
    name, digest, rest = found.groups()
    attributes: dict[str, str] = {}
    for word in rest.split():
        attribute, sign, value = word.partition("=")
        if attribute not in _ATTRIBUTES or not sign or attribute in attributes:
            # Not skipped: what we do not understand may have been meant to shut somebody out.
            known = "=, ".join(_ATTRIBUTES[:-1]) + f"= and {_ATTRIBUTES[-1]}="
            raise DamagedFile(number, f"after the hash only {known} may follow, each once")
        if attribute == "last4":
            if not _LAST4.match(value):
                raise DamagedFile(number, "what follows last4= must be four characters of a key")
        elif attribute in _MARKS:
            if value != "yes":
                raise DamagedFile(number, f"what follows {attribute}= must be yes")
        elif not key_form.is_moment(value):
            raise DamagedFile(number, f"what follows {attribute}= must be a moment such as 2027-01-01T00:00:00Z")
        attributes[attribute] = value
    return Entry(name, digest.lower(), **attributes)


def serialise(entry: Entry) -> str:
    """The line of an entry, without newline."""
    words = [f"{name}={getattr(entry, name)}" for name in _ATTRIBUTES if getattr(entry, name) is not None]
    return " ".join([f"{entry.name} sha256:{entry.digest}", *words])


class KeyFile:
    """The file as it is on a host; `content` is None where there is none. Raises DamagedFile."""

    def __init__(self, content: bytes | None) -> None:
        self._content = content
        self._entries: dict[int, Entry] = {}
        digests: dict[str, int] = {}
        read = content or b""
        # Of a file that was cut, the last line may lack its end, and with that the time at which a key expires.
        last = None if read.endswith(b"\n") else read.count(b"\n") + 1

        def read_line(number: int, text: str) -> Line:
            if number == last:
                raise DamagedFile(number, "the newline at its end is missing, and so may be the rest of it")
            entry = self._entries[number] = parse(number, text)
            if digests.setdefault(entry.digest, number) != number:
                raise DamagedFile(number, f"it has the same key as line {digests[entry.digest]}")
            return Line(number, text, entry.name, entry.about)

        self._lines = read_lines(read, read_line)
        self._texts = {line.name: line.text for line in self._lines if line.name is not None}
        self.there = {entry.name: entry for entry in self._entries.values() if entry.name is not None}

    def digest(self, name: str) -> str | None:
        """What the host has of a key."""
        return self.there[name].digest if name in self.there else None

    def update(
        self, clients: t.Sequence[Client], verdicts: t.Mapping[str, Verdict], purge: bool, now: str
    ) -> tuple[Outcome, dict[str, Entry]]:
        """What becomes of the file, given the verdict on each key that the clients are to have; and what it then says
        of these, by the names of the lines, without those that are yet to be generated.
        """
        listed = [key for client in clients for key in client.keys if key.name in verdicts]
        keys = [key for key in listed if not verdicts[key.name].blocked]
        wanted: dict[str, Entry] = {}
        owners: dict[str, Key] = {}
        for key in keys:
            secret = verdicts[key.name].secret
            if secret is not None:
                entry = wanted[key.name] = self._entry(key, secret, now)
                owners[entry.digest] = key
        records = []
        for key in keys:
            marker, rotation = verdicts[key.name].marker, ""
            if marker is not None and marker.old is not None:
                old = self._superseded(key, marker.old, marker.expires, now)
                # One that is somebody's valid key counts as that.
                if old is not None and old.digest not in owners:
                    owners[old.digest] = key
                    wanted[key.name + OLD] = old
                if verdicts[key.name].supersedes(self.digest(key.name)):
                    end = f"valid until {old.expires}" if old and key.name + OLD in wanted else "refused from now on"
                    rotation = f"rotated; the old key (fingerprint {key_form.fingerprint(marker.old)}) is {end}"
            records.append(self._record(key, wanted.get(key.name), rotation))
            if key.name + OLD in wanted:
                records.append(self._record(key, wanted[key.name + OLD], ""))
        is_absent = _absence(clients, {key.name for key in keys})
        if not purge:
            self._refuse_doubles({record.name for record in records}, owners, is_absent)
        return merge(self._content, self._lines, records, purge, is_absent), wanted

    def _entry(self, key: Key, secret: str, now: str) -> Entry:
        """What the line must say."""
        digest, old = key_form.digest(secret), self.there.get(key.name)
        created = old.created if old and old.digest == digest else now
        guessable = "yes" if key_form.is_guessable(secret) else None
        last4, in_path = key_form.last4(secret), "yes" if key.in_path else None
        return Entry(key.name, digest, key.expires, key.not_before, created, last4, guessable, in_path)

    def _superseded(self, key: Key, digest: str, end: str, now: str) -> Entry | None:
        """The old key of a rotation, as long as it goes on.

        What lines of it say makes its life shorter, on this host, and never longer: not beyond their expiry, nor before
        their time has come. Nobody has its secret any more: it can be guessed, and may stand in the path, if its own
        line said so, the latter as long as the new one may, too.
        """
        lines = [line for line in map(self.there.get, (key.name + OLD, key.name)) if line and line.digest == digest]
        end = min(filter(None, (end, key.expires, *(line.expires for line in lines))))
        if end <= now or any(line.not_before and line.not_before > now for line in lines):
            return None
        guessable = lines[0].guessable if lines else None
        # What a line of a given key leaves open counts as well: the line may be older than the mark.
        is_marked = bool(lines) and (lines[0].name != key.name or lines[0].last4 is not None)
        if key.secret is not None and not is_marked:
            guessable = "yes"
        in_path = lines[0].in_path if lines and key.in_path and not guessable else None
        return Entry(key.name + OLD, digest, end, guessable=guessable, in_path=in_path)

    def _record(self, key: Key, entry: Entry | None, rotation: str) -> Record:
        if entry is None:
            change = rotation or ("key generated" if key.name in self.there else "")
            about = _about("to be generated", key)
            # Never written: the text only has to differ from what is there.
            return Record(key.name, "# to be generated", about, change)
        name = str(entry.name)
        edits = _edits(self.there[name], entry) if name in self.there else ""
        # What else a line says, or leaves out, is no reason to write.
        text = self._texts[name] if name in self.there and not edits else serialise(entry)
        return Record(name, text, entry.about, (rotation or f"edited: {edits}") if edits else "")

    def _refuse_doubles(
        self, listed: t.AbstractSet[str], owners: t.Mapping[str, Key], is_absent: t.Callable[[str], bool]
    ) -> None:
        """Lines that stay may have neither the name of a key without its hash nor the hash of another key."""
        for line in self._lines:
            entry = self._entries.get(line.number)
            if entry is None or entry.name in listed or is_absent(entry.name or ""):
                continue
            if entry.name is None and line.text.strip() in listed:
                # Kept, it would be a key that anybody can guess.
                raise DamagedFile(line.number, "it has the name of a key and no hash")
            if entry.digest in owners:
                text = f"line {line.number} of the file has the same key, so nobody could tell them apart"
                raise BadInput([f"{owners[entry.digest].place}: {text}; remove that line"])


def _absence(clients: t.Sequence[Client], present: t.AbstractSet[str]) -> t.Callable[[str], bool]:
    """Which lines the clients want gone, by their names; the old key of a present one has its line if it goes on."""
    absent_clients = {client.name for client in clients if not client.present}
    absent_keys = {key.name for client in clients for key in client.keys if key.name not in present}

    def is_absent(name: str) -> bool:
        key = name[: -len(OLD)] if name.endswith(OLD) else name
        return key in absent_keys or key.rpartition(".")[0] in absent_clients or (name != key and key in present)

    return is_absent


def _edits(old: Entry, new: Entry) -> str:
    """What counts of a line and is not as the inventory says, be it that either was edited."""
    edits = []
    if old.digest != new.digest:
        edits.append(("fingerprint", key_form.fingerprint(old.digest), key_form.fingerprint(new.digest)))
    for name, nothing in (("not_before", "none"), ("expires", "none"), ("guessable", "no"), ("in_path", "no")):
        was, will = getattr(old, name), getattr(new, name)
        if was != will:
            edits.append((name, was or nothing, will or nothing))
    return "; ".join("%s was %s, will be %s" % edit for edit in edits)
