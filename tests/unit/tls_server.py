# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small servers for the wall to attack: one that does over TLS what a gateway has to, and what may be wrong with it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.certificates import Issued

NAME = "llm.example.com"
# The host that the wall takes for a foreign one.
FOREIGN = "gatehouse-wall.invalid"
KEY = "ghk_a-key-that-nobody-may-see-0123456789"

# From a request, and whether it came over TLS, to an answer.
Handler = Callable[[bytes, bool], bytes]


def reply(status: int, body: str = "", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Words", *headers, f"Content-Length: {len(body)}", "Connection: close", "", body]
    return "\r\n".join(lines).encode()


def field(request: bytes, name: str) -> list[str]:
    lines = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return [line.partition(":")[2].strip() for line in lines if line.lower().startswith(name.lower() + ":")]


def target(request: bytes) -> str:
    return request.split(b" ")[1].decode("latin-1")


def right(request: bytes, tls: bool) -> bytes:
    """What a gateway does."""
    if not tls or len(field(request, "Host")) > 1:
        return reply(400)
    if field(request, "Host") != [NAME] or not target(request).startswith("/"):
        return reply(421)
    return careless(request, tls)


def careless(request: bytes, tls: bool) -> bytes:
    """What a gateway does that looks neither at the name nor at TLS."""
    if target(request) == "/healthz":
        return reply(200, "ok")
    if field(request, "Authorization") != [f"Bearer {KEY}"]:
        return reply(401, "", "WWW-Authenticate: Bearer")
    return reply(200, '{"models":[]}')


def redirect(request: bytes, tls: bool) -> bytes:
    """What the plain port does."""
    path = "/" if "://" in target(request) else target(request)
    return reply(308, "", f"Location: https://{NAME}{path}")


def context(folder: Path, issued: Issued, ciphers: str = "") -> ssl.SSLContext:
    """TLS as it is now; with `ciphers` also as it was."""
    file = folder / "server.pem"
    file.write_text(issued.key_pem + issued.pem)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(file)
    if ciphers:
        made.set_ciphers(ciphers + ":@SECLEVEL=0")
    return made


def old(made: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    """The same from this version on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.minimum_version = version
    return made


@contextlib.contextmanager
def server(
    handler: Handler, tls: ssl.SSLContext | None = None, hello: bytes = b"", patience: float = 5
) -> Iterator[int]:
    """Serves TLS to who begins so, and plain HTTP to all others; who begins with `hello` gets that of a server.

    Who says nothing for `patience` seconds, as the wall does once a handshake has begun, is hung up on.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def one(plain: socket.socket) -> None:
            with contextlib.suppress(OSError), plain:
                plain.settimeout(patience)
                begin = plain.recv(16, socket.MSG_PEEK)
                if hello and begin[9:11] == hello:
                    plain.recv(4096)
                    plain.sendall(b"\x16" + hello + b"\x00\x2a\x02\x00\x00\x26" + hello + bytes(36))
                elif tls and begin[:1] == b"\x16":
                    with tls.wrap_socket(plain, server_side=True) as wrapped:
                        wrapped.sendall(handler(wrapped.recv(65536), True))
                elif begin:
                    plain.sendall(handler(plain.recv(65536), False))

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=[connection], daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
