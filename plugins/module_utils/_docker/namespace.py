# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that begin inside a container's network, for servers that can be reached from nowhere else."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import typing as t

_CLONE_NEWNET = 0x40000000
# Of this thread, not of the process: a thread that moves does not take the others along.
_OWN = "/proc/thread-self/ns/net"


class NamespaceError(OSError):
    """The network of another process cannot be entered; the text says why."""


@contextlib.contextmanager
def network_of(pid: int) -> t.Iterator[None]:
    """Let this thread be in the network of that process for a while. A socket made there stays there."""
    with contextlib.ExitStack() as opened:
        try:
            own, other = [opened.enter_context(open(path, "rb")) for path in (_OWN, "/proc/%d/ns/net" % pid)]
        except PermissionError:
            raise NamespaceError(errno.EPERM, "only root may enter the network of a container; use become") from None
        _enter(other)
        try:
            yield
        finally:
            _enter(own)


def connect(pid: int, address: str, port: int, timeout: float) -> socket.socket:
    """A connection from inside the network of that process. Raises OSError."""
    with network_of(pid):
        return socket.create_connection((address, port), timeout)


def _enter(namespace: t.BinaryIO) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace.fileno(), _CLONE_NEWNET) == 0:
        return
    code = ctypes.get_errno()
    if code == errno.EPERM:
        raise NamespaceError(code, "only root may enter the network of a container; use become")
    raise NamespaceError(code, "the network of the container cannot be entered: %s" % os.strerror(code))
