# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers behind a gateway that tell what reached them, and that stream as a test commands. All on loopback."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

from tests.component.contract.replay import Reply
from tests.component.contract.standins import serving


class Echo(ThreadingHTTPServer):
    """Answers with the request as it came.

    `/stream` sends what is put into `pieces`, until None; `/repeat` its own path, again and again; `/drop` nothing.
    What stands in `answers` for a path is answered there, and at a path in `hangs` as little as at `/hang`.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((host, port), EchoHandler)
        self.address = f"{host}:{self.server_address[1]}"
        self.requests: list[str] = []
        self.answers: dict[str, bytes] = {}
        self.hangs: set[str] = set()
        self.pieces: Queue[bytes | None] = Queue()
        self.received: Queue[bytes] = Queue()
        self.accepted: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, peer = super().get_request()
        self.accepted.append(connection)
        return connection, peer

    def hang_up(self) -> None:
        """End all connections, as a server does that stops."""
        for connection in self.accepted:
            with contextlib.suppress(OSError):  # it has ended before
                connection.shutdown(socket.SHUT_RDWR)


class EchoHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Echo

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the tests look at answers."""

    def handle_any(self) -> None:
        if self.headers["User-Agent"] == "gatehouse":
            # Nobody's request: the gateway looks at its servers now and then.
            self.server.accepted.remove(self.connection)
        else:
            self.server.requests.append(self.requestline)
        if self.path.startswith("/upload"):
            self._read_chunks()
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if self.path.startswith("/stream"):
            self._stream()
        elif self.path.startswith("/repeat"):
            self._repeat()
        elif self.path.startswith("/drop"):
            self.close_connection = True
        elif self.path.startswith("/hang") or self.path in self.server.hangs:
            self.server.pieces.get(timeout=60)
        elif self.path.startswith("/accel"):
            self._answer(b"served", ("X-Accel-Redirect", "/healthz"), ("X-Accel-Buffering", "yes"))
        elif self.path in self.server.answers:
            self._answer(self.server.answers[self.path])
        elif self.path.startswith("/status/"):
            self._answer(b"from upstream", status=int(self.path.rpartition("/")[2]))
        else:
            told = {"line": self.requestline, "headers": self.headers.items(), "body": length, "sum": sum(body)}
            self._answer(json.dumps(told).encode(), ("X-Request-Id", "the upstream's own"))

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = handle_any

    def _answer(self, body: bytes, *headers: tuple[str, str], status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _read_chunks(self) -> None:
        while size := int(self.rfile.readline(), 16):
            self.server.received.put(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()

    def _stream(self) -> None:
        self._chunks(iter(lambda: self.server.pieces.get(timeout=60), None))

    def _repeat(self) -> None:
        def pieces() -> Iterator[bytes]:
            for _ in range(50):
                yield self.path.encode() + b"\n"
                time.sleep(0.001)

        try:
            self._chunks(pieces())
        except OSError:
            self.close_connection = True  # nobody listens any more

    def _chunks(self, pieces: Iterator[bytes | None]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            assert piece is not None
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")


@contextlib.contextmanager
def echo(host: str = "127.0.0.1", port: int = 0) -> Iterator[Echo]:
    server = Echo(host, port)
    with serving(server):
        yield server


def told(reply: Reply) -> dict[str, Any]:
    """What an Echo says that it got; header names in lower case, each with the list of its values."""
    assert reply.status_line == "HTTP/1.1 200 OK", reply
    said: dict[str, Any] = json.loads(reply.body)
    headers: dict[str, list[str]] = {}
    for name, value in said["headers"]:
        headers.setdefault(name.lower(), []).append(value)
    return {**said, "headers": headers}


class Names:
    """A name server with addresses that change; a name without one does not exist."""

    def __init__(self) -> None:
        self.addresses: dict[str, str] = {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            query, peer = self.socket.recvfrom(512)
            if not query:
                return
            self.socket.sendto(self._answer(query), peer)

    def _answer(self, query: bytes) -> bytes:
        end = query.index(b"\0", 12) + 5
        labels, position = [], 12
        while query[position]:
            labels.append(query[position + 1 : position + 1 + query[position]].decode())
            position += 1 + query[position]
        address = self.addresses.get(".".join(labels))
        question = query[12:end]
        if address is None:
            return query[:2] + b"\x81\x83" + struct.pack("!4H", 1, 0, 0, 0) + question
        # As Docker's own server does: a long time to live, which the gateway must not believe.
        record = b"\xc0\x0c" + struct.pack("!2HIH", 1, 1, 600, 4) + socket.inet_aton(address)
        return query[:2] + b"\x81\x80" + struct.pack("!4H", 1, 1, 0, 0) + question + record


@contextlib.contextmanager
def names() -> Iterator[Names]:
    server = Names()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        host, port = server.address.split(":")
        server.socket.sendto(b"", (host, int(port)))
        thread.join()
        server.socket.close()
