# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded exchanges read from their files, and requests sent as curl would send them."""

from __future__ import annotations

import re
import shlex
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ollama"
TIMEOUT = 20


@dataclass
class Request:
    method: str
    path: str
    host: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | None = None
    version: str = "1.1"

    def wire(self) -> bytes:
        """The bytes that curl sends."""
        given = {name.lower() for name, _ in self.headers}
        own = [("Host", self.host), ("User-Agent", "curl/7.88.1"), ("Accept", "*/*")]
        headers = [header for header in own if header[0].lower() not in given]
        # A Host that was given takes the place of curl's own.
        headers = [(name, value) for name, value in self.headers if name == "Host"] + headers
        headers += [(name, value) for name, value in self.headers if name != "Host"]
        if self.body is not None:
            headers.append(("Content-Length", str(len(self.body))))
            if "content-type" not in given:
                headers.append(("Content-Type", "application/x-www-form-urlencoded"))
        lines = [f"{self.method} {self.path} HTTP/{self.version}", *(f"{name}: {value}" for name, value in headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + (self.body or b"")


@dataclass
class Reply:
    status_line: str
    headers: list[tuple[str, str]]
    body: bytes
    # The chunks as they came; None where the answer was not chunked, or where the recording did not keep them.
    chunks: list[bytes] | None = None

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


@dataclass
class Exchange:
    name: str
    request: Request
    reply: Reply
    raw: bool


def read_fixture(path: Path, substitutions: dict[str, str], uploads: dict[str, bytes]) -> Exchange:
    """One recording, with addresses, paths and digests of the recorded machine replaced by those of this run."""
    text = path.read_bytes().decode()
    for old, new in substitutions.items():
        text = text.replace(old, new)
    command = re.search(r"^# (curl .*)$", text, re.MULTILINE)
    assert command, f"{path.name} names no curl command"
    head, separator, body = text[command.end() + 1 :].partition("\r\n\r\n")
    assert separator + body[-1:] == "\r\n\r\n\n", f"{path.name} is not a recording of curl -i"
    status_line, *lines = head.split("\r\n")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    request, raw = _request(command[1], uploads)
    # The recorder ended every file with a line break of its own.
    reply = Reply(status_line, headers, body[:-1].encode())
    if raw:
        reply.chunks = _unchunk(reply.body)
        reply.body = b"".join(reply.chunks)
    return Exchange(path.stem, request, reply, raw)


def _unchunk(data: bytes) -> list[bytes]:
    chunks: list[bytes] = []
    while True:
        size_text, _, data = data.partition(b"\r\n")
        size = int(size_text, 16)
        if size == 0:
            assert data == b"\r\n", "something follows the last chunk"
            return chunks
        assert data[size : size + 2] == b"\r\n", "a chunk does not end where it says"
        chunks.append(data[:size])
        data = data[size + 2 :]


def _request(command: str, uploads: dict[str, bytes]) -> tuple[Request, bool]:
    words = iter(shlex.split(command)[1:])
    request = Request("", "", "")
    raw = False
    for word in words:
        if word == "-I":
            request.method = "HEAD"
        elif word == "-X":
            request.method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            request.headers.append((name, value))
        elif word == "-d":
            request.body = next(words).encode()
        elif word == "--data-binary":
            request.body = uploads[next(words).rpartition("/")[2]]
        elif word == "--raw":
            raw = True
        elif word == "--http1.0":
            request.version = "1.0"
        elif word != "-i":
            url = urlsplit(word)
            request.host, request.path = url.netloc, url.path
    request.method = request.method or ("GET" if request.body is None else "POST")
    return request, raw


def connect(address: str, tls: ssl.SSLContext | None = None) -> socket.socket:
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host, int(port)), TIMEOUT)
    return tls.wrap_socket(connection, server_hostname=host) if tls else connection


def send(address: str, data: bytes, method: str = "GET", *, tls: ssl.SSLContext | None = None) -> Reply:
    """Send raw bytes on a connection of their own and read one answer; anything after it is an error."""
    with connect(address, tls) as connection:
        connection.sendall(data)
        stream = connection.makefile("rb")
        status_line = stream.readline().decode().rstrip("\r\n")
        headers = []
        while line := stream.readline().decode().rstrip("\r\n"):
            name, _, value = line.partition(": ")
            headers.append((name, value))
        reply = Reply(status_line, headers, b"")
        bodiless = method == "HEAD" or status_line.split(" ")[1] in ("204", "304")
        length = reply.header("Content-Length")
        if reply.header("Transfer-Encoding") == "chunked" and not bodiless:
            reply.chunks = _read_chunks(stream)
            reply.body = b"".join(reply.chunks)
        elif length is not None and not bodiless:
            reply.body = stream.read(int(length))
        elif not bodiless:
            reply.body = stream.read()
        # Of TLS, Python cannot shut down one direction and read the other.
        if not tls:
            connection.shutdown(socket.SHUT_WR)
            assert stream.read() == b"", "the server sent more than its answer"
    return reply


def _read_chunks(stream: BinaryIO) -> list[bytes]:
    chunks: list[bytes] = []
    while True:
        size = int(stream.readline().strip(), 16)
        data = stream.read(size)
        assert stream.read(2) == b"\r\n", "a chunk does not end where it says"
        if size == 0:
            return chunks
        chunks.append(data)
