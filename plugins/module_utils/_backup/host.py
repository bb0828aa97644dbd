# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of an archive a host has, and what it is given."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.gatehouse.ollama.plugins.module_utils._backup import certbot
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.below import Below
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.manifest import File
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.names import Tree, tree_of
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.store import contents
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

# In the folder of a service from when the files are back until the restore has ended: which archive they are of.
NOTE = ".restoring"


@dataclass
class Comparison:
    """By their paths, what the host lacks, what it has otherwise, and the links that it lacks with their targets."""

    lacking: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)


def compare(below: Below, files: t.Sequence[File], trees: t.Sequence[Tree]) -> Comparison:
    """Raises GatehouseError about a file that is none of the trees, and OSError."""
    found = Comparison()
    for one in files:
        tree = find(trees, one)
        size = below.size(one.path)
        if size is None:
            found.lacking.append(one.path)
            continue
        fits = size == one.size or (tree.grows and size > one.size)
        if not fits or below.digest(one.path, one.size) != one.sha256:
            found.different.append(one.path)
    found.links = {path: target for path, target in _links(files, trees).items() if not below.lexists(path)}
    return found


def apply(below: Below, files: t.Sequence[File], trees: t.Sequence[Tree], taken: t.Container[str], data: str) -> None:
    """Write those that are taken, and the links. Raises GatehouseError and OSError."""
    for one, blocks in contents(data, files):
        if one.path in taken:
            below.write(one.path, blocks, find(trees, one))
        else:
            for _block in blocks:
                pass
    for path, target in _links(files, trees).items():
        below.link(path, target, _certbot(trees))


def is_noted(below: Below, archive: str) -> bool:
    """Whether a restore of this archive was begun here and has not ended. Raises GatehouseError and OSError."""
    size = len(archive)
    return below.size(NOTE) == size and below.read(NOTE, 0, size) == archive.encode("ascii")


def note(below: Below, archive: str) -> None:
    below.write(NOTE, [archive.encode("ascii")], Tree(NOTE))


def find(trees: t.Sequence[Tree], file: File) -> Tree:
    tree = tree_of(trees, file.path)
    if tree is None:
        raise GatehouseError(f"the archive has {file.path}, which is no file of this service")
    return tree


def _certbot(trees: t.Sequence[Tree]) -> Tree:
    return next(one for one in trees if one.certbot)


def _links(files: t.Sequence[File], trees: t.Sequence[Tree]) -> dict[str, str]:
    """The links of certbot, by their paths."""
    found: dict[str, str] = {}
    for tree in trees:
        if tree.certbot:
            below = [one.path[len(tree.path) + 1 :] for one in files if tree.has(one.path)]
            found.update({f"{tree.path}/{path}": target for path, target in certbot.links(below).items()})
    return found
