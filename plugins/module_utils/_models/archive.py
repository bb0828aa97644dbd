# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder in which Ollama keeps models, and copies of models from one such folder to another.

A model is a manifest, `manifests/<host>/<namespace>/<model>/<tag>`, which names blobs, `blobs/sha256-<64 digits>`; the
digest that Ollama shows of a model is the SHA-256 of its manifest. Whoever can write to such a folder could have put
links into it. None is ever followed, since root reads and writes here.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import stat
import typing as t
from dataclasses import dataclass

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._files import links
from ansible_collections.gatehouse.ollama.plugins.module_utils._models import names as model_names
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.names import Key, Name

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})\Z")
_BLOCK = 1 << 20
# No description of a model comes near.
_MOST_BYTES = 4 << 20
# Left on the disk beside what is copied.
_RESERVE = 64 << 20


@dataclass(frozen=True)
class Blob:
    digest: str
    size: int

    @property
    def file(self) -> str:
        return self.digest.replace(":", "-")


@dataclass(frozen=True)
class Model:
    name: Name
    manifest: bytes
    blobs: t.Tuple[Blob, ...]

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.manifest).hexdigest()

    @property
    def size(self) -> int:
        return sum(blob.size for blob in self.blobs)


def read_manifest(name: Name, content: bytes) -> Model:
    """The model that a manifest describes. Raises GatehouseError."""
    try:
        parts = json.loads(content)
        blobs = tuple(_blob(part) for part in [parts["config"], *parts["layers"]])
    except (ValueError, KeyError, TypeError):
        raise GatehouseError(f"the manifest of {name.short} is damaged") from None
    return Model(name, content, blobs)


def _blob(part: t.Dict[str, t.Any]) -> Blob:
    if not _DIGEST.match(part["digest"]) or part["size"] < 0:
        raise ValueError(part)
    return Blob(str(part["digest"]), int(part["size"]))


class Folder:
    """An open folder. What is in it is reached through it and by no link, whoever renames what meanwhile."""

    def __init__(self, path: str, descriptor: int, owner: t.Tuple[int, int]) -> None:
        self.path = path
        self._descriptor = descriptor
        # Whose the things are that are made in it.
        self._owner = owner

    @classmethod
    @contextlib.contextmanager
    def at(cls, path: str, follow_links: bool = True) -> t.Iterator[Folder]:
        """The folder at a path that the user names; links on the way there are the user's, unless others may write
        above it. Raises GatehouseError."""
        with contextlib.ExitStack() as opened:
            try:
                if follow_links:
                    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
                    opened.callback(os.close, descriptor)
                else:
                    descriptor = opened.enter_context(links.opened(path))
            except OSError as error:
                raise GatehouseError(f"{path}: {error.strerror}") from None
            there = os.fstat(descriptor)
            yield cls(path, descriptor, (there.st_uid, there.st_gid))

    @property
    def owner(self) -> int:
        return self._owner[0]

    @contextlib.contextmanager
    def within(self, *names: str, make: bool = False) -> t.Iterator[t.Optional[Folder]]:
        """A folder further down; None if it is not there and not to be made."""
        folder: t.Optional[Folder] = self
        with contextlib.ExitStack() as opened:
            for name in names:
                folder = folder and folder._child(name, make)
                if folder is not None:
                    opened.callback(os.close, folder._descriptor)
            yield folder

    def _child(self, name: str, make: bool) -> t.Optional[Folder]:
        path = os.path.join(self.path, name)
        with self._translate_errors(path):
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=self._descriptor)
                    self._hand_over(name)
            try:
                descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=self._descriptor)
            except FileNotFoundError:
                return None
        return Folder(path, descriptor, self._owner)

    def names(self) -> t.List[str]:
        with self._translate_errors(self.path):
            return sorted(os.listdir(self._descriptor))

    def size(self, name: str) -> t.Optional[int]:
        """The bytes of a file, None if there is none."""
        try:
            there = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return there.st_size if stat.S_ISREG(there.st_mode) else None

    def free(self) -> int:
        """The bytes that its disk has left for its owner."""
        return shutil.disk_usage(self._descriptor).free

    def read(self, name: str, owner: t.Optional[int] = None) -> t.Iterator[bytes]:
        """The content of a file, in blocks; with `owner`, only if it is that user's."""
        path = os.path.join(self.path, name)
        with self._translate_errors(path):
            # A pipe in the place of a file would wait for ever.
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self._descriptor)
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise GatehouseError(f"{path}: it is no file")
                if owner is not None and os.fstat(descriptor).st_uid != owner:
                    raise GatehouseError(f"{path}: it belongs to another user")
                yield from iter(lambda: file.read(_BLOCK), b"")

    def write(self, name: str, content: t.Iterable[bytes], mode: int = 0o644) -> None:
        """Make this the content of a file, by renaming: if `content` raises, nothing is there that was not before."""
        new = f".{name}.{os.getpid()}"
        with self._translate_errors(os.path.join(self.path, name)):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new, dir_fd=self._descriptor)
            descriptor = os.open(new, flags, mode, dir_fd=self._descriptor)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    for block in content:
                        file.write(block)
                    file.flush()
                    os.fsync(file.fileno())
                    os.fchmod(file.fileno(), mode)
                self._hand_over(new)
                os.rename(new, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(new, dir_fd=self._descriptor)

    def _hand_over(self, name: str) -> None:
        if os.geteuid() == 0:
            os.chown(name, *self._owner, dir_fd=self._descriptor, follow_symlinks=False)

    @contextlib.contextmanager
    def _translate_errors(self, path: str) -> t.Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise GatehouseError(f"{path}: it is a link or no folder, where Ollama has none") from None
            raise GatehouseError(f"{path}: {error.strerror}") from None


class Store:
    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    def models(self) -> t.List[Model]:
        return [self._read(name, path) for name, path in self._names()]

    def sound(self) -> t.Tuple[t.List[Model], t.List[str]]:
        """The models that can be read and are whole by their sizes, and what is wrong with the others."""
        found, problems = [], []
        for name, path in self._names():
            try:
                model = self._read(name, path)
                missing = self.missing(model)
                if missing:
                    raise GatehouseError(f"{missing[0].file} is missing or not whole")
            except GatehouseError as error:
                problems.append(f"{name.short}: {error}")
            else:
                found.append(model)
        return found, problems

    def find(self, name: Name) -> t.Optional[Model]:
        """The model of that name, in whatever spelling it is here."""
        found = self._find(name)
        return self._read(*found) if found else None

    def missing(self, model: Model) -> t.List[Blob]:
        """The blobs that are not here, by their size. What they hold was checked when they came."""
        with self.folder.within("blobs") as here:
            return [one for one in dict.fromkeys(model.blobs) if here is None or here.size(one.file) != one.size]

    def take(self, model: Model, source: Store) -> None:
        """Copy a model from another store. Every blob is checked on the way; the manifest comes last."""
        with source.folder.within("blobs") as there, self.folder.within("blobs", make=True) as here:
            for blob in self.missing(model):
                if there is None or here is None or there.size(blob.file) is None:
                    raise GatehouseError(f"{source.folder.path}: {blob.file} of {model.name.short} is missing")
                here.write(blob.file, _checked(there.read(blob.file), blob, there.path))
        # A model that is there keeps the spelling of its name: Ollama takes no two that differ in case alone.
        name = (self._find(model.name) or (model.name,))[0]
        with self.folder.within("manifests", name.host, name.namespace, name.model, make=True) as folder:
            if folder is not None:
                folder.write(name.tag, [model.manifest])

    def _find(self, name: Name) -> t.Optional[t.Tuple[Name, t.Tuple[str, ...]]]:
        return next((one for one in self._names() if one[0].key == name.key), None)

    def _names(self, path: t.Tuple[str, ...] = ("manifests",)) -> t.Iterator[t.Tuple[Name, t.Tuple[str, ...]]]:
        with self.folder.within(*path) as folder:
            # What begins with a dot was left by a copy that was broken off, or is not Ollama's.
            names = [one for one in folder.names() if not one.startswith(".")] if folder is not None else []
        for one in names:
            if len(path) < 4:
                yield from self._names((*path, one))
                continue
            name = model_names.parse("%s/%s/%s:%s" % (*path[1:], one))
            if name is not None:
                yield name, (*path, one)

    def _read(self, name: Name, path: t.Tuple[str, ...]) -> Model:
        content = b""
        with self.folder.within(*path[:-1]) as folder:
            for block in folder.read(path[-1]) if folder is not None else ():
                content += block
                if len(content) > _MOST_BYTES:
                    raise GatehouseError(f"{os.path.join(self.folder.path, *path)}: it is no manifest")
        return read_manifest(name, content)


def _checked(content: t.Iterable[bytes], blob: Blob, place: str) -> t.Iterator[bytes]:
    """The content, and at its end GatehouseError unless it is what the digest says."""
    found = hashlib.sha256()
    for block in content:
        found.update(block)
        yield block
    if "sha256:" + found.hexdigest() != blob.digest:
        raise GatehouseError(f"{place}/{blob.file} is damaged: its SHA-256 is {found.hexdigest()}")


@dataclass(frozen=True)
class Plan:
    """What is to be copied. `old` is the digest that a model has at the target, empty if it is not there."""

    model: Model
    old: str
    blobs: t.Tuple[Blob, ...]

    @property
    def needed(self) -> bool:
        return self.old != self.model.digest or bool(self.blobs)


def plan(models: t.Sequence[Model], target: t.Optional[Store]) -> t.List[Plan]:
    """What a copy of these models would bring to the target. None is a target that is not there yet."""
    plans = []
    coming: t.Set[Blob] = set()
    there: t.Dict[Key, Model] = {one.name.key: one for one in target.models()} if target else {}
    for model in models:
        missing = target.missing(model) if target else list(dict.fromkeys(model.blobs))
        old = there.get(model.name.key)
        plans.append(Plan(model, old.digest if old else "", tuple(blob for blob in missing if blob not in coming)))
        coming.update(missing)
    return plans


def refuse_if_too_large(plans: t.Sequence[Plan], folder: Folder) -> None:
    """Raise GatehouseError if the disk of the folder cannot take what is planned."""
    needed = sum(blob.size for one in plans for blob in one.blobs)
    free = folder.free()
    if needed and needed + _RESERVE > free:
        raise GatehouseError(
            f"{folder.path}: {needed / 1e9:.1f} GB are to be copied there, and {free / 1e9:.1f} GB are free; make "
            "room, or name fewer models"
        )
