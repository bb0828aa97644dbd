# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated secrets on the controller: one file each, mode 0600, in a folder of mode 0700."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import tempfile
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import Key
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.private_folder import (
    check,
    check_file,
    make,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import SecretStoreError

# Long enough for what is stored, short enough for whatever else the file may be.
_LONGEST = 1 << 20
_LOCK = ".lock"


class SecretStore:
    def __init__(self, directory: str) -> None:
        self.directory = directory

    def path(self, name: str) -> str:
        """Where the secret of `<client>.<id>` is kept."""
        return os.path.join(self.directory, name)

    def is_there(self) -> bool:
        """Whether the folder is there; raises SecretStoreError if keys in it cannot be trusted."""
        try:
            self._check_directory()
        except FileNotFoundError:
            return False
        except OSError as error:
            message = "%s: the folder of the keys cannot be looked at: %s"
            raise SecretStoreError(message % (self.directory, error.strerror)) from None
        return True

    def load(self, name: str) -> str | None:
        """The stored secret, None if there is none; raises SecretStoreError if it cannot be used."""
        return self.load_from_checked(name) if self.is_there() else None

    def load_from_checked(self, name: str) -> str | None:
        """As load, for one of many keys after a single look at the folder that they share."""
        content = self._read_from_checked(name, "the stored key")
        secret = None if content is None else content.strip()
        if secret is not None and not key_form.verify(secret):
            state = "damaged" if secret else "empty"
            message = "%s: the stored key is %s; restore the file, or remove it to have a new key generated"
            raise SecretStoreError(message % (self.path(name), state))
        return secret

    def read(self, name: str, what: str) -> str | None:
        """The text of a file of the folder, None if there is none; raises SecretStoreError if it cannot be trusted."""
        return self._read_from_checked(name, what) if self.is_there() else None

    def _read_from_checked(self, name: str, what: str) -> str | None:
        path = self.path(name)
        try:
            with open(path, "rb", opener=_no_link) as f:
                status = os.fstat(f.fileno())
                content = f.read(_LONGEST)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                message = "%s: %s is a symbolic link; put the file itself there"
                raise SecretStoreError(message % (path, what)) from None
            raise SecretStoreError("%s: %s cannot be read: %s" % (path, what, error.strerror)) from None
        check_file(path, what, status)
        return content.decode("ascii", "replace")

    def write(self, name: str, text: str, what: str) -> None:
        """Put `text` into a file of the folder, in place of what was there. Who finds it can read it completely."""
        path = self.path(name)
        try:
            self._make_directory()
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
            raise SecretStoreError("%s: %s cannot be stored: %s" % (path, what, error.strerror)) from None

    def remove(self, name: str) -> None:
        """Remove a file of the folder, if it is there."""
        try:
            os.unlink(self.path(name))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise SecretStoreError("%s: it cannot be removed: %s" % (self.path(name), error.strerror)) from None

    def names(self) -> set[str]:
        """The files of the folder."""
        try:
            return set(os.listdir(self.directory))
        except FileNotFoundError:
            return set()
        except OSError as error:
            message = "%s: the folder of the keys cannot be read: %s"
            raise SecretStoreError(message % (self.directory, error.strerror)) from None

    @contextlib.contextmanager
    def lock(self) -> t.Iterator[None]:
        """Keep other processes from changing what is stored, as long as they ask for the lock as well."""
        path = self.path(_LOCK)
        try:
            self._make_directory()
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SecretStoreError("%s: it cannot be locked: %s" % (path, error.strerror)) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _make_directory(self) -> None:
        make(self.directory)
        self._check_directory()

    def _check_directory(self) -> None:
        check(self.directory, "the folder of the keys")


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def stored_secrets(keys: t.Iterable[Key], store: SecretStore | None, variable: str) -> tuple[dict[str, str], list[str]]:
    """The secrets by the keys' names, given or stored, and the problems. Those to be generated are left out."""
    secrets: dict[str, str] = {}
    problems = []
    keys = list(keys)
    given = {key.secret: key for key in keys if key.secret is not None}
    is_there = False
    if store is not None and any(key.secret is None for key in keys):
        try:
            is_there = store.is_there()
        except SecretStoreError as error:
            return {}, ["%s: %s" % (variable, error)]
    for key in keys:
        if key.secret is not None:
            secrets[key.name] = key.secret
        elif store is None:
            problems.append(
                "%s: it has no secret, and %s does not say where to keep a generated one" % (key.place, variable)
            )
        else:
            try:
                secret = store.load_from_checked(key.name) if is_there else None
            except SecretStoreError as error:
                problems.append("%s: %s" % (key.place, error))
            else:
                if secret is None:
                    continue
                secrets[key.name] = secret
                other = given.setdefault(secret, key)
                if other is not key:
                    message = "%s: the stored key %s is that of %s too; give each key its own"
                    problems.append(message % (key.place, store.path(key.name), other.place))
    return secrets, problems
