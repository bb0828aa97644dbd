# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files below a folder of a host, reached by no link: the gateway may write to some of them, and root reads here."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.names import Tree, is_path, tree_of
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import HostFileError

_BLOCK = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe in the place of a file would wait for ever.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Below:
    """What is below one folder; links on the way to it are the user's. All may raise OSError."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def files(self, trees: t.Sequence[Tree]) -> tuple[dict[str, int], list[str]]:
        """The files of the trees with their sizes, and what else lies there and is in no backup.

        Links are passed by in silence, and what else certbot has: it makes that anew.
        """
        found: dict[str, int] = {}
        left_out: list[str] = []
        for path in sorted(path for tree in trees for path in self._names(tree.path)):
            size = self._size(path)
            if size is None:
                continue
            if tree_of(trees, path):
                found[path] = size
            elif not any(part.startswith(".") for part in path.split("/")) and not _is_certbots(trees, path):
                left_out.append(path)
        return found, left_out

    def read(self, path: str, offset: int, length: int) -> bytes:
        """So much of a file from there on; raises HostFileError if it is not there any more."""
        with self._opened(path) as file:
            file.seek(offset)
            content = file.read(length)
        if len(content) != length:
            raise HostFileError("%s became shorter while it was read; run again" % os.path.join(self.folder, path))
        return content

    def digest(self, path: str, length: int) -> str | None:
        """The SHA-256 of the first so many bytes; None if there are fewer, or no file is there."""
        found, left = hashlib.sha256(), length
        try:
            with self._opened(path) as file:
                while left:
                    block = file.read(min(left, _BLOCK))
                    if not block:
                        return None
                    found.update(block)
                    left -= len(block)
        except FileNotFoundError:
            return None
        return found.hexdigest()

    def size(self, path: str) -> int | None:
        """The bytes of a file, None if nothing is there; raises HostFileError if it is no file."""
        try:
            with self._parent(path) as parent:
                there = os.lstat(os.path.basename(path), dir_fd=parent) if parent is not None else None
        except FileNotFoundError:
            there = None
        if there is not None and not stat.S_ISREG(there.st_mode):
            raise HostFileError("%s is no regular file" % os.path.join(self.folder, path))
        return there.st_size if there else None

    def write(self, path: str, content: t.Iterable[bytes], tree: Tree) -> None:
        """Make this the content of a file, by renaming: if `content` raises, what was there stays."""
        name = os.path.basename(path)
        # Nobody else's: two gateways may share a folder of the controller.
        new = f".{name}.{secrets.token_hex(8)}.new"
        with self._parent(path, tree) as parent:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(new, flags, 0o600, dir_fd=parent)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    for block in content:
                        file.write(block)
                    file.flush()
                    os.fsync(descriptor)
                    _hand_over(descriptor, tree, tree.mode)
                os.rename(new, name, src_dir_fd=parent, dst_dir_fd=parent)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(new, dir_fd=parent)

    def link(self, path: str, target: str, tree: Tree) -> bool:
        """Make a link where nothing is; whether it was made."""
        with self._parent(path, tree) as parent:
            try:
                os.symlink(target, os.path.basename(path), dir_fd=parent)
            except FileExistsError:
                return False
        return True

    def lexists(self, path: str) -> bool:
        return os.path.lexists(os.path.join(self.folder, path))

    def _names(self, path: str) -> t.Iterator[str]:
        """The paths of all that lies there and is no folder."""
        top = os.path.join(self.folder, path)
        if not os.path.isdir(top) or os.path.islink(top):
            if os.path.lexists(top):
                yield path
            return
        for above, folders, names in os.walk(top, onerror=_fail):
            # What cannot be in a backup is not looked into.
            folders[:] = [one for one in folders if is_path(one)]
            for name in names:
                yield os.path.relpath(os.path.join(above, name), self.folder)

    def _size(self, path: str) -> int | None:
        try:
            return self.size(path)
        except HostFileError:
            return None

    def _opened(self, path: str) -> t.BinaryIO:
        with self._parent(path) as parent:
            if parent is None:
                raise FileNotFoundError(2, os.strerror(2), os.path.join(self.folder, path))
            descriptor = os.open(os.path.basename(path), _FILE, dir_fd=parent)
        file = os.fdopen(descriptor, "rb")
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            file.close()
            raise HostFileError("%s is no regular file" % os.path.join(self.folder, path))
        return file

    @contextlib.contextmanager
    def _parent(self, path: str, make: Tree | None = None) -> t.Iterator[int | None]:
        """The open folder that a file is in; None if it is not there. With `make` it is made, as the tree says."""
        if make is not None:
            os.makedirs(self.folder, mode=0o755, exist_ok=True)
        with contextlib.ExitStack() as opened:
            try:
                descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                opened.callback(os.close, descriptor)
                for part in path.split("/")[:-1]:
                    if make is not None:
                        _make(part, descriptor, make)
                    descriptor = os.open(part, _FOLDER, dir_fd=descriptor)
                    opened.callback(os.close, descriptor)
            except FileNotFoundError:
                yield None
                return
            yield descriptor


def _is_certbots(trees: t.Sequence[Tree], path: str) -> bool:
    return any(one.certbot and path.startswith(one.path + "/") for one in trees)


def _make(name: str, parent: int, tree: Tree) -> None:
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        return
    descriptor = os.open(name, _FOLDER, dir_fd=parent)
    try:
        # Whose it is to be and who may write there, deploy says.
        _hand_over(descriptor, Tree("", group=tree.group), tree.folder_mode)
    finally:
        os.close(descriptor)


def _hand_over(descriptor: int, tree: Tree, mode: int) -> None:
    if os.geteuid() == 0:
        os.fchown(descriptor, tree.owner, tree.group)
    os.fchmod(descriptor, mode)


def _fail(error: OSError) -> None:
    raise error
