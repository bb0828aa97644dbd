# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One answer of a model: loaded, spoken token by token, measured."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, AsyncIterator

from . import speech
from .exchange import ApiError, App
from .runtime import CONTEXTS_PER_ANSWER, context_length
from .settings import FOREVER, parse_duration
from .store import Model

_INTEGERS = ("num_predict", "num_ctx", "seed", "top_k")


def keep_alive_seconds(value: Any) -> float | None:
    """Of a request's keep_alive: seconds as a number, a Go duration, negative for ever, None for the default."""
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return FOREVER if value < 0 else float(value)
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError as error:
            raise ApiError(400, str(error)) from None
    raise ApiError(400, "Unsupported type: 'object'")


def check_options(options: dict[str, Any]) -> dict[str, Any]:
    for key in _INTEGERS:
        if key in options and (isinstance(options[key], bool) or not isinstance(options[key], int)):
            raise ApiError(500, f'option "{key}" must be of type integer')
    return options


@dataclass
class Completion:
    app: App
    model: Model
    prompt: str
    options: dict[str, Any] = field(default_factory=dict)
    keep_alive: float | None = None
    text: str = ""
    done_reason: str = "stop"
    prompt_count: int = 0
    count: int = 0
    _started: int = field(default_factory=time.perf_counter_ns)
    _loaded: int = 0
    _read: int = 0
    _ended: int = 0

    async def tokens(self) -> AsyncIterator[str]:
        runtime = self.app.runtime
        context = context_length(self.model, self.options)
        entry = runtime.load(self.model, context)
        self._loaded = time.perf_counter_ns()
        try:
            self.prompt_count = len(speech.tokenize(self.prompt)) + 1
            self._read = time.perf_counter_ns()
            async for piece in self._speak(context):
                self.text += piece
                yield piece
        finally:
            self._ended = time.perf_counter_ns()
            runtime.release(entry, self.keep_alive)

    async def _speak(self, context: int) -> AsyncIterator[str]:
        # The option counts in the server's own context, which a request may ask to be longer than the trained one.
        most = CONTEXTS_PER_ANSWER * int(self.options.get("num_ctx") or context)
        limit = int(self.options.get("num_predict", self.model.parameters.get("num_predict", -1)))
        limit = most if limit < 0 else min(limit, most)
        stops = self.options.get("stop", self.model.parameters.get("stop", []))
        filtered = speech.StopFilter([stops] if isinstance(stops, str) else list(stops))
        loops = self.model.gguf_head.values.get("general.description") == speech.LOOPING
        self.done_reason = "length"
        for token in speech.say(loops, limit):
            await asyncio.sleep(self.app.settings.token_delay)
            self.count += 1
            if not token:
                self.done_reason = "stop"
                break
            for piece in filtered.feed(token):
                yield piece
            if filtered.stopped:
                self.done_reason = "stop"
                break
        for piece in filtered.flush():
            yield piece

    async def run(self) -> None:
        """The whole answer at once, in `text`."""
        async for _ in self.tokens():
            pass

    def touch(self) -> None:
        """Load the model without a word."""
        runtime = self.app.runtime
        runtime.release(runtime.load(self.model, context_length(self.model, self.options)), self.keep_alive)

    @property
    def context(self) -> list[int]:
        return speech.tokenize(self.prompt + self.text)

    def metrics(self) -> dict[str, int]:
        return {
            "total_duration": time.perf_counter_ns() - self._started,
            "load_duration": self._loaded - self._started,
            "prompt_eval_count": self.prompt_count,
            "prompt_eval_duration": self._read - self._loaded,
            "eval_count": self.count,
            "eval_duration": self._ended - self._read,
        }


def render(system: str, prompt: str) -> str:
    """The models' template."""
    return f"{system} {prompt} " if system else f"{prompt} "


def render_chat(model: Model, messages: list[dict[str, Any]]) -> str:
    system = " ".join(message.get("content") or "" for message in messages if message.get("role") == "system")
    spoken = " ".join(message.get("content") or "" for message in messages if message.get("role") != "system")
    return render(system or model.text("system"), spoken)
