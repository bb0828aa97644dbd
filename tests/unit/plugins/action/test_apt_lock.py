# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""apt_lock as a role runs it: by ansible-playbook, against a lock that another process has."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.conftest import Playbook

HOLD = """
import fcntl, os, sys, time
with open(sys.argv[1], "w") as f:
    fcntl.lockf(f, fcntl.LOCK_EX)
    print("held", flush=True)
    while not os.path.exists(sys.argv[1] + ".begun"):
        time.sleep(0.1)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "lock"
    path.touch()
    return path


@pytest.fixture
def hold(lock: Path) -> Iterator[Callable[[float], int]]:
    """Hold the lock for so many seconds after `begun`, in a process called unattended-upgrade; returns its number."""
    processes: list[subprocess.Popen[str]] = []

    def call(seconds: float) -> int:
        command = [sys.executable, "-c", HOLD, str(lock), str(seconds), "unattended-upgrade"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        return process.pid

    yield call
    for process in processes:
        process.kill()
        process.communicate()


def begun(lock: Path) -> dict[str, Any]:
    """The task from which on the lock is held for some more seconds. Ansible takes as long as it needs to get there."""
    return {"ansible.builtin.file": {"path": str(lock) + ".begun", "state": "touch"}, "delegate_to": "localhost"}


def task(lock: Path, timeout: int, **more: Any) -> dict[str, Any]:
    return {"gatehouse.ollama.apt_lock": {"locks": [str(lock), str(lock) + ".none"], "timeout": timeout}, **more}


def test_nobody_is_waited_for_where_nobody_has_a_lock(playbook: Playbook, lock: Path) -> None:
    run = playbook.run([task(lock, 60)])
    assert not run.only[0].get("failed", False)
    assert "waits for" not in run.output


def test_who_is_waited_for_is_said_and_then_the_play_goes_on(
    playbook: Playbook, lock: Path, hold: Callable[[float], int]
) -> None:
    process = hold(10)
    run = playbook.run([begun(lock), task(lock, 60)])
    assert not run.only[1].get("failed", False)
    assert run.only[1]["holder"] == ""
    assert "host0: waits for" in run.output
    assert f"(process {process})" in run.output


def test_who_has_a_lock_for_too_long_is_named(playbook: Playbook, lock: Path, hold: Callable[[float], int]) -> None:
    process = hold(60)
    run = playbook.run([task(lock, 1), task(lock, 60, check_mode=True)])
    waited, looked = run.only
    assert waited["failed"]
    for word in (f"(process {process})", sys.executable, str(lock), "first boot"):
        assert word in waited["msg"]
    assert not looked.get("failed", False)
    assert f"(process {process})" in looked["holder"]
