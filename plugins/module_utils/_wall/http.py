# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests as bytes, also ones that no HTTP library would send, and what came back on the connection."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
import typing as t
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ansible_collections.gatehouse.ollama.plugins.module_utils._text.addresses import bracketed

# Enough to judge an answer, and to show its beginning.
_MOST_BYTES = 65536
# What Host says, unless the gateway has a name of its own.
HOST = "ollama"
# Not at the beginning of a line: a second answer follows a body directly.
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [A-Z]|\s)")

Wrap = t.Callable[[socket.socket], socket.socket]


@dataclass(frozen=True)
class Header:
    """A header field; `shown` stands for a value that nobody may read."""

    name: str
    value: bytes = field(repr=False)
    shown: str = ""

    def text(self) -> str:
        return f"{self.name}: {self.shown or _printable(self.value)}"


@dataclass(frozen=True)
class Request:
    """Bytes to send, and the same for people to read, without a secret."""

    raw: bytes = field(repr=False)
    shown: str


@dataclass(frozen=True)
class Answer:
    """All that came back on a connection; `error` says why nothing did. One that was left open may still be served."""

    raw: bytes = b""
    error: str = ""
    timed_out: bool = False
    # Whether anybody took the connection at all.
    connected: bool = True
    # An alert of TLS ended it: that is an answer too.
    alerted: bool = False

    @property
    def statuses(self) -> list[int]:
        """The final statuses, one for each request that was understood; 1xx are none, but 101 is."""
        found = [int(status) for status in _STATUS.findall(self.raw)]
        return [status for status in found if status >= 200 or status == 101]

    @property
    def status(self) -> int:
        """The first status, 0 if there is none."""
        return self.statuses[0] if self.statuses else 0

    def shown(self, secrets: t.Iterable[bytes] = ()) -> str:
        """The beginning, for people to read; whatever of `secrets` came back is hidden."""
        if not self.raw:
            return self.error or "nothing, the connection was closed"
        text = self.raw
        if text[:1] == b"\x16" and text[5:6] == b"\x02":
            return f"a ServerHello, version {text[9:11].hex()}"
        for secret in secrets:
            text = text.replace(secret, b"<a credential>")
        return _printable(text[:400])


@dataclass(frozen=True)
class Address:
    host: str
    port: int
    tls: bool = False
    # Whether each connection begins with the PROXY protocol, here by a line that names no client.
    proxied: bool = False

    @property
    def name(self) -> str:
        """As a URL and the header Host write it."""
        return f"{bracketed(self.host)}:{self.port}"


def introduce(address: Address, sock: socket.socket) -> None:
    """Send what comes before anything else."""
    if address.proxied:
        sock.sendall(b"PROXY UNKNOWN\r\n")


def read_url(url: str, proxied: bool = False) -> Address:
    """The address in a URL without a path; raises ValueError if it is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("it must be a URL such as http://127.0.0.1:8880, without a path")
    tls = parts.scheme == "https"
    return Address(parts.hostname, parts.port or (443 if tls else 80), tls, proxied)


def request(
    method: str,
    target: str,
    headers: t.Sequence[Header] = (),
    body: bytes = b"",
    host: str = HOST,
    version: str = "HTTP/1.1",
    close: bool = True,
) -> Request:
    """A request with exactly these headers next to Host, Content-Length if there is a body, and Connection."""
    fields = [Header("Host", host.encode()), *headers]
    if body:
        fields.append(Header("Content-Length", b"%d" % len(body)))
    if close:
        fields.append(Header("Connection", b"close"))
    line = f"{method} {target} {version}"
    lines = [line.encode("utf-8", "surrogateescape"), *(one.name.encode() + b": " + one.value for one in fields)]
    shown = [_printable(lines[0]), *(one.text() for one in fields), "", _printable(body)]
    return Request(b"\r\n".join(lines) + b"\r\n\r\n" + body, "\n".join(shown).strip())


def join(*requests: Request) -> Request:
    """Several requests in one go, on one connection."""
    return Request(b"".join(one.raw for one in requests), "\n\n".join(one.shown for one in requests))


def named(sent: Request, name: str) -> Request:
    """The same with this name in the header Host, where it has the usual one."""
    raw = sent.raw.replace(b"\r\nHost: %s\r\n" % HOST.encode(), b"\r\nHost: %s\r\n" % name.encode())
    return Request(raw, re.sub(f"^Host: {HOST}$", lambda _found: f"Host: {name}", sent.shown, flags=re.MULTILINE))


def send(
    address: Address, raw: bytes, timeout: float, wrap: Wrap | None = None, to_connect: float | None = None
) -> Answer:
    """Send the bytes and read until the server closes, enough is read or `timeout` seconds are over.

    Plainly, unless `wrap` makes more of the connection. It must be there within `to_connect` seconds, if given.
    """
    deadline = time.monotonic() + timeout
    received = b""
    connected = False
    try:
        with contextlib.ExitStack() as opened:
            place = (address.host, address.port)
            sock = opened.enter_context(socket.create_connection(place, to_connect or timeout))
            connected = True
            sock.settimeout(timeout)
            introduce(address, sock)
            if wrap is not None:
                sock = opened.enter_context(wrap(sock))
            # Who refuses at once may have said so before all was sent.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
                sock.sendall(raw)
            while len(received) < _MOST_BYTES:
                sock.settimeout(max(deadline - time.monotonic(), 0.001))
                piece = sock.recv(_MOST_BYTES)
                if not piece:
                    break
                received += piece
    except socket.timeout:
        if not connected:
            return Answer(b"", "no connection within %g seconds" % (to_connect or timeout), True, connected=False)
        return Answer(received, f"nothing within {timeout:g} seconds", timed_out=True)
    except OSError as error:
        # OpenSSL's names of what the other side said.
        alerted = str(getattr(error, "reason", "")).startswith(("SSLV3_ALERT", "TLSV1"))
        return Answer(received, error.strerror or str(error), connected=connected, alerted=alerted)
    return Answer(received)


def _printable(value: bytes) -> str:
    text = value.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
    text = "".join(sign if sign == "\n" or sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text)
    return text if len(text) <= 600 else f"{text[:200]}... ({len(text)} characters)"
