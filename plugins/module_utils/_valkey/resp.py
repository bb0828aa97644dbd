# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of Valkey and Sentinel: TLS, and the second version of their protocol (RESP)."""

from __future__ import annotations

import contextlib
import socket
import ssl
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

# What stands in the certificate of each node.
NAME = "gatehouse-state"
# More than any answer that is asked for here.
_LONGEST = 1 << 16
_MOST = 1024

Reply = t.Union[str, int, None, t.List[t.Any]]


class Unreachable(GatehouseError):
    """Nobody answers there, or not as Valkey does, or the connection ended."""


class Refused(GatehouseError):
    """An answer that is an error; the text begins with its kind, such as NOAUTH."""


class Node:
    """A connection to one of them. Raises Unreachable."""

    def __init__(self, address: str, port: int, ca: str, timeout: float = 3.0) -> None:
        self._place = "%s port %d" % (address, port)
        try:
            raw = socket.create_connection((address, port), timeout)
            try:
                self._socket = _context(ca).wrap_socket(raw, server_hostname=NAME)
            except (OSError, ValueError):
                raw.close()
                raise
        except (OSError, ValueError) as error:
            raise Unreachable("%s: %s" % (self._place, error)) from None
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Node:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
            self._socket.close()

    def call(self, *words: str) -> Reply:
        """The answer to a command. Raises Refused, Unreachable."""
        try:
            self._socket.sendall(command(*words))
            return read(self._file)
        except (OSError, ValueError) as error:
            raise Unreachable("%s: %s" % (self._place, error)) from None


def _context(ca: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def command(*words: str) -> bytes:
    parts = [word.encode("utf-8") for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def read(file: t.BinaryIO) -> Reply:
    """One answer. Raises Refused where it is an error, ValueError where it is none."""
    line = file.readline(_LONGEST)
    kind, rest = line[:1], line[1:-2].decode("utf-8", "replace")
    if not line.endswith(b"\r\n"):
        raise ValueError("the connection ended within an answer")
    if kind == b"+":
        return rest
    if kind == b"-":
        raise Refused(rest)
    if kind not in (b":", b"$", b"*"):
        raise ValueError("what answers is no Valkey")
    number = int(rest)
    if kind == b":":
        return number
    if number > (_LONGEST if kind == b"$" else _MOST):
        raise ValueError("an answer is too long")
    if number < 0:
        return None
    if kind == b"$":
        return _text(file, number)
    return [read(file) for _item in range(number)]


def _text(file: t.BinaryIO, length: int) -> str:
    text = file.read(length + 2)
    if len(text) < length + 2:
        raise ValueError("the connection ended within an answer")
    return text[:-2].decode("utf-8", "replace")
