# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders `secrets` and `ca` of the controller: what of them is in a backup, and how it comes back."""

from __future__ import annotations

import contextlib
import fcntl
import os
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.below import Below
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.manifest import SECRETS, File
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.names import Tree, is_path
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.memory import REVOKED
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.private_folder import (
    SecretFolder,
    check,
    make,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError, SecretStoreError

_WHAT = {SECRETS: "the folder of the keys"}
_CA = "the folder of the CA"
# No key, note or certificate comes near.
_LONGEST = 1 << 20


def contents(directory: str, kind: str) -> dict[str, bytes]:
    """The files of the folder, by their names; none if it is not there. Raises SecretStoreError."""
    found: dict[str, bytes] = {}
    with _told(directory):
        if not os.path.isdir(directory):
            return {}
        check(directory, _WHAT.get(kind, _CA))
        here = Below(directory)
        for name in sorted(os.listdir(directory)):
            if not is_path(name) or not os.path.isfile(os.path.join(directory, name)):
                continue
            size = here.size(name) or 0
            if size > _LONGEST:
                raise SecretStoreError(f"{directory}/{name} is too long for a key or a certificate")
            found[name] = here.read(name, 0, size)
    return found


def split(directory: str, files: t.Sequence[File]) -> tuple[list[File], list[File]]:
    """Those that the folder lacks, and those that it has with another content. Raises SecretStoreError."""
    lacking, different = [], []
    with _told(directory):
        here = Below(directory)
        for one in files:
            if "/" in one.path or one.size > _LONGEST:
                raise SecretStoreError(f"the archive has {one.path}, which is no file of {directory}")
            size = here.size(one.path)
            if size is None:
                lacking.append(one)
            elif size != one.size or here.digest(one.path, one.size) != one.sha256:
                different.append(one)
    return lacking, different


def put(directory: str, kind: str, files: t.Mapping[str, bytes]) -> None:
    """Write these files, each in place of what is there; what is revoked here stays so. Raises SecretStoreError."""
    with _told(directory):
        make(directory)
        check(directory, _WHAT.get(kind, _CA))
        here = Below(directory)
        with SecretFolder(directory).lock() if kind == SECRETS else _locked(directory):
            for name, content in files.items():
                # A certificate is given to clients.
                mode = 0o644 if kind != SECRETS and name.endswith(".pem") else 0o600
                size = (here.size(name) or 0) if kind == SECRETS and name.endswith(REVOKED) else 0
                there = here.read(name, 0, size) if size else b""
                lines = {*content.splitlines(), *there.splitlines()}
                new = b"".join(line + b"\n" for line in sorted(lines)) if there else content
                here.write(name, [new], Tree(name, mode=mode))


@contextlib.contextmanager
def _locked(directory: str) -> t.Iterator[None]:
    """Gateways that share the folder take turns; nothing of the lock stays there."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _told(directory: str) -> t.Iterator[None]:
    try:
        yield
    except GatehouseError:
        raise
    except OSError as error:
        raise SecretStoreError(f"{error.filename or directory} on the controller: {error.strerror}") from None
