# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.x as Go's net/http speaks it: requests read, responses framed, mistakes answered."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

MAX_HEAD = (1 << 20) + 4096
# Go reads this much of a body that nobody asked for, to keep the connection; beyond it, it closes.
MAX_DISCARD = 256 << 10
# What fits Go's buffer gets a Content-Length, anything longer goes out chunked.
BUFFER = 2048

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VERSION = re.compile(r"HTTP/(\d)\.(\d)")
_HOST = re.compile(r"[A-Za-z0-9!$%&'()*+,\-.:;=\[\]_~]*")


class WireError(Exception):
    """The request cannot be understood; answered in plain text, then the connection is closed."""

    def __init__(self, status: int, detail: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail

    def reply(self) -> bytes:
        line = f"{self.status} {HTTPStatus(self.status).phrase}"
        text = f"{line}: {self.detail}" if self.detail else line
        head = f"HTTP/1.1 {line}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
        return (head + text).encode()


@dataclass
class Head:
    method: str
    target: str
    version: tuple[int, int]
    headers: list[tuple[str, str]]
    path: str = "/"
    # Before percent-encoded characters were decoded.
    raw_path: str = "/"
    query: str = ""
    host: str = ""

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]

    def get(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    def has_token(self, name: str, token: str) -> bool:
        return any(token == part.strip().lower() for value in self.all(name) for part in value.split(","))

    @property
    def keep_alive(self) -> bool:
        if self.version >= (1, 1):
            return not self.has_token("connection", "close")
        return self.has_token("connection", "keep-alive")


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return (await reader.readuntil(b"\n")).rstrip(b"\r\n")
    except asyncio.LimitOverrunError:
        raise WireError(431) from None


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next request's head, or None where the client has ended the connection."""
    try:
        first = (await _line(reader)).decode("latin-1")
        lines: list[str] = []
        size = len(first)
        while line := await _line(reader):
            size += len(line)
            if size > MAX_HEAD:
                raise WireError(431)
            lines.append(line.decode("latin-1"))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    method, _, rest = first.partition(" ")
    target, _, protocol = rest.rpartition(" ")
    match = _VERSION.fullmatch(protocol)
    if not match or not _TOKEN.fullmatch(method) or not target:
        raise WireError(400)
    version = (int(match[1]), int(match[2]))
    if version[0] != 1:
        raise WireError(505, "unsupported protocol version")
    head = Head(method, target, version, _headers(lines))
    _resolve_target(head)
    return head


def _headers(lines: list[str]) -> list[tuple[str, str]]:
    headers: list[tuple[str, str]] = []
    for line in lines:
        if line[0] in " \t":
            if not headers:
                raise WireError(400)
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {line.strip()}")
            continue
        name, separator, value = line.partition(":")
        if not separator or not _TOKEN.fullmatch(name):
            raise WireError(400)
        value = value.strip(" \t")
        if any((char < " " and char != "\t") or char == "\x7f" for char in value):
            raise WireError(400, "invalid header value")
        headers.append((name, value))
    return headers


def _resolve_target(head: Head) -> None:
    hosts = head.all("host")
    if head.version >= (1, 1) and not hosts:
        raise WireError(400, "missing required Host header")
    if len(hosts) > 1:
        raise WireError(400, "too many Host headers")
    head.host = hosts[0] if hosts else ""
    if not _HOST.fullmatch(head.host):
        raise WireError(400, "malformed Host header")
    target = head.target
    absolute = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?]*)", target)
    if absolute:
        head.host = absolute[1]
        target = target[absolute.end() :] or "/"
    raw, _, head.query = target.partition("?")
    if raw != "*" and not raw.startswith("/"):
        raise WireError(400)
    if re.search(r"%(?![0-9A-Fa-f]{2})", raw) or any(char <= " " or char == "\x7f" for char in raw):
        raise WireError(400)
    head.raw_path = raw
    head.path = unquote_to_bytes(raw.encode("latin-1")).decode("utf-8", "surrogateescape")


class Body:
    """A request's body, read only as far as somebody asks for it."""

    def __init__(self, head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._hash = hashlib.sha256()
        self.length = 0
        self.chunked, self._left = _framing(head)
        self.finished = not self.chunked and self._left == 0
        expectation = head.get("expect").lower() if head.version >= (1, 1) else ""
        if expectation and expectation != "100-continue":
            raise WireError(417)
        self.awaits_continue = bool(expectation) and not self.finished

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    async def read(self) -> bytes:
        """Some bytes, or none at the end."""
        if self.finished:
            return b""
        if self.awaits_continue:
            self.awaits_continue = False
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self.chunked and self._left == 0:
            await self._next_chunk()
            if self.finished:
                return b""
        data = await self._reader.read(min(self._left, 64 << 10))
        if not data:
            raise ConnectionResetError("unexpected EOF")
        self._left -= len(data)
        if self.chunked and self._left == 0:
            await self._reader.readuntil(b"\n")
        self.finished = not self.chunked and self._left == 0
        self._hash.update(data)
        self.length += len(data)
        return data

    async def _next_chunk(self) -> None:
        size = (await _line(self._reader)).partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", size):
            raise WireError(400)
        self._left = int(size, 16)
        if self._left == 0:
            while await _line(self._reader):
                pass
            self.finished = True

    async def read_all(self) -> bytes:
        parts = []
        while data := await self.read():
            parts.append(data)
        return b"".join(parts)

    async def discard(self) -> bool:
        """Read what is left if that is little; whether the connection can serve another request."""
        if self.awaits_continue or (not self.chunked and self._left > MAX_DISCARD):
            return False
        start = self.length
        while not self.finished and self.length - start <= MAX_DISCARD:
            await self.read()
        return self.finished


def _framing(head: Head) -> tuple[bool, int]:
    codings = head.all("transfer-encoding") if head.version >= (1, 1) else []
    if codings:
        if len(codings) > 1 or codings[0].lower() != "chunked":
            raise WireError(501, "Unsupported transfer encoding")
        return True, 0
    lengths = set(head.all("content-length"))
    if not lengths:
        return False, 0
    if len(lengths) > 1 or not re.fullmatch(r"[0-9]{1,18}", text := lengths.pop()):
        raise WireError(400)
    return False, int(text)


_dates: dict[int, str] = {}


def _date() -> str:
    now = int(time.time())
    if now not in _dates:
        _dates.clear()
        _dates[now] = formatdate(now, usegmt=True)
    return _dates[now]


@dataclass
class Response:
    head: Head
    body: Body
    writer: asyncio.StreamWriter
    headers: list[tuple[str, str]] = field(default_factory=list)
    status: int = 0
    close: bool = False
    _chunked: bool = False

    def set(self, name: str, value: str) -> None:
        self.headers = [(key, old) for key, old in self.headers if key != name]
        self.headers.append((name, value))

    def add(self, name: str, value: str) -> None:
        self.headers.append((name, value))

    @property
    def started(self) -> bool:
        return self.status != 0

    async def send(self, status: int, content: bytes = b"", content_type: str = "") -> None:
        """A whole answer at once."""
        if content_type and not any(key == "Content-Type" for key, _ in self.headers):
            self.set("Content-Type", content_type)
        bodiless = self.head.method == "HEAD" or status == HTTPStatus.NO_CONTENT
        sized = len(content) <= BUFFER and status != HTTPStatus.NO_CONTENT
        if sized and self.head.method == "HEAD":
            sized = bool(content)
        await self._start(status, len(content) if sized else None, chunked=not sized and not bodiless)
        if not bodiless:
            await self.write(content)
        await self.finish()

    async def start_stream(self, content_type: str, status: int = 200) -> None:
        self.set("Content-Type", content_type)
        await self._start(status, None, chunked=True)

    async def _start(self, status: int, length: int | None, chunked: bool) -> None:
        reusable = await self.body.discard()
        current = self.head.version >= (1, 1)
        self.close = not reusable or not self.head.keep_alive or (not current and length is None)
        self.status = status
        self._chunked = chunked and current
        lines = [f"HTTP/{self.head.version[0]}.{self.head.version[1]} {status} {HTTPStatus(status).phrase}"]
        lines += [f"{name}: {value}" for name, value in sorted(self.headers, key=lambda header: header[0])]
        lines.append(f"Date: {_date()}")
        if length is not None:
            lines.append(f"Content-Length: {length}")
        if current and self.close:
            lines.append("Connection: close")
        if not current and not self.close:
            lines.append("Connection: keep-alive")
        if self._chunked:
            lines.append("Transfer-Encoding: chunked")
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape"))

    async def write(self, data: bytes) -> None:
        """One chunk, sent at once."""
        if self._chunked and data:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self.writer.write(data)
        await self.writer.drain()

    async def finish(self) -> None:
        if self._chunked:
            self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()
