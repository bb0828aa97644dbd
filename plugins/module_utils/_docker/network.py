# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private network between servers and gateway."""

from __future__ import annotations

import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError


class LeadsOut(GatehouseError):
    """Whoever is in the network gets out, and is not to."""


def create(docker: Docker, name: str, label: str, egress: str) -> bool:
    """Whether there was none. Raises DockerError or LeadsOut."""
    is_internal = _is_internal(docker, name)
    if is_internal is False and egress != "any":
        raise LeadsOut(
            f"ollama_server_network: the Docker network {name} is there and is not internal, so that whoever is in it "
            f"gets out, whatever ollama_server_egress says, which is {egress}. Name another network, which the role "
            "then creates, or remove this one."
        )
    if is_internal is None:
        without_address = "--opt=com.docker.network.bridge.inhibit_ipv4=true"
        docker.change("network", "create", "--internal", without_address, f"--label={label}", name)
    return is_internal is None


def remove(docker: Docker, name: str, label: str, projects: t.Container[str]) -> tuple[bool, list[str]]:
    """Whether it goes, and for which containers it stays. Raises DockerError."""
    if _is_internal(docker, name, f"--filter=label={label}") is None:
        return False, []
    needed_by = _needed_by(docker, name, projects)
    if not needed_by:
        docker.change("network", "rm", name)
    return not needed_by, needed_by


def _is_internal(docker: Docker, name: str, *options: str) -> bool | None:
    """None if there is no network of this name that options of `docker network ls` leave. Raises DockerError."""
    columns = "--format={{.Name}} {{.Internal}}"
    lines = docker.read("network", "ls", f"--filter=name={name}", *options, columns).splitlines()
    # The filter takes a part of a name for it, too.
    found = {other: internal == "true" for other, _space, internal in (line.rpartition(" ") for line in lines)}
    return found.get(name)


def _needed_by(docker: Docker, name: str, projects: t.Container[str]) -> list[str]:
    """The containers in it, without those of projects that check mode only says to be removed."""
    columns = '--format={{.Names}} {{.Label "com.docker.compose.project"}}'
    lines = docker.read("ps", "--all", f"--filter=network={name}", columns).splitlines()
    containers = [[*line.split(), ""][:2] for line in lines if line.strip()]
    return [container for container, project in containers if not (docker.check_mode and project in projects)]
