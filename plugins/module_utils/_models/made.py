# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which layers servers made of which files: one writes a GGUF anew, so that the layer has another digest than the file.

The host remembers it, for the server does not. The note says nothing about a model's name or a server's, so servers
share it: what any of them made of the files is right. One that is lost, damaged or useless costs that a model is made
once more, and never a run.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import tempfile
import typing as t

Digests = t.FrozenSet[str]
Pairs = t.Set[t.Tuple[Digests, Digests]]

# No note comes near: this is some ten thousand models.
_MOST_BYTES = 4 << 20


class Made:
    """What is noted in the file of this path; without one nothing is remembered.

    `problem` says why what was made is not remembered, and is empty if it is.
    """

    def __init__(self, path: str | None = None) -> None:
        self._path = path
        self._pairs: Pairs = set()
        self._is_read = False
        self.problem = ""

    def of(self, files: Digests, layers: Digests) -> bool:
        """Whether these layers are what a server made of these files; both by their digests."""
        if layers == files:
            return True
        if not self._is_read:
            self._read()
        return (files, layers) in self._pairs

    def note(self, files: Digests, layers: Digests) -> None:
        if self._path is None or not layers or self.of(files, layers):
            return
        # Others may have written since: what they noted stays.
        self._read()
        self._pairs.add((files, layers))
        pairs = sorted((sorted(one), sorted(made)) for one, made in self._pairs)
        entries = [{"files": one, "layers": made} for one, made in pairs]
        try:
            _write(self._path, (json.dumps(entries, indent=1) + "\n").encode())
            self.problem = ""
        except OSError as error:
            self.problem = f"{self._path} cannot be written: {error.strerror}"

    def _read(self) -> None:
        self._is_read = True
        if self._path is not None:
            try:
                self._pairs |= _pairs(_text(self._path))
            except OSError as error:
                self.problem = f"{self._path} cannot be read: {error.strerror}"


def _text(path: str) -> str:
    """Empty where there is none. Raises OSError, also about what is no file: that might never end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    with open(descriptor, "rb") as f:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return f.read(_MOST_BYTES).decode("utf-8", "replace")


def _pairs(text: str) -> Pairs:
    try:
        return {(frozenset(map(str, one["files"])), frozenset(map(str, one["layers"]))) for one in json.loads(text)}
    except (ValueError, TypeError, KeyError, RecursionError):
        return set()


def _write(path: str, content: bytes) -> None:
    folder, name = os.path.split(path)
    os.makedirs(folder, mode=0o755, exist_ok=True)
    descriptor, new = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    try:
        with open(descriptor, "wb") as f:
            f.write(content)
        os.chmod(new, 0o644)
        os.replace(new, path)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(new)
