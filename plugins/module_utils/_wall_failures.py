# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a gateway that slows down who fails from hiding behind that: it judges each attack as if it were the first."""

from __future__ import annotations

import contextlib
import os
import threading
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

# Tries that are under way at once, two requests each, and some more: with a lower limit they go one by one.
_TOGETHER = 10


class Untouchable(GatehouseError):
    """The file that makes the gateway forget cannot be touched."""


class Forgetting:
    """Before each try the file at `path` is touched, so that the gateway forgets its count; not with a limit of 0."""

    def __init__(self, path: str | None, limit: int) -> None:
        self._path = path if limit > 0 else None
        self._lock: t.ContextManager[t.Any] = threading.Lock() if 0 < limit < _TOGETHER else contextlib.nullcontext()

    @contextlib.contextmanager
    def one_try(self) -> t.Iterator[None]:
        """A try that counts as the first."""
        with self._lock:
            if self._path is not None:
                try:
                    os.utime(self._path)
                except OSError as error:
                    raise Untouchable("%s: it cannot be touched: %s" % (self._path, error.strerror)) from None
            yield
