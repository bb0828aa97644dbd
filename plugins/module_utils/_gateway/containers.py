# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers of a gateway: a pod with the network and the published ports, the gateway in it that compose.yaml
describes, and those before it that end the requests which they still have.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import (
    Dict,
    Docker,
    DockerError,
    is_running,
    name_of,
)

POD = "pod"
# Each gateway is a service of its own, so that Compose leaves the one before alone. One without a number has no pod.
_SERVICE = re.compile(r"^  (gateway(?:-([0-9]+))?):$", re.MULTILINE)


class Described(t.NamedTuple):
    """What a compose.yaml says of the gateway."""

    service: str
    number: int
    text: str


def described(folder: str) -> Described:
    """What the compose.yaml in this folder says; nothing of a gateway where there is none. Raises OSError."""
    try:
        with open(os.path.join(folder, "compose.yaml"), encoding="utf-8", errors="replace") as file:
            text = file.read()
    except FileNotFoundError:
        text = ""
    return described_in(text)


def described_in(text: str) -> Described:
    found = _SERVICE.search(text)
    return Described(found.group(1), int(found.group(2) or 0), text) if found else Described("", 0, text)


def as_number(text: str, number: int, image: str) -> str:
    """A description with a number, which it has or which is another, and the very image that it ran."""
    described = described_in(text)
    head, service, tail = text.partition(f"  {described.service}:\n")
    tail = re.sub(r"(?m)^    image: .*$", lambda _: f'    image: "{image}"', tail, count=1)
    return f"{head}{service.replace(described.service, f'gateway-{number}')}{tail}"


class Containers:
    """Those that there are of a project, running or not. Raises DockerError."""

    def __init__(self, docker: Docker, project: str, folder: str) -> None:
        self.docker, self.project, self.folder = docker, project, folder
        self.description = described(folder)
        self.look()

    def look(self) -> None:
        found = self.docker.containers(self.project, "--all")
        self.all = [one for one in found if one["Config"]["Labels"].get("com.docker.compose.oneoff") != "True"]

    @property
    def name(self) -> str:
        """Of the gateway that serves, whatever its number."""
        return f"{self.project}-gateway-1"

    @property
    def pod(self) -> Dict | None:
        return next((one for one in self.all if service(one) == POD), None)

    @property
    def live(self) -> Dict | None:
        """The gateway that compose.yaml describes."""
        return next((one for one in self.all if service(one) == self.description.service), None)

    @property
    def serving(self) -> Dict | None:
        """The gateway of the name by which people know it."""
        return next((one for one in self.all if name_of(one) == self.name), None)

    @property
    def others(self) -> list[Dict]:
        """Gateways before the one that compose.yaml describes."""
        return [one for one in self.all if service(one) not in (POD, self.description.service)]

    def networked(self) -> Dict | None:
        """The container that has the networks of the gateway: its pod, if it has one."""
        live = self.live
        return self.pod if live and live["HostConfig"]["NetworkMode"].startswith("container:") else live

    def compose(self, *arguments: str, file: str = "") -> str:
        """What `docker compose` says of the description, or of another file. Raises DockerError."""
        chosen = ["--file", file] if file else []
        return self.docker.read("compose", "--project-directory", self.folder, *chosen, *arguments)

    def wanted(self, text: str) -> Dict:
        """What Compose reads in a description: the hash of its pod, "" if it has none, and its services."""
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(text)
            file.flush()
            services = json.loads(self.compose("config", "--format", "json", file=file.name))["services"]
            hashed = self.compose("config", "--hash", POD, file=file.name) if POD in services else ""
        return {"services": services, "pod": hashed.split()[-1] if hashed else ""}


def service(container: Dict) -> str:
    return str(container["Config"]["Labels"].get("com.docker.compose.service"))


def has_networks(docker: Docker, project: str, folder: str) -> Dict:
    """A container that runs and has the networks of the gateway; empty where none does. Raises DockerError."""
    there = Containers(docker, project, folder)
    running = [one for one in there.all if is_running(one) and one["NetworkSettings"]["Networks"]]
    return min(running, key=lambda one: service(one) != POD, default={})


def only_live(docker: Docker, project: str, folder: str) -> tuple[Dict, Dict]:
    """The gateway that compose.yaml describes and the container that has its networks. Raises DockerError."""
    there = Containers(docker, project, folder) if docker.is_installed else None
    live, networked = (there.live, there.networked()) if there else (None, None)
    if not (live and networked and is_running(live) and is_running(networked)):
        raise DockerError(f"No gateway runs as {folder}/compose.yaml describes it")
    return live, networked
