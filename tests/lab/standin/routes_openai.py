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
from .completion import Completion, Piece, RunnerError, refuse_missing, thinks
from .errors import ApiError, BadBody
from .exchange import Exchange
from .names import Name
from .routes_info import newest_first
from .routes_native import UNKNOWN_TO_EMBED, inputs_of, load_to_embed, speaker
from .store import Model
from .templates import chat_completion, render_prompt

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
_MESSAGE = struct("openai.Message", role=STRING, content=ANY, tool_calls=list_of(ANY))
CHAT = struct(
    "openai.ChatCompletionRequest",
    messages=list_of(_MESSAGE),
    tools=list_of(ANY),
    reasoning_effort=STRING,
    response_format=ANY,
    logprobs=BOOL,
    **_COMMON,
)
COMPLETION = struct("openai.CompletionRequest", prompt=STRING, suffix=STRING, **_COMMON)
EMBED = struct("openai.EmbedRequest", input=ANY, model=STRING, dimensions=OPTIONAL_INT, encoding_format=STRING)


_KINDS = {400: "invalid_request_error", 404: "not_found_error"}
_EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "ultra", "max", "none")


def error_object(message: str, kind: str = "api_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


async def error(exchange: Exchange, problem: ApiError) -> None:
    if isinstance(problem, BadBody):
        await exchange.json(error_object(problem.message, "invalid_request_error"), problem.status)
    else:
        kind = _KINDS.get(problem.status, "api_error")
        await exchange.json(error_object(problem.message, kind), problem.status, JSON, newline=True)


def _listed(model: Model, text: str) -> dict[str, Any]:
    created = model.modified_ns // 10**9
    return {"id": text, "object": "model", "created": created, "owned_by": model.name.namespace}


async def models(exchange: Exchange) -> None:
    data = [_listed(model, model.name.short()) for model in newest_first(exchange.app.store.models())]
    await exchange.json({"object": "list", "data": data or None}, 200, JSON, newline=True)


async def model(exchange: Exchange) -> None:
    text = exchange.params["model"]
    await exchange.json(_listed(exchange.model_shown(text), text), 200, JSON, newline=True)


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
    return [
        {**message, "content": flatten(message.get("content")), "images": has_image(message.get("content"))}
        for message in request["messages"]
    ]


def has_image(content: Any) -> bool:
    parts = content if isinstance(content, list) else []
    return any(isinstance(part, dict) and "image" in str(part.get("type")) for part in parts)


def effort(model: Model, value: str | None, name: str) -> bool:
    """Whether the answer has its thoughts apart."""
    if value and value not in _EFFORTS:
        allowed = ", ".join(f'"{one}"' for one in _EFFORTS[:-1])
        raise BadBody(f'invalid reasoning value: "{value}" (must be {allowed}, or "none")')
    return thinks(model, None if not value else value != "none", name)


def schema_of(given: Any) -> Any:
    """Of a response_format: what the native route's format would be."""
    kind = given.get("type") if isinstance(given, dict) else None
    if kind == "json_schema":
        return given.get("json_schema", given).get("schema")
    return "json" if kind == "json_object" else None


def call_of(index: int, call: dict[str, Any]) -> dict[str, Any]:
    function = {"name": call["name"], "arguments": gojson.encode(call["arguments"]).decode()}
    return {"id": call["id"], "index": index, "type": "function", "function": function}


async def chat(exchange: Exchange) -> None:
    request = await exchange.bind(CHAT)
    if not request.get("messages"):
        raise BadBody("[] is too short - 'messages'")
    if not Name.parse_local(request.get("model", "")).valid:
        raise ApiError(400, "model is required")
    name = request["model"]
    found = speaker(exchange.model(name), name, "chat")
    tools = request.get("tools") or []
    if tools:
        refuse_missing(found, "tools")
    how = {
        "thinks": effort(found, request.get("reasoning_effort"), name),
        "format": schema_of(request.get("response_format")),
    }
    completion = chat_completion(exchange.app, found, messages_of(request), tools, options_of(request), **how)
    start = {"id": f"chatcmpl-{random.randrange(999)}", "object": "chat.completion", "created": int(time.time())}
    tail = {"model": request["model"], "system_fingerprint": "fp_ollama"}

    def message(piece: Piece) -> dict[str, Any]:
        calls = [call_of(index, call) for index, call in enumerate(piece.calls)]
        return {
            "content": piece.text,
            **({"reasoning": piece.thinking} if piece.thinking else {}),
            **({"tool_calls": calls} if calls else {}),
        }

    def reason() -> str | None:
        return "tool_calls" if completion.calls else completion.done_reason

    def chunk(piece: Piece | None) -> dict[str, Any]:
        role = {} if exchange.response.started else {"role": "assistant"}
        delta = {} if piece is None else {**role, **message(piece)}
        return {**_chunk(), "choices": [{"index": 0, "delta": delta, "finish_reason": None if piece else reason()}]}

    def _chunk() -> dict[str, Any]:
        return {**start, "object": "chat.completion.chunk", "created": int(time.time()), **tail, "choices": []}

    if request.get("stream"):
        await _stream(exchange, request, completion, chunk, _chunk)
        return
    with exchange.connection.watched():
        await completion.run()
    whole = {"role": "assistant", **message(Piece(completion.text, completion.thinking, completion.calls))}
    logprobs = {"logprobs": {"content": completion.logprobs}} if request.get("logprobs") else {}
    choices = [{"index": 0, "message": whole, "finish_reason": reason(), **logprobs}]
    answer = {**start, **tail, "choices": choices, "usage": usage_of(completion)}
    await exchange.json(answer, 200, JSON, newline=True)


async def completions(exchange: Exchange) -> None:
    request = await exchange.bind(COMPLETION)
    found = speaker(exchange.model(request.get("model", "")), request.get("model", ""), "generate")
    if request.get("suffix"):
        refuse_missing(found, "insert")
    prompt = request.get("prompt", "")
    completion = Completion(exchange.app, found, render_prompt(found, "", prompt), options_of(request))
    start = {"id": f"cmpl-{random.randrange(999)}", "object": "text_completion", "created": int(time.time())}
    tail = {"model": request["model"], "system_fingerprint": "fp_ollama"}

    counted = {"usage": usage_of(completion)} if _wants_usage(request) else {}

    def chunk(piece: Piece | None) -> dict[str, Any]:
        reason, text = (completion.done_reason, "") if piece is None else (None, piece.text)
        return {**start, "choices": [{"text": text, "index": 0, "finish_reason": reason}], **tail, **counted}

    if request.get("stream"):
        await _stream(exchange, request, completion, chunk, lambda: {**start, "choices": [], **tail}, silent=not prompt)
        return
    with exchange.connection.watched():
        await (completion.run() if prompt else completion.only_load())
    choices = [{"text": completion.text, "index": 0, "finish_reason": completion.done_reason}]
    answer = {**start, **tail, "choices": choices, "usage": usage_of(completion)}
    await exchange.json(answer, 200, JSON, newline=True)


def event(value: Any) -> bytes:
    return b"data: " + gojson.encode(value) + b"\n\n"


async def _stream(
    exchange: Exchange,
    request: dict[str, Any],
    completion: Completion,
    chunk: Callable[[Piece | None], dict[str, Any]],
    empty: Callable[[], dict[str, Any]],
    silent: bool = False,
) -> None:
    async def send(data: bytes) -> None:
        if not exchange.response.started:
            await exchange.response.start_stream(SSE)
        await exchange.response.write(data)

    with exchange.connection.watched():
        try:
            async for piece in completion.nothing() if silent else completion.pieces():
                if any(piece):
                    await send(event(chunk(piece)))
        except RunnerError:
            if not exchange.response.started:
                raise
            completion.done_reason = None
            await send(event({**chunk(Piece()), "model": ""}))
        if completion.done_reason is not None:
            # The end leaves the server in one piece.
            last = event(chunk(None))
            if _wants_usage(request):
                last += event({**empty(), "usage": usage_of(completion)})
            last += b"data: [DONE]\n\n"
            if silent:
                await exchange.response.send(200, last, SSE)
                return
            await send(last)
    await exchange.response.finish()


def _wants_usage(request: dict[str, Any]) -> bool:
    return bool((request.get("stream_options") or {}).get("include_usage"))


async def embeddings(exchange: Exchange) -> None:
    request = await exchange.bind(EMBED)
    coding = request.get("encoding_format") or "float"
    if coding not in ("float", "base64"):
        raise BadBody(f"Invalid value for 'encoding_format' = {coding}. Supported values: ['float', 'base64'].")
    given = request.get("input")
    inputs = [given] if given == "" else inputs_of(given)
    if not request.get("model"):
        raise ApiError(404, "model '' not found")
    if not inputs:
        raise BadBody("invalid input")
    found = exchange.model(request["model"], UNKNOWN_TO_EMBED)
    count = await load_to_embed(exchange, found, {}, inputs)
    data = []
    for index, text in enumerate(inputs):
        vector: Any = speech.embed(text, True, request.get("dimensions") or 0)
        if coding == "base64":
            vector = base64.b64encode(binary.pack(f"<{len(vector)}f", *vector)).decode()
        data.append({"object": "embedding", "embedding": vector, "index": index})
    usage = {"prompt_tokens": count, "total_tokens": count}
    answer = {"object": "list", "data": data, "model": request["model"], "usage": usage}
    await exchange.json(answer, 200, JSON, newline=True)


async def transcriptions(exchange: Exchange) -> None:
    form = _form(exchange.request.get("content-type"), await exchange.body.read_all())
    if "file" not in form:
        raise BadBody("file is required: http: no such file")
    found = exchange.model(form.get("model", b"").decode("utf-8", "replace"))
    completion = Completion(exchange.app, found, render_prompt(found, "", "transcribe"))
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
