# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders that are reached by no link, for others may have put one on the way, and it would lead root anywhere."""

from __future__ import annotations

import contextlib
import os
import typing as t

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# On the way it is enough to be able to pass.
_PASSED = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def first_link(path: str) -> str:
    """The first link on the way to an absolute path, or the path itself; empty if there is none. Raises OSError."""
    above = "/"
    for part in filter(None, path.split("/")):
        above = os.path.join(above, part)
        if os.path.islink(above):
            return above
    return ""


@contextlib.contextmanager
def opened(path: str, below: int | None = None) -> t.Iterator[int]:
    """The descriptor of a folder, absolute or below an open one. Raises OSError, also where a link is on the way."""
    with contextlib.ExitStack() as folders:
        parts = ["/" if below is None else ".", *filter(None, path.split("/"))]
        try:
            for part in parts[:-1]:
                below = os.open(part, _PASSED, dir_fd=below)
                folders.callback(os.close, below)
            descriptor = os.open(parts[-1], _FOLDER, dir_fd=below)
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from None
        folders.callback(os.close, descriptor)
        yield descriptor
