# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and replace files of a host that are for everybody to read."""

from __future__ import annotations

import os
import tempfile
import typing as t


def read(path: str) -> str:
    """The text of the file, empty where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def write(module: t.Any, path: str, content: bytes) -> None:
    """Put the content in the place of the file in one step; directories above it are created."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=module.tmpdir)
    module.add_cleanup_file(temporary)
    with os.fdopen(descriptor, "wb") as f:
        f.write(content)
    module.atomic_move(temporary, path)
    module.set_mode_if_different(path, "0644", False)
