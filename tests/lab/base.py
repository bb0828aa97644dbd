# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every part of the lab shares: names, addresses, the lock, waiting."""

from __future__ import annotations

import fcntl
import ipaddress
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
STATE_DIR = REPOSITORY / "build" / "lab"

NETWORK = "gatehouse-lab"
SUBNET = ipaddress.IPv4Network("10.213.0.0/24")
# The engines inside the hosts take their networks from here (molecule/shared/lab.yml). What is sent there from another
# host ends on this machine and does not leave it.
INNER_SUBNET = ipaddress.IPv4Network("10.213.128.0/17")
GATEWAY = "10.213.0.1"
REGISTRY = "gatehouse-lab-registry"
REGISTRY_ADDRESS = "10.213.0.2"
PACKAGES = "gatehouse-lab-packages"
PACKAGES_ADDRESS = "10.213.0.3"
ACME = "gatehouse-lab-acme"
ACME_ADDRESS = "10.213.0.4"
# Where the lab leaves the CA of the ACME servers' own HTTPS.
ACME_CA = STATE_DIR / "acme_ca.pem"
# Where the lab leaves the keys of its packages, docker.asc and nvidia.asc.
PACKAGE_KEYS = STATE_DIR / "package_keys"
# Where the key is by which Ansible gets into hosts (molecule/shared/lab.yml), whichever checkout made them.
SSH_KEY = Path("/run/gatehouse-lab/key")
FIRST_HOST_ADDRESS = ipaddress.IPv4Address("10.213.0.10")

# Everything that the lab makes, other than images, carries this label; its value says what it is.
LABEL = "gatehouse.lab"


class LabError(Exception):
    """The lab cannot do what was asked; the message says why and what would help."""


def say(message: str) -> None:
    """Tell the user what happens, at once even when the output is a pipe."""
    print(f"lab: {message}", flush=True)


def wait_for(what: str, ready: Callable[[], bool], seconds: float, pause: float = 0.2) -> None:
    """Return when `ready` says so; after `seconds` give up with an error that says what was missing."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {seconds:.0f} s")
        time.sleep(pause)


@contextmanager
def lock() -> Iterator[None]:
    """One change of the lab at a time on this machine, whichever checkout asks."""
    with (Path(tempfile.gettempdir()) / "gatehouse-lab.lock").open("w") as handle:

        def taken() -> bool:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        # As long as building all images may take on a slow machine.
        wait_for("the lab is in use by another process and did not become free", taken, 1200)
        yield


def run(command: list[str], failure: str) -> str:
    """Run a program; its output, or an error with the last lines of what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise LabError(f"{failure} ({' '.join(command)}):\n{tail}")
    return done.stdout
