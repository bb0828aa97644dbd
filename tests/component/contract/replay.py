# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded exchanges read from their files, and requests sent as curl would send them."""

from __future__ import annotations

import re
import shlex
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
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
    """A recording; a long one tells how many lines of its body were left out, and after how many."""

    name: str
    request: Request
    reply: Reply
    kept: int = 0
    left_out: int = 0
    # Whether and how curl failed.
    curl_status: int = 0

    def shortened(self, reply: Reply) -> Reply:
        """The answer without the lines that the recording leaves out."""
        lines = reply.body.splitlines(keepends=True)
        return replace(reply, body=b"".join(lines[: self.kept] + lines[self.kept + self.left_out :]))


def read_fixture(path: Path, substitutions: dict[str, str], uploads: dict[str, bytes]) -> Exchange:
    """One recording, with addresses, paths and digests of the recorded machine replaced by those of this run."""
    text = path.read_bytes().decode()
    for old, new in substitutions.items():
        text = text.replace(old, new)
    command = re.search(r"^# (curl .*)$", text, re.MULTILINE)
    assert command, f"{path.name} names no curl command"
    request, raw = _request(command[1], uploads)
    answer, _, failure = text[command.end() + 1 :].partition("\ncurl rc ")
    answer = answer.removeprefix("HTTP/1.1 100 Continue\r\n\r\n")
    head, _, body = answer.partition("\r\n\r\n")
    status_line, *lines = head.split("\r\n")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    # The recorder ended every file with a line break of its own.
    reply = Reply(status_line, headers, (body if failure else body[:-1]).encode())
    if raw:
        reply.chunks = _unchunk(reply.body, bool(failure))
        reply.body = b"".join(reply.chunks)
    exchange = Exchange(path.stem, request, reply, curl_status=int(failure or 0))
    if cut := re.search(rb"\[\.\.\. (\d+) lines left out \.\.\.\]\n", reply.body):
        exchange.kept, exchange.left_out = reply.body[: cut.start()].count(b"\n"), int(cut[1])
        reply.body = reply.body.replace(cut[0], b"")
    return exchange


def _unchunk(data: bytes, broken_off: bool) -> list[bytes]:
    chunks: list[bytes] = []
    while data or not broken_off:
        size_text, _, data = data.partition(b"\r\n")
        size = int(size_text, 16)
        if size == 0:
            assert data == b"\r\n", "something follows the last chunk"
            break
        assert data[size : size + 2] == b"\r\n", "a chunk does not end where it says"
        chunks.append(data[:size])
        data = data[size + 2 :]
    return chunks


# What each option of the recorded commands takes; those that take nothing change no request, or are named below.
_FLAGS = {"-i", "-N", "-I", "--raw", "--http1.0", "--path-as-is"}


def _request(command: str, uploads: dict[str, bytes]) -> tuple[Request, bool]:
    words = iter(shlex.split(command)[1:])
    given: dict[str, list[str]] = {}
    url = ""
    for word in words:
        if word in _FLAGS:
            given[word] = []
        elif word.startswith("-"):
            given.setdefault(word, []).append(next(words))
        else:
            url = word
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    request = Request("", given.get("--request-target", [path])[0], parts.netloc)
    request.headers = [(name, value) for name, _, value in (header.partition(": ") for header in given.get("-H", []))]
    request.version = "1.0" if "--http1.0" in given else "1.1"
    if "-F" in given:
        request.headers.append(("Content-Type", "multipart/form-data; boundary=x"))
        request.body = _form(given["-F"])
    elif "-d" in given:
        request.body = given["-d"][0].encode()
    elif "--data-binary" in given:
        request.body = uploads[given["--data-binary"][0].removeprefix("@")]
    (request.method,) = given.get("-X", ["HEAD" if "-I" in given else "GET" if request.body is None else "POST"])
    return request, "--raw" in given


def _form(fields: list[str]) -> bytes:
    body = b""
    for field_ in fields:
        name, _, value = field_.partition("=")
        file = '; filename="a.wav"' if value.startswith("@") else ""
        body += f'--x\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n{value}\r\n'.encode()
    return body + b"--x--\r\n"


def connect(address: str, tls: ssl.SSLContext | None = None) -> socket.socket:
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host, int(port)), TIMEOUT)
    return tls.wrap_socket(connection, server_hostname=host) if tls else connection


def send(address: str, data: bytes, method: str = "GET", *, tls: ssl.SSLContext | None = None) -> Reply:
    """Send raw bytes on a connection of their own and read one answer; anything after it is an error."""
    with connect(address, tls) as connection:
        connection.sendall(data)
        stream = connection.makefile("rb")
        status_line, headers = _read_head(stream)
        if status_line == "HTTP/1.1 100 Continue":
            status_line, headers = _read_head(stream)
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


LEAVE = object()


def send_and_act(address: str, data: bytes, lines: int, act: Callable[[], object]) -> tuple[Reply, bool]:
    """As `send`, but act after so many lines of a body, or leave; and whether the answer came to its end."""
    with connect(address) as connection:
        connection.sendall(data)
        stream = connection.makefile("rb")
        if not lines:
            time.sleep(0.5)
            if act() is LEAVE:
                return Reply("", [], b""), False
        status_line, headers = _read_head(stream)
        reply = Reply(status_line, headers, b"")
        if length := reply.header("Content-Length"):
            reply.body = stream.read(int(length))
            return reply, True
        while size := int(stream.readline().strip() or b"-1", 16):
            if size < 0:
                return reply, False
            reply.body += stream.read(size)
            stream.read(2)
            if lines and reply.body.count(b"\n") >= lines + 1:
                lines = 0
                if act() is LEAVE:
                    return reply, False
        return reply, True


def _read_head(stream: BinaryIO) -> tuple[str, list[tuple[str, str]]]:
    status_line = stream.readline().decode().rstrip("\r\n")
    headers = []
    while line := stream.readline().decode().rstrip("\r\n"):
        name, _, value = line.partition(": ")
        headers.append((name, value))
    return status_line, headers


def _read_chunks(stream: BinaryIO) -> list[bytes]:
    chunks: list[bytes] = []
    while True:
        size = int(stream.readline().strip(), 16)
        data = stream.read(size)
        assert stream.read(2) == b"\r\n", "a chunk does not end where it says"
        if size == 0:
            return chunks
        chunks.append(data)
