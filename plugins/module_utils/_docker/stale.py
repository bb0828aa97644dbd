# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that lost a network. Compose does not see it, and makes such a container anew once it is gone."""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Dict, Docker, name_of


def remove(docker: Docker, project: str, folder: str, keeps: bool = False) -> tuple[list[str], list[str]]:
    """Remove those of a project whose Compose file is in the folder, and return their names.

    `keeps`: those that are cut off may run, and stay; their names come second. Raises DockerError.
    """
    dead, cut_off = find(docker, project, folder)
    kept, cut_off = (cut_off, []) if keeps else ([], cut_off)
    if cut_off:
        docker.change("stop", *cut_off)
    if dead or cut_off:
        # Without force: one that was started meanwhile stays.
        docker.change("rm", *dead, *cut_off)
    return dead + cut_off, kept


def find(docker: Docker, project: str, folder: str) -> tuple[list[str], list[str]]:
    """The names of those that cannot start, and of those that are cut off."""
    containers = docker.containers(project, "--all")
    if not containers:
        return [], []
    networks = set(docker.read("network", "ls", "--no-trunc", "--quiet").split())
    dead = [one for one in containers if _cannot_start(one, networks)]
    compose = _described(docker, folder)
    cut_off = [one for one in containers if one not in dead and _is_cut_off(one, compose)]
    return _names_of(dead), _names_of(cut_off)


def _cannot_start(container: Dict, networks: t.Container[str]) -> bool:
    """Whether it is stopped and belongs to a network that is not there. One that never ran knows no numbers of any."""
    numbers = [one.get("NetworkID") for one in container["NetworkSettings"]["Networks"].values()]
    return not container["State"]["Running"] and any(one and one not in networks for one in numbers)


def _is_cut_off(container: Dict, compose: Dict) -> bool:
    """Whether it is not in all networks of its service, or not by all names that it is to have there."""
    labels = container["Config"]["Labels"]
    if labels.get("com.docker.compose.oneoff") == "True":
        # Somebody's `docker compose run`: Compose would not make it anew.
        return False
    there = container["NetworkSettings"]["Networks"]
    service = compose["services"].get(labels.get("com.docker.compose.service"), {})
    for key, options in (service.get("networks") or {}).items():
        network = there.get(compose["networks"][key]["name"])
        if network is None:
            return True
        names = [*(network.get("Aliases") or []), *(network.get("DNSNames") or [])]
        if not set((options or {}).get("aliases") or []) <= set(names):
            return True
    return False


def _described(docker: Docker, folder: str) -> Dict:
    """What Compose reads in its folder; nothing where check mode has not written it yet."""
    if not os.path.exists(os.path.join(folder, "compose.yaml")):
        return {"services": {}, "networks": {}}
    read: Dict = json.loads(docker.read("compose", "--project-directory", folder, "config", "--format", "json"))
    return read


def _names_of(containers: t.Iterable[Dict]) -> list[str]:
    return [name_of(one) for one in containers]
