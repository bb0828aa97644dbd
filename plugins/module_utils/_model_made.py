# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which layers a server made of which files: it writes a GGUF anew, so that the layer has another digest than the file.

The host remembers it, for the server does not. The note says nothing about a model's name, so servers of a host share
it. One that is lost or damaged costs that a model is made once more.
"""

from __future__ import annotations

import json
import typing as t

Digests = t.FrozenSet[str]


class Made:
    """What is noted in `text`; what is new goes to `write`, as the whole text."""

    def __init__(self, text: str = "", write: t.Callable[[bytes], None] | None = None) -> None:
        self._layers = _read(text)
        self._write = write

    def of(self, files: Digests, layers: Digests) -> bool:
        """Whether these layers are what the server made of these files; both by their digests."""
        return layers in (files, self._layers.get(files))

    def note(self, files: Digests, layers: Digests) -> None:
        """Raises OSError."""
        if self._write is None or not layers or self.of(files, layers):
            return
        self._layers[files] = layers
        entries = [{"files": sorted(files), "layers": sorted(made)} for files, made in self._layers.items()]
        self._write((json.dumps(entries, indent=1) + "\n").encode())


def _read(text: str) -> t.Dict[Digests, Digests]:
    try:
        return {frozenset(map(str, entry["files"])): frozenset(map(str, entry["layers"])) for entry in json.loads(text)}
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}
