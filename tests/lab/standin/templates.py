# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A prompt as a model's template makes it; of the templates, those of the tiny models are understood."""

from __future__ import annotations

import json
import re
from typing import Any

from .completion import Completion
from .exchange import App
from .runtime import context_length
from .store import Model

_IF_SYSTEM = re.compile(r"\{\{ if \.System \}\}(.*?)\{\{ end \}\}")
# The order in which the server writes a tool's members.
_PARAMETERS = ("type", "required", "properties")


def render(template: str, system: str, prompt: str) -> str:
    text = _IF_SYSTEM.sub(lambda match: match[1] if system else "", template)
    return text.replace("{{ .System }}", system).replace("{{ .Prompt }}", prompt)


def render_prompt(model: Model, system: str, prompt: str, template: str = "") -> str:
    template = template or model.template
    if ".Messages" in template:
        return _dialogue([{"role": "user", "content": prompt}], [])
    return render(template, system or model.text("system"), prompt)


def render_chat(model: Model, messages: list[dict[str, Any]], tools: list[Any]) -> str:
    if ".Messages" in model.template:
        return _dialogue(messages, tools)
    system = " ".join(message.get("content") or "" for message in messages if message.get("role") == "system")
    spoken = " ".join(message.get("content") or "" for message in messages if message.get("role") != "system")
    return render(model.template, system or model.text("system"), spoken)


def _dialogue(messages: list[dict[str, Any]], tools: list[Any]) -> str:
    said = [f"<|im_start|>{message.get('role', '')}\n{_said(message)}<|im_end|>\n" for message in messages]
    told = ["tools:" + "".join(map(_tool, tools))] if tools else []
    return "".join([*said, *told, "<|im_start|>assistant\n"])


def _said(message: dict[str, Any]) -> str:
    calls = ""
    for call in message.get("tool_calls") or []:
        function = call.get("function", {})
        arguments = _json(function.get("arguments"))
        calls += f'<tool_call>\n{{"name": "{function.get("name")}", "arguments": {arguments}}}\n</tool_call>'
    return (message.get("content") or "") + calls


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _tool(tool: Any) -> str:
    function = dict(tool.get("function", {}))
    given = function.get("parameters") or {}
    parameters = {key: given[key] for key in _PARAMETERS if key in given}
    return _json({"type": tool.get("type"), "function": {**function, "parameters": parameters}})


def chat_completion(
    app: App, model: Model, messages: list[dict[str, Any]], tools: list[Any], options: dict[str, Any], **more: Any
) -> Completion:
    """An answer to as many of the last messages as fit, or to the last one."""
    context = context_length(model, options)
    system = [message for message in messages if message.get("role") == "system"]
    first = 0
    prompt = render_chat(model, messages, tools)
    while more.get("truncate", True) and first < len(messages) - 1 and len(model.tokenizer.encode(prompt)) >= context:
        first += 1
        kept = [message for message in messages[first:] if message.get("role") != "system"]
        prompt = render_chat(model, [*system, *kept], tools)
    images = any(message.get("images") for message in messages)
    return Completion(app, model, prompt, options, tools=bool(tools), images=images, **more)
