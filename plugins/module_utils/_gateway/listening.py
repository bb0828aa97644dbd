# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a gateway listens itself, where another one in the same network namespace does, too; and that it stops.

Sources: proc(5) on /proc/PID/net/tcp, where 0A is the state LISTEN (TCP_LISTEN in the kernel's tcp_states.h), and on
/proc/PID/net/udp, where 07 is a socket that is not connected; pidfd_open(2), pidfd_getfd(2); udp(7) on connect(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import socket
from pathlib import Path

_LISTEN, _UNCONNECTED = "0A", "07"
# The same on each architecture.
_PIDFD_OPEN, _PIDFD_GETFD = 434, 438
_SOCKET = re.compile(r"socket:\[([0-9]+)\]\Z")


def listens(pid: int, port: int, proc: Path = Path("/proc")) -> bool:
    """Whether this very process has a socket that takes connections at the port."""
    taking = _at(proc / str(pid) / "net", port, ("tcp", "tcp6"), _LISTEN)
    return bool(taking & set(_sockets(proc / str(pid) / "fd").values()))


def hear_nobody(pid: int, port: int) -> int:
    """Have the datagrams that come to the port reach other processes than this one; returns how many sockets it had.

    A server that has been told to end still has them, and those who are new would wait for its answer in vain. A socket
    that is connected, to a port where nobody is, gets nothing of others. Raises OSError, on kernels before 5.6 also.
    """
    proc = Path("/proc", str(pid))
    taking = _at(proc / "net", port, ("udp", "udp6"), _UNCONNECTED)
    mine = {number: inode for number, inode in _sockets(proc / "fd").items() if inode in taking}
    failed = None
    for number, inode in mine.items():
        try:
            with _borrowed(pid, number) as one:
                if os.fstat(one.fileno()).st_ino == int(inode):
                    one.connect(("::1" if one.family == socket.AF_INET6 else "127.0.0.1", 9))
        except OSError as error:
            failed = error
    if failed:
        raise failed
    return len(mine)


def _borrowed(pid: int, number: int) -> socket.socket:
    """The very socket that another process has under this number."""
    process = _call(_PIDFD_OPEN, pid, 0)
    try:
        return socket.socket(fileno=_call(_PIDFD_GETFD, process, number, 0))
    finally:
        os.close(process)


def _call(number: int, *arguments: int) -> int:
    found = int(ctypes.CDLL(None, use_errno=True).syscall(number, *arguments))
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return found


def _at(net: Path, port: int, tables: tuple[str, str], state: str) -> set[str]:
    """The inodes of all sockets of the namespace that are in this state at the port."""
    found = set()
    for table in tables:
        try:
            lines = (net / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == state and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


def _sockets(folder: Path) -> dict[int, str]:
    """The descriptors of a process that are sockets, with their inodes."""
    found = {}
    with contextlib.suppress(OSError):
        for descriptor in folder.iterdir():
            # It may be closed by now.
            with contextlib.suppress(OSError):
                if match := _SOCKET.match(os.readlink(descriptor)):
                    found[int(descriptor.name)] = match.group(1)
    return found
