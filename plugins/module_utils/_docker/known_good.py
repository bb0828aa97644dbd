# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Compose project was made of when it was last seen to work: files, and the numbers of its images."""

from __future__ import annotations

import json
import os
import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Dict, Docker, DockerError
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

NAME = "good.json"
_ID = re.compile(r"sha256:[0-9a-f]{64}\Z")
# What runs beside the servers, as a user of its own.
_OTHERS = ("door", "egress")
_USER = re.compile(r"([0-9]+)(:[0-9]+)?\Z")


class NothingKnown(GatehouseError):
    """There is nothing to return to, or it cannot be understood."""


def seen(docker: Docker, project: str, folder: str, names: t.Iterable[str]) -> Dict:
    """What the project is made of now. Raises GatehouseError, OSError."""
    files = {}
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as file:
                files[name] = file.read()
    images, users = {}, set()
    for one in docker.containers(project):
        images[str(one["Config"]["Image"])] = str(one["Image"])
        if _service_of(one) not in _OTHERS:
            users.add(str(one["Config"].get("User") or ""))
    return {"files": files, "images": images, "user": users.pop() if len(users) == 1 else ""}


def runs(docker: Docker, project: str, folder: str) -> bool:
    """Whether all of the project runs, is healthy, and is what the folder describes. Raises DockerError."""
    containers = docker.containers(project, "--all")
    if not containers or not os.path.isfile(os.path.join(folder, "compose.yaml")):
        return False
    lines = docker.read("compose", "--project-directory", folder, "config", "--hash=*").splitlines()
    wanted = dict(line.split(None, 1) for line in lines if " " in line)
    there = {_service_of(one): one["Config"]["Labels"].get("com.docker.compose.config-hash") for one in containers}
    return wanted == there and all(_is_healthy(one) for one in containers)


def _service_of(container: Dict) -> str:
    return str((container["Config"].get("Labels") or {}).get("com.docker.compose.service"))


def _is_healthy(container: Dict) -> bool:
    state = container.get("State") or {}
    return bool(state.get("Running")) and (state.get("Health") or {}).get("Status", "healthy") == "healthy"


def read(folder: str) -> Dict:
    """What was kept. Raises NothingKnown, OSError."""
    path = os.path.join(folder, NAME)
    try:
        with open(path, encoding="utf-8") as file:
            kept = json.load(file)
    except FileNotFoundError:
        raise NothingKnown("nothing ran before that is known to work") from None
    except (ValueError, RecursionError):
        kept = None
    if not _is_sound(kept):
        raise NothingKnown("%s cannot be understood" % path)
    return t.cast(Dict, kept)


def _is_sound(kept: t.Any) -> bool:
    if not isinstance(kept, dict):
        return False
    files, images = kept.get("files"), kept.get("images")
    return (
        isinstance(files, dict)
        and "compose.yaml" in files
        and all(isinstance(text, str) and _is_below(name) for name, text in files.items())
        and isinstance(images, dict)
        and bool(images)
        and all(isinstance(one, str) and _ID.match(one) for one in images.values())
        and isinstance(kept.get("user"), str)
    )


def _is_below(name: str) -> bool:
    return not name.startswith("/") and ".." not in name.split("/")


def is_there(docker: Docker, folder: str, kept: Dict) -> bool:
    """Whether the files and images are the kept ones, so that there is nothing to return to."""
    for name, text in kept["files"].items():
        path = os.path.join(folder, name)
        if not os.path.isfile(path):
            return False
        with open(path, encoding="utf-8", errors="replace") as file:
            if file.read() != text:
                return False
    found = {name: docker.inspect("image", name) for name in kept["images"]}
    return all(found[name] and found[name][0]["Id"] == number for name, number in kept["images"].items())


def user_id(kept: Dict) -> int | None:
    """The number of the user as whom it ran."""
    found = _USER.match(kept["user"])
    return int(found.group(1)) if found else None


def places(docker: Docker, folder: str, volume: str) -> tuple[bool, list[str]]:
    """Whether what the folder describes has the volume, and what folders it may write to. Raises DockerError."""
    text = docker.read("compose", "--project-directory", folder, "config", "--format=json")
    try:
        services = json.loads(text).get("services") or {}
        mounts = [mount for one in services.values() for mount in one.get("volumes") or []]
        has_volume = any(one["type"] == "volume" and one.get("source") == volume for one in mounts)
        bound = {str(one["source"]) for one in mounts if one["type"] == "bind" and not one.get("read_only")}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DockerError("`docker compose config` prints something else than a project in JSON") from None
    return has_volume, sorted(bound)


def give_names_back(docker: Docker, images: t.Mapping[str, str]) -> None:
    """Have the names of images mean what they did. Raises GatehouseError."""
    for name, number in images.items():
        if not docker.inspect("image", number):
            raise NothingKnown("its image %s (%s) is not on this host any more" % (name, number[:19]))
        there = docker.inspect("image", name)
        if not there or there[0]["Id"] != number:
            if "@" in name:
                raise NothingKnown("its image %s is not on this host any more" % name)
            docker.read("tag", number, name)


def start(docker: Docker, folder: str, seconds: int) -> None:
    """Start what the folder describes and wait until it is healthy. Raises DockerError."""
    waiting = ("--wait", "--wait-timeout", str(seconds))
    answer = docker.run(
        *("compose", "--project-directory", folder, "up", "--detach", "--pull", "never", "--remove-orphans"), *waiting
    )
    if answer.rc != 0:
        raise DockerError("it does not become healthy: %s" % answer.error.splitlines()[-1])
