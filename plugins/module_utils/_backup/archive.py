# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive: a tar, compressed by gzip, whose first file is the manifest, and which has the files of that alone.

Reading follows the manifest and believes nothing else: no name in the tar is used as a path, nothing but plain files is
taken, and neither memory nor disk is filled with more than the manifest says.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import typing as t
import zlib

from ansible_collections.gatehouse.ollama.plugins.module_utils._backup import manifest
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.manifest import Damaged, Foreign, Manifest, Part
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.store import Store, checked, contents

MAGIC = b"\x1f\x8b"

_BLOCK = 1 << 20
# Of the tar itself, for each file: its header, that of a long name, and what fills the last block.
_OVERHEAD = 4096
_LAST = 1 << 16


def write(target: t.IO[bytes], found: Manifest, store: Store, moment: int) -> None:
    """Raises OSError, and Damaged if the disk of the controller changed what was stored."""
    with gzip.GzipFile(fileobj=target, mode="wb", mtime=moment) as packed, tarfile.open(
        fileobj=packed, mode="w", format=tarfile.GNU_FORMAT
    ) as tar:
        _add(tar, manifest.NAME, [found.dump()], moment)
        names = {(id(part), one.path): name for part, one, name in found.members()}
        for part in found.parts:
            for one, blocks in contents(store.content(part), part.files):
                _add(tar, names[id(part), one.path], blocks, moment, one.size)


def _add(tar: tarfile.TarFile, name: str, blocks: t.Iterable[bytes], moment: int, size: int = -1) -> None:
    taken = list(blocks) if size < 0 else blocks
    about = tarfile.TarInfo(name)
    about.size = size if size >= 0 else sum(map(len, taken))
    about.mode, about.mtime = 0o600, moment
    tar.addfile(about, t.cast("t.IO[bytes]", _Blocks(taken)))


class _Blocks(io.RawIOBase):
    """A file to read from, of blocks."""

    def __init__(self, blocks: t.Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        taken: list[memoryview] = []
        left = size
        while left:
            if not self._rest:
                self._rest = memoryview(next(self._blocks, b""))
            if not self._rest:
                break
            part = self._rest[:left] if size >= 0 else self._rest
            self._rest = self._rest[len(part) :]
            left -= len(part)
            taken.append(part)
        return b"".join(taken)


class _Bounded:
    """What is unpacked, as a file to read from, that ends in an error where there is more of it than there may be."""

    def __init__(self, packed: t.IO[bytes], most: int) -> None:
        self._packed = packed
        self._left = most
        self._position = 0

    def allow(self, more: int) -> None:
        self._left += more

    def read(self, size: int) -> bytes:
        # Of the headers of a tar, those with names may be of any length.
        if size > _BLOCK or size > self._left:
            raise Damaged("it holds more than its manifest says")
        content = self._packed.read(size)
        self._left -= len(content)
        self._position += len(content)
        return content

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        while self._position < position:
            if not self.read(min(position - self._position, _BLOCK)):
                raise Damaged("it ends too early")


def read(source: t.IO[bytes], store: Store) -> Manifest:
    """Check all of an archive, and put its parts into the store. Raises GatehouseError and OSError."""
    found: Manifest | None = None
    try:
        with gzip.GzipFile(fileobj=source, mode="rb") as packed:
            bounded = _Bounded(t.cast("t.IO[bytes]", packed), manifest.MOST_BYTES + _OVERHEAD)
            with tarfile.open(fileobj=t.cast("t.IO[bytes]", bounded), mode="r:") as tar:
                found = manifest.read(_first(tar, bounded))
                members = list(found.members())
                bounded.allow(sum(one.size for _part, one, _name in members) + _OVERHEAD * (len(members) + 16))
                _take(tar, bounded, found, store)
                if tar.next() is not None:
                    raise Damaged("it has more files than its manifest says")
            # What fills the last record, and nothing else; its end is where gzip has its own checksum.
            rest = packed.read(_LAST)
            if len(rest) == _LAST or rest.strip(b"\0"):
                raise Damaged("it has more than its manifest says")
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError) as error:
        if found is None and isinstance(error, tarfile.TarError):
            raise Foreign("it is no archive of this collection") from None
        raise Damaged("it ends too early or was changed") from None
    return found


def _first(tar: tarfile.TarFile, bounded: _Bounded) -> bytes:
    member = tar.next()
    if member is None or not _is_plain(member, manifest.NAME):
        raise Foreign("it has no manifest of this collection")
    if member.size > manifest.MOST_BYTES:
        raise Damaged("its manifest is too long")
    return b"".join(_blocks(bounded, member))


def _take(tar: tarfile.TarFile, bounded: _Bounded, found: Manifest, store: Store) -> None:
    names = {(id(part), one.path): name for part, one, name in found.members()}
    for part in found.parts:
        files = list(part.files)
        # It says what it is only once all of it was checked.
        with store.part(Part(part.kind, part.host, part.folder, [], part.uses, part.notes)) as writer:
            for one in files:
                member = tar.next()
                name = names[id(part), one.path]
                if member is None or not _is_plain(member, name) or member.size != one.size:
                    raise Damaged("its files are not those of its manifest")
                bounded.seek(member.offset_data)
                writer.add(one.path, checked(t.cast("t.IO[bytes]", bounded), one))


def _is_plain(member: tarfile.TarInfo, name: str) -> bool:
    plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not getattr(member, "sparse", None)
    return plain and member.name == name


def _blocks(bounded: _Bounded, member: tarfile.TarInfo) -> t.Iterator[bytes]:
    bounded.seek(member.offset_data)
    left = member.size
    while left:
        block = bounded.read(min(left, _BLOCK))
        if not block:
            raise Damaged("it ends too early")
        left -= len(block)
        yield block
