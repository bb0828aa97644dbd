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

    def files(self, layers: Digests) -> Digests:
        """The digests of the files that these layers were made of: those of the layers, if nothing else is noted."""
        return next((files for files, made in self._layers.items() if made == layers), layers)

    def note(self, files: Digests, layers: Digests) -> None:
        """Raises OSError."""
        if self._write is None or self.files(layers) == files:
            return
        self._layers[files] = layers
        entries = [{"files": sorted(files), "layers": sorted(made)} for files, made in self._layers.items()]
        self._write((json.dumps(entries, indent=1) + "\n").encode())


def _read(text: str) -> t.Dict[Digests, Digests]:
    try:
        return {frozenset(map(str, entry["files"])): frozenset(map(str, entry["layers"])) for entry in json.loads(text)}
    except (ValueError, TypeError, KeyError):
        return {}
