#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: wall_gateway
short_description: Run a throw-away gateway with clients of its own beside a running one, to be attacked
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Runs a container from the image of the running gateway's container, with its program, user, limits and networks, and
    with the very same folders of configuration, modules and certificates, read-only. Only the clients are others. So
    whatever is in the way of an attack on it is in the way at the running gateway.
  - Its clients are made up anew each time, with random secrets, one for each scope, one that may use some models only,
    one whose keys have expired, and one that is revoked as soon as the gateway runs. Passwords and keys are hashed on
    the controller.
  - Fails where the running gateway does not run what is on disk, which is where a folder was replaced since it was
    started, or a file in C(conf) or C(lua) was changed since its workers began.
  - The container publishes no port and ends by itself, should nobody be left to remove it. One that is left from
    another run is removed first.
options:
  project:
    description: The Compose project of the running gateway.
    type: str
    required: true
  state:
    description: Whether the throw-away gateway is to run, or to be removed together with O(clients).
    type: str
    choices: [absent, present]
    default: present
  folder:
    description: The folder of the running gateway. Needed with O(state=present).
    type: path
  clients:
    description: The folder of the throw-away gateway's own clients. Whatever else is in it is removed.
    type: path
    required: true
  group:
    description: The group that may read the files of these clients.
    type: str
  auth:
    description: What the gateway accepts.
    type: str
    choices: [basic, bearer, both]
    default: both
  engine:
    description: What the gateway is. Plain V(nginx) limits nobody to models, so none of the clients is limited then.
    type: str
    choices: [nginx, openresty]
    default: openresty
  client_certificates:
    description:
      - Whether the gateway lets clients in with a certificate. With V(all) it lets nobody in without one, and none of
        these clients has one, so none of their credentials is valid.
    type: str
    choices: [none, any, all]
    default: none
  image:
    description:
      - The image of a gateway that is to be tried out before it takes over from the running one, with which it shares
        the networks then and nothing else. With O(options) and O(program). Where nothing runs, nor does this.
    type: str
  options:
    description: Options of C(docker create) for that.
    type: list
    elements: str
    default: []
  program:
    description: The program for that, and its arguments.
    type: list
    elements: str
    default: []
  seconds:
    description: After which time it ends by itself.
    type: int
    default: 600
attributes:
  check_mode:
    description: Looks, and neither runs nor removes anything.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: N/A
  idempotent:
    description: With O(state=present) it runs another one each time.
    support: partial
seealso:
  - module: gatehouse.ollama.wall
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Run a gateway to attack
  gatehouse.ollama.wall_gateway:
    project: gatehouse-gateway
    folder: /opt/gatehouse/gateway
    clients: /run/gatehouse-gateway-wall
    auth: bearer
  register: throw_away

- name: Remove it
  gatehouse.ollama.wall_gateway:
    project: gatehouse-gateway
    clients: /run/gatehouse-gateway-wall
    state: absent
"""

RETURN = r"""
address:
  description: Where it is reached from the host; empty where none was run.
  returned: success
  type: str
  sample: 172.18.0.3
image:
  description: The id of the image that both run.
  returned: success
  type: str
credentials:
  description: The credentials of its clients, for M(gatehouse.ollama.wall). Ansible does not print this result.
  returned: success, with O(state=present)
  type: list
  elements: dict
"""

import contextlib
import os
import shutil
import socket
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._gateway import containers
from ansible_collections.gatehouse.ollama.plugins.module_utils._gateway.waiting import within
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall import gateway

# Seconds within which old workers know that they have to go, and a new gateway listens.
PATIENCE = 15
PORT = 8080


class ThrowAway:
    """The gateway that runs beside another one."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.docker = Docker(module)
        self.project = module.params["project"]
        self.name = self.project + "-wall"
        # What has the networks of the running gateway.
        self.networked: dict[str, t.Any] = {}

    def is_there(self) -> bool:
        if not self.docker.is_installed:
            return False
        # By its label too: nothing else of that name is taken for it.
        chosen = [f"--filter=name=^/?{self.name}$", f"--filter=label={gateway.LABEL}"]
        return bool(self.docker.read("ps", "--all", "--quiet", *chosen))

    def remove(self) -> None:
        if self.is_there():
            self.docker.read("rm", "--force", self.name)

    def live(self) -> dict[str, t.Any]:
        """What Docker says of the running gateway, after a look at whether it runs what is on disk."""
        folder = self.module.params["folder"]
        if self.module.params["image"]:
            self.networked = containers.has_networks(self.docker, self.project, folder)
            return self.networked
        found, self.networked = containers.only_live(self.docker, self.project, folder)
        wrong = gateway.wrong_mounts(found, folder)
        if wrong:
            raise GatehouseError("; ".join(wrong) + ". The playbook gatehouse.ollama.deploy starts it anew")
        folders = [os.path.join(folder, name) for name in gateway.CONFIGURATION]
        if not within(PATIENCE, lambda: gateway.runs_what_is_there(found["State"]["Pid"], folders)):
            command = f"docker exec {found['Name'].lstrip('/')} bash -c 'kill -HUP 1'"
            raise GatehouseError(
                f"The running gateway does not run what is on disk: a file in {' or '.join(folders)} was changed after "
                "its workers began. What is on disk would be attacked. Unless somebody changed it on purpose, the "
                f"playbook gatehouse.ollama.deploy puts it back; `{command}` makes it count, as it should where the "
                "reload of a deploy failed"
            )
        return found

    def create_command(self, live: dict[str, t.Any], network: str) -> list[str]:
        params = self.module.params
        if params["image"]:
            options, program, seconds = params["options"], params["program"], params["seconds"]
            return gateway.trial_command(options, params["image"], program, self.name, network, seconds)
        return gateway.create_command(live, params["clients"], self.name, network, params["seconds"])

    def start(self, live: dict[str, t.Any]) -> str:
        """Returns its address."""
        names = list(self.networked["NetworkSettings"]["Networks"])
        networks = self.docker.inspect("network", *names)
        # The host has no address in an internal network, and reaches nobody there.
        first, *others = sorted(networks, key=lambda network: bool(network["Internal"]))
        self.docker.read(*self.create_command(live, first["Name"]))
        for network in others:
            self.docker.read("network", "connect", network["Name"], self.name)
        self.docker.read("start", self.name)
        found = self.docker.inspect("container", self.name)
        if not found:
            raise GatehouseError("The throw-away gateway ends as soon as it starts")
        address = str(found[0]["NetworkSettings"]["Networks"][first["Name"]]["IPAddress"])
        if not within(PATIENCE, lambda: _listens(address)):
            said = self.docker.last_words(self.name) or "It said nothing"
            raise GatehouseError(f"The throw-away gateway does not listen at {address}:{PORT}. {said}")
        return address


def _listens(address: str) -> bool:
    try:
        socket.create_connection((address, PORT), 1).close()
    except OSError:
        return False
    return True


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            project=dict(type="str", required=True),
            state=dict(type="str", choices=["absent", "present"], default="present"),
            folder=dict(type="path"),
            clients=dict(type="path", required=True),
            # These are for the action of the same name, which makes up the clients.
            group=dict(type="str"),
            auth=dict(type="str", choices=["basic", "bearer", "both"], default="both"),
            engine=dict(type="str", choices=["nginx", "openresty"], default="openresty"),
            client_certificates=dict(type="str", choices=["none", "any", "all"], default="none"),
            image=dict(type="str"),
            options=dict(type="list", elements="str", default=[]),
            program=dict(type="list", elements="str", default=[]),
            seconds=dict(type="int", default=600),
        ),
        required_if=[("state", "present", ["folder"])],
        supports_check_mode=True,
    )
    clients = module.params["clients"]
    one = ThrowAway(module)
    address, image, changed = "", "", True
    try:
        if module.params["state"] == "absent":
            # The folder goes whatever Docker says.
            changed = os.path.isdir(clients) or one.is_there()
            if not module.check_mode:
                try:
                    one.remove()
                finally:
                    shutil.rmtree(clients, ignore_errors=True)
        else:
            live = one.live()
            image = live.get("Image", "")
            if live and not module.check_mode:
                one.remove()
                address = one.start(live)
    except (GatehouseError, OSError) as error:
        with contextlib.suppress(GatehouseError):
            if module.params["state"] == "present" and not module.check_mode:
                one.remove()
        module.fail_json(msg=f"{error}.")
    module.exit_json(changed=changed, address=address, image=image)


if __name__ == "__main__":
    main()
