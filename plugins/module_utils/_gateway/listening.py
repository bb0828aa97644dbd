# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a gateway listens itself, where another one in the same network namespace does, too.

Source: proc(5) on /proc/PID/net/tcp, where 0A is the state LISTEN (TCP_LISTEN in the kernel's tcp_states.h).
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

_LISTEN = "0A"
_SOCKET = re.compile(r"socket:\[([0-9]+)\]\Z")


def listens(pid: int, port: int, proc: Path = Path("/proc")) -> bool:
    """Whether this very process has a socket that takes connections at the port."""
    return bool(_listening(proc / str(pid) / "net", port) & _sockets(proc / str(pid) / "fd"))


def _listening(net: Path, port: int) -> set[str]:
    """The numbers of all sockets of the namespace that take connections at the port."""
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (net / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


def _sockets(folder: Path) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for descriptor in folder.iterdir():
            # It may be closed by now.
            with contextlib.suppress(OSError):
                match = _SOCKET.match(os.readlink(descriptor))
                found |= {match.group(1)} if match else set()
    return found
