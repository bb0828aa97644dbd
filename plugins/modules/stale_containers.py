#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: stale_containers
short_description: Remove containers that lost a network
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Removes the containers of a Compose project that are stopped and belong to a Docker network that somebody removed.
    They cannot start any more, also where there is a new network of that name.
  - Stops and removes those that are not in a network of the Compose file, or not by its names there, since somebody
    disconnected them.
  - Compose sees neither, and makes such a container anew once it is gone. Other containers are left alone, and so are
    volumes.
options:
  project:
    description: The Compose project.
    type: str
    required: true
  project_src:
    description: The folder of its Compose file.
    type: path
    required: true
attributes:
  check_mode:
    description: Reports what would be removed.
    support: full
  diff_mode:
    description: Shows the names of the containers.
    support: full
  idempotent:
    description: What is removed is not there a second time.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Remove containers that lost a network
  gatehouse.ollama.stale_containers:
    project: gatehouse-ollama
    project_src: /opt/gatehouse/ollama
"""

RETURN = r"""
containers:
  description: Names of the containers that were removed.
  returned: success
  type: list
  elements: str
"""

import json
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

Dict = t.Dict[str, t.Any]


def cannot_start(container: Dict, networks: t.Container[str]) -> bool:
    """Whether it is stopped and belongs to a network that is not there. One that never ran knows no numbers of any."""
    numbers = [one.get("NetworkID") for one in container["NetworkSettings"]["Networks"].values()]
    return not container["State"]["Running"] and any(one and one not in networks for one in numbers)


def is_cut_off(container: Dict, compose: Dict) -> bool:
    """Whether it is not in all networks of its service, or not by all names that it is to have there."""
    if container["Config"]["Labels"].get("com.docker.compose.oneoff") == "True":
        # Somebody's `docker compose run`: Compose would not make it anew.
        return False
    there = container["NetworkSettings"]["Networks"]
    service = compose["services"].get(container["Config"]["Labels"].get("com.docker.compose.service"), {})
    for key, options in (service.get("networks") or {}).items():
        network = there.get(compose["networks"][key]["name"])
        if network is None:
            return True
        names = [*(network.get("Aliases") or []), *(network.get("DNSNames") or [])]
        if not set((options or {}).get("aliases") or []) <= set(names):
            return True
    return False


def stale(docker: Docker, project: str, folder: str) -> t.Tuple[t.List[str], t.List[str]]:
    """The names of those that cannot start, and of those that are cut off."""
    containers = docker.containers(project, "--all")
    if not containers:
        return [], []
    networks = set(docker.read("network", "ls", "--no-trunc", "--quiet").split())
    dead = [one for one in containers if cannot_start(one, networks)]
    compose = described(docker, folder)
    cut_off = [one for one in containers if one not in dead and is_cut_off(one, compose)]
    return names_of(dead), names_of(cut_off)


def described(docker: Docker, folder: str) -> Dict:
    """What Compose reads in its folder; nothing where check mode has not written it yet."""
    if not os.path.exists(os.path.join(folder, "compose.yaml")):
        return {"services": {}, "networks": {}}
    read: Dict = json.loads(docker.read("compose", "--project-directory", folder, "config", "--format", "json"))
    return read


def names_of(containers: t.Iterable[Dict]) -> t.List[str]:
    return [str(one["Name"]).lstrip("/") for one in containers]


def main() -> None:
    options = {"project": {"type": "str", "required": True}, "project_src": {"type": "path", "required": True}}
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    docker = Docker(module)
    try:
        dead, cut_off = stale(docker, module.params["project"], module.params["project_src"])
        names = dead + cut_off
        if cut_off and not module.check_mode:
            docker.read("stop", *cut_off)
        if names and not module.check_mode:
            # Without force: one that was started meanwhile stays.
            docker.read("rm", *names)
    except GatehouseError as error:
        module.fail_json(msg=str(error))
    lines = "".join("%s\n" % name for name in names)
    module.exit_json(changed=bool(names), containers=names, diff={"before": lines, "after": ""})


if __name__ == "__main__":
    main()
