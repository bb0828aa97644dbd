# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab: Linux hosts with their own Docker, and the registries that they draw from, as containers on this machine."""

from __future__ import annotations

import subprocess

import docker

from tests.lab import engine, images, services
from tests.lab.base import INNER_SUBNET, LABEL, LabError, lock, say

__all__ = ["LabError", "down", "up"]


def up(
    *, packages: bool = False, acme: bool = False, official: bool | None = None, standin: bool | None = None
) -> docker.DockerClient:
    """Everything that hosts need, running; the engine's client. Quick where it is there already."""
    with lock():
        client = engine.up()
        services.network(client)
        say("serving " + services.registry(client, official, standin))
        images.build(client, "host")
        if packages:
            say(f"serving packages at {services.packages(client)}")
        if acme:
            say(f"serving certificates at {services.acme(client)}")
    return client


def down() -> None:
    """Remove all that the lab made but its images, which save the next start the time; stop an engine it started."""
    with lock():
        if engine.running():
            client = engine.client()
            label = {"label": LABEL}
            for container in client.containers.list(all=True, filters=label):
                say(f"removing {container.name}")
                container.remove(force=True, v=True)
            for volume in client.volumes.list(filters=label):
                volume.remove()
            for network in client.networks.list(filters=label):
                network.remove()
        engine.down()
        subprocess.run(["ip", "route", "del", "blackhole", str(INNER_SUBNET)], capture_output=True, check=False)
