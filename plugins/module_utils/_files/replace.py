# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read files of a host, and replace them by renaming: whoever opens one has the old one or the new one, with the right
owner and mode. A loss of power leaves one of the two as well.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import typing as t


def read(path: str) -> str:
    """The text of the file, empty where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def publish(module: t.Any, path: str, content: bytes) -> None:
    """Make `content` that of a file that everybody may read; folders above it are created, and what fails is told."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        replace(module, path, content, mode=0o644)
    except OSError as error:
        module.fail_json(msg="%s cannot be written: %s" % (path, error.strerror))


def replace(module: t.Any, path: str, content: bytes, mode: int | None = None) -> None:
    """Make `content` that of the file, with the owner, group and mode that the module was given; raises OSError.

    Owner, group and mode that it was not given stay as they are, but for the mode if `mode` is given; a new file is of
    mode 0640. The folder must be there.
    With unsafe_writes, a file that cannot be replaced, such as one that is mounted, is written to.
    """
    folder, name = os.path.split(path)
    descriptor, new = tempfile.mkstemp(prefix=".%s." % name, dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        _take_over(path, new)
        if mode is not None:
            os.chmod(new, mode)
        module.set_fs_attributes_if_different(module.load_file_common_arguments(module.params, path=new), False)
        try:
            os.replace(new, path)
        except OSError:
            if not module.params.get("unsafe_writes"):
                raise
            with open(path, "wb") as f:
                f.write(content)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(new)


def _take_over(path: str, new: str) -> None:
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        there = None
    if there is None or not stat.S_ISREG(there.st_mode):
        os.chmod(new, 0o640)
        return
    # A user who is not root gives no file away.
    with contextlib.suppress(PermissionError):
        os.chown(new, there.st_uid, there.st_gid)
    os.chmod(new, stat.S_IMODE(there.st_mode))
