# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a model in the memory of a GPU, and if not, what did its server see? Pure functions."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._models.names import key_of
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.smoke import by_size

Dict = t.Dict[str, t.Any]

VARIABLE = "ollama_server_require_gpu"
# What Ollama logs about GPUs when it starts, and what libraries say that find none.
_TELLING = re.compile(r"inference compute|GPU|vram|nvml|cuda|rocm|amdgpu|vulkan|/dev/(kfd|dri|nvidia)", re.IGNORECASE)
# This one has every word in it.
_NOISE = re.compile(r'msg="server config"|\[GIN\]|Listening on')
_MOST_LINES = 12


class Residence(t.NamedTuple):
    """Where a loaded model is, in bytes."""

    size: int
    on_gpu: int

    @property
    def complete(self) -> bool:
        return 0 < self.size <= self.on_gpu


def choose(tags: list[Dict], wanted: str) -> Dict | None:
    """The wanted model, or the smallest if none is wanted, of those that the server itself runs."""
    local = by_size(tags)
    if wanted:
        return next((one for one in local if key_of(str(one["name"])) == key_of(wanted)), None)
    return local[0] if local else None


def find_loaded(running: list[Dict], model: Dict) -> Residence | None:
    """Where the model is, None if it is not loaded."""
    for one in running:
        if one.get("digest") == model.get("digest") or key_of(str(one.get("name"))) == key_of(str(model["name"])):
            return Residence(int(one.get("size") or 0), int(one.get("size_vram") or 0))
    return None


def telling_lines(log: str) -> list[str]:
    """The lines of a server's log that tell about GPUs."""
    lines = [line.strip() for line in log.splitlines() if _TELLING.search(line) and not _NOISE.search(line)]
    return lines[-_MOST_LINES:]


def shown_size(count: int) -> str:
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= unit:
            return "%.1f %s" % (count / float(unit), name)
    return "%d bytes" % count


def failure(service: str, model: str, found: Residence | None, seen: dict[str, list[str]]) -> str:
    """Why this is no proof, with what the container saw."""
    if found is None:
        told = f"{service}: {model} was loaded, and is not in memory any more"
    else:
        told = (
            f"{service}: of {model}, which takes {shown_size(found.size)}, only {shown_size(found.on_gpu)} are in the "
            "memory of a GPU (size_vram); the CPU computes the rest"
        )
    lines = [f"{VARIABLE}: {told}. What its container saw:"]
    for what, said in seen.items():
        lines += [f"  {what}:", *("    " + line for line in said or ["nothing"])]
    return "\n".join(lines)
