# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenAI dialect: models, chat, completions, embeddings and transcriptions."""

from __future__ import annotations

import base64
import email
import email.policy
import random
import struct as binary
import time
from typing import Any, Callable

from . import gojson, speech
from .bind import ANY, BOOL, OPTIONAL_FLOAT, OPTIONAL_INT, STRING, list_of, struct
from .completion import Completion, render, render_chat
from .exchange import ApiError, BadBody, Exchange
from .names import Name
from .routes_info import newest_first
from .routes_native import UNKNOWN_TO_EMBED, inputs_of, token_total, touch
from .store import Model

JSON = "application/json"
SSE = "text/event-stream"

_COMMON = {
    "model": STRING,
    "stream": BOOL,
    "stream_options": struct("openai.StreamOptions", include_usage=BOOL),
    "max_tokens": OPTIONAL_INT,
    "stop": ANY,
    "seed": OPTIONAL_INT,
    "temperature": OPTIONAL_FLOAT,
    "top_p": OPTIONAL_FLOAT,
}
_MESSAGE = struct("openai.Message", role=STRING, content=ANY)
CHAT = struct("openai.ChatCompletionRequest", messages=list_of(_MESSAGE), tools=list_of(ANY), **_COMMON)
COMPLETION = struct("openai.CompletionRequest", prompt=STRING, suffix=STRING, **_COMMON)
EMBED = struct("openai.EmbedRequest", input=ANY, model=STRING, dimensions=OPTIONAL_INT, encoding_format=STRING)


def error_object(message: str, kind: str = "api_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


async def error(exchange: Exchange, problem: ApiError) -> None:
    if isinstance(problem, BadBody):
        await exchange.json(error_object(problem.message, "invalid_request_error"), problem.status)
    else:
        await exchange.json(error_object(problem.message), problem.status, JSON, newline=True)


def _listed(model: Model, text: str) -> dict[str, Any]:
    created = model.modified_ns // 10**9
    return {"id": text, "object": "model", "created": created, "owned_by": model.name.namespace}


async def models(exchange: Exchange) -> None:
    data = [_listed(model, model.name.short()) for model in newest_first(exchange.app.store.models())]
    await exchange.json({"object": "list", "data": data or None}, 200, JSON, newline=True)


async def model(exchange: Exchange) -> None:
    text = exchange.params["model"]
    await exchange.json(_listed(exchange.model(text), text), 200, JSON, newline=True)


def options_of(request: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if request.get("max_tokens") is not None:
        options["num_predict"] = request["max_tokens"]
    if request.get("stop"):
        options["stop"] = request["stop"]
    return options


def flatten(content: Any) -> str:
    """A message's content is a text, or a list of parts of which the texts count."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


def usage_of(completion: Completion) -> dict[str, int]:
    total = completion.prompt_count + completion.count
    return {
        "prompt_tokens": completion.prompt_count,
        "completion_tokens": completion.count,
        "total_tokens": total,
    }


def messages_of(request: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**message, "content": flatten(message.get("content"))} for message in request["messages"]]


async def chat(exchange: Exchange) -> None:
    request = await exchange.bind(CHAT)
    if not request.get("messages"):
        raise BadBody("[] is too short - 'messages'")
    if not Name.parse(request.get("model", "")).valid:
        raise ApiError(400, "model is required")
    found = exchange.model(request["model"])
    if request.get("tools"):
        raise ApiError(400, f"{found.name.full()} does not support tools")
    completion = Completion(exchange.app, found, render_chat(found, messages_of(request)), options_of(request))
    start = {"id": f"chatcmpl-{random.randrange(999)}", "object": "chat.completion", "created": int(time.time())}
    tail = {"model": request["model"], "system_fingerprint": "fp_ollama"}

    def chunk(piece: str, reason: str | None) -> dict[str, Any]:
        delta = {"role": "assistant", "content": piece}
        return {**_chunk(), "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    def _chunk() -> dict[str, Any]:
        return {**start, "object": "chat.completion.chunk", "created": int(time.time()), **tail}

    if request.get("stream"):
        await _stream(exchange, request, completion, chunk, _chunk)
        return
    with exchange.connection.watched():
        await completion.run()
    message = {"role": "assistant", "content": completion.text}
    choices = [{"index": 0, "message": message, "finish_reason": completion.done_reason}]
    answer = {**start, **tail, "choices": choices, "usage": usage_of(completion)}
    await exchange.json(answer, 200, JSON, newline=True)


async def completions(exchange: Exchange) -> None:
    request = await exchange.bind(COMPLETION)
    found = exchange.model(request.get("model", ""))
    text = render(found.text("system"), request.get("prompt", ""))
    completion = Completion(exchange.app, found, text, options_of(request))
    start = {"id": f"cmpl-{random.randrange(999)}", "object": "text_completion", "created": int(time.time())}
    tail = {"model": request["model"], "system_fingerprint": "fp_ollama"}

    def chunk(piece: str, reason: str | None) -> dict[str, Any]:
        return {**start, "choices": [{"text": piece, "index": 0, "finish_reason": reason}], **tail}

    if request.get("stream"):
        await _stream(exchange, request, completion, chunk, lambda: {**start, **tail})
        return
    with exchange.connection.watched():
        await completion.run()
    choices = [{"text": completion.text, "index": 0, "finish_reason": completion.done_reason}]
    answer = {**start, **tail, "choices": choices, "usage": usage_of(completion)}
    await exchange.json(answer, 200, JSON, newline=True)


def event(value: Any) -> bytes:
    return b"data: " + gojson.encode(value) + b"\n\n"


async def _stream(
    exchange: Exchange,
    request: dict[str, Any],
    completion: Completion,
    chunk: Callable[[str, str | None], dict[str, Any]],
    empty: Callable[[], dict[str, Any]],
) -> None:
    with exchange.connection.watched():
        async for piece in completion.tokens():
            if not exchange.response.started:
                await exchange.response.start_stream(SSE)
            await exchange.response.write(event(chunk(piece, None)))
        if not exchange.response.started:
            await exchange.response.start_stream(SSE)
        # The end leaves the server in one piece.
        last = event(chunk("", completion.done_reason))
        if (request.get("stream_options") or {}).get("include_usage"):
            last += event({**empty(), "choices": [], "usage": usage_of(completion)})
        await exchange.response.write(last + b"data: [DONE]\n\n")
    await exchange.response.finish()


async def embeddings(exchange: Exchange) -> None:
    request = await exchange.bind(EMBED)
    inputs = inputs_of(request.get("input"))
    if not inputs:
        raise BadBody("invalid input")
    found = exchange.model(request.get("model", ""), UNKNOWN_TO_EMBED)
    touch(exchange, found, request)
    data = []
    for index, text in enumerate(inputs):
        vector: Any = speech.embed(text, normalized=True)
        if request.get("encoding_format") == "base64":
            vector = base64.b64encode(binary.pack(f"<{len(vector)}f", *vector)).decode()
        data.append({"object": "embedding", "embedding": vector, "index": index})
    count = token_total(inputs)
    usage = {"prompt_tokens": count, "total_tokens": count}
    answer = {"object": "list", "data": data, "model": request["model"], "usage": usage}
    await exchange.json(answer, 200, JSON, newline=True)


async def transcriptions(exchange: Exchange) -> None:
    form = _form(exchange.request.get("content-type"), await exchange.body.read_all())
    if "file" not in form:
        raise BadBody("file is required")
    found = exchange.model(form.get("model", b"").decode("utf-8", "replace"))
    completion = Completion(exchange.app, found, render(found.text("system"), "transcribe"))
    with exchange.connection.watched():
        await completion.run()
    await exchange.json({"text": completion.text}, 200, JSON, newline=True)


def _form(content_type: str, body: bytes) -> dict[str, bytes]:
    """The fields of a multipart body."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    if not message.is_multipart():
        raise BadBody("request Content-Type isn't multipart/form-data")
    fields = {}
    for part in message.walk():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes):
            fields[name] = payload
    return fields
