# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker Engine of this machine: there already, or installed and started here."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import docker
from docker.errors import DockerException

from tests.lab.base import STATE_DIR, LabError, run, say, wait_for

PID_FILE = STATE_DIR / "dockerd.pid"
LOG_FILE = STATE_DIR / "dockerd.log"


def _client() -> docker.DockerClient | None:
    """A client of a running engine, or nothing."""
    try:
        # Generous: a build or a push answers late on a busy machine.
        client = docker.from_env(timeout=300)
        client.ping()
    except DockerException:
        return None
    return client


def running() -> bool:
    """Whether an engine answers."""
    return _client() is not None


def client() -> docker.DockerClient:
    """A client of the running engine; an error where none runs."""
    found = _client()
    if found is None:
        raise LabError("no Docker Engine answers; `python -m tests.lab up` starts one")
    return found


def install(packages: dict[str, str]) -> None:
    """Install the Debian packages (program: package) whose program is missing."""
    missing = [package for program, package in packages.items() if shutil.which(program) is None]
    if not missing:
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise LabError(f"please install {', '.join(missing)}: only root on a machine with apt gets them from the lab")
    say(f"installing {', '.join(missing)}")
    run(["apt-get", "update", "-q"], "apt-get update failed")
    command = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-q", "--no-install-recommends"]
    run([*command, *missing], "apt-get install failed")


def up() -> docker.DockerClient:
    """The running engine's client; installs and starts the engine where none answers."""
    found = _client()
    if found is not None:
        return found
    install({"dockerd": "docker.io", "iptables": "iptables", "ip": "iproute2"})
    found = _client()  # the package may have started it
    if found is not None:
        return found
    if os.geteuid() != 0:
        raise LabError("no Docker Engine answers, and only root can start one")
    if Path("/run/systemd/system").is_dir():
        run(["systemctl", "start", "docker"], "the Docker Engine does not start")
    else:
        _start_detached()

    def answers() -> bool:
        nonlocal found
        found = _client()
        return found is not None

    wait_for(f"the Docker Engine does not answer, see {LOG_FILE} or the journal", answers, 60)
    if found is None:
        raise LabError("the Docker Engine went away")
    return found


def _start_detached() -> None:
    """Without systemd: dockerd in the background, in a session of its own."""
    STATE_DIR.mkdir(parents=True, exist_ok=True)
    PID_FILE.unlink(missing_ok=True)  # of a dockerd that did not end in order
    say(f"starting dockerd, log in {LOG_FILE}")
    with LOG_FILE.open("ab") as log:
        subprocess.Popen(
            ["dockerd", f"--pidfile={PID_FILE}"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def down() -> None:
    """Stop the dockerd that `up` of this checkout started, no other."""
    if not PID_FILE.is_file():
        return
    pid = int(PID_FILE.read_text())
    process = Path(f"/proc/{pid}")
    # The file may have outlived its process, and the number may be somebody else's now.
    if (process / "comm").is_file() and (process / "comm").read_text().strip() == "dockerd":
        say("stopping dockerd")
        os.kill(pid, signal.SIGTERM)
        wait_for("dockerd does not stop", lambda: not _runs(process), 60)
    PID_FILE.unlink(missing_ok=True)


def _runs(process: Path) -> bool:
    try:
        # A zombie has ended, even where nothing collects it.
        return " Z " not in (process / "stat").read_text()
    except FileNotFoundError:
        return False
