# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of an archive in a private folder of the controller, as long as a run lasts: for each a folder with its
description and one file of all contents, one after another. No name that a host or an archive gave is a path there.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import shutil
import tempfile
import typing as t
from dataclasses import asdict, replace

from ansible_collections.gatehouse.ollama.plugins.module_utils._backup import manifest
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.manifest import Damaged, File, Part

_BLOCK = 1 << 20
_DESCRIPTION, _CONTENT = "part.json", "content.gz"
# Of a file that is read as a whole: a hundred thousand keys.
_MOST = 16 << 20


class Writer:
    """Takes the files of one part, in their order."""

    def __init__(self, content: t.IO[bytes]) -> None:
        self._content = content
        self.files: list[File] = []

    def add(self, path: str, blocks: t.Iterable[bytes]) -> File:
        found, size = hashlib.sha256(), 0
        for block in blocks:
            found.update(block)
            size += len(block)
            self._content.write(block)
        self.files.append(File(path, size, found.hexdigest()))
        return self.files[-1]


class Store:
    def __init__(self, folder: str) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def part(self, part: Part) -> t.Iterator[Writer]:
        """A part is there once the block has ended well, with the files that were added. Raises OSError."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        new = tempfile.mkdtemp(prefix=".new-", dir=self._folder)
        try:
            with gzip.open(os.path.join(new, _CONTENT), "wb", compresslevel=1) as content:
                writer = Writer(t.cast("t.IO[bytes]", content))
                yield writer
            part.files = writer.files
            with open(os.path.join(new, _DESCRIPTION), "w", encoding="utf-8") as file:
                json.dump(asdict(part), file)
            try:
                os.rename(new, self._path(part))
            except OSError:
                # Two hosts may have the same folder of the controller.
                if not os.path.isdir(self._path(part)):
                    raise
        finally:
            shutil.rmtree(new, ignore_errors=True)

    @contextlib.contextmanager
    def scratch(self) -> t.Iterator[t.IO[bytes]]:
        """A file without a name, for as long as the block lasts."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=self._folder) as file:
            yield file

    def parts(self) -> list[Part]:
        """In the order of an archive."""
        names = os.listdir(self._folder) if os.path.isdir(self._folder) else []
        found = [self._read(name) for name in names if not name.startswith(".")]
        return sorted(found, key=lambda one: (manifest.KINDS.index(one.kind), one.host, one.folder))

    def find(self, kind: str, host: str) -> Part | None:
        return next((one for one in self.parts() if (one.kind, one.host) == (kind, host)), None)

    def used(self, part: Part, kind: str) -> Part | None:
        """The folder of the controller that belongs to a gateway."""
        folder = part.uses.get(kind)
        return next((one for one in self.parts() if (one.kind, one.folder) == (kind, folder)), None)

    def read(self, part: Part, path: str) -> bytes | None:
        """One file of a part, None if the part does not have it. Raises Damaged and OSError."""
        wanted = next((one for one in part.files if one.path == path), None)
        if wanted is None:
            return None
        if wanted.size > _MOST:
            raise Damaged(f"{path} of the archive is too long")
        for one, blocks in contents(self.content(part), part.files):
            content = b"".join(blocks if one is wanted else (b"" for _block in blocks))
            if one is wanted:
                return content
        return None

    def changed(self, part: Part, path: str, content: bytes) -> tuple[Store, Part]:
        """The same part with another content of that file, in a store of its own within this one."""
        other, copy = Store(tempfile.mkdtemp(prefix=".", dir=self._folder)), replace(part)
        with other.part(copy) as writer:
            for one, blocks in contents(self.content(part), part.files):
                new = (b"" for _block in blocks)
                writer.add(one.path, [*new, content] if one.path == path else blocks)
        return other, copy

    def clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def content(self, part: Part) -> str:
        """The file with the contents of all files of a part, compressed by gzip."""
        return os.path.join(self._path(part), _CONTENT)

    def _path(self, part: Part) -> str:
        names = "\0".join((part.kind, part.host, part.folder))
        return os.path.join(self._folder, hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest())

    def _read(self, name: str) -> Part:
        with open(os.path.join(self._folder, name, _DESCRIPTION), encoding="utf-8") as file:
            read = json.load(file)
        return Part(**{**read, "files": [File(**one) for one in read["files"]]})


def contents(path: str, files: t.Iterable[File]) -> t.Iterator[tuple[File, t.Iterator[bytes]]]:
    """Each file with its content, of which all must be read before the next. Raises Damaged and OSError."""
    with gzip.open(path, "rb") as content:
        for one in files:
            yield one, checked(t.cast("t.IO[bytes]", content), one)


def checked(source: t.IO[bytes], file: File) -> t.Iterator[bytes]:
    """So many bytes of the source, in blocks; Damaged in the place of the last if they are not the file's."""
    found, left, last = hashlib.sha256(), file.size, b""
    while left:
        block = source.read(min(left, _BLOCK))
        if not block:
            raise Damaged(f"{file.path} ends too early")
        found.update(block)
        left -= len(block)
        if last:
            yield last
        last = block
    if found.hexdigest() != file.sha256:
        raise Damaged(f"{file.path} is not what its checksum says")
    if last:
        yield last
