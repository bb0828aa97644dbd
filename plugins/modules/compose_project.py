#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: compose_project
short_description: See to what Compose leaves, a network, the owner of a volume and containers that lost a network
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - O(network) is an internal one between projects. No packet from outside reaches it, whatever the host forwards;
    engines before 28 would let one through to any other. The host has no address in it, so that its local users do not
    reach it either. One of that name that is there already is left as it is, whoever created it. Only one that has the
    label and that no container, running or not, needs is removed.
  - Everything in O(volume) is made to belong to one user and the group with the same number, so that a container that
    runs as this user can write there. A volume that is not there yet is created. A short-lived container without a
    network does it, which may do nothing but change owners. The volume itself comes last, so that a broken run is
    repeated by the next.
  - With O(project_src), containers of the project are removed that are stopped and belong to a network that somebody
    removed. They cannot start any more, also where there is a new network of that name. Those that are not in a network
    of the Compose file, or not by its names there, since somebody disconnected them, are stopped and removed. Compose
    sees neither, and makes such a container anew once it is gone. Other containers are left alone, and so are volumes.
options:
  network:
    description: The network.
    type: str
  label:
    description: What tells the networks that a role of this collection created. O(network) needs it.
    type: str
  state:
    description: Whether O(network) should be there.
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
  project:
    description: The Compose project. O(volume) and O(project_src) need it.
    type: str
  volume:
    description: Name of the volume in the Compose project. It needs O(user_id) and O(image).
    type: str
  user_id:
    description: Number of the user and of the group.
    type: int
  folder:
    description:
      - Absolute path of a folder of the user's that a server has in the place of O(volume), which is left alone then.
      - What Ollama keeps there, and the folder itself, is handed over where O(user_id) may not write to it. Where root
        may not give it away, as on NFS with root_squash, it is enough that the user may write, which is tried as that
        user.
    type: path
  image:
    description: An image on the host that has C(sh), C(find), C(chown) and C(stat).
    type: str
  project_src:
    description: The folder of the Compose file.
    type: path
  keep_cut_off:
    description:
      - Whether those that are not in a network of the Compose file stay, as they may be at work. They are returned.
    type: bool
    default: false
attributes:
  check_mode:
    description: Can run in check mode and tell what would change.
    support: full
  diff_mode:
    description: Shows the name of the network, the owner before and after, and the names of the containers.
    support: full
  idempotent:
    description: A second run changes nothing. Whether all of a volume is done is seen at the volume itself.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Create the network, hand the models over to the user that Ollama runs as, and remove what lost a network
  gatehouse.ollama.compose_project:
    network: ollama
    label: gatehouse.ollama.network
    project: gatehouse-ollama
    volume: ollama
    user_id: 60881
    image: docker.io/ollama/ollama:0.32.15
    project_src: /opt/gatehouse/ollama

- name: Remove the network if nobody needs it
  gatehouse.ollama.compose_project:
    network: ollama
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
cut_off:
  description: Names of the containers that are not in a network of the Compose file and stay for O(keep_cut_off=true).
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
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker import network, stale
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.volume import Bound, Volume
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError


def apply(module: AnsibleModule, params: dict[str, t.Any]) -> tuple[dict[str, t.Any], dict[str, tuple[str, str]]]:
    """What is returned of containers, and what changes, by its name. Raises GatehouseError."""
    docker = Docker(module)
    needed_by: list[str] = []
    cut_off: list[str] = []
    changes = {}
    if params["network"]:
        name, label = params["network"], params["label"]
        if params["state"] == "present":
            created = network.create(docker, name, label, params["egress"])
            changes[name] = ("", f"network: {name}\n" if created else "")
        else:
            removed, needed_by = network.remove(docker, name, label, params["projects"])
            changes[name] = (f"network: {name}\n" if removed else "", "")
    if params["volume"]:
        volume: Bound | Volume = Volume(docker, params["project"], params["volume"], params["image"])
        if params["folder"]:
            volume = Bound(docker, params["folder"], params["image"])
        before, after = volume.hand_over(params["user_id"])
        changes[volume.name] = (f"owner: {before}\n" if before else "", f"owner: {after}\n")
    if params["project_src"]:
        gone, cut_off = stale.remove(docker, params["project"], params["project_src"], params["keep_cut_off"])
        changes[params["project"]] = ("".join(f"container: {one}\n" for one in gone), "")
    return dict(needed_by=needed_by, cut_off=cut_off), changes


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            network=dict(type="str"),
            label=dict(type="str"),
            state=dict(type="str", choices=["absent", "present"], default="present"),
            egress=dict(type="str", default="any"),
            projects=dict(type="list", elements="str", default=[]),
            project=dict(type="str"),
            volume=dict(type="str"),
            user_id=dict(type="int"),
            folder=dict(type="path"),
            image=dict(type="str"),
            project_src=dict(type="path"),
            keep_cut_off=dict(type="bool", default=False),
        ),
        required_one_of=[("network", "volume", "project_src")],
        required_by={
            "network": ("label",),
            "volume": ("project", "user_id", "image"),
            "folder": ("volume",),
            "project_src": ("project",),
        },
        supports_check_mode=True,
    )
    try:
        containers, changes = apply(module, module.params)
    except GatehouseError as error:
        module.fail_json(msg=str(error))
    diff = [
        dict(before_header=name, after_header=name, before=before, after=after)
        for name, (before, after) in changes.items()
        if before != after
    ]
    module.exit_json(changed=bool(diff), **containers, projects=module.params["projects"], diff=diff)


if __name__ == "__main__":
    main()
