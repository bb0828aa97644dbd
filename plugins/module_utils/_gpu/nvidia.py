# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The NVIDIA GPUs of a host, as its driver shows them."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

SMI = "nvidia-smi"
QUERY = [SMI, "--query-gpu=index,uuid,name,driver_version", "--format=csv,noheader"]


class DriverError(GatehouseError):
    """The driver is missing, broken or too old; the text says what was seen and what would be right."""


@dataclasses.dataclass(frozen=True)
class Gpu:
    index: int
    uuid: str
    name: str
    driver_version: str


def parse_gpus(text: str) -> list[Gpu]:
    """Read what QUERY prints; lines that are none of a GPU are left out."""
    gpus = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) >= 4 and fields[0].isdigit():
            # A name may have commas.
            gpus.append(Gpu(int(fields[0]), fields[1], ", ".join(fields[2:-1]), fields[-1]))
    return gpus


def numbers(version: str) -> list[int]:
    """550.54.14 as numbers that can be compared; what is none counts as nothing."""
    return [int(part) for part in re.findall(r"[0-9]+", version)]


def gpus(run: t.Callable[[list[str]], tuple[int, str, str]], smi: str | None, minimum: str, variable: str) -> list[Gpu]:
    """The GPUs whose driver is new enough; `run` executes a command, `smi` is where nvidia-smi is."""
    which = f"version {minimum} or newer ({variable}), " if numbers(minimum) > [0] else ""
    owner = (
        f"The driver is for the owner of the host to install: {which}from the distribution or from NVIDIA. "
        "Then `nvidia-smi` must list the GPUs. Nothing was changed."
    )
    if smi is None:
        raise DriverError(f"This host has no NVIDIA driver: there is no nvidia-smi in its path. {owner}")
    rc, stdout, stderr = run([smi, *QUERY[1:]])
    said = " ".join((stdout.strip() or stderr.strip()).split()) or f"nothing, with exit code {rc}"
    if rc != 0:
        raise DriverError(f"The NVIDIA driver of this host does not work: nvidia-smi says: {said}. {owner}")
    found = parse_gpus(stdout)
    if not found:
        raise DriverError(f"The NVIDIA driver of this host sees no GPU: nvidia-smi says: {said}. {owner}")
    driver = found[0].driver_version
    if numbers(driver) < numbers(minimum):
        raise DriverError(
            f"{variable}: the NVIDIA driver of this host is {driver}, and {minimum} or newer is needed. Updating it is "
            "for the owner of the host to do; a lower minimum lets it pass. Nothing was changed."
        )
    return found
