# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver of a host's NVIDIA GPUs: is it there, does it work, and is it new enough?"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

SMI = "nvidia-smi"
QUERY = ["--query-gpu=index,driver_version", "--format=csv,noheader"]


class DriverError(GatehouseError):
    """The driver is missing, broken or too old; the text says what was seen and what would be right."""


def parse_version(text: str) -> str | None:
    """The version of the driver in what QUERY prints, None if no line of it is one of a GPU."""
    for line in text.splitlines():
        index, _comma, version = line.partition(",")
        if index.strip().isdigit() and version.strip():
            return version.strip()
    return None


def numbers(version: str) -> list[int]:
    """550.54.14 as numbers that can be compared; what is none counts as nothing."""
    return [int(part) for part in re.findall(r"[0-9]+", version)]


def driver_version(module: AnsibleModule, minimum: str, variable: str) -> str:
    """The version, if it is new enough. Raises DriverError."""
    which = f"version {minimum} or newer ({variable}), " if numbers(minimum) > [0] else ""
    owner = (
        f"The driver is for the owner of the host to install: {which}from the distribution or from NVIDIA. "
        "Then `nvidia-smi` must list the GPUs. Nothing was changed."
    )
    smi = module.get_bin_path(SMI)
    if smi is None:
        raise DriverError(f"This host has no NVIDIA driver: there is no nvidia-smi in its path. {owner}")
    rc, stdout, stderr = module.run_command([smi, *QUERY])
    said = " ".join((stdout.strip() or stderr.strip()).split()) or f"nothing, with exit code {rc}"
    if rc != 0:
        raise DriverError(f"The NVIDIA driver of this host does not work: nvidia-smi says: {said}. {owner}")
    driver = parse_version(stdout)
    if driver is None:
        raise DriverError(f"The NVIDIA driver of this host sees no GPU: nvidia-smi says: {said}. {owner}")
    if numbers(driver) < numbers(minimum):
        raise DriverError(
            f"{variable}: the NVIDIA driver of this host is {driver}, and {minimum} or newer is needed. Updating it is "
            "for the owner of the host to do; a lower minimum lets it pass. Nothing was changed."
        )
    return driver
