# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second gateway for the wall: what a running one is made of, and whether it runs what is on disk."""

from __future__ import annotations

import os
import time
import typing as t
from pathlib import Path

Container = t.Mapping[str, t.Any]

# Where a gateway has its files, and the folders that make up its configuration.
INSIDE = "/etc/gatehouse"
CONFIGURATION = ("conf", "lua")
CLIENTS = INSIDE + "/clients"
# Beside a second gateway, what tells it.
LABEL = "gatehouse.ollama.wall"

# As the first process of a container, some versions of timeout(1) start nothing.
_SCRIPT = 'timeout "$@"; exit'

# The kernel counts the start of a process in steps of 10 ms.
_STEP = 0.05


def create_command(live: Container, clients: str, name: str, network: str, seconds: int) -> list[str]:
    """The arguments of `docker` that create a container like the one that `docker inspect` describes.

    It has clients of its own, publishes no port and ends by itself after `seconds`.
    """
    config, host = live["Config"], live["HostConfig"]
    options = [f"--name={name}", f"--label={LABEL}", f"--network={network}"]
    options += ["--rm", "--pull=never", "--no-healthcheck", "--user=" + config["User"]]
    options += ["--read-only"] if host["ReadonlyRootfs"] else []
    options += [f"--memory={host['Memory']}"] if host["Memory"] else []
    options += [f"--cpus={host['NanoCpus'] / 1e9}"] if host["NanoCpus"] else []
    options += [f"--cap-drop={one}" for one in host["CapDrop"] or []]
    options += [f"--security-opt={one}" for one in host["SecurityOpt"] or []]
    options += ["--tmpfs=%s:%s" % one for one in (host["Tmpfs"] or {}).items()]
    options += [f"--ulimit={one['Name']}={one['Soft']}:{one['Hard']}" for one in host.get("Ulimits") or []]
    options += ["--sysctl=%s=%s" % one for one in (host.get("Sysctls") or {}).items()]
    options += [f"--env={one}" for one in config.get("Env") or []]
    # A volume of the image's own is made anew. Where the live one may write, nothing that an attack leaves is to be.
    bound = [one for one in live["Mounts"] if one["Type"] == "bind"]
    options += [f"--tmpfs={mount['Destination']}:mode=1777" for mount in bound if mount["RW"]]
    for mount in (one for one in bound if not one["RW"]):
        source = clients if mount["Destination"] == CLIENTS else mount["Source"]
        options.append(f"--volume={source}:{mount['Destination']}:ro")
    program = [*(config["Entrypoint"] or []), *(config["Cmd"] or [])]
    return ["create", *options, *_ending(live["Image"], program, seconds)]


def trial_command(
    options: t.Sequence[str], image: str, program: t.Sequence[str], name: str, network: str, seconds: int
) -> list[str]:
    """The arguments of `docker` that create a container of an image with these options and this program.

    It ends by itself after `seconds`, and stays to say why it ended.
    """
    own = [f"--name={name}", f"--label={LABEL}", f"--network={network}", "--no-healthcheck"]
    return ["create", *own, *options, *_ending(image, program, seconds)]


def _ending(image: str, program: t.Sequence[str], seconds: int) -> list[str]:
    return ["--entrypoint=bash", image, "-c", _SCRIPT, "wall", "--kill-after=10", str(seconds), *program]


def wrong_mounts(live: Container, folder: str, proc: Path = Path("/proc")) -> list[str]:
    """What a running gateway sees that is not what `folder` holds now."""
    root = proc / str(live["State"]["Pid"]) / "root"
    mounts = {mount["Destination"]: mount for mount in live["Mounts"]}
    wrong = []
    for name in (*CONFIGURATION, "clients"):
        source, inside = os.path.join(folder, name), f"{INSIDE}/{name}"
        mount = mounts.get(inside)
        # By another name too: that of before it was moved.
        if mount is None or os.path.realpath(mount["Source"]) != os.path.realpath(source):
            wrong.append(f"{inside} in the running gateway is not {source}")
        elif mount["RW"]:
            wrong.append(f"the running gateway can write to {source}")
        # A folder that was replaced has the same path, and the gateway still sees the old one.
        elif not os.path.samefile(source, str(root) + inside):
            wrong.append(f"{source} was replaced since the gateway was started")
    return wrong


def last_change(folders: t.Iterable[str]) -> float:
    """When something in these folders changed last, by the time that nobody can set (the ctime)."""
    times = [0.0]
    for folder in folders:
        for parent, _folders, files in os.walk(folder):
            times += [os.lstat(os.path.join(parent, name)).st_ctime for name in (".", *files)]
    return max(times)


def workers_began(master: int, proc: Path = Path("/proc")) -> float | None:
    """When the first of nginx's workers that still take requests began; None where there is none.

    A worker has the configuration of the time at which it began: reloading begins new ones.
    """
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    ticks = os.sysconf("SC_CLK_TCK")
    began = []
    for path in proc.glob("[0-9]*/stat"):
        try:
            # The name before it may hold anything, a parenthesis too (proc(5)).
            fields = path.read_text().rpartition(")")[2].split()
            title = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == master and b"worker process" in title and b"shutting down" not in title:
            began.append(booted + int(fields[19]) / ticks)
    return min(began, default=None)


def runs_what_is_there(master: int, folders: t.Sequence[str], proc: Path = Path("/proc")) -> bool:
    """Whether all workers began after the last change of the configuration."""
    began = workers_began(master, proc)
    return began is not None and began + _STEP >= last_change(folders)
