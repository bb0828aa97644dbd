# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Anthropic dialect: messages."""

from __future__ import annotations

import json
import secrets
from typing import Any

from . import gojson
from .bind import ANY, BOOL, INT, STRING, list_of, struct
from .completion import Completion, Piece, RunnerError, refuse_missing
from .errors import ApiError, BadBody
from .exchange import Exchange
from .routes_native import speaker
from .routes_openai import JSON, SSE, flatten, messages_of
from .templates import chat_completion

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
    thinking=ANY,
)
_KINDS = {400: "invalid_request_error", 404: "not_found_error", 503: "overloaded_error"}


async def error(exchange: Exchange, problem: ApiError) -> None:
    detail = {"type": _KINDS.get(problem.status, "api_error"), "message": problem.message}
    answer = {"type": "error", "error": detail, "request_id": "req_" + secrets.token_hex(12)}
    if isinstance(problem, BadBody):
        await exchange.json(answer, problem.status)
    else:
        await exchange.json(answer, problem.status, JSON, newline=True)


def _function(tool: dict[str, Any]) -> dict[str, Any]:
    named = {key: tool[key] for key in ("name", "description") if key in tool}
    return {"type": "function", "function": {**named, "parameters": tool.get("input_schema")}}


async def messages(exchange: Exchange) -> None:
    request = await exchange.bind(MESSAGES)
    if not request.get("model"):
        raise BadBody("model is required")
    if request.get("max_tokens", 0) <= 0:
        raise BadBody("max_tokens is required and must be positive")
    if not request.get("messages"):
        raise BadBody("messages is required")
    exchange.stream_events(bool(request.get("stream")))
    name = request["model"]
    model = speaker(exchange.model(name), name, "chat")
    tools = [_function(tool) for tool in request.get("tools") or []]
    if tools:
        refuse_missing(model, "tools")
    spoken = messages_of(request)
    if request.get("system"):
        spoken.insert(0, {"role": "system", "content": flatten(request["system"])})
    options: dict[str, Any] = {"num_predict": request["max_tokens"]}
    if request.get("stop_sequences"):
        options["stop"] = request["stop_sequences"]
    # Asked of a model that cannot think, this is ignored.
    thinks = (request.get("thinking") or {}).get("type") == "enabled" and "thinking" in model.capabilities
    completion = chat_completion(exchange.app, model, spoken, tools, options, thinks=thinks)
    start = {"id": "msg_" + secrets.token_hex(12), "type": "message", "role": "assistant", "model": name}
    if request.get("stream"):
        await _stream(exchange, completion, start, _estimate(request))
        return
    with exchange.connection.watched():
        await completion.run()
    reason = {} if completion.done_reason is None else {"stop_reason": _stop_reason(completion)}
    usage = {"input_tokens": completion.prompt_count, "output_tokens": completion.count}
    await exchange.json({**start, "content": _content(completion), **reason, "usage": usage}, 200, JSON, newline=True)


def _content(completion: Completion) -> list[dict[str, Any]]:
    thoughts = [{"type": "thinking", "thinking": completion.thinking}] if completion.thinking else []
    calls = [
        {"type": "tool_use", "id": call["id"], "name": call["name"], "input": call["arguments"]}
        for call in completion.calls
    ]
    return [*thoughts, *(calls or [{"type": "text", "text": completion.text}])]


def _estimate(request: dict[str, Any]) -> int:
    """What the server thinks a prompt comes to before a model has read it: a token for four letters."""
    letters = len(flatten(request.get("system")))
    for message in request["messages"]:
        letters += len(message.get("role", "")) + len(flatten(message.get("content")))
    for tool in request.get("tools") or []:
        schema = json.dumps(tool.get("input_schema"), separators=(",", ":"))
        letters += len(tool.get("name", "")) + len(tool.get("description", "")) + len(schema)
    return letters // 4


def _stop_reason(completion: Completion) -> str:
    if completion.calls:
        return "tool_use"
    return "max_tokens" if completion.done_reason == "length" else "end_turn"


class _Blocks:
    """The stream's events: a message of blocks, each of one kind."""

    def __init__(self, exchange: Exchange, start: dict[str, Any], estimate: int) -> None:
        self._exchange = exchange
        self._start = {**start, "content": [], "usage": {"input_tokens": estimate, "output_tokens": 0}}
        self._index = -1
        self._kind = ""

    async def send(self, kind: str, **fields: Any) -> None:
        if not self._exchange.response.started:
            await self._exchange.response.start_stream(SSE)
            await self.send("message_start", message=self._start)
        data = gojson.encode({"type": kind, **fields})
        await self._exchange.response.write(b"event: %b\ndata: %b\n\n" % (kind.encode(), data))

    async def _enter(self, kind: str, **block: Any) -> None:
        if kind != self._kind:
            await self.close()
            self._index, self._kind = self._index + 1, kind
            await self.send("content_block_start", index=self._index, content_block={"type": kind, **block})

    async def close(self) -> None:
        if self._kind:
            await self.send("content_block_stop", index=self._index)
            self._kind = ""

    async def _delta(self, kind: str, **fields: Any) -> None:
        await self.send("content_block_delta", index=self._index, delta={"type": kind, **fields})

    async def add(self, piece: Piece) -> None:
        if piece.thinking:
            await self._enter("thinking", thinking="")
            await self._delta("thinking_delta", thinking=piece.thinking)
        if piece.text:
            await self._enter("text", text="")
            await self._delta("text_delta", text=piece.text)
        for call in piece.calls:
            await self._enter("tool_use", id=call["id"], name=call["name"], input={})
            await self._delta("input_json_delta", partial_json=gojson.encode(call["arguments"]).decode())


async def _stream(exchange: Exchange, completion: Completion, start: dict[str, Any], estimate: int) -> None:
    blocks = _Blocks(exchange, start, estimate)
    with exchange.connection.watched():
        try:
            async for piece in completion.pieces():
                await blocks.add(piece)
            if completion.done_reason is not None:
                await blocks.close()
                usage = {"input_tokens": completion.prompt_count, "output_tokens": completion.count}
                delta = {"stop_reason": _stop_reason(completion)}
                await blocks.send("message_delta", delta=delta, usage=usage)
                await blocks.send("message_stop")
        except RunnerError:
            if not exchange.response.started:
                raise
    await exchange.response.finish()
