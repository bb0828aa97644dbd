# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders on the controller that hold secrets: how they are made, whose they and their files must be, and what is read
and written there: files of mode 0600 in a folder of mode 0700.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import SecretStoreError

# Beside the inventory. Ansible never reads what begins with a dot as a part of an inventory.
HIDDEN = ".gatehouse"

_KEYS = "the folder of the keys"
# Long enough for what is stored, short enough for whatever else the file may be.
_LONGEST = 1 << 20


def make(directory: str) -> None:
    """Make the folder, with a .gitignore beside it if that is ours to write; raises OSError."""
    parent = os.path.dirname(os.path.abspath(directory))
    if os.path.basename(parent) == HIDDEN:
        os.makedirs(parent, mode=0o700, exist_ok=True)
        with contextlib.suppress(FileExistsError), open(os.path.join(parent, ".gitignore"), "x") as f:
            f.write("*\n")
    os.makedirs(directory, mode=0o700, exist_ok=True)


def check(directory: str, what: str) -> None:
    """Whoever could put or swap files in the folder could choose the keys. It may be a link, made by us or root.

    Raises SecretStoreError, and OSError if the folder is not there or cannot be looked at.
    """
    status = os.stat(directory)
    check_owner(directory, what, status)
    check_owner(directory, f"the link to {what}", os.lstat(directory.rstrip("/")))
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SecretStoreError(f"{directory}: others than its owner may write into {what}; run chmod 700 on it")


def check_file(path: str, what: str, status: os.stat_result) -> None:
    """A file with a secret must be ours or root's, and nobody else's to read."""
    check_owner(path, what, status)
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mode = f"mode {stat.S_IMODE(status.st_mode):04o} lets others than its owner at {what}"
        raise SecretStoreError(f"{path}: {mode}; run chmod 600 on it, and replace the key if they may have read it")


def check_owner(path: str, what: str, status: os.stat_result) -> None:
    if status.st_uid not in (0, os.geteuid()):
        right = f"it must belong to the user that runs Ansible (uid {os.geteuid()}) or to root"
        advice = "run chown on it, and replace the keys if that user is not to know them"
        raise SecretStoreError(f"{path}: {what} belongs to uid {status.st_uid}; {right}: {advice}")


class SecretFolder:
    """A folder of keys. Who reads there has looked at the folder itself by `is_there`, or holds the lock.

    All errors are SecretStoreError, with the path.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def path(self, name: str) -> str:
        return os.path.join(self.directory, name)

    def is_there(self) -> bool:
        """Whether the folder is there; an error if keys in it cannot be trusted."""
        try:
            check(self.directory, _KEYS)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise SecretStoreError(f"{self.directory}: {_KEYS} cannot be looked at: {error.strerror}") from None
        return True

    @contextlib.contextmanager
    def lock(self) -> t.Iterator[None]:
        """Make and check the folder, and keep others from changing what is stored, as long as they ask as well."""
        path = self.path(".lock")
        try:
            make(self.directory)
            check(self.directory, _KEYS)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SecretStoreError(f"{path}: it cannot be locked: {error.strerror}") from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def names(self) -> set[str]:
        try:
            return set(os.listdir(self.directory))
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise SecretStoreError(f"{self.directory}: {_KEYS} cannot be read: {error.strerror}") from None

    def read(self, name: str, what: str) -> str | None:
        """The text of a file, None if there is none; an error if it cannot be trusted."""
        path = self.path(name)
        try:
            with open(path, "rb", opener=_no_link) as f:
                status, content = os.fstat(f.fileno()), f.read(_LONGEST)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise SecretStoreError(f"{path}: {what} is a symbolic link; put the file itself there") from None
            raise SecretStoreError(f"{path}: {what} cannot be read: {error.strerror}") from None
        check_file(path, what, status)
        return content.decode("ascii", "replace")

    def write(self, name: str, text: str, what: str) -> None:
        """Put `text` into a file, in place of what was there. Who finds it can read it completely."""
        path = self.path(name)
        try:
            fd, temporary = tempfile.mkstemp(prefix=".new-", dir=self.directory)  # mode 0600
            try:
                with os.fdopen(fd, "w") as f:
                    f.write(text)
                    f.flush()
                    os.fsync(f.fileno())
                os.replace(temporary, path)
            except OSError:
                os.unlink(temporary)
                raise
        except OSError as error:
            raise SecretStoreError(f"{path}: {what} cannot be stored: {error.strerror}") from None

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        try:
            os.unlink(self.path(name))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise SecretStoreError(f"{self.path(name)}: it cannot be removed: {error.strerror}") from None


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)
