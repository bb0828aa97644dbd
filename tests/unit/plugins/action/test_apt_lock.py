# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""apt_lock as a role runs it: by ansible-playbook, against a lock that another process has."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.conftest import Direct, Playbook

HOLD = """
import fcntl, os, sys, time
with open(sys.argv[1], "w") as f:
    fcntl.lockf(f, fcntl.LOCK_EX)
    print("held", flush=True)
    while not os.path.exists(sys.argv[1] + ".release"):
        time.sleep(0.1)
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "lock"
    path.touch()
    return path


@pytest.fixture
def hold(lock: Path) -> Iterator[Callable[[], int]]:
    """Hold the lock until `release`, in a process called unattended-upgrade; returns its number."""
    processes: list[subprocess.Popen[str]] = []

    def call() -> int:
        command = [sys.executable, "-c", HOLD, str(lock), "unattended-upgrade"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        return process.pid

    yield call
    for process in processes:
        process.kill()
        process.communicate()


def release(lock: Path, output: Path) -> None:
    """Let go of the lock as soon as somebody is told to wait for it."""
    while not (output.exists() and "waits for" in output.read_text()):
        time.sleep(0.05)
    Path(f"{lock}.release").touch()


def task(lock: Path, timeout: int, **more: Any) -> dict[str, Any]:
    return {"gatehouse.ollama.apt_lock": {"locks": [str(lock), str(lock) + ".none"], "timeout": timeout}, **more}


def test_nobody_is_waited_for_where_nobody_has_a_lock(direct: Direct, lock: Path) -> None:
    run = direct.run([task(lock, 60)])
    assert not run.only[0].get("failed", False)
    assert "waits for" not in run.output


def test_who_is_waited_for_is_said_and_then_the_play_goes_on(
    playbook: Playbook, lock: Path, hold: Callable[[], int]
) -> None:
    process = hold()
    threading.Thread(target=release, args=(lock, playbook.output), daemon=True).start()
    run = playbook.run([task(lock, 60)])
    assert not run.only[0].get("failed", False)
    assert run.only[0]["holder"] == ""
    assert "host0: waits for" in run.output
    assert f"(process {process})" in run.output


def test_who_has_a_lock_for_too_long_is_named(direct: Direct, lock: Path, hold: Callable[[], int]) -> None:
    process = hold()
    run = direct.run([task(lock, 1), task(lock, 60, check_mode=True)])
    waited, looked = run.only
    assert waited["failed"]
    for word in (f"(process {process})", sys.executable, str(lock), "first boot"):
        assert word in waited["msg"]
    assert not looked.get("failed", False)
    assert f"(process {process})" in looked["holder"]
