#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: adoption
short_description: Find an Ollama that is to be taken over, and stop it last
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Finds a Compose project with Ollama and nginx, or Ollama as a service of systemd; where its models are on the host,
    and the files with its users and keys.
  - Nothing of it is ever removed. It fails with a clear error where there is nothing to adopt.
options:
  compose_dir:
    description: The folder in which C(docker compose up) was run. Empty for the service.
    type: str
    default: ""
  service:
    description: The unit of systemd, where O(compose_dir) is empty.
    type: str
    default: ollama.service
  htpasswd_file:
    description: The file with its users, if it is not found.
    type: str
    default: ""
  api_keys_file:
    description: The file with its keys, if it is not found.
    type: str
    default: ""
  state:
    description:
      - V(found) changes nothing. V(stopped) stops it, and keeps it from starting with the host. V(started) starts what
        V(stopped) stopped.
    type: str
    choices: [found, stopped, started]
    default: found
  parts:
    description: Of a Compose project, what is to be stopped.
    type: str
    choices: [proxies, servers, all]
    default: all
  started:
    description: With O(state=started), names of the containers to start, as V(stopped) returned them.
    type: list
    elements: str
    default: []
  instead_of:
    description: With O(state=started), a Compose project that is stopped before, since it may have the same port.
    type: str
attributes:
  check_mode:
    description: Can run in check mode and tell what would change.
    support: full
  diff_mode:
    description: Is not supported.
    support: none
  idempotent:
    description: A second run changes nothing.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Find what is to be adopted
  gatehouse.ollama.adoption:
    compose_dir: /root/ollama-nginx-auth
  register: found
"""

RETURN = r"""
models:
  description: Folders of the host with models, as the module C(models_place) takes them.
  returned: success
  type: list
  elements: dict
htpasswd:
  description: The file with users, empty if there is none.
  returned: success
  type: str
api_keys:
  description: The file with keys, empty if there is none.
  returned: success
  type: str
ports:
  description: TCP ports of the host that it holds now.
  returned: success
  type: list
  elements: int
free_port:
  description: A port of the host that nobody holds now.
  returned: success
  type: int
running:
  description: What runs of it.
  returned: success
  type: list
  elements: str
proxies:
  description: What runs of it in front of Ollama.
  returned: success
  type: list
  elements: str
stopped:
  description: What was stopped.
  returned: success
  type: list
  elements: str
found:
  description: The same in words.
  returned: success
  type: list
  elements: str
leftovers:
  description: How to remove what is not needed any more.
  returned: success
  type: list
  elements: str
"""

import shlex
import socket
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._adopt import compose, service
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Dict, Docker, is_running, name_of
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError


def free_port() -> int:
    """One that a gateway may have for a while, to be tried before it takes the place of another."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


class OfCompose:
    def __init__(self, module: AnsibleModule, folder: str) -> None:
        self.docker = Docker(module)
        self.folder = folder
        if not self.docker.is_installed:
            raise GatehouseError(f"adopt_compose_dir: {folder}: there is nothing to adopt, for this host has no Docker")
        self.project = compose.find(self.docker, folder)

    def found(self) -> Dict:
        project = self.project
        running = [one for one in [*project.proxies, *project.servers] if is_running(one)]
        names = [name_of(one) for one in [*project.proxies, *project.servers]]
        return dict(
            models=[dict(path=path, below=below) for path, below in project.models],
            htpasswd=project.users_file,
            api_keys=project.keys_file,
            # What is stopped holds none: by now they may be the new gateway's.
            ports=sorted({port for one in running for _address, port in compose.ports_of(one)}),
            running=[name_of(one) for one in running],
            proxies=[name_of(one) for one in running if one in project.proxies],
            found=[
                f"Compose project in {self.folder}: containers {', '.join(names)}",
                "models: " + (", ".join("/".join(filter(None, one)) for one in project.models) or "none"),
                f"published: {', '.join('%s:%d' % (at or '*', port) for at, port in project.ports) or 'nothing'}",
                *project.notes,
            ],
            leftovers=self._leftovers(),
        )

    def _leftovers(self) -> list[str]:
        names = [name_of(one) for one in [*self.project.proxies, *self.project.servers]]
        volumes = {
            str(one["Name"]): None
            for container in self.project.servers
            for one in container.get("Mounts") or []
            if one.get("Type") == "volume" and one.get("Name")
        }
        lines = ["docker rm " + " ".join(map(shlex.quote, names))]
        lines += ["docker volume rm " + " ".join(map(shlex.quote, volumes))] if volumes else []
        return lines

    def stop(self, parts: str) -> list[str]:
        chosen = (self.project.proxies if parts != "servers" else []) + (
            self.project.servers if parts != "proxies" else []
        )
        running = [one for one in chosen if is_running(one)]
        for one in running:
            # It would come back with Docker; this policy keeps what was stopped stopped.
            if ((one.get("HostConfig") or {}).get("RestartPolicy") or {}).get("Name") == "always":
                self.docker.change("update", "--restart=unless-stopped", name_of(one))
        names = [name_of(one) for one in running]
        if names:
            self.docker.change("stop", *names)
        return names

    def start(self, names: t.Sequence[str], instead_of: str | None) -> list[str]:
        ours = self.docker.ids(instead_of) if instead_of else []
        if ours:
            self.docker.change("stop", *ours)
        if names:
            self.docker.change("start", *names)
        return list(names)


class OfSystemd:
    def __init__(self, module: AnsibleModule, name: str) -> None:
        self.module = module
        self.service = service.find(module, name)

    def found(self) -> Dict:
        path, below = self.service.models
        return dict(
            models=[dict(path=path, below=below)],
            htpasswd="",
            api_keys="",
            ports=[],
            proxies=[],
            running=[self.service.name] if self.service.is_active else [],
            found=[f"service {self.service.name} of systemd", "models: " + "/".join(filter(None, (path, below)))],
            leftovers=[f"the unit {self.service.name}, the program ollama, and {path}"],
        )

    def stop(self, _parts: str) -> list[str]:
        return [self.service.name] if service.stop(self.module, self.service) else []

    def start(self, names: t.Sequence[str], _instead_of: str | None) -> list[str]:
        if names:
            service.start(self.module, self.service)
        return list(names)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            compose_dir=dict(type="str", default=""),
            service=dict(type="str", default="ollama.service"),
            htpasswd_file=dict(type="str", default=""),
            api_keys_file=dict(type="str", default=""),
            state=dict(type="str", choices=["found", "stopped", "started"], default="found"),
            parts=dict(type="str", choices=["proxies", "servers", "all"], default="all"),
            started=dict(type="list", elements="str", default=[]),
            instead_of=dict(type="str"),
        ),
        supports_check_mode=True,
    )
    options = module.params
    stopped: list[str] = []
    started: list[str] = []
    try:
        folder = options["compose_dir"]
        old: OfCompose | OfSystemd = OfCompose(module, folder) if folder else OfSystemd(module, options["service"])
        if options["state"] == "found" and isinstance(old, OfCompose):
            old.project.refuse_doubt(options["htpasswd_file"], options["api_keys_file"])
        if options["state"] == "stopped":
            stopped = old.stop(options["parts"])
        elif options["state"] == "started":
            started = old.start(options["started"], options["instead_of"])
        answer = old.found()
    except GatehouseError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg="%s: %s" % (error.filename, error.strerror))
    answer["htpasswd"] = options["htpasswd_file"] or answer["htpasswd"]
    answer["api_keys"] = options["api_keys_file"] or answer["api_keys"]
    answer["found"] += [
        f"{what}: {path}" for what, path in (("users", answer["htpasswd"]), ("keys", answer["api_keys"])) if path
    ]
    module.exit_json(changed=bool(stopped or started), stopped=stopped, free_port=free_port(), **answer)


if __name__ == "__main__":
    main()
