# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Lua readers of bodies, run by the interpreter that OpenResty has."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.component.rendering import ROLE

HERE = Path(__file__).parent


class Lua:
    """One luajit that reads bodies."""

    def __init__(self) -> None:
        path = f"{ROLE}/files/lua/?.lua;;"
        self.process = subprocess.Popen(
            ["luajit", HERE / "parsers.lua"],
            env={"LUA_PATH": path, "PATH": "/usr/bin:/bin"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read(self, size: int, *given: bytes) -> list[bytes] | None:
        """The names of the body; None if it is refused. For a form its Content-Type and the query follow the body."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{size} " + "".join(":" + value.hex() for value in given) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline().split()
        return None if line == ["refused"] else [bytes.fromhex(name) for name in line[1:]]

    def stop(self) -> None:
        self.process.communicate(timeout=10)
