# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a gateway that slows down who fails from hiding behind that: it judges each attack as if it were the first."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

# Tries that are under way at once, two requests each, and some more: with a lower limit they go one by one.
_TOGETHER = 10
# As many contents follow one another: no look at the file finds the one that it found before.
_CONTENTS = 64


class Unwritable(GatehouseError):
    """The file that makes the gateway forget cannot be replaced."""


class Forgetting:
    """Before each try the JSON file at `path` gets another content that says the same; not with a limit of 0."""

    def __init__(self, path: str | None, limit: int) -> None:
        self._path = path if limit > 0 else None
        self._count = itertools.count()
        self._writing = threading.Lock()
        self._lock: t.ContextManager[t.Any] = threading.Lock() if 0 < limit < _TOGETHER else contextlib.nullcontext()

    @contextlib.contextmanager
    def one_try(self) -> t.Iterator[None]:
        """A try that counts as the first."""
        with self._lock:
            if self._path is not None:
                try:
                    with self._writing:
                        self._rewrite(self._path)
                except OSError as error:
                    raise Unwritable("%s: it cannot be replaced: %s" % (self._path, error.strerror)) from None
            yield

    def _rewrite(self, path: str) -> None:
        new = path + ".new"
        with open(path, "rb") as file:
            content, there = file.read().rstrip(), os.fstat(file.fileno())
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content + b"\n" * (1 + next(self._count) % _CONTENTS))
            os.fchown(file.fileno(), there.st_uid, there.st_gid)
            os.fchmod(file.fileno(), there.st_mode & 0o777)
        os.replace(new, path)
