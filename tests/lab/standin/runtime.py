# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models are loaded, and until when."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from .settings import FOREVER
from .store import Model

# A model without end of its own stops after this many times its context, as the server decides.
CONTEXTS_PER_ANSWER = 10
DEFAULT_CONTEXT = 4096
# What the recorded server needed in memory beside the weights.
OVERHEAD = 156640


def context_length(model: Model, options: dict[str, Any]) -> int:
    wanted = int(options.get("num_ctx") or model.parameters.get("num_ctx") or DEFAULT_CONTEXT)
    trained = model.gguf_head.values.get(f"{model.gguf_head.architecture}.context_length", wanted)
    return min(wanted, int(trained))


@dataclass
class Loaded:
    model: Model
    context_length: int
    expires: float
    users: int = 0

    @property
    def size(self) -> int:
        layer = self.model.layer("model")
        return (layer["size"] if layer else 0) + OVERHEAD


class Runtime:
    def __init__(self, keep_alive: float) -> None:
        self._keep_alive = keep_alive
        self._loaded: dict[tuple[str, str, str, str], Loaded] = {}

    def load(self, model: Model, context_length: int) -> Loaded:
        entry = self._loaded.get(model.name.key)
        if entry is None or entry.model.digest != model.digest or entry.context_length != context_length:
            entry = Loaded(model, context_length, FOREVER)
            self._loaded[model.name.key] = entry
        entry.users += 1
        return entry

    def release(self, entry: Loaded, keep_alive: float | None) -> None:
        entry.users -= 1
        entry.expires = time.time() + (self._keep_alive if keep_alive is None else keep_alive)

    def unload(self, model: Model) -> None:
        self._loaded.pop(model.name.key, None)

    def running(self) -> list[Loaded]:
        """The loaded models, the one that stays longest first."""
        now = time.time()
        self._loaded = {key: entry for key, entry in self._loaded.items() if entry.users > 0 or entry.expires > now}
        return sorted(self._loaded.values(), key=lambda entry: -entry.expires)
