#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: nvidia_cdi
short_description: Describe NVIDIA GPUs for the Container Device Interface
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Writes what C(nvidia-ctk cdi generate) says, so that containers can be given devices such as V(nvidia.com/gpu=0).
  - The first line of the file says which driver, toolkit and GPUs it was made for. It is made anew when one of them is
    another one, and only then.
options:
  path:
    description: The file. Missing directories above it are created.
    type: path
    default: /etc/cdi/nvidia.yaml
attributes:
  check_mode:
    description:
      - Can run in check mode and tell what would change. Where the toolkit is not installed yet, it takes the toolkit
        for about to be installed.
    support: full
  diff_mode:
    description: Shows the file; of one that would be written with a toolkit that is not installed yet, the first line.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Describe the GPUs
  gatehouse.ollama.nvidia_cdi:
"""

RETURN = r"""
path:
  description: The file.
  type: str
  returned: success
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.replace import publish, read
from ansible_collections.gatehouse.ollama.plugins.module_utils._gpu.devices import read_list
from ansible_collections.gatehouse.ollama.plugins.module_utils._gpu.nvidia import SMI, driver_version

TOOL = "nvidia-ctk"


class CdiError(GatehouseError):
    """The GPUs cannot be described."""


def headline(driver: str, toolkit: str, uuids: t.Sequence[str]) -> str:
    """The first line of the file: what it was made for."""
    return f"# Made by {TOOL} {toolkit} for the driver {driver} and {' '.join(uuids)}\n"


def run(module: AnsibleModule, command: list[str]) -> str:
    rc, stdout, stderr = module.run_command(command)
    if rc != 0:
        raise CdiError(f"`{' '.join(command)}` fails on this host: {(stderr or stdout).strip()}")
    return stdout


def wanted(module: AnsibleModule, before: str) -> str:
    """What the file must hold: what it holds, unless it was made for something else."""
    smi, tool = module.get_bin_path(SMI), module.get_bin_path(TOOL)
    driver = driver_version(module.run_command, smi, "0", "driver")
    listed = read_list(run(module, [str(smi), "-L"]))
    uuids = [uuid for gpu in listed for uuid in (gpu.uuid, *gpu.parts)]
    if tool is None:
        if module.check_mode:
            return headline(driver, "of the version to be installed", uuids)
        raise CdiError(f"{TOOL} is not installed on this host. NVIDIA's container toolkit brings it.")
    # NVIDIA Container Toolkit CLI version 1.18.1
    toolkit = run(module, [tool, "--version"]).splitlines()[0].split()[-1]
    first = headline(driver, toolkit, uuids)
    if before.startswith(first):
        return before
    return first + run(module, [tool, "cdi", "generate"])


def main() -> None:
    module = AnsibleModule(
        argument_spec={"path": {"type": "path", "default": "/etc/cdi/nvidia.yaml"}}, supports_check_mode=True
    )
    path = module.params["path"]
    before = read(path)
    try:
        after = wanted(module, before)
    except GatehouseError as e:
        module.fail_json(msg=str(e))
    if before != after and not module.check_mode:
        publish(module, path, after.encode())
    diff = {"before_header": path, "after_header": path, "before": before, "after": after}
    module.exit_json(changed=before != after, path=path, diff=diff)


if __name__ == "__main__":
    main()
