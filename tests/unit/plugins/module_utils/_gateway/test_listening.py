# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._gateway.listening import hear_nobody, listens

HOLDS = """
import socket, sys
family, address, port = getattr(socket, sys.argv[1]), sys.argv[2], int(sys.argv[3])
held = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(2)]
for one in held:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    one.bind((address, port))
print("holds", flush=True)
sys.stdin.read()
"""


@contextmanager
def another(family: socket.AddressFamily, address: str, port: int) -> Iterator[int]:
    """A process that has two sockets at the port, which others may have as well."""
    command = [sys.executable, "-c", HOLDS, family.name, address, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "holds\n"
        yield process.pid
        process.stdin.close()


def test_a_process_that_listens_does_and_one_that_shares_its_network_does_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert listens(os.getpid(), port)
        assert not listens(os.getppid(), port)
        assert not listens(os.getpid(), port + 1)


def test_a_connection_at_the_port_is_no_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        port = client.getsockname()[1]
        assert not listens(os.getpid(), port)
        client.close()


def test_a_process_that_is_gone_does_not_listen(tmp_path: Path) -> None:
    assert not listens(1, 8080, tmp_path)


@pytest.mark.parametrize(
    ("family", "bound", "address"),
    [
        (socket.AF_INET, "0.0.0.0", "127.0.0.1"),
        (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET6, "::", "::1"),
    ],
)
def test_datagrams_reach_the_process_that_goes_on_and_not_the_one_that_ends(
    family: socket.AddressFamily, bound: str, address: str
) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as goes_on:
        goes_on.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        goes_on.bind((bound, 0))
        port = goes_on.getsockname()[1]

        def reaches() -> int:
            found = 0
            for _ in range(60):
                with socket.socket(family, socket.SOCK_DGRAM) as client:
                    client.sendto(b"new", (address, port))
                if select.select([goes_on], [], [], 0.05)[0]:
                    found += goes_on.recv(10) == b"new"
            return found

        with another(family, bound, port) as ends:
            assert reaches() < 60
            assert hear_nobody(ends, port) == 2
            assert reaches() == 60
            # Once is enough.
            assert hear_nobody(ends, port) == 0
            assert reaches() == 60


def test_a_process_that_is_gone_hears_nobody() -> None:
    assert hear_nobody(2**22 + 1, 8080) == 0
