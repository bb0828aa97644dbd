# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent where connections begin with the PROXY protocol, and where they do not."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import read_url, send
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.link import links
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.wall import is_own_address

from tests.certificates import Authority

LINE = b"PROXY UNKNOWN\r\n"


def listening() -> tuple[socket.socket, int]:
    listener = socket.create_server(("127.0.0.1", 0))
    return listener, listener.getsockname()[1]


@pytest.mark.parametrize(("proxied", "came"), [(False, b"x"), (True, LINE + b"x")])
def test_the_line_comes_first_where_it_is_asked_for(proxied: bool, came: bytes) -> None:
    listener, port = listening()
    heard = b""

    def hear() -> None:
        nonlocal heard
        connection, _peer = listener.accept()
        while len(heard) < len(came):
            heard += connection.recv(4096)
        connection.close()

    with listener:
        thread = threading.Thread(target=hear)
        thread.start()
        send(read_url(f"http://127.0.0.1:{port}", proxied), b"x", 10)
        thread.join()
    assert heard == came


def test_the_line_comes_before_the_handshake(tmp_path: Path) -> None:
    authority = Authority()
    issued = authority.issue("127.0.0.1")
    (tmp_path / "server.pem").write_text(issued.key_pem + issued.pem)
    (tmp_path / "ca.pem").write_text(authority.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    listener, port = listening()
    heard = []

    def hear() -> None:
        connection, _peer = listener.accept()
        heard.append(connection.recv(len(LINE)))
        with context.wrap_socket(connection, server_side=True):
            pass

    with listener:
        thread = threading.Thread(target=hear)
        thread.start()
        found = links(read_url(f"https://127.0.0.1:{port}", True), "127.0.0.1", None, str(tmp_path / "ca.pem"), 10)
        thread.join()
    assert heard == [LINE]
    assert found.usual.certificate == ssl.PEM_cert_to_DER_cert(issued.pem)


def test_an_address_is_this_hosts_own_only_where_it_speaks_from_there() -> None:
    """Not where it may listen: a gateway that shares an address may listen anywhere."""
    assert is_own_address("127.0.0.1")
    assert is_own_address("localhost")
    assert not is_own_address("198.51.100.1")
    assert not is_own_address("no such host")
