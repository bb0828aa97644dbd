# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenAI's Responses API: one JSON object, or a stream of typed events."""

from __future__ import annotations

import random
import time
from typing import Any

from . import gojson
from .bind import ANY, BOOL, OPTIONAL_FLOAT, OPTIONAL_INT, STRING, list_of, struct
from .completion import Completion, RunnerError, refuse_missing
from .errors import ApiError
from .exchange import Exchange
from .names import Name
from .routes_native import speaker
from .routes_openai import JSON, SSE, effort, flatten, has_image, schema_of
from .templates import chat_completion

RESPONSES = struct(
    "openai.ResponsesRequest",
    model=STRING,
    input=ANY,
    instructions=STRING,
    stream=BOOL,
    background=BOOL,
    max_output_tokens=OPTIONAL_INT,
    temperature=OPTIONAL_FLOAT,
    top_p=OPTIONAL_FLOAT,
    tools=list_of(ANY),
    reasoning=ANY,
    text=ANY,
)
_FUNCTION = ("name", "description", "parameters")


def _messages(request: dict[str, Any]) -> list[dict[str, Any]]:
    given = request.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given or []
    messages = [
        {
            "role": item.get("role", "user"),
            "content": flatten(item.get("content")),
            "images": has_image(item.get("content")),
        }
        for item in items
        if isinstance(item, dict)
    ]
    if request.get("instructions"):
        messages.insert(0, {"role": "system", "content": request["instructions"]})
    return messages


def _function(tool: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {key: tool[key] for key in _FUNCTION if key in tool}}


async def responses(exchange: Exchange) -> None:
    request = await exchange.bind(RESPONSES)
    exchange.stream_events(bool(request.get("stream")))
    if not Name.parse_local(request.get("model", "")).valid:
        raise ApiError(400, "model is required")
    name = request["model"]
    model = speaker(exchange.model(name), name, "chat")
    tools = [_function(tool) for tool in request.get("tools") or []]
    if tools:
        refuse_missing(model, "tools")
    limit = request.get("max_output_tokens")
    options = {} if limit is None else {"num_predict": limit}
    how = {
        "thinks": effort(model, (request.get("reasoning") or {}).get("effort"), name),
        "format": schema_of((request.get("text") or {}).get("format")),
    }
    messages = _messages(request)
    completion = chat_completion(exchange.app, model, messages, tools, options, **how)
    answer = _answer(request)
    if request.get("stream"):
        await _Stream(exchange, completion, answer).run()
        return
    with exchange.connection.watched():
        await (completion.run() if messages else completion.only_load())
    await exchange.json(_completed(completion, answer, str(answer["id"])), 200, JSON, newline=True)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    """The whole object, before there is anything in it."""
    given = [{"type": "function", "strict": None, **tool} for tool in request.get("tools") or []]
    order = ("type", "name", "description", "strict", "parameters")
    tools = [{key: _sorted(tool.get(key)) for key in order if key in tool} for tool in given]
    return {
        "id": f"resp_{random.randrange(10**6)}",
        "object": "response",
        "created_at": int(time.time()),
        "completed_at": None,
        "status": "in_progress",
        "incomplete_details": None,
        "model": request["model"],
        "previous_response_id": None,
        "instructions": request.get("instructions"),
        "output": [],
        "error": None,
        "tools": tools,
        "tool_choice": "auto",
        "truncation": "disabled",
        "parallel_tool_calls": True,
        "text": request.get("text") or {"format": {"type": "text"}},
        "top_p": request.get("top_p") or 1,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "top_logprobs": 0,
        "temperature": request.get("temperature") or 1,
        "reasoning": request.get("reasoning"),
        "usage": None,
        "max_output_tokens": request.get("max_output_tokens"),
        "max_tool_calls": None,
        "store": False,
        "background": bool(request.get("background")),
        "service_tier": "default",
        "metadata": {},
        "safety_identifier": None,
        "prompt_cache_key": None,
    }


def _sorted(value: Any) -> Any:
    """As Go writes a map: with its keys in order."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _message(item: str, text: str) -> dict[str, Any]:
    return {"id": item, "type": "message", "status": "completed", "role": "assistant", "content": [_part(text)]}


def _thought(item: str, text: str) -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": text}]
    return {"id": item, "type": "reasoning", "summary": summary, "encrypted_content": text}


def _call(item: str, call: dict[str, Any], status: str, arguments: str) -> dict[str, Any]:
    named = {"call_id": call["id"], "name": call["name"], "arguments": arguments}
    return {"id": item, "type": "function_call", "status": status, **named}


def _arguments(call: dict[str, Any]) -> str:
    return gojson.encode(call["arguments"]).decode()


def _items(completion: Completion, mark: str) -> list[dict[str, Any]]:
    thoughts = [_thought(f"rs_{mark}", completion.thinking)] if completion.thinking else []
    calls = [
        _call(f"fc_{mark}_{index}", call, "completed", _arguments(call)) for index, call in enumerate(completion.calls)
    ]
    spoken = [] if calls else [_message(f"msg_{random.randrange(10**6)}", completion.text)]
    return thoughts + spoken + calls


def _completed(completion: Completion, answer: dict[str, Any], mark: str) -> dict[str, Any]:
    usage = {
        "input_tokens": completion.prompt_count,
        "output_tokens": completion.count,
        "total_tokens": completion.prompt_count + completion.count,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    ended = {"completed_at": int(time.time()), "status": "completed", "usage": usage}
    return {**answer, **ended, "output": answer["output"] or _items(completion, mark)}


class _Stream:
    def __init__(self, exchange: Exchange, completion: Completion, answer: dict[str, Any]) -> None:
        self._exchange = exchange
        self._completion = completion
        self._answer = answer
        self._sequence = 0
        self._done: list[dict[str, Any]] = []
        self._thinking = self._message = ""

    async def _send(self, kind: str, **fields: Any) -> None:
        if not self._exchange.response.started:
            await self._exchange.response.start_stream(SSE)
        event = {"type": kind, "sequence_number": self._sequence, **fields}
        self._sequence += 1
        data = gojson.encode(_sorted(event))
        await self._exchange.response.write(b"event: %b\ndata: %b\n\n" % (kind.encode(), data))

    @property
    def _place(self) -> dict[str, Any]:
        return {"item_id": self._message, "output_index": len(self._done), "content_index": 0}

    async def run(self) -> None:
        with self._exchange.connection.watched():
            try:
                async for piece in self._completion.pieces():
                    await self._begin()
                    if piece.thinking:
                        await self._think(piece.thinking)
                    if piece.text:
                        await self._say(piece.text)
                    for index, call in enumerate(piece.calls):
                        await self._told(index, call)
                if self._completion.done_reason is not None:
                    await self._end()
            except RunnerError:
                if not self._exchange.response.started:
                    raise
        await self._exchange.response.finish()

    async def _begin(self) -> None:
        if self._sequence == 0:
            await self._send("response.created", response=self._answer)
            await self._send("response.in_progress", response=self._answer)

    async def _think(self, text: str) -> None:
        if not self._thinking:
            self._thinking = f"rs_{random.randrange(10**6)}"
            opened = {"id": self._thinking, "type": "reasoning", "summary": []}
            await self._send("response.output_item.added", output_index=0, item=opened)
        place = {"item_id": self._thinking, "output_index": 0, "summary_index": 0}
        await self._send("response.reasoning_summary_text.delta", **place, delta=text)

    async def _thought(self) -> None:
        if self._thinking and not self._done:
            text = self._completion.thinking
            place = {"item_id": self._thinking, "output_index": 0, "summary_index": 0}
            await self._send("response.reasoning_summary_text.done", **place, text=text)
            await self._close(_thought(self._thinking, text))

    async def _close(self, item: dict[str, Any]) -> None:
        await self._send("response.output_item.done", output_index=len(self._done), item=item)
        self._done.append(item)

    async def _open(self, item: dict[str, Any]) -> None:
        await self._send("response.output_item.added", output_index=len(self._done), item=item)

    async def _say(self, text: str) -> None:
        await self._thought()
        if not self._message:
            self._message = f"msg_{random.randrange(10**6)}"
            opened = {"type": "message", "status": "in_progress", "role": "assistant", "content": []}
            await self._open({"id": self._message, **opened})
            await self._send("response.content_part.added", **self._place, part=_part(""))
        if text:
            await self._send("response.output_text.delta", **self._place, delta=text, logprobs=[])

    async def _told(self, index: int, call: dict[str, Any]) -> None:
        item, arguments = f"fc_{random.randrange(10**6)}_{index}", _arguments(call)
        place = {"item_id": item, "output_index": len(self._done)}
        await self._open(_call(item, call, "in_progress", ""))
        await self._send("response.function_call_arguments.delta", **place, delta=arguments)
        await self._send("response.function_call_arguments.done", **place, arguments=arguments)
        await self._close(_call(item, call, "completed", arguments))

    async def _end(self) -> None:
        await self._begin()
        if not self._completion.calls:
            await self._say("")
            text = self._completion.text
            await self._send("response.output_text.done", **self._place, text=text, logprobs=[])
            await self._send("response.content_part.done", **self._place, part=_part(text))
            await self._close(_message(self._message, text))
        answer = {**self._answer, "output": self._done}
        await self._send("response.completed", response=_completed(self._completion, answer, ""))
