#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: stale_containers
short_description: Remove containers whose network is gone
version_added: 0.1.0
description:
  - Removes the containers of a Compose project that are stopped and belong to a Docker network that somebody removed.
    They cannot start any more, also where there is a new network of that name, and Compose does not see why.
  - What runs is left alone, and so are volumes. Compose makes such a container anew.
options:
  project:
    description: The Compose project.
    type: str
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
- name: Remove containers that cannot start
  gatehouse.ollama.stale_containers:
    project: gatehouse-ollama
"""

RETURN = r"""
containers:
  description: Names of the containers that were removed.
  returned: success
  type: list
  elements: str
"""

import json
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

Dict = t.Dict[str, t.Any]


class DockerError(GatehouseError):
    """A command of Docker's fails."""


def docker(module: AnsibleModule, *args: str) -> str:
    rc, stdout, stderr = module.run_command(["docker", *args])
    if rc != 0:
        raise DockerError("`docker %s` fails: %s" % (" ".join(args[:2]), (stderr or stdout).strip()))
    return str(stdout)


def is_stale(container: Dict, networks: t.Container[str]) -> bool:
    """Whether it is stopped and belongs to a network that is not there. One that never ran knows no numbers of any."""
    numbers = [one.get("NetworkID") for one in container["NetworkSettings"]["Networks"].values()]
    return not container["State"]["Running"] and any(one and one not in networks for one in numbers)


def stale(module: AnsibleModule) -> t.List[str]:
    label = "label=com.docker.compose.project=%s" % module.params["project"]
    ids = docker(module, "ps", "--all", "--quiet", "--filter", label).split()
    if not ids:
        return []
    networks = set(docker(module, "network", "ls", "--no-trunc", "--quiet").split())
    found = [one for one in json.loads(docker(module, "inspect", *ids)) if is_stale(one, networks)]
    return [str(one["Name"]).lstrip("/") for one in found]


def main() -> None:
    module = AnsibleModule(argument_spec={"project": {"type": "str", "required": True}}, supports_check_mode=True)
    try:
        names = stale(module)
        if names and not module.check_mode:
            # Without force: one that was started meanwhile stays.
            docker(module, "rm", *names)
    except GatehouseError as error:
        module.fail_json(msg=str(error))
    lines = "".join("%s\n" % name for name in names)
    module.exit_json(changed=bool(names), containers=names, diff={"before": lines, "after": ""})


if __name__ == "__main__":
    main()
