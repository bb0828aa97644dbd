# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that the controller remembers as revoked: a file of keys from a backup lets none of them in again.

Pure functions.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.file import parse
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.memory import REVOKED
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import DamagedFile

# Below the folder of a gateway.
KEYS = "clients/api_keys"

_DIGEST = re.compile(rb"sha256:([0-9A-Fa-f]{64})")


def digests(notes: t.Mapping[str, bytes]) -> set[str]:
    """Those in the notes of revoked keys, of all files of the folder of the keys."""
    lists = (content for name, content in notes.items() if name.endswith(REVOKED))
    return {found.decode("ascii").lower() for content in lists for found in _DIGEST.findall(content)}


def without(content: bytes, revoked: t.Container[str]) -> bytes:
    """A file of keys without the lines of these, whatever their names are; also of those in plain text."""
    return b"".join(line for line in content.splitlines(keepends=True) if _digest(line) not in revoked)


def _digest(line: bytes) -> str:
    text = line.decode("utf-8", "surrogateescape").strip()
    if not text or text.startswith("#"):
        return ""
    try:
        return parse(0, text).digest
    except DamagedFile:
        # A gateway reads no such file, and the deployment names the line.
        found = _DIGEST.search(line)
        return found[1].decode("ascii").lower() if found else ""
