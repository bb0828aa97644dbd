#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: nvidia_info
short_description: Learn which NVIDIA GPUs a host has, and whether their driver will do
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Asks the driver for its version and its GPUs, with C(nvidia-smi).
  - Fails where there is no driver, where it does not work, sees no GPU or is too old, and says what was seen.
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
options:
  minimum_driver:
    description: Oldest version of the driver that will do, for instance V(550) or V(550.54.14).
    type: str
    default: "0"
  variable:
    description: The variable to name in errors about the version.
    type: str
    default: minimum_driver
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Look at the GPUs
  gatehouse.ollama.nvidia_info:
    minimum_driver: "550"
  register: nvidia
"""

RETURN = r"""
driver_version:
  description: Version of the driver.
  type: str
  returned: success
  sample: 580.65.06
gpus:
  description: The GPUs.
  type: list
  elements: dict
  returned: success
  contains:
    index:
      description: Number of the GPU. It may change when the host starts anew.
      type: int
    uuid:
      description: What the GPU is called for good.
      type: str
    name:
      description: Product name.
      type: str
    driver_version:
      description: Version of the driver.
      type: str
"""

import dataclasses

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._gpu.nvidia import SMI, DriverError, gpus


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            minimum_driver=dict(type="str", default="0"),
            variable=dict(type="str", default="minimum_driver"),
        ),
        supports_check_mode=True,
    )
    try:
        found = gpus(
            module.run_command, module.get_bin_path(SMI), module.params["minimum_driver"], module.params["variable"]
        )
    except DriverError as e:
        module.fail_json(msg=str(e))
    module.exit_json(
        changed=False, driver_version=found[0].driver_version, gpus=[dataclasses.asdict(gpu) for gpu in found]
    )


if __name__ == "__main__":
    main()
