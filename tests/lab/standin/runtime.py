# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models are loaded, until when, and who waits for one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import AsyncContextManager

from . import reqlog
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
    # When it can answer, in the time of time.monotonic().
    ready: float = 0.0
    # Who may speak with it at the same time.
    turn: AsyncContextManager[object] = field(default_factory=contextlib.nullcontext)
    # Requests that it serves, and those that wait for it.
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
        # Who holds it has its model loaded next; the others wait in the order in which they came.
        self._scheduler = asyncio.Lock()

    async def load(self, model: Model, context_length: int) -> Loaded:
        """The model as soon as it is loaded; whoever has it releases it."""
        entry = self._present(model, context_length) or await self._scheduled(model, context_length)
        entry.users += 1
        try:
            await asyncio.sleep(max(0.0, entry.ready - time.monotonic()))
        except asyncio.CancelledError:
            self.release(entry, None)
            raise
        return entry

    def _present(self, model: Model, context_length: int) -> Loaded | None:
        """What is loaded of this model, or being loaded, where it serves."""
        self._drop_expired()
        entry = self._loaded.get(model.name.key)
        stale = entry is None or entry.killed or entry.model.digest != model.digest
        return None if stale or entry is None or entry.context_length != context_length else entry

    async def _scheduled(self, model: Model, context_length: int) -> Loaded:
        """Wait for room and begin to load; who asks for a model that is there does not come by here."""
        # One request waits with the scheduler, the others in its queue.
        if self._waiting > self._settings.max_queue:
            raise ApiError(503, BUSY)
        self._waiting += 1
        try:
            async with self._scheduler:
                while True:
                    # Another request may have had it loaded meanwhile.
                    if entry := self._present(model, context_length):
                        return entry
                    if self._makes_room(model):
                        return self._begin(model, context_length)
                    await asyncio.sleep(0.01)
        finally:
            self._waiting -= 1

    def _makes_room(self, model: Model) -> bool:
        """Idle models leave for another one, the least recently used first; with a limit, busy ones hold that up."""
        most = self._settings.max_loaded
        others = {key: entry for key, entry in self._loaded.items() if key != model.name.key}
        idle = sorted((key for key, entry in others.items() if not entry.users), key=lambda key: others[key].expires)
        if most and len(others) - len(idle) >= most:
            return False
        for key in idle[: max(0, len(others) + 1 - (most or USUALLY_LOADED))]:
            del self._loaded[key]
        return True

    def _begin(self, model: Model, context_length: int) -> Loaded:
        if model.gguf_head.tensors and not any(one["name"] == "output_norm.weight" for one in model.gguf_head.tensors):
            raise ApiError(500, BROKEN)
        entry = Loaded(model, context_length, FOREVER, time.monotonic() + self._settings.load_seconds)
        if self._settings.parallel:
            entry.turn = asyncio.Semaphore(self._settings.parallel)
        self._loaded[model.name.key] = entry
        reqlog.loads(model.name.short())
        return entry

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
        """The loaded models and those being loaded, the one that stays longest first."""
        self._drop_expired()
        return sorted(self._loaded.values(), key=lambda entry: -entry.expires)

    def _drop_expired(self) -> None:
        now = time.time()
        self._loaded = {key: entry for key, entry in self._loaded.items() if entry.users > 0 or entry.expires > now}
