#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: accelerator_info
short_description: Find out whether the GPUs of a host will do, and what containers need for them
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - With O(minimum_driver) asks NVIDIA's driver for its version. Fails where there is none, where it does not work, sees
    no GPU or is too old, and says what was seen.
  - With O(servers) finds for each which device nodes its container gets, and which groups may use them. Fails where the
    host lacks what a server needs, and says what that is, all at once.
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
options:
  minimum_driver:
    description: Oldest version of NVIDIA's driver that will do, for instance V(550) or V(550.54.14); V(0) is any.
    type: str
  servers:
    description: The servers that are going to run. They or O(minimum_driver) are needed.
    type: list
    elements: dict
    suboptions:
      service:
        description: Name of the server in the result.
        type: str
        required: true
      accelerator:
        description: What computes.
        type: str
        choices: [cpu, nvidia, amd, vulkan]
        required: true
      devices:
        description: UUIDs of NVIDIA GPUs, all if empty. Those of AMD and Vulkan are chosen inside the container.
        type: list
        elements: str
        default: []
      place:
        description: The variable that errors about one of O(servers[].devices) name, if not O(variable).
        type: str
  user_id:
    description: User that the servers run as.
    type: int
    default: 0
  nodes:
    description: Device nodes that each container with a GPU gets in the place of those that are found.
    type: list
    elements: path
    default: []
  variable:
    description: The variable to name in errors.
    type: str
    required: true
notes:
  - In check mode a host without NVIDIA's container toolkit is no error, since another role may be about to install it.
    The driver has to be there.
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Look at the driver
  gatehouse.ollama.accelerator_info:
    minimum_driver: "550"
    variable: nvidia_runtime_minimum_driver

- name: Find what a server needs for one GPU
  gatehouse.ollama.accelerator_info:
    servers:
      - service: ollama
        accelerator: nvidia
        devices: [GPU-9c2e1c40-6f0a-4c1e-9d0b-3a4f5e6d7c8b]
    variable: ollama_server_accelerator
  register: accelerators
"""

RETURN = r"""
driver_version:
  description: Version of NVIDIA's driver.
  type: str
  returned: with O(minimum_driver)
  sample: 580.65.06
servers:
  description: By service, C(nodes) are the device nodes of its container, C(groups) numbers of groups that it needs.
  type: dict
  returned: with O(servers)
"""

import glob
import os
import stat
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._gpu.devices import (
    DRI,
    KFD,
    NVIDIA_NODES,
    Gpu,
    Missing,
    Node,
    NoSuchGpu,
    groups,
    nvidia_paths,
    read_list,
    with_minors,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._gpu.nvidia import SMI, DriverError, driver_version

INFORMATION = "/proc/driver/nvidia/gpus/*/information"


def node(path: str) -> Node:
    """The node at this path. Raises Missing if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        found = None
    if found is None or not stat.S_ISCHR(found.st_mode):
        raise Missing("%s is no device on this host" % path)
    return Node(path, found.st_gid, stat.S_IMODE(found.st_mode))


def read(path: str) -> str:
    """The text of a file, empty if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


class Host:
    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.gpus: t.Optional[t.List[Gpu]] = None

    def nodes(self, accelerator: str, devices: t.List[str]) -> t.Tuple[t.List[str], t.List[Node]]:
        """What to pass to a container, and the device nodes in it. Raises Missing."""
        if accelerator == "cpu":
            return [], []
        paths = self.module.params["nodes"]
        if accelerator == "nvidia":
            chosen = nvidia_paths(self.nvidia(), devices)
            paths = paths or [*NVIDIA_NODES, *chosen]
        elif accelerator == "amd":
            paths = paths or [KFD, DRI]
        else:
            paths = paths or [DRI]
        found: t.List[Node] = []
        for path in paths:
            found += self.inside(path, accelerator)
        return paths, found

    def inside(self, path: str, accelerator: str) -> t.List[Node]:
        """The nodes at a path, which may be a folder of them."""
        try:
            if os.path.isdir(path):
                below = sorted(glob.glob(os.path.join(path, "renderD*")) + glob.glob(os.path.join(path, "card*")))
                if not below:
                    raise Missing("%s holds no GPU" % path)
                return [node(one) for one in below]
            return [node(path)]
        except Missing as error:
            raise Missing("%s. %s" % (error, ADVICE[accelerator])) from None

    def nvidia(self) -> t.List[Gpu]:
        """The GPUs of the host, with the numbers of their nodes. Raises Missing."""
        if self.gpus is None:
            program = self.module.get_bin_path(SMI)
            if program is None:
                raise Missing("nvidia-smi is not installed on this host. " + ADVICE["nvidia"])
            rc, stdout, stderr = self.module.run_command([program, "-L"])
            if rc != 0:
                said = (stdout.strip() or stderr.strip() or "it ends with %d" % rc).splitlines()[0]
                raise Missing("nvidia-smi fails: %s. %s" % (said, ADVICE["nvidia"]))
            if self.module.get_bin_path("nvidia-container-runtime-hook") is None and not self.module.check_mode:
                raise Missing(
                    "NVIDIA's container toolkit is not installed on this host. "
                    "The role gatehouse.ollama.nvidia_runtime installs it"
                )
            self.gpus = with_minors(read_list(stdout), [read(path) for path in glob.glob(INFORMATION)])
        return self.gpus


ADVICE = {
    "nvidia": (
        "The accelerator nvidia needs NVIDIA's driver, version 550 or newer, loaded on the host: `nvidia-smi` shows "
        "whether it is, `nvidia-modprobe -u -c=0` makes its device nodes"
    ),
    "amd": "The accelerator amd needs AMD's driver (amdgpu with ROCm) loaded, which makes /dev/kfd and /dev/dri",
    "vulkan": "The accelerator vulkan needs a GPU whose kernel driver is loaded, which makes /dev/dri/renderD128",
}


def needs(module: AnsibleModule) -> t.Dict[str, t.Any]:
    """What the containers of the servers need, by service. Ends the module where the host lacks something."""
    host = Host(module)
    servers: t.Dict[str, t.Any] = {}
    problems: t.List[str] = []
    for server in module.params["servers"]:
        try:
            paths, found = host.nodes(server["accelerator"], server["devices"])
        except Missing as error:
            chosen = server["place"] if isinstance(error, NoSuchGpu) else None
            problems.append("%s: %s" % (chosen or module.params["variable"], error))
            continue
        servers[server["service"]] = dict(nodes=paths, groups=groups(found, module.params["user_id"]))
    if problems:
        module.fail_json(msg="\n".join(dict.fromkeys(problems)))
    return servers


def main() -> None:
    server = dict(
        service=dict(type="str", required=True),
        accelerator=dict(type="str", required=True, choices=["cpu", "nvidia", "amd", "vulkan"]),
        devices=dict(type="list", elements="str", default=[]),
        place=dict(type="str"),
    )
    module = AnsibleModule(
        argument_spec=dict(
            minimum_driver=dict(type="str"),
            servers=dict(type="list", elements="dict", options=server),
            user_id=dict(type="int", default=0),
            nodes=dict(type="list", elements="path", default=[]),
            variable=dict(type="str", required=True),
        ),
        required_one_of=[("minimum_driver", "servers")],
        supports_check_mode=True,
    )
    minimum, variable = module.params["minimum_driver"], module.params["variable"]
    result: t.Dict[str, t.Any] = {}
    try:
        if minimum is not None:
            smi = module.get_bin_path(SMI)
            result["driver_version"] = driver_version(module.run_command, smi, minimum, variable)
    except DriverError as error:
        module.fail_json(msg=str(error))
    if module.params["servers"] is not None:
        result["servers"] = needs(module)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
