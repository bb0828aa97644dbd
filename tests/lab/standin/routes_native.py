# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ollama's own dialect: generate, chat and the two embedding routes."""

from __future__ import annotations

import json
import time
from typing import Any, Callable

from . import reqlog, speech
from .bind import ANY, BOOL, INT, OPTIONAL_BOOL, STRING, list_of, map_of, struct
from .completion import Completion, Piece, RunnerError, check_options, keep_alive_seconds, refuse_missing, thinks
from .errors import ApiError
from .exchange import Exchange, timestamp
from .names import Name
from .runtime import context_length
from .store import Model
from .templates import chat_completion, render_prompt

_COMMON = {
    "model": STRING,
    "stream": OPTIONAL_BOOL,
    "format": ANY,
    "keep_alive": ANY,
    "options": map_of(ANY),
    "think": ANY,
    "truncate": OPTIONAL_BOOL,
    "shift": OPTIONAL_BOOL,
    "logprobs": BOOL,
}
GENERATE = struct(
    "api.GenerateRequest",
    prompt=STRING,
    suffix=STRING,
    system=STRING,
    template=STRING,
    context=list_of(INT),
    raw=BOOL,
    images=list_of(STRING),
    **_COMMON,
)
MESSAGE = struct(
    "api.Message", role=STRING, content=STRING, thinking=STRING, images=list_of(STRING), tool_calls=list_of(ANY)
)
CHAT = struct("api.ChatRequest", messages=list_of(MESSAGE), tools=list_of(ANY), **_COMMON)
_EMBED_COMMON = {"model": STRING, "keep_alive": ANY, "options": map_of(ANY), "truncate": OPTIONAL_BOOL}
EMBED = struct("api.EmbedRequest", input=ANY, dimensions=INT, **_EMBED_COMMON)
EMBEDDING = struct("api.EmbeddingRequest", prompt=STRING, **_EMBED_COMMON)

UNKNOWN_TO_EMBED = 'model "{}" not found, try pulling it first'
CANNOT_EMBED = "This server does not support embeddings. Start it with `--embeddings`"
_THINK = ("high", "medium", "low", "max")


def _now() -> str:
    return timestamp(time.time_ns())


def _options(request: dict[str, Any]) -> dict[str, Any]:
    return check_options(request.get("options") or {})


def _how(request: dict[str, Any], model: Model) -> dict[str, Any]:
    """What a request says of its answer, in either of the two forms."""
    think, wanted = request.get("think"), request.get("format")
    if isinstance(think, str) and think not in _THINK:
        levels = ", ".join(json.dumps(level) for level in _THINK)
        raise ApiError(400, f'invalid think value: "{think}" (must be {levels}, true, or false)')
    if wanted and wanted != "json" and not isinstance(wanted, dict):
        text = json.dumps(json.dumps(wanted))
        raise ApiError(500, f'invalid format: {text}; expected "json" or a valid JSON Schema object')
    return {
        "keep_alive": keep_alive_seconds(request.get("keep_alive")),
        "thinks": thinks(model, think, request["model"]),
        "format": wanted,
        "truncate": request.get("truncate") is not False,
        "shift": request.get("shift") is not False,
    }


def speaker(model: Model, name: str, what: str) -> Model:
    """The model, where it does not embed alone."""
    if model.embeds:
        raise ApiError(400, f'"{name}" does not support {what}')
    return model


async def _load_only(exchange: Exchange, model: Model, request: dict[str, Any], content: dict[str, Any]) -> None:
    """An empty prompt loads the model, or unloads it with keep_alive 0."""
    keep_alive = keep_alive_seconds(request.get("keep_alive"))
    if keep_alive == 0:
        exchange.app.runtime.unload(model)
    else:
        await Completion(exchange.app, model, "", _options(request), keep_alive).touch()
    answer = {"model": request.get("model", ""), "created_at": _now(), **content, "done": True}
    await exchange.json({**answer, "done_reason": "unload" if keep_alive == 0 else "load"})


async def generate(exchange: Exchange) -> None:
    request = await exchange.bind(GENERATE)
    model = speaker(exchange.model(request.get("model", "")), request.get("model", ""), "generate")
    raw = bool(request.get("raw"))
    if raw and (request.get("template") or request.get("system") or request.get("context")):
        raise ApiError(400, "raw mode does not support template, system, or context")
    if request.get("suffix"):
        refuse_missing(model, "insert")
    prompt = request.get("prompt", "")
    if not prompt:
        await _load_only(exchange, model, request, {"response": ""})
        return
    text = prompt if raw else render_prompt(model, request.get("system", ""), prompt, request.get("template", ""))
    completion = Completion(
        exchange.app,
        model,
        text,
        _options(request),
        images=bool(request.get("images")),
        before=request.get("context") or [],
        **_how(request, model),
    )

    def part(piece: Piece) -> dict[str, Any]:
        thinking = {"thinking": piece.thinking} if piece.thinking else {}
        return {"response": piece.text, **thinking}

    def extra() -> dict[str, Any]:
        return {} if raw else {"context": completion.context}

    await _answer(exchange, request, completion, part, extra)


async def chat(exchange: Exchange) -> None:
    request = await exchange.bind(CHAT)
    if not Name.parse_local(request.get("model", "")).valid:
        raise ApiError(400, "model is required")
    model = speaker(exchange.model(request["model"]), request["model"], "chat")
    tools = request.get("tools") or []
    if tools:
        refuse_missing(model, "tools")
    messages = request.get("messages") or []
    if not messages:
        await _load_only(exchange, model, request, {"message": {"role": "assistant", "content": ""}})
        return
    how = _how(request, model)
    completion = chat_completion(exchange.app, model, messages, tools, _options(request), **how)

    def part(piece: Piece) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": piece.text}
        if piece.thinking:
            message["thinking"] = piece.thinking
        if piece.calls:
            calls = enumerate(piece.calls)
            message["tool_calls"] = [{"id": call["id"], "function": _function(index, call)} for index, call in calls]
        return {"message": message}

    await _answer(exchange, request, completion, part, dict)


def _function(index: int, call: dict[str, Any]) -> dict[str, Any]:
    return {"index": index, "name": call["name"], "arguments": call["arguments"]}


Part = Callable[[Piece], dict[str, Any]]
Extra = Callable[[], dict[str, Any]]


async def _answer(
    exchange: Exchange, request: dict[str, Any], completion: Completion, part: Part, extra: Extra
) -> None:
    exchange.streamed = request.get("stream") is not False

    def line(piece: Piece) -> dict[str, Any]:
        return {"model": request["model"], "created_at": _now(), **part(piece), "done": False}

    def last(piece: Piece) -> dict[str, Any]:
        if completion.done_reason is None:
            return line(piece)
        ended = {**line(piece), "done": True, "done_reason": completion.done_reason}
        logprobs = {"logprobs": completion.logprobs} if request.get("logprobs") else {}
        return {**ended, **extra(), **completion.metrics(), **logprobs}

    with exchange.connection.watched():
        if not exchange.streamed:
            await completion.run()
            await exchange.json(last(Piece(completion.text, completion.thinking, completion.calls)))
            return
        try:
            async for piece in completion.pieces():
                # Only generate tells of tokens that say nothing.
                if any(piece) or "response" in part(piece):
                    await exchange.line(line(piece))
            if completion.done_reason is not None:
                await exchange.line(last(Piece()))
        except RunnerError as error:
            if not exchange.response.started:
                raise
            await exchange.line({"error": error.message})
    await exchange.response.finish()


def inputs_of(value: Any, message: str = "invalid input type") -> list[str]:
    if isinstance(value, str):
        return [value] if value else []
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    if value is None:
        return []
    raise ApiError(400, message)


async def load_to_embed(
    exchange: Exchange, model: Model, request: dict[str, Any], inputs: list[str], status: int = 501
) -> int:
    """Embedding loads the model, too; the number of tokens that it reads."""
    options = _options(request)
    keep_alive = keep_alive_seconds(request.get("keep_alive"))
    await Completion(exchange.app, model, "", options, keep_alive).touch()
    if not model.embeds:
        raise ApiError(status, CANNOT_EMBED)
    most = context_length(model, options) - 1
    counts = [len(model.tokenizer.encode(text)) + 1 for text in inputs]
    if request.get("truncate") is False and any(count > most for count in counts):
        raise ApiError(400, "the input length exceeds the context length")
    total = sum(min(count, most) for count in counts)
    reqlog.count(prompt=total)
    return total


async def embed(exchange: Exchange) -> None:
    started = time.perf_counter_ns()
    request = await exchange.bind(EMBED)
    inputs = inputs_of(request.get("input"))
    model = exchange.model(request.get("model", ""), UNKNOWN_TO_EMBED)
    count = await load_to_embed(exchange, model, request, inputs)
    loaded = time.perf_counter_ns()
    vectors = [speech.embed(text, True, request.get("dimensions", 0)) for text in inputs]
    answer: dict[str, Any] = {"model": request["model"], "embeddings": vectors}
    if inputs:
        answer["total_duration"] = time.perf_counter_ns() - started
        answer["load_duration"] = loaded - started
        answer["prompt_eval_count"] = count
    await exchange.json(answer)


async def embeddings(exchange: Exchange) -> None:
    request = await exchange.bind(EMBEDDING)
    if not Name.parse_local(request.get("model", "")).valid:
        raise ApiError(400, "model is required")
    model = exchange.model(request["model"], UNKNOWN_TO_EMBED)
    prompt = request.get("prompt", "")
    await load_to_embed(exchange, model, request, [prompt], 500)
    await exchange.json({"embedding": speech.embed(prompt, normalized=False) if prompt else []})
