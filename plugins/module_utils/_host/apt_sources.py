# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repositories that apt knows, as sources.list(5) has them in either form, and which of them is a wanted one.

apt refuses all repositories where two entries name the same one with different keys (Signed-By), or one without.
"""

from __future__ import annotations

import re
import typing as t

_LINE = re.compile(r"(deb(?:-src)?)\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)(.*)\Z")
_ARCHITECTURE = "$(ARCH)"


class Entry(t.NamedTuple):
    """One repository in one file."""

    path: str
    kind: str
    uri: str
    suite: str
    components: tuple[str, ...]
    # A path, a fingerprint or a key itself; empty where any key that apt knows will do.
    signed_by: str

    def is_of(self, uri: str, suite: str) -> bool:
        """Whether apt takes this for that repository. Either may leave the architecture to apt."""
        return self.suite == suite and (_covers(uri, self.uri) or _covers(self.uri, uri))


def _covers(pattern: str, uri: str) -> bool:
    """Whether both are the same, where the first may leave the architecture to apt."""
    parts = pattern.rstrip("/").split(_ARCHITECTURE)
    architecture = "(?:[a-z0-9]+|%s)" % re.escape(_ARCHITECTURE)
    return bool(re.match(architecture.join(map(re.escape, parts)) + r"\Z", uri.rstrip("/")))


def read(path: str, text: str) -> list[Entry]:
    """The repositories in a file that count."""
    return _stanzas(path, text) if path.endswith(".sources") else _lines(path, text)


def _lines(path: str, text: str) -> list[Entry]:
    entries = []
    for line in text.splitlines():
        found = _LINE.match(line.partition("#")[0].strip())
        if found:
            kind, options, uri, suite, components = found.groups()
            signed = [one.partition("=")[2] for one in (options or "").split() if one.startswith("signed-by=")]
            entries.append(Entry(path, kind, uri, suite, tuple(components.split()), "".join(signed[:1])))
    return entries


def _stanzas(path: str, text: str) -> list[Entry]:
    entries = []
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        fields = _fields(stanza)
        if fields.get("enabled", "yes").lower() in ("no", "false", "0", "off", "without", "disable"):
            continue
        components = tuple(fields.get("components", "").split())
        signed = fields.get("signed-by", "")
        entries += [
            Entry(path, kind, uri, suite, components, signed)
            for kind in fields.get("types", "").split()
            for uri in fields.get("uris", "").split()
            for suite in fields.get("suites", "").split()
        ]
    return entries


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1].isspace():
            fields[name] = (fields.get(name, "") + "\n" + line.strip()).strip()
            continue
        name, _colon, value = line.partition(":")
        name = name.strip().lower()
        fields[name] = value.strip()
    return fields


def choose(entries: t.Iterable[Entry], components: t.Sequence[str], key: str) -> tuple[str, str]:
    """Of entries that all name the wanted repository: the file of one that will do; else that of one in the way.

    In the way is one that our own, which is trusted by `key`, cannot stand beside.
    """
    found = list(entries)
    usable = [one.path for one in found if one.kind == "deb" and set(components) <= set(one.components)]
    in_the_way = [one.path for one in found if one.signed_by != key]
    return "".join(usable[:1]), "" if usable else "".join(in_the_way[:1])
