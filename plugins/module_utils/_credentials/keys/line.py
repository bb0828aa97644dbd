# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of the file of API keys: `alice.laptop sha256:<64 hexadecimal digits> expires=2027-01-01T00:00:00Z`."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import DamagedFile
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.records import Line, read_lines

# `alice.laptop~old` is the key that a rotation of alice.laptop superseded. No id can hold a "~".
OLD = "~old"
PLAIN_TEXT = "a plain-text line"

_NAME = r"[a-z0-9][a-z0-9._-]*\.[a-z0-9][a-z0-9_-]*(?:~old)?"
# A name, or the first part of one if it has a dot or a tilde.
_NAME_CUT = re.compile(r"(?=.*[.~])[a-z0-9][a-z0-9._~-]*\Z", re.ASCII)
_RECORD = re.compile(r"(%s)\s+sha256:([0-9A-Fa-f]{64})((?:\s+\S+)*)\Z" % _NAME, re.ASCII)
_EXPECTED = "alice.laptop sha256:<64 hexadecimal digits> expires=2027-01-01T00:00:00Z"
_LAST4 = re.compile(r"[A-Za-z0-9._~+/=-]{4}\Z")
# In the order in which they are written.
_ATTRIBUTES = ("not_before", "expires", "created", "last4", "guessable")


@dataclass(frozen=True)
class Entry:
    """What a line says of a key; `name` is None for a key in plain text.

    `guessable` is "yes" for a key of less than 128 bits, which the gateway then does not let be tried at will.
    """

    name: t.Optional[str]
    digest: str
    expires: t.Optional[str] = None
    not_before: t.Optional[str] = None
    created: t.Optional[str] = None
    last4: t.Optional[str] = None
    guessable: t.Optional[str] = None

    @property
    def about(self) -> str:
        if self.name is None:
            return PLAIN_TEXT
        return about(key_form.fingerprint(self.digest), self.not_before, self.expires)


def about(fingerprint: str | None, not_before: str | None, expires: str | None) -> str:
    """What a diff says of a key; no fingerprint for one that does not exist yet."""
    text = "fingerprint %s" % fingerprint if fingerprint else "to be generated"
    text += ", not before %s" % not_before if not_before else ""
    return text + (", expires %s" % expires if expires else "")


def parse(number: int, text: str) -> Entry:
    """The entry of a line that is neither empty nor a comment; raises DamagedFile."""
    text = text.strip()
    if _NAME_CUT.match(text):
        # It would be a key that anybody can guess.
        raise DamagedFile(number, "it has the name of a key and no hash")
    if key_form.is_token(text):
        if len(text) < key_form.SHORTEST:
            raise DamagedFile(number, "a key in plain text must have at least %d characters" % key_form.SHORTEST)
        return Entry(None, key_form.digest(text))
    found = _RECORD.match(text)
    if found is None:
        raise DamagedFile(number, "it is neither like %s nor a single key in plain text" % _EXPECTED)
    name, digest, rest = found.groups()
    attributes: dict[str, str] = {}
    for word in rest.split():
        attribute, sign, value = word.partition("=")
        if attribute not in _ATTRIBUTES or not sign or attribute in attributes:
            # Not skipped: what we do not understand may have been meant to shut somebody out.
            known = "not_before=, expires=, created=, last4= and guessable="
            raise DamagedFile(number, "after the hash only %s may follow, each once" % known)
        if attribute == "last4":
            if not _LAST4.match(value):
                raise DamagedFile(number, "what follows last4= must be four characters of a key")
        elif attribute == "guessable":
            if value != "yes":
                raise DamagedFile(number, "what follows guessable= must be yes")
        elif not key_form.is_moment(value):
            raise DamagedFile(number, "what follows %s= must be a moment such as 2027-01-01T00:00:00Z" % attribute)
        attributes[attribute] = value
    return Entry(name, digest.lower(), **attributes)


def serialise(entry: Entry) -> str:
    """The line of an entry, without newline."""
    words = ["%s sha256:%s" % (entry.name, entry.digest)]
    words += ["%s=%s" % (name, getattr(entry, name)) for name in _ATTRIBUTES if getattr(entry, name) is not None]
    return " ".join(words)


def read(content: bytes) -> tuple[list[Line], dict[int, Entry]]:
    """The lines of the file, and the entries by line number; raises DamagedFile."""
    entries: dict[int, Entry] = {}
    digests: dict[str, int] = {}

    # Of a file that was cut, the last line may lack its end, and with that the time at which a key expires.
    last = None if content.endswith(b"\n") else content.count(b"\n") + 1

    def read_line(number: int, text: str) -> Line:
        if number == last:
            raise DamagedFile(number, "the newline at its end is missing, and so may be the rest of it")
        entry = entries[number] = parse(number, text)
        if entry.digest in digests:
            raise DamagedFile(number, "it has the same key as line %d" % digests[entry.digest])
        digests[entry.digest] = number
        return Line(number, text, entry.name, entry.about)

    return read_lines(content, read_line), entries
