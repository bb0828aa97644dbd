# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenAI's Responses API: one JSON object, or a stream of typed events."""

from __future__ import annotations

import random
import time
from typing import Any

from . import gojson
from .bind import ANY, BOOL, OPTIONAL_INT, STRING, list_of, struct
from .completion import Completion, render_chat
from .exchange import ApiError, Exchange
from .names import Name
from .routes_openai import JSON, SSE, flatten

RESPONSES = struct(
    "openai.ResponsesRequest",
    model=STRING,
    input=ANY,
    instructions=STRING,
    stream=BOOL,
    max_output_tokens=OPTIONAL_INT,
    tools=list_of(ANY),
)


def _messages(request: dict[str, Any]) -> list[dict[str, Any]]:
    given = request.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given or []
    messages = [
        {"role": item.get("role", "user"), "content": flatten(item.get("content"))}
        for item in items
        if isinstance(item, dict)
    ]
    if request.get("instructions"):
        messages.insert(0, {"role": "system", "content": request["instructions"]})
    return messages


async def responses(exchange: Exchange) -> None:
    request = await exchange.bind(RESPONSES)
    if not Name.parse(request.get("model", "")).valid:
        raise ApiError(400, "model is required")
    model = exchange.model(request["model"])
    limit = request.get("max_output_tokens")
    options = {} if limit is None else {"num_predict": limit}
    completion = Completion(exchange.app, model, render_chat(model, _messages(request)), options)
    answer = {
        "id": f"resp_{random.randrange(10**6):06d}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "model": request["model"],
        "output": [],
    }
    item = f"msg_{random.randrange(10**6):06d}"
    if request.get("stream"):
        await _stream(exchange, completion, answer, item)
        return
    with exchange.connection.watched():
        await completion.run()
    await exchange.json(_completed(completion, answer, item), 200, JSON, newline=True)


def _message(item: str, completion: Completion) -> dict[str, Any]:
    content = [{"type": "output_text", "text": completion.text}]
    return {"id": item, "type": "message", "status": "completed", "role": "assistant", "content": content}


def _completed(completion: Completion, answer: dict[str, Any], item: str) -> dict[str, Any]:
    usage = {
        "input_tokens": completion.prompt_count,
        "output_tokens": completion.count,
        "total_tokens": completion.prompt_count + completion.count,
    }
    return {**answer, "status": "completed", "output": [_message(item, completion)], "usage": usage}


async def _stream(exchange: Exchange, completion: Completion, answer: dict[str, Any], item: str) -> None:
    sequence = 0
    place = {"item_id": item, "output_index": 0, "content_index": 0}

    async def send(kind: str, fields: dict[str, Any]) -> None:
        nonlocal sequence
        data = gojson.encode({"type": kind, "sequence_number": sequence, **fields})
        sequence += 1
        await exchange.response.write(b"event: %b\ndata: %b\n\n" % (kind.encode(), data))

    with exchange.connection.watched():
        await exchange.response.start_stream(SSE)
        await send("response.created", {"response": answer})
        await send("response.in_progress", {"response": answer})
        opened = {"id": item, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
        await send("response.output_item.added", {"output_index": 0, "item": opened})
        empty = {"type": "output_text", "text": "", "annotations": []}
        await send("response.content_part.added", {**place, "part": empty})
        async for piece in completion.tokens():
            await send("response.output_text.delta", {**place, "delta": piece})
        await send("response.output_text.done", {**place, "text": completion.text})
        await send("response.content_part.done", {**place, "part": {**empty, "text": completion.text}})
        await send("response.output_item.done", {"output_index": 0, "item": _message(item, completion)})
        await send("response.completed", {"response": _completed(completion, answer, item)})
    await exchange.response.finish()
