# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import socket
from pathlib import Path

from ansible_collections.gatehouse.ollama.plugins.module_utils._gateway.listening import listens


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
