#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: accelerators
short_description: Find out whether the GPUs of a host will do, and describe them for containers
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - With O(minimum_driver) asks NVIDIA's driver for its version. Fails where there is none, where it does not work, sees
    no GPU or is too old, and says what was seen.
  - With O(servers) finds for each which device nodes its container gets, and which groups may use them. Fails where the
    host lacks what a server needs, and says what that is, all at once.
  - With O(cdi) writes what C(nvidia-ctk cdi generate) says, so that containers can be given devices such as
    V(nvidia.com/gpu=0). The first line of the file says which driver, toolkit and GPUs it was made for. It is made anew
    when one of them is another one, and only then.
options:
  minimum_driver:
    description: Oldest version of NVIDIA's driver that will do, for instance V(550) or V(550.54.14); V(0) is any.
    type: str
  servers:
    description: The servers that are going to run.
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
  cdi:
    description: The file for the Container Device Interface. Missing directories above it are created.
    type: path
  variable:
    description: The variable to name in errors.
    type: str
    required: true
attributes:
  check_mode:
    description:
      - Can run in check mode and tell what would change. A host without NVIDIA's container toolkit is no error there,
        since a role may be about to install it. The driver has to be there.
    support: full
  diff_mode:
    description:
      - Shows the file O(cdi); of one that would be written with a toolkit that is not installed yet, the first line.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Look at the driver
  gatehouse.ollama.accelerators:
    minimum_driver: "550"
    variable: nvidia_runtime_minimum_driver

- name: Find what a server needs for one GPU
  gatehouse.ollama.accelerators:
    servers:
      - service: ollama
        accelerator: nvidia
        devices: [GPU-9c2e1c40-6f0a-4c1e-9d0b-3a4f5e6d7c8b]
    variable: ollama_server_accelerator
  register: accelerators

- name: Describe NVIDIA's GPUs for the Container Device Interface
  gatehouse.ollama.accelerators:
    cdi: /etc/cdi/nvidia.yaml
    variable: nvidia_runtime_cdi
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
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.replace import publish, read
from ansible_collections.gatehouse.ollama.plugins.module_utils._gpu import cdi
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
from ansible_collections.gatehouse.ollama.plugins.module_utils._gpu.nvidia import SMI, driver_version

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


class Host:
    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.gpus: list[Gpu] | None = None

    def nodes(self, accelerator: str, devices: list[str]) -> tuple[list[str], list[Node]]:
        """What to pass to a container, and the device nodes in it. Raises Missing."""
        if accelerator == "cpu":
            return [], []
        if accelerator == "nvidia":
            default = [*NVIDIA_NODES, *nvidia_paths(self.nvidia(), devices)]
        else:
            default = [KFD, DRI] if accelerator == "amd" else [DRI]
        paths = self.module.params["nodes"] or default
        return paths, [one for path in paths for one in self.inside(path, accelerator)]

    def inside(self, path: str, accelerator: str) -> list[Node]:
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

    def nvidia(self) -> list[Gpu]:
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


def needs(module: AnsibleModule) -> dict[str, t.Any]:
    """What the containers of the servers need, by service. Raises BadInput where the host lacks something."""
    host = Host(module)
    servers: dict[str, t.Any] = {}
    problems: list[str] = []
    for server in module.params["servers"]:
        try:
            paths, found = host.nodes(server["accelerator"], server["devices"])
        except Missing as error:
            chosen = server["place"] if isinstance(error, NoSuchGpu) else None
            problems.append("%s: %s" % (chosen or module.params["variable"], error))
            continue
        servers[server["service"]] = dict(nodes=paths, groups=groups(found, module.params["user_id"]))
    if problems:
        raise BadInput(list(dict.fromkeys(problems)))
    return servers


def describe(module: AnsibleModule, path: str) -> dict[str, t.Any]:
    """Write the file for the Container Device Interface if need be. Raises GatehouseError."""
    before = read(path)
    after = cdi.describe(module, before)
    if before != after and not module.check_mode:
        publish(module, path, after.encode())
    diff = {"before_header": path, "after_header": path, "before": before, "after": after}
    return {"changed": before != after, "diff": diff}


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
            cdi=dict(type="path"),
            variable=dict(type="str", required=True),
        ),
        required_one_of=[("minimum_driver", "servers", "cdi")],
        supports_check_mode=True,
    )
    params = module.params
    result: dict[str, t.Any] = {"changed": False}
    try:
        if params["minimum_driver"] is not None:
            result["driver_version"] = driver_version(module, params["minimum_driver"], params["variable"])
        if params["servers"] is not None:
            result["servers"] = needs(module)
        if params["cdi"]:
            result.update(describe(module, params["cdi"]))
    except GatehouseError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
