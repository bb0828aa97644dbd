# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what Python compiles of the modules that Ansible sends.

A module comes as a zip of source files, some sixty of them, which Python compiles for each task anew: half of the work
of a lab host. Here each is compiled once. What runs is the same; only the path of a file in a traceback may be that of
an earlier task. Loaded by compiled_once.pth at every start of Python, hence without imports that take time.
"""

from __future__ import annotations

import marshal
import os
import zipimport

FOLDER = "/var/cache/compiled-once"

_compile = zipimport._compile_source  # type: ignore[attr-defined]


def _compile_once(pathname: str, source: bytes) -> object:
    import hashlib

    path = os.path.join(FOLDER, hashlib.sha256(source).hexdigest())
    try:
        with open(path, "rb") as stream:
            return marshal.load(stream)
    except (OSError, EOFError, ValueError, TypeError):
        pass
    code = _compile(pathname, source)
    try:
        os.makedirs(FOLDER, mode=0o700, exist_ok=True)
        new = f"{path}.{os.getpid()}"
        with open(new, "wb") as stream:
            marshal.dump(code, stream)
        os.replace(new, path)
    except OSError:
        # An ordinary user may not write there.
        pass
    return code


zipimport._compile_source = _compile_once  # type: ignore[attr-defined]
