# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a folder are in a backup, by their paths below it. What an archive says is judged by the same rules.

A path has no part that begins with a dot, so that none leads upwards, and none begins with a slash. Pure functions.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

_PART = r"(?![.])[A-Za-z0-9_.:@*+~=-]{1,200}"
_PATH = re.compile(rf"{_PART}(/{_PART})*\Z")
_LONGEST = 1024


def is_path(text: object) -> bool:
    return isinstance(text, str) and len(text) <= _LONGEST and _PATH.match(text) is not None


@dataclass(frozen=True)
class Tree:
    """A file or a folder below the folder of a service, and how what is restored there is written.

    Of a folder only those files are meant whose names below it match `files`. A file of a tree that `grows` may be
    longer by now. With `certbot`, links are made as certbot has them.
    """

    path: str
    files: str = ""
    grows: bool = False
    certbot: bool = False
    owner: int = 0
    group: int = 0
    mode: int = 0o600
    folder_mode: int = 0o750

    def has(self, path: str) -> bool:
        if path == self.path:
            return True
        below = path[len(self.path) + 1 :]
        return path.startswith(self.path + "/") and (not self.files or re.fullmatch(self.files, below) is not None)


def tree_of(trees: t.Iterable[Tree], path: object) -> Tree | None:
    """The tree that has the file; None if none has it, or the path is none."""
    if not is_path(path):
        return None
    return next((one for one in trees if one.has(str(path))), None)


TREE_OPTIONS: t.Dict[str, t.Dict[str, t.Any]] = {
    "path": {"type": "str", "required": True},
    "files": {"type": "str", "default": ""},
    "grows": {"type": "bool", "default": False},
    "certbot": {"type": "bool", "default": False},
    "owner": {"type": "int", "default": 0},
    "group": {"type": "int", "default": 0},
    "mode": {"type": "str", "default": "0600"},
    "folder_mode": {"type": "str", "default": "0750"},
}


# Of the two modules for a host. What is not needed on the host is for the actions of their names.
PART_OPTIONS: t.Dict[str, t.Dict[str, t.Any]] = {
    "folder": {"type": "path", "required": True},
    "trees": {"type": "list", "elements": "dict", "options": TREE_OPTIONS, "required": True},
    "kind": {"type": "str", "choices": ["gateway", "server"]},
    "host": {"type": "str"},
    "secrets_dir": {"type": "path", "no_log": False},
    "ca_dir": {"type": "path"},
}


def read_trees(given: t.Iterable[t.Mapping[str, t.Any]]) -> list[Tree]:
    """The trees that such options describe."""
    return [_tree(dict(one)) for one in given]


def _tree(given: t.Dict[str, t.Any]) -> Tree:
    modes: t.Dict[str, t.Any] = {name: int(given[name], 8) for name in ("mode", "folder_mode")}
    return Tree(**{**given, **modes})
