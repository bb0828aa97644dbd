# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ollama's own dialect: generate, chat and the two embedding routes."""

from __future__ import annotations

import time
from typing import Any

from . import speech
from .bind import ANY, BOOL, INT, OPTIONAL_BOOL, STRING, list_of, map_of, struct
from .completion import Completion, check_options, keep_alive_seconds, render, render_chat
from .exchange import ApiError, Exchange, timestamp
from .names import Name
from .store import Model

_COMMON = {"model": STRING, "stream": OPTIONAL_BOOL, "format": ANY, "keep_alive": ANY, "options": map_of(ANY)}
GENERATE = struct(
    "api.GenerateRequest",
    prompt=STRING,
    suffix=STRING,
    system=STRING,
    template=STRING,
    context=list_of(INT),
    raw=BOOL,
    images=list_of(STRING),
    think=ANY,
    **_COMMON,
)
MESSAGE = struct(
    "api.Message", role=STRING, content=STRING, thinking=STRING, images=list_of(STRING), tool_calls=list_of(ANY)
)
CHAT = struct("api.ChatRequest", messages=list_of(MESSAGE), tools=list_of(ANY), think=ANY, **_COMMON)
_EMBED_COMMON = {"model": STRING, "keep_alive": ANY, "options": map_of(ANY)}
EMBED = struct("api.EmbedRequest", input=ANY, truncate=OPTIONAL_BOOL, dimensions=INT, **_EMBED_COMMON)
EMBEDDING = struct("api.EmbeddingRequest", prompt=STRING, **_EMBED_COMMON)

UNKNOWN_TO_EMBED = 'model "{}" not found, try pulling it first'


def _now() -> str:
    return timestamp(time.time_ns())


def _options(request: dict[str, Any]) -> dict[str, Any]:
    return check_options(request.get("options") or {})


def _refuse_missing(model: Model, what: str) -> None:
    raise ApiError(400, f"{model.name.full()} does not support {what}")


async def _load_only(exchange: Exchange, model: Model, request: dict[str, Any], content: dict[str, Any]) -> None:
    """An empty prompt loads the model, or unloads it with keep_alive 0."""
    keep_alive = keep_alive_seconds(request.get("keep_alive"))
    if keep_alive == 0:
        exchange.app.runtime.unload(model)
    else:
        Completion(exchange.app, model, "", _options(request), keep_alive).touch()
    answer = {"model": request.get("model", ""), "created_at": _now(), **content, "done": True}
    await exchange.json({**answer, "done_reason": "unload" if keep_alive == 0 else "load"})


async def generate(exchange: Exchange) -> None:
    request = await exchange.bind(GENERATE)
    model = exchange.model(request.get("model", ""))
    raw = bool(request.get("raw"))
    if raw and (request.get("template") or request.get("system") or request.get("context")):
        raise ApiError(400, "raw mode does not support template, system, or context")
    if request.get("suffix"):
        _refuse_missing(model, "insert")
    prompt = request.get("prompt", "")
    if not prompt:
        await _load_only(exchange, model, request, {"response": ""})
        return
    text = prompt if raw else render(request.get("system") or model.text("system"), prompt)
    completion = Completion(exchange.app, model, text, _options(request), keep_alive_seconds(request.get("keep_alive")))

    def part(piece: str) -> dict[str, Any]:
        return {"response": piece}

    def extra() -> dict[str, Any]:
        return {} if raw else {"context": completion.context}

    await _answer(exchange, request, completion, part, extra)


async def chat(exchange: Exchange) -> None:
    request = await exchange.bind(CHAT)
    if not Name.parse(request.get("model", "")).valid:
        raise ApiError(400, "model is required")
    model = exchange.model(request["model"])
    if request.get("tools"):
        _refuse_missing(model, "tools")
    messages = request.get("messages") or []
    if not messages:
        await _load_only(exchange, model, request, {"message": {"role": "assistant", "content": ""}})
        return
    completion = Completion(
        exchange.app,
        model,
        render_chat(model, messages),
        _options(request),
        keep_alive_seconds(request.get("keep_alive")),
    )

    def part(piece: str) -> dict[str, Any]:
        return {"message": {"role": "assistant", "content": piece}}

    await _answer(exchange, request, completion, part, dict)


async def _answer(exchange: Exchange, request: dict[str, Any], completion: Completion, part: Any, extra: Any) -> None:
    def last(piece: str) -> dict[str, Any]:
        start = {"model": request["model"], "created_at": _now(), **part(piece)}
        return {**start, "done": True, "done_reason": completion.done_reason, **extra(), **completion.metrics()}

    with exchange.connection.watched():
        if request.get("stream") is False:
            await completion.run()
            await exchange.json(last(completion.text))
            return
        async for piece in completion.tokens():
            await exchange.line({"model": request["model"], "created_at": _now(), **part(piece), "done": False})
        await exchange.line(last(""))
    await exchange.response.finish()


def inputs_of(value: Any, message: str = "invalid input type") -> list[str]:
    if isinstance(value, str):
        return [value] if value else []
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    if value is None:
        return []
    raise ApiError(400, message)


def token_total(inputs: list[str]) -> int:
    return sum(len(speech.tokenize(text)) + 1 for text in inputs)


def touch(exchange: Exchange, model: Model, request: dict[str, Any]) -> None:
    """Embedding loads the model, too."""
    keep_alive = keep_alive_seconds(request.get("keep_alive"))
    Completion(exchange.app, model, "", _options(request), keep_alive).touch()


async def embed(exchange: Exchange) -> None:
    started = time.perf_counter_ns()
    request = await exchange.bind(EMBED)
    inputs = inputs_of(request.get("input"))
    model = exchange.model(request.get("model", ""), UNKNOWN_TO_EMBED)
    touch(exchange, model, request)
    loaded = time.perf_counter_ns()
    vectors = [speech.embed(text, normalized=True) for text in inputs]
    answer: dict[str, Any] = {"model": request["model"], "embeddings": vectors}
    if inputs:
        answer["total_duration"] = time.perf_counter_ns() - started
        answer["load_duration"] = loaded - started
        answer["prompt_eval_count"] = token_total(inputs)
    await exchange.json(answer)


async def embeddings(exchange: Exchange) -> None:
    request = await exchange.bind(EMBEDDING)
    if not Name.parse(request.get("model", "")).valid:
        raise ApiError(400, "model is required")
    model = exchange.model(request["model"], UNKNOWN_TO_EMBED)
    touch(exchange, model, request)
    prompt = request.get("prompt", "")
    await exchange.json({"embedding": speech.embed(prompt, normalized=False) if prompt else []})
