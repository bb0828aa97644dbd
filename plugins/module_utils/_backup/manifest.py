# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an archive says of itself: its format, and for each of its parts where it came from and which files it has.

A part is a folder of one host, or one of the controller. Who wrote the archive may have written anything: all that is
read here is judged before it is used.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import asdict, dataclass, field

from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.names import is_path
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

FORMAT = 1
GATEWAY, SERVER, SECRETS, CA = "gateway", "server", "secrets", "ca"
KINDS = (GATEWAY, SERVER, SECRETS, CA)

# The first file of an archive, and what it may take.
NAME = "manifest.json"
MOST_BYTES = 64 << 20
MOST_PARTS = 10000
MOST_FILES = 200000
# Of all files together: a ledger of two hundred million requests.
MOST_CONTENT = 64 << 30

_MARK = "gatehouse_backup"
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_LONGEST = 4096

Dict = t.Dict[str, t.Any]


class Foreign(GatehouseError):
    """It is no archive of this collection."""


class Damaged(GatehouseError):
    """It was one."""


@dataclass(frozen=True)
class File:
    path: str
    size: int
    sha256: str


@dataclass
class Part:
    """The files of one folder. `host` is empty for one of the controller.

    `uses` are the folders of the controller that belong to a gateway, by their kind; `notes` is what is no file.
    """

    kind: str
    host: str
    folder: str
    files: list[File] = field(default_factory=list)
    uses: dict[str, str] = field(default_factory=dict)
    notes: Dict = field(default_factory=dict)


@dataclass
class Manifest:
    made_at: str
    parts: list[Part]

    def dump(self) -> bytes:
        return (json.dumps({_MARK: FORMAT, **asdict(self)}, indent=1) + "\n").encode()

    def members(self) -> t.Iterator[tuple[Part, File, str]]:
        """The files in the order in which an archive has them, with their names in it."""
        for number, part in enumerate(self.parts):
            for one in part.files:
                yield part, one, f"{number:04d}-{part.kind}/{one.path}"

    def hosts(self, kind: str) -> list[str]:
        return [one.host for one in self.parts if one.kind == kind]


def read(content: bytes) -> Manifest:
    """Raises Foreign, Damaged, and GatehouseError for a newer format."""
    if len(content) > MOST_BYTES:
        raise Damaged("its manifest is too long")
    try:
        given = json.loads(content)
    except (ValueError, RecursionError):
        raise Damaged("its manifest is no JSON") from None
    if not isinstance(given, dict) or not _is_count(given.get(_MARK)):
        raise Foreign("it has no manifest of this collection")
    if given[_MARK] > FORMAT:
        raise GatehouseError(
            f"it was written by a newer release of this collection (format {given[_MARK]}, and this one reads up to "
            f"{FORMAT}); install that release"
        )
    try:
        manifest = Manifest(_text(given["made_at"]), [_part(one) for one in _list(given["parts"], MOST_PARTS)])
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Damaged("its manifest is not what this collection writes") from None
    _refuse_too_much(manifest)
    return manifest


def _part(given: Dict) -> Part:
    kind = given["kind"]
    if kind not in KINDS:
        raise ValueError(kind)
    files = [File(one["path"], one["size"], one["sha256"]) for one in _list(given["files"], MOST_FILES)]
    if not all(is_path(one.path) and _is_count(one.size) and _DIGEST.match(one.sha256) for one in files):
        raise ValueError(files)
    if len({one.path for one in files}) != len(files):
        raise ValueError(files)
    uses = {name: _text(one) for name, one in given["uses"].items() if name in (SECRETS, CA)}
    if not isinstance(given["notes"], dict):
        raise TypeError(given["notes"])
    return Part(kind, _text(given["host"]), _text(given["folder"]), files, uses, given["notes"])


def _refuse_too_much(manifest: Manifest) -> None:
    files = [one for part in manifest.parts for one in part.files]
    if len({(one.kind, one.host, one.folder) for one in manifest.parts}) != len(manifest.parts):
        raise Damaged("its manifest has a part twice")
    if len(files) > MOST_FILES or sum(one.size for one in files) > MOST_CONTENT:
        raise Damaged(f"its manifest has more than {MOST_FILES} files or {MOST_CONTENT >> 30} GiB")


def _list(value: t.Any, most: int) -> t.List[Dict]:
    if not isinstance(value, list) or len(value) > most:
        raise ValueError(most)
    return value


def _text(value: t.Any) -> str:
    """It may be shown on a terminal."""
    if not isinstance(value, str) or len(value) > _LONGEST or not value.isprintable():
        raise ValueError(value)
    return value


def _is_count(value: t.Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
