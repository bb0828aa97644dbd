# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models are loaded, until when, and who waits for one."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from .errors import ApiError
from .settings import FOREVER, Settings
from .store import Model

# A model without end of its own stops after this many times its context, as the server decides.
CONTEXTS_PER_ANSWER = 10
DEFAULT_CONTEXT = 4096
# How many models stay loaded on a host without a GPU.
USUALLY_LOADED = 3
# What the recorded server needed in memory for a tiny model, and for one that embeds.
MEMORY, MEMORY_TO_EMBED = 2359295, 2369781
_NOT_FOUND = "error loading model: check_tensor_dims: tensor 'output_norm.weight' not found"
BROKEN = f"llama-server process has terminated: exit status 1: {_NOT_FOUND}\n{_NOT_FOUND}"
BUSY = "server busy, please try again.  maximum pending requests exceeded"


def context_length(model: Model, options: dict[str, object]) -> int:
    wanted = int(str(options.get("num_ctx") or model.parameters.get("num_ctx") or DEFAULT_CONTEXT))
    return min(wanted, model.trained("context_length") or wanted)


@dataclass(eq=False)
class Loaded:
    model: Model
    context_length: int
    expires: float
    users: int = 0
    # Its process has died.
    killed: bool = False

    def __post_init__(self) -> None:
        # Kept, as the model stays loaded when it is deleted.
        self.details = self.model.details()
        self.size = MEMORY_TO_EMBED if self.model.embeds else MEMORY


class Runtime:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loaded: dict[tuple[str, str, str, str], Loaded] = {}
        self._waiting = 0

    async def load(self, model: Model, context_length: int) -> Loaded:
        await self._make_room(model)
        if model.gguf_head.tensors and not any(one["name"] == "output_norm.weight" for one in model.gguf_head.tensors):
            raise ApiError(500, BROKEN)
        entry = self._loaded.get(model.name.key)
        stale = entry is None or entry.killed or entry.model.digest != model.digest
        if entry is None or stale or entry.context_length != context_length:
            entry = Loaded(model, context_length, FOREVER)
            self._loaded[model.name.key] = entry
        entry.users += 1
        return entry

    async def _make_room(self, model: Model) -> None:
        """Idle models leave for another one; where a limit was set, a request waits for a busy one to end."""
        most = self._settings.max_loaded
        if most and self._busy(model) >= most:
            # One request waits with the scheduler, the others in its queue.
            if self._waiting > self._settings.max_queue:
                raise ApiError(503, BUSY)
            self._waiting += 1
            try:
                while self._busy(model) >= most:
                    await asyncio.sleep(0.01)
            finally:
                self._waiting -= 1
        others = [key for key, entry in self._loaded.items() if key != model.name.key]
        idle = sorted((key for key in others if not self._loaded[key].users), key=lambda key: self._loaded[key].expires)
        for key in idle[: max(0, len(others) + 1 - (most or USUALLY_LOADED))]:
            del self._loaded[key]

    def _busy(self, model: Model) -> int:
        """How many other models are at work."""
        return sum(1 for key, entry in self._loaded.items() if entry.users > 0 and key != model.name.key)

    def release(self, entry: Loaded, keep_alive: float | None) -> None:
        entry.users -= 1
        entry.expires = time.time() + (self._settings.keep_alive if keep_alive is None else keep_alive)

    def unload(self, model: Model) -> None:
        self._loaded.pop(model.name.key, None)

    def kill(self) -> None:
        """The processes of all models die; the server has not noticed yet."""
        for entry in self._loaded.values():
            entry.killed = True

    def running(self) -> list[Loaded]:
        """The loaded models, the one that stays longest first."""
        now = time.time()
        self._loaded = {key: entry for key, entry in self._loaded.items() if entry.users > 0 or entry.expires > now}
        return sorted(self._loaded.values(), key=lambda entry: -entry.expires)
