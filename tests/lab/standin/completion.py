# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One answer of a model: loaded, spoken token by token, measured."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any, AsyncIterator, NamedTuple

from . import reqlog, speech
from .errors import ApiError
from .exchange import App
from .runtime import CONTEXTS_PER_ANSWER, Loaded, context_length
from .settings import FOREVER, parse_duration
from .store import Model

_INTEGERS = ("num_predict", "num_ctx", "seed", "top_k")
# The server breaks off when one token comes more often than this in a row.
REPEATS = 30
_NO_VISION = "Multimodal data provided, but model does not support multimodal requests."


class RunnerError(ApiError):
    """The model's process refused or died."""


def runner_refusal(message: str, kind: str = "invalid_request_error", **more: int) -> RunnerError:
    """An answer of the model's process, that the server passes on as text."""
    answer = {"error": {"code": 400, "message": message, "type": kind, **more}}
    return RunnerError(400, json.dumps(answer, separators=(",", ":")))


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


class Piece(NamedTuple):
    """What a token adds to an answer; nothing, where it only begins or ends a thought."""

    text: str = ""
    thinking: str = ""
    calls: tuple[dict[str, Any], ...] = ()


@dataclass
class Completion:
    app: App
    model: Model
    prompt: str
    options: dict[str, Any] = field(default_factory=dict)
    keep_alive: float | None = None
    # Whether thoughts and calls are told apart from the rest.
    thinks: bool = False
    tools: bool = False
    images: bool = False
    format: Any = None
    truncate: bool = True
    shift: bool = True
    before: list[int] = field(default_factory=list)
    raw: str = ""
    text: str = ""
    thinking: str = ""
    calls: tuple[dict[str, Any], ...] = ()
    spoken: list[str] = field(default_factory=list)
    # None where the server broke off: then nothing was counted either.
    done_reason: str | None = "stop"
    prompt_count: int = 0
    count: int = 0
    _started: int = field(default_factory=time.perf_counter_ns)
    _loaded: int = 0
    _read: int = 0
    _ended: int = 0

    async def pieces(self) -> AsyncIterator[Piece]:
        runtime = self.app.runtime
        context = context_length(self.model, self.options)
        entry = await runtime.load(self.model, context)
        self._loaded = time.perf_counter_ns()
        try:
            async with entry.turn:
                self._read_prompt(context)
                self._read = time.perf_counter_ns()
                async for piece in self._parse(self._speak(context, entry)):
                    self.text += piece.text
                    self.thinking += piece.thinking
                    self.calls += piece.calls
                    yield piece
        finally:
            self._ended = time.perf_counter_ns()
            runtime.release(entry, self.keep_alive)

    def _read_prompt(self, context: int) -> None:
        if self.images:
            raise runner_refusal(_NO_VISION)
        count = len(self.before) + len(self.model.tokenizer.encode(self.prompt)) + 1
        if count > context and not self.truncate:
            message = f"request ({count} tokens) exceeds the available context size ({context} tokens)"
            sizes = {"n_prompt_tokens": count, "n_ctx": context}
            raise runner_refusal(f"{message}, try increasing it", "exceed_context_size_error", **sizes)
        # The beginning stays, and half of what fits beside it.
        self.prompt_count = 5 + (context - 4) // 2 if count > context else count
        reqlog.count(prompt=self.prompt_count)

    def _limit(self, context: int) -> int:
        # The option counts in the server's own context, which a request may ask to be longer than the trained one.
        most = CONTEXTS_PER_ANSWER * int(self.options.get("num_ctx") or context)
        most = most if self.shift else context - self.prompt_count
        limit = int(self.options.get("num_predict", self.model.parameters.get("num_predict", -1)))
        return most if limit <= 0 else min(limit, most)

    async def _speak(self, context: int, entry: Loaded) -> AsyncIterator[str]:
        stops = self.options.get("stop", self.model.parameters.get("stop", []))
        filtered = speech.StopFilter([stops] if isinstance(stops, str) else list(stops))
        spoken = speech.formatted(self.format) if self.format else self.model.speech
        self.done_reason = "length"
        for token in speech.say(spoken, self._limit(context)):
            await asyncio.sleep(self.app.settings.token_delay)
            if entry.killed:
                raise RunnerError(500, "an error was encountered while running the model: unexpected EOF")
            self.count += 1
            reqlog.count(completion=1)
            if not token:
                self.done_reason = "stop"
                break
            self.spoken.append(token)
            for piece in filtered.feed(token):
                yield piece
            if filtered.stopped:
                self.done_reason = "stop"
                break
            if not self.format and len(set(self.spoken[-REPEATS - 1 :])) == 1 and len(self.spoken) > REPEATS:
                self.done_reason, self.count, self.prompt_count = None, 0, 0
                return
        for piece in filtered.flush():
            yield piece

    async def _parse(self, texts: AsyncIterator[str]) -> AsyncIterator[Piece]:
        inside, fresh = False, False
        async for text in texts:
            self.raw += text
            if self.tools:
                continue
            if self.thinks and text in ("<think>", "</think>"):
                inside, fresh = text == "<think>", True
                yield Piece()
                continue
            text = text.lstrip() if fresh else text
            fresh = False
            yield Piece(thinking=text) if inside else Piece(text)
        if self.tools and self.raw.endswith("</tool_call>"):
            call = json.loads(self.raw.removeprefix("<tool_call>").removesuffix("</tool_call>"))
            yield Piece(calls=({"id": "call_" + secrets.token_hex(4), **call},))
        elif self.tools and not self.raw.startswith("<tool_call>"):
            yield Piece(self.raw)

    async def run(self) -> None:
        """The whole answer at once, in `text`, `thinking` and `calls`."""
        async for _ in self.pieces():
            pass

    async def only_load(self) -> None:
        await self.touch()
        self.done_reason = "load"

    async def nothing(self) -> AsyncIterator[Piece]:
        """The pieces of an answer to an empty prompt."""
        await self.only_load()
        for _ in range(0):
            yield Piece()

    async def touch(self) -> None:
        """Load the model without a word."""
        runtime = self.app.runtime
        runtime.release(await runtime.load(self.model, context_length(self.model, self.options)), self.keep_alive)

    @property
    def context(self) -> list[int]:
        return self.before + self.model.tokenizer.encode(self.prompt + self.raw)

    @property
    def logprobs(self) -> list[dict[str, Any]]:
        """The model has no doubts."""
        told = [{"token": token, "logprob": 0, "bytes": list(token.encode())} for token in self.spoken]
        return [{**token, "top_logprobs": [token]} for token in told]

    def metrics(self) -> dict[str, int]:
        return {
            "total_duration": time.perf_counter_ns() - self._started,
            "load_duration": self._loaded - self._started,
            "prompt_eval_count": self.prompt_count,
            "prompt_eval_duration": self._read - self._loaded,
            "eval_count": self.count,
            "eval_duration": self._ended - self._read,
        }


def thinks(model: Model, wanted: Any, name: str) -> bool:
    """Whether thoughts are told apart; models that can think do so unless they are told not to."""
    able = "thinking" in model.capabilities
    if wanted and not able:
        raise ApiError(400, f'"{name}" does not support thinking')
    return able and wanted is not False


def refuse_missing(model: Model, what: str) -> None:
    if what not in model.capabilities:
        raise ApiError(400, f"{model.name.full()} does not support {what}")
