# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA's GPUs as the Container Device Interface describes them."""

from __future__ import annotations

import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._gpu.devices import read_list
from ansible_collections.gatehouse.ollama.plugins.module_utils._gpu.nvidia import SMI, driver_version

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

TOOL = "nvidia-ctk"


class CdiError(GatehouseError):
    """The GPUs cannot be described."""


def describe(module: AnsibleModule, before: str) -> str:
    """What the file must hold: what it holds, unless it was made for something else. Raises GatehouseError."""
    driver = driver_version(module, "0", "driver")
    listed = read_list(_run(module, SMI, "-L"))
    gpus = " ".join(uuid for gpu in listed for uuid in (gpu.uuid, *gpu.parts))
    first = "# Made by nvidia-ctk %s for the driver %s and %s\n"
    if module.check_mode and module.get_bin_path(TOOL) is None:
        return first % ("of the version to be installed", driver, gpus)
    # NVIDIA Container Toolkit CLI version 1.18.1
    first %= (_run(module, TOOL, "--version").splitlines()[0].split()[-1], driver, gpus)
    return before if before.startswith(first) else first + _run(module, TOOL, "cdi", "generate")


def _run(module: AnsibleModule, program: str, *arguments: str) -> str:
    path = module.get_bin_path(program)
    if path is None:
        raise CdiError(f"{program} is not installed on this host. NVIDIA's container toolkit brings it.")
    rc, stdout, stderr = module.run_command([path, *arguments])
    if rc != 0:
        raise CdiError(f"`{' '.join([path, *arguments])}` fails on this host: {(stderr or stdout).strip()}")
    return stdout
