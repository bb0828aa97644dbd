# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Anthropic dialect: messages."""

from __future__ import annotations

import secrets
from typing import Any

from . import gojson
from .bind import ANY, BOOL, INT, STRING, list_of, struct
from .completion import Completion, render_chat
from .exchange import ApiError, BadBody, Exchange
from .routes_openai import JSON, SSE, flatten, messages_of

_MESSAGE = struct("anthropic.MessageParam", role=STRING, content=ANY)
MESSAGES = struct(
    "anthropic.MessagesRequest",
    model=STRING,
    max_tokens=INT,
    messages=list_of(_MESSAGE),
    system=ANY,
    stream=BOOL,
    stop_sequences=list_of(STRING),
    tools=list_of(ANY),
)
_KINDS = {400: "invalid_request_error", 404: "not_found_error"}


async def error(exchange: Exchange, problem: ApiError) -> None:
    detail = {"type": _KINDS.get(problem.status, "api_error"), "message": problem.message}
    answer = {"type": "error", "error": detail, "request_id": "req_" + secrets.token_hex(12)}
    await exchange.json(answer, problem.status, newline=not isinstance(problem, BadBody))


async def messages(exchange: Exchange) -> None:
    request = await exchange.bind(MESSAGES)
    if not request.get("model"):
        raise BadBody("model is required")
    if request.get("max_tokens", 0) <= 0:
        raise BadBody("max_tokens is required and must be positive")
    if not request.get("messages"):
        raise BadBody("messages is required")
    model = exchange.model(request["model"])
    spoken = messages_of(request)
    if request.get("system"):
        spoken.insert(0, {"role": "system", "content": flatten(request["system"])})
    options: dict[str, Any] = {"num_predict": request["max_tokens"]}
    if request.get("stop_sequences"):
        options["stop"] = request["stop_sequences"]
    completion = Completion(exchange.app, model, render_chat(model, spoken), options)
    identity = "msg_" + secrets.token_hex(12)
    if request.get("stream"):
        await _stream(exchange, completion, identity, request["model"])
        return
    with exchange.connection.watched():
        await completion.run()
    answer = {
        **_message(identity, request["model"]),
        "content": [{"type": "text", "text": completion.text}],
        "stop_reason": _stop_reason(completion),
        "usage": {"input_tokens": completion.prompt_count, "output_tokens": completion.count},
    }
    await exchange.json(answer, 200, JSON, newline=True)


def _message(identity: str, model: str) -> dict[str, Any]:
    return {"id": identity, "type": "message", "role": "assistant", "model": model}


def _stop_reason(completion: Completion) -> str:
    return "max_tokens" if completion.done_reason == "length" else "end_turn"


async def _stream(exchange: Exchange, completion: Completion, identity: str, model: str) -> None:
    async def send(kind: str, fields: dict[str, Any]) -> None:
        data = gojson.encode({"type": kind, **fields})
        await exchange.response.write(b"event: %b\ndata: %b\n\n" % (kind.encode(), data))

    with exchange.connection.watched():
        await exchange.response.start_stream(SSE)
        start = {**_message(identity, model), "content": [], "usage": {"input_tokens": 0, "output_tokens": 0}}
        await send("message_start", {"message": start})
        await send("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
        async for piece in completion.tokens():
            await send("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": piece}})
        await send("content_block_stop", {"index": 0})
        usage = {"input_tokens": completion.prompt_count, "output_tokens": completion.count}
        await send("message_delta", {"delta": {"stop_reason": _stop_reason(completion)}, "usage": usage})
        await send("message_stop", {})
    await exchange.response.finish()
