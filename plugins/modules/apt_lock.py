#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: apt_lock
short_description: Wait until nobody else installs packages with apt
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Waits for the programs that hold the locks of dpkg and apt, such as the upgrades of a host's first boot, and says
    which they are. Fails where one holds a lock for longer than O(timeout).
  - Takes no lock and changes nothing.
options:
  timeout:
    description: Seconds to wait. With V(0), and in check mode, nobody is waited for, and a lock is no error.
    type: int
    default: 900
  locks:
    description: The files that such programs lock. One that is not there is locked by nobody.
    type: list
    elements: path
    default:
      - /var/lib/dpkg/lock-frontend
      - /var/lib/dpkg/lock
      - /var/lib/apt/lists/lock
      - /var/cache/apt/archives/lock
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Wait for others who install packages
  gatehouse.ollama.apt_lock:
"""

RETURN = r"""
holder:
  description: Who holds a lock now, with the number of the process; empty if nobody does.
  returned: success
  type: str
  sample: /usr/bin/python3 /usr/bin/unattended-upgrade (process 812)
"""

import fcntl
import os
import struct
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

LOCKS = [
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
]
PAUSE = 2
# struct flock of Linux: type, whence, start, length, process.
FLOCK = "hhqqi"
HELD = (
    "Packages cannot be installed: %s holds the lock %s, and %d seconds were waited. Upgrades of a first boot end by "
    "themselves; run the play again then. On the host, `ps -fp %d` says more."
)


def holder(path: str) -> int | None:
    """The process that has a lock on the file, 0 if it cannot be seen from here; None if there is no lock."""
    try:
        with open(path, "rb") as f:
            answer = fcntl.fcntl(f, fcntl.F_GETLK, struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except FileNotFoundError:
        return None
    kind, _whence, _start, _length, process = struct.unpack(FLOCK, answer)
    return None if kind == fcntl.F_UNLCK else max(process, 0)


def command(process: int) -> str:
    """What a process is called, as `ps` has it."""
    try:
        with open("/proc/%d/cmdline" % process, "rb") as f:
            line = f.read(200).replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        line = ""
    return "%s (process %d)" % (line or "another program", process)


def held(locks: t.Sequence[str]) -> tuple[str, int] | None:
    """The first lock that somebody has, and who."""
    for path in locks:
        process = holder(path)
        if process is not None:
            return path, process
    return None


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            timeout=dict(type="int", default=900),
            locks=dict(type="list", elements="path", default=LOCKS),
        ),
        supports_check_mode=True,
    )
    locks = module.params["locks"]
    timeout = 0 if module.check_mode else module.params["timeout"]
    deadline = time.monotonic() + timeout
    found = held(locks)
    while found and time.monotonic() < deadline:
        time.sleep(PAUSE)
        found = held(locks)
    if found and timeout:
        path, process = found
        module.fail_json(msg=HELD % (command(process), path, timeout, process))
    module.exit_json(changed=False, holder=command(found[1]) if found else "")


if __name__ == "__main__":
    main()
