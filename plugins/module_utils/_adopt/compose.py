# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Compose project with Ollama and nginx: where its models, users and keys are on the host, and what it publishes.

Its containers tell, running or stopped, whatever became of the files that they were made from.
"""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.gatehouse.ollama.plugins.module_utils._adopt import files
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Dict, Docker, name_of
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.place import Container

_FOLDER_LABEL = "com.docker.compose.project.working_dir"
_USERS = re.compile(r"(?:^|[{;])\s*auth_basic_user_file\s+[\"']?([^\s;\"'$]+)", re.MULTILINE)
_PROXY = re.compile(r"^\s*proxy_pass\s", re.MULTILINE)
# What Lua opens: a path, or something that got one before.
_OPENS = re.compile(r"\bio\.(?:open|lines)\s*\(?\s*(?![\s(\"'])")
_OPENED = re.compile(r"\bio\.(?:open|lines)\s*\(?\s*[\"'](/[^\"'\n\0]{1,500})[\"']")
_GIVEN = re.compile(r"(?<!\bdofile)(?<!\bloadfile)\s*[=(,]\s*[\"'](/[^\"'\n\0]{1,500})[\"']")
# Of nginx and of Lua, where # is a length.
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*$", re.MULTILINE)
_LUA_COMMENT = re.compile(r"^\s*#.*$|(?:^|(?<=\s))--.*$", re.MULTILINE)
# Where nginx and OpenResty look for a relative path.
_PREFIXES = ("/etc/nginx", "/usr/local/openresty/nginx/conf")
_MOST_CONFIGURATIONS = 50


@dataclass
class Project:
    """`models` are folders of the host with what leads from there to the models; `ports` are published for TCP."""

    servers: t.List[Dict] = field(default_factory=list)
    proxies: t.List[Dict] = field(default_factory=list)
    models: t.List[t.Tuple[str, str]] = field(default_factory=list)
    ports: t.List[t.Tuple[str, int]] = field(default_factory=list)
    users_files: t.List[str] = field(default_factory=list)
    keys_files: t.List[str] = field(default_factory=list)
    notes: t.List[str] = field(default_factory=list)

    @property
    def users_file(self) -> str:
        return self.users_files[0] if len(self.users_files) == 1 else ""

    @property
    def keys_file(self) -> str:
        return self.keys_files[0] if len(self.keys_files) == 1 else ""

    def refuse_doubt(self, users_file: str, keys_file: str) -> None:
        """Raise GatehouseError where more than one file may be meant, and the user names none."""
        for variable, named, what, found in (
            ("adopt_htpasswd_file", users_file, "users", self.users_files),
            ("adopt_api_keys_file", keys_file, "keys", self.keys_files),
        ):
            if len(found) > 1 and not named:
                raise GatehouseError(f"{variable} has to say which file has the {what}: {' or '.join(found)}")


def find(docker: Docker, folder: str) -> Project:
    """The project whose Compose file is in the folder. Raises GatehouseError where no container is of one."""
    if not os.path.isabs(folder):
        raise GatehouseError(f"adopt_compose_dir: {folder}: it must be an absolute path of this host")
    containers = _containers(docker, folder)
    if not containers:
        raise GatehouseError(
            f"adopt_compose_dir: {folder}: there is nothing to adopt, for no container on this host is of a Compose "
            "project in that folder. Name the folder in which `docker compose up` was run"
        )
    project = Project(
        servers=[one for one in containers if _is_server(one)],
        proxies=[one for one in containers if not _is_server(one) and _is_proxy(one)],
    )
    if not project.servers:
        raise GatehouseError(
            f"adopt_compose_dir: {folder}: there is nothing to adopt, for none of its containers is Ollama"
        )
    for one in containers:
        if one not in project.servers and one not in project.proxies:
            text = (
                "is neither Ollama nor nginx and is left alone. If it used this Ollama, it needs a key of the gateway"
            )
            project.notes.append(f"The container {name_of(one)} {text}.")
    for one in project.servers:
        mount = _container(one).models_mount
        if mount is None:
            text = "keeps its models in no volume and no folder of the host: they cannot be taken over"
            project.notes.append(f"The container {name_of(one)} {text}.")
        elif (mount[0], "/".join(mount[1])) not in project.models:
            project.models.append((mount[0], "/".join(mount[1])))
    project.ports = sorted({port for one in [*project.proxies, *project.servers] for port in ports_of(one)})
    for one in project.proxies:
        _find_credentials(one, project)
    return project


def _containers(docker: Docker, folder: str) -> t.List[Dict]:
    """Those that Compose made of a file in the folder, by its path as it was said or without links."""
    ids: t.List[str] = []
    for path in dict.fromkeys([os.path.normpath(folder), os.path.realpath(folder)]):
        label = f"label={_FOLDER_LABEL}={path}"
        ids += docker.read("ps", "--all", "--quiet", "--no-trunc", "--filter", label).split()
    found = docker.inspect("container", *dict.fromkeys(ids))
    ours = ("gatehouse-ollama", "gatehouse-gateway")
    return [one for one in found if _labels(one).get("com.docker.compose.project") not in ours]


def _labels(container: Dict) -> Dict:
    return (container.get("Config") or {}).get("Labels") or {}


def _mounts(container: Dict) -> t.Dict[str, str]:
    """Paths of the host by where the container has them."""
    return {str(one.get("Destination")): str(one.get("Source")) for one in container.get("Mounts") or []}


def _container(one: Dict) -> Container:
    environment = dict(str(entry).partition("=")[::2] for entry in (one.get("Config") or {}).get("Env") or [])
    return Container("", name_of(one), 0, "", 0, environment, _mounts(one))


def _is_server(container: Dict) -> bool:
    """By its image, or by where it has something of the host."""
    return _image(container) == "ollama" or any(one.rstrip("/").endswith("/.ollama") for one in _mounts(container))


def _is_proxy(container: Dict) -> bool:
    """By its image, or by what it reads."""
    if _image(container).startswith(("nginx", "openresty")):
        return True
    return any(_PROXY.search(text) for _path, text in _configurations(_mounts(container)))


def _image(container: Dict) -> str:
    """The last part of the image's name."""
    image = str((container.get("Config") or {}).get("Image") or "")
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def ports_of(container: Dict) -> t.List[t.Tuple[str, int]]:
    """What it publishes, also where it is stopped."""
    bindings = (container.get("HostConfig") or {}).get("PortBindings") or {}
    found = set()
    for inside, outside in bindings.items():
        for one in (outside or []) if str(inside).endswith("/tcp") else []:
            port = str(one.get("HostPort") or "")
            if port.isdecimal():
                found.add((str(one.get("HostIp") or ""), int(port)))
    return sorted(found)


def _find_credentials(proxy: Dict, project: Project) -> None:
    mounts = _mounts(proxy)
    configurations = dict(_configurations(mounts))
    text = "\n".join(configurations.values())
    for path in dict.fromkeys(_USERS.findall(_COMMENT.sub("", text))):
        found = next(filter(None, (_outside(mounts, os.path.join(prefix, path)) for prefix in _PREFIXES)), "")
        if found and found not in project.users_files:
            project.users_files.append(found)
        elif not found:
            project.notes.append(f"The users in {path} of {name_of(proxy)} are in no file of the host.")
    text = _LUA_COMMENT.sub("", text)
    opened = _OPENED.findall(text) + (_GIVEN.findall(text) if _OPENS.search(text) else [])
    named = {_outside(mounts, path) for path in opened} - {"", *project.users_files, *configurations}
    project.keys_files += sorted(one for one in named - {*project.keys_files} if os.path.isfile(one))


def _configurations(mounts: t.Mapping[str, str]) -> t.Iterator[t.Tuple[str, str]]:
    """The configurations of nginx that come from the host, by their paths there."""
    paths: t.List[str] = []
    for source in mounts.values():
        if os.path.isdir(source):
            paths += [os.path.join(source, one) for one in sorted(os.listdir(source)) if one.endswith(".conf")]
        elif source.endswith(".conf"):
            paths.append(source)
    for path in paths[:_MOST_CONFIGURATIONS]:
        if os.path.isfile(path):
            yield path, files.read(path).decode("utf-8", errors="replace")


def _outside(mounts: t.Mapping[str, str], path: str) -> str:
    """Where a path of the container is on the host; empty if it is the container's own."""
    path = os.path.normpath(path)
    above = [one for one in mounts if (path + "/").startswith(one.rstrip("/") + "/")]
    if not above:
        return ""
    closest = max(above, key=len)
    return os.path.normpath(mounts[closest] + "/" + path[len(closest) :]) if path != closest else mounts[closest]
