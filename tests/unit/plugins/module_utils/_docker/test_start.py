# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker import start as docker_start

JOURNAL = """\
docker.service: Referenced but unset environment variable evaluates to an empty string: DOCKER_OPTS
time="2026-01-01T00:00:00Z" level=info msg="Starting up"
failed to start daemon: invalid CIDR address: 1
time="2026-01-01T00:00:02Z" level=info msg="Starting up"
{"level":"info","msg":"Starting up"}
time="2026-01-01T00:00:02Z" level=warning msg="old kernel"
failed to start daemon: invalid CIDR address: 1
"""
WHY = "failed to start daemon: invalid CIDR address: 1"


class Host:
    """Stands for the AnsibleModule on a host where commands answer like this, by their second word."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.called: list[str] = []

    def get_bin_path(self, name: str, **_: Any) -> str:
        return name

    def run_command(self, args: list[str], **_: Any) -> tuple[int, str, str]:
        name = "journal" if args[0] == "journalctl" else args[1].replace("-", "_")
        self.called.append(name)
        answer = self.answers.get(name, (0, "", ""))
        return answer() if callable(answer) else answer


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(docker_start, "ANSWERS", 0)
    monkeypatch.setattr(docker_start, "STAYS", 0)
    monkeypatch.setattr(docker_start.time, "sleep", lambda _: None)
    numbers = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A socket that takes connections, as systemd's does before Docker runs, in a daemon.json that says so."""
    (tmp_path / "daemon.json").write_text('{"hosts": ["unix://%s"]}' % (tmp_path / "s"))
    return tmp_path / "s"


@pytest.fixture
def listening(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
        s.listen()
        yield s


def restart(host: Host, tmp_path: Path) -> str:
    return docker_start.restart(host, str(tmp_path / "daemon.json"))


def test_a_docker_that_answers_has_nothing_to_say(listening: socket.socket, tmp_path: Path) -> None:
    listening.settimeout(30)

    def serve() -> None:
        connection, _ = listening.accept()
        assert connection.recv(99).startswith(b"GET /_ping ")
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nOK")

    threading.Thread(target=serve, daemon=True).start()
    assert restart(Host(), tmp_path) == ""


def test_a_docker_that_does_not_start_says_why_once(tmp_path: Path) -> None:
    host = Host(restart=(1, "", "Job for docker.service failed"), journal=(0, JOURNAL, ""))
    assert restart(host, tmp_path) == WHY


def test_a_docker_that_ends_after_systemd_took_it_for_started_says_why(path: Path, tmp_path: Path) -> None:
    host = Host(is_active=(3, "activating\n", ""), journal=(0, JOURNAL, ""))
    assert restart(host, tmp_path) == WHY
    assert restart(Host(is_active=(3, "activating\n", "")), tmp_path) == "it was started and is activating"


def test_a_docker_that_does_not_answer_does_not_run(listening: socket.socket, path: Path, tmp_path: Path) -> None:
    assert restart(Host(), tmp_path) == f"it does not answer on {path}"


def test_without_a_journal_systemd_is_asked(tmp_path: Path) -> None:
    assert restart(Host(restart=(1, "", "Job failed\n")), tmp_path) == "Job failed"
    assert restart(Host(restart=(1, "", "")), tmp_path) != ""


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_a_reason_and_the_next_one_disturbs_nobody(tmp_path: Path, number: signal.Signals) -> None:
    def kill() -> tuple[int, str, str]:
        os.kill(os.getpid(), number)
        return 0, "", ""

    host = Host(restart=kill, journal=(0, JOURNAL, ""))
    docker_start.on_signals(signal.default_int_handler)
    assert restart(host, tmp_path) == f"the run was interrupted\n{WHY}"
    os.kill(os.getpid(), number)


def test_whatever_goes_wrong_is_a_reason(tmp_path: Path) -> None:
    def fail() -> tuple[int, str, str]:
        raise ValueError("no such thing")

    assert restart(Host(restart=fail), tmp_path) == "ValueError: no such thing"


def test_a_host_without_the_commands_is_told_about(tmp_path: Path) -> None:
    def missing() -> tuple[int, str, str]:
        raise FileNotFoundError(2, "No such file or directory")

    host = Host(restart=missing, reset_failed=missing, journal=missing)
    assert restart(host, tmp_path) == "systemctl: No such file or directory"


def test_no_password_in_the_journal_is_shown(tmp_path: Path) -> None:
    said = 'parse "http://me:se/cr@et@proxy:3128": no'
    host = Host(restart=(1, "", "failed"), journal=(0, said, ""))
    assert restart(host, tmp_path) == 'parse "http://***@proxy:3128": no'


SHOWN = "ExecStart={ argv[]=/usr/bin/dockerd %s ; ignore_errors=no }\nListen=/run/own.sock (Stream)\n"


@pytest.mark.parametrize(
    ("flags", "paths"),
    [
        ("-H fd:// --containerd=/x", ["/run/own.sock"]),
        ("-DHfd://", ["/run/own.sock"]),
        ("--host=unix:///x -H tcp://0.0.0.0:1", ["/x"]),
        ("-H tcp://0.0.0.0:1", []),
        ("--mtu 1400", ["/run/docker.sock"]),
        ("$DOCKER_OPTS", []),
        ("-H unix:// $DOCKER_OPTS", ["/run/docker.sock"]),
    ],
)
def test_docker_is_asked_where_its_unit_lets_it_listen(tmp_path: Path, flags: str, paths: list[str]) -> None:
    assert docker_start.sockets(Host(show=(0, SHOWN % flags, "")), str(tmp_path / "none")) == paths


def test_a_docker_that_cannot_be_asked_has_to_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = iter([(0, "active", ""), (3, "failed", "")])
    (tmp_path / "daemon.json").write_text('{"hosts": ["tcp://127.0.0.1:1"]}')
    assert restart(Host(), tmp_path) == ""
    monkeypatch.setattr(docker_start, "STAYS", 60)
    assert restart(Host(is_active=lambda: next(states)), tmp_path) == "it was started and is failed"
