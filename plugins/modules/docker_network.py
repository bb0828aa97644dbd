#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: docker_network
short_description: Have a private Docker network between servers and gateway, or have it no more
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Creates an internal network. No packet from outside reaches it, whatever the host forwards; engines before 28 would
    let one through to any other. The host has no address in it, so that its local users do not reach it either.
  - A network of that name that is there already is left as it is, whoever created it.
  - Removes only a network that has the label and that no container, running or not, needs.
options:
  name:
    description: The network.
    type: str
    required: true
  label:
    description: What tells the networks that a role of this collection created.
    type: str
    required: true
  state:
    description: Whether it should be there.
    type: str
    choices: [absent, present]
    default: present
  egress:
    description:
      - What C(ollama_server_egress) says. With anything but V(any), a network that is there and leads out is refused.
      - Only with O(state=present).
    type: str
    default: any
  projects:
    description:
      - Compose projects whose containers the run has removed by now. In check mode they are still there, and do not
        count.
      - Only with O(state=absent).
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Tells what would change.
    support: full
  diff_mode:
    description: Shows the name of the network.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Create the network
  gatehouse.ollama.docker_network:
    name: ollama
    label: gatehouse.ollama.network

- name: Remove the network if nobody needs it
  gatehouse.ollama.docker_network:
    name: ollama
    label: gatehouse.ollama.network
    state: absent
    projects: [gatehouse-gateway]
"""

RETURN = r"""
needed_by:
  description: Names of the containers for which a network that should be absent stays.
  returned: success
  type: list
  elements: str
projects:
  description: The option of this name, for a later task of the same run.
  returned: success
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

LEADS_OUT = (
    "ollama_server_network: the Docker network %s is there and is not internal, so that whoever is in it gets out, "
    "whatever ollama_server_egress says, which is %s. Name another network, which the role then creates, or remove "
    "this one."
)


class LeadsOut(GatehouseError):
    """Whoever is in the network gets out, and is not to."""


class Network:
    def __init__(self, module: AnsibleModule) -> None:
        self.docker = Docker(module)
        self.check_mode = module.check_mode
        self.name = module.params["name"]
        self.label = module.params["label"]

    def is_internal(self, *options: str) -> t.Optional[bool]:
        """None if there is no network of this name that options of `docker network ls` leave. Raises DockerError."""
        columns = "--format={{.Name}} {{.Internal}}"
        lines = self.docker.read("network", "ls", "--filter=name=%s" % self.name, *options, columns).splitlines()
        # The filter takes a part of a name for it, too.
        found = {name: internal == "true" for name, _space, internal in (line.rpartition(" ") for line in lines)}
        return found.get(self.name)

    def create(self, egress: str) -> bool:
        """Whether there was none. Raises DockerError or LeadsOut."""
        is_internal = self.is_internal()
        if is_internal is False and egress != "any":
            raise LeadsOut(LEADS_OUT % (self.name, egress))
        if is_internal is None and not self.check_mode:
            without_address = "--opt=com.docker.network.bridge.inhibit_ipv4=true"
            label = "--label=%s" % self.label
            self.docker.read("network", "create", "--internal", without_address, label, self.name)
        return is_internal is None

    def remove(self, projects: t.Container[str]) -> t.Tuple[bool, t.List[str]]:
        """Whether it goes, and for which containers it stays. Raises DockerError."""
        if self.is_internal("--filter=label=%s" % self.label) is None:
            return False, []
        needed_by = self.needed_by(projects)
        if not needed_by and not self.check_mode:
            self.docker.read("network", "rm", self.name)
        return not needed_by, needed_by

    def needed_by(self, projects: t.Container[str]) -> t.List[str]:
        columns = '--format={{.Names}} {{.Label "com.docker.compose.project"}}'
        lines = self.docker.read("ps", "--all", "--filter=network=%s" % self.name, columns).splitlines()
        containers = [[*line.split(), ""][:2] for line in lines if line.strip()]
        return [name for name, project in containers if not (self.check_mode and project in projects)]


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            name=dict(type="str", required=True),
            label=dict(type="str", required=True),
            state=dict(type="str", choices=["absent", "present"], default="present"),
            egress=dict(type="str", default="any"),
            projects=dict(type="list", elements="str", default=[]),
        ),
        supports_check_mode=True,
    )
    network = Network(module)
    projects: t.List[str] = module.params["projects"]
    present = module.params["state"] == "present"
    needed_by: t.List[str] = []
    try:
        if present:
            changed = network.create(module.params["egress"])
        else:
            changed, needed_by = network.remove(projects)
    except GatehouseError as error:
        module.fail_json(msg=str(error))
    line = "network: %s\n" % network.name if changed else ""
    diff = dict(before="", after=line) if present else dict(before=line, after="")
    module.exit_json(changed=changed, needed_by=needed_by, projects=projects, diff=diff)


if __name__ == "__main__":
    main()
