# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host has of GPUs, and which of its device nodes and groups a container needs for them. Pure functions."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

# What every container with an NVIDIA GPU needs to compute. Others come and go with what runs on the host.
NVIDIA_NODES = ("/dev/nvidiactl", "/dev/nvidia-uvm")
KFD, DRI = "/dev/kfd", "/dev/dri"

_LISTED = re.compile(r"GPU (?P<index>\d+): .*\(UUID: (?P<uuid>GPU-[^)]+)\)")
_LISTED_MIG = re.compile(r"\s+MIG .*\(UUID: (?P<uuid>MIG-[^)]+)\)")
_FIELD = re.compile(r"^(?P<name>[^:\n]+):[ \t]*(?P<value>.*?)[ \t]*$", re.MULTILINE)


class Gpu(t.NamedTuple):
    """An NVIDIA GPU: its UUID, the number of its device node, and the UUIDs of what it was split into."""

    uuid: str
    minor: int
    parts: tuple[str, ...] = ()


class Node(t.NamedTuple):
    """A device node: who may use it besides its owner."""

    path: str
    group: int
    mode: int


class Missing(GatehouseError):
    """The host lacks something; the text says what, and what would help."""


class NoSuchGpu(Missing):
    """A GPU that was chosen is not there."""


def read_list(text: str) -> list[Gpu]:
    """The GPUs that `nvidia-smi -L` lists. Their numbers are those of their nodes, unless the driver says otherwise."""
    gpus: list[Gpu] = []
    for line in text.splitlines():
        found, part = _LISTED.match(line), _LISTED_MIG.match(line)
        if found:
            gpus.append(Gpu(found.group("uuid"), int(found.group("index"))))
        elif part and gpus:
            gpus[-1] = gpus[-1]._replace(parts=(*gpus[-1].parts, part.group("uuid")))
    return gpus


def read_information(text: str) -> tuple[str, int | None]:
    """UUID and number of the device node, from /proc/driver/nvidia/gpus/<bus>/information."""
    fields = {found.group("name").strip(): found.group("value") for found in _FIELD.finditer(text)}
    minor = fields.get("Device Minor", "")
    return fields.get("GPU UUID", ""), int(minor) if minor.isdigit() else None


def with_minors(gpus: list[Gpu], informations: t.Iterable[str]) -> list[Gpu]:
    """The GPUs with the numbers that the driver tells, which need not follow the order of nvidia-smi."""
    told = dict(read_information(text) for text in informations)
    minors = {uuid: minor for uuid, minor in told.items() if minor is not None}
    return [gpu._replace(minor=minors.get(gpu.uuid, gpu.minor)) for gpu in gpus]


def nvidia_paths(gpus: list[Gpu], devices: list[str]) -> list[str]:
    """The nodes of the chosen GPUs, all if none is chosen. Raises NoSuchGpu if one is not there."""
    if not gpus:
        raise Missing("nvidia-smi lists no GPU on this host")
    known = {uuid: gpu for gpu in gpus for uuid in (gpu.uuid, *gpu.parts)}
    absent = [one for one in devices if one not in known]
    if absent:
        raise NoSuchGpu("%s: there is no such GPU on this host, which has %s" % (", ".join(absent), ", ".join(known)))
    chosen = [known[one] for one in devices] if devices else gpus
    return ["/dev/nvidia%d" % minor for minor in sorted({gpu.minor for gpu in chosen})]


def groups(nodes: t.Iterable[Node], user_id: int) -> list[int]:
    """The groups that a user needs for these nodes: those that may read and write what not everybody may."""
    wanted = {node.group for node in nodes if node.mode & 0o006 != 0o006 and node.mode & 0o060 == 0o060}
    # Root owns them, and is in its own group anyway.
    return sorted(wanted if user_id else wanted - {0})
