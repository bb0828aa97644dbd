# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes that only tell: health, version, and what models there are."""

from __future__ import annotations

import json
import time
from typing import Any

from .bind import ANY, BOOL, STRING, map_of, struct
from .errors import ApiError
from .exchange import Exchange, timestamp
from .settings import FOREVER
from .store import Model

SHOW = struct(
    "api.ShowRequest", model=STRING, name=STRING, system=STRING, template=STRING, verbose=BOOL, options=map_of(ANY)
)
# What Go's longest duration comes to, for a model that never expires.
_CENTURIES = 9223372036


def _recommended(model: str, description: str, **numbers: int) -> dict[str, Any]:
    return {"model": model, "description": description, **numbers}


_AGENTS = "State-of-the-art coding, long-horizon execution, and multimodal agent swarm capability"
_FAST = "Fast, efficient coding and real-world productivity"
_SEES = "Reasoning, coding, and visual understanding locally"
RECOMMENDATIONS = [
    _recommended("kimi-k2.6:cloud", _AGENTS, context_length=262144, max_output_tokens=262144),
    _recommended("glm-5.1:cloud", "Reasoning and code generation", context_length=202752, max_output_tokens=131072),
    _recommended(
        "qwen3.5:cloud",
        "Reasoning, coding, and agentic tool use with vision",
        context_length=262144,
        max_output_tokens=32768,
    ),
    _recommended("minimax-m2.7:cloud", _FAST, context_length=204800, max_output_tokens=128000),
    _recommended("gemma4", "Reasoning and code generation locally", vram_bytes=12000000000),
    _recommended("qwen3.5", _SEES, vram_bytes=14000000000),
]


async def root(exchange: Exchange) -> None:
    await exchange.response.send(200, b"Ollama is running", "text/plain; charset=utf-8")


async def version(exchange: Exchange) -> None:
    await exchange.json({"version": exchange.app.settings.version})


async def status(exchange: Exchange) -> None:
    disabled = exchange.app.settings.cloud_disabled
    await exchange.json({"cloud": {"disabled": disabled, "source": "env" if disabled else "none"}})


async def recommendations(exchange: Exchange) -> None:
    await exchange.json({"recommendations": RECOMMENDATIONS})


def newest_first(models: list[Model]) -> list[Model]:
    return sorted(models, key=lambda model: -(model.modified_ns // 10**9))


async def tags(exchange: Exchange) -> None:
    models = [
        {
            "name": model.name.short(),
            "model": model.name.short(),
            "modified_at": timestamp(model.modified_ns),
            "size": model.size,
            "digest": model.digest,
            "details": {
                **model.details(),
                "context_length": model.trained("context_length"),
                "embedding_length": model.trained("embedding_length"),
            },
            # The list takes every model for one that completes.
            "capabilities": ["completion", *model.capabilities[1:]],
        }
        for model in newest_first(exchange.app.store.models())
    ]
    await exchange.json({"models": models})


async def running(exchange: Exchange) -> None:
    models = []
    for loaded in exchange.app.runtime.running():
        expires = time.time() + _CENTURIES if loaded.expires == FOREVER else loaded.expires
        models.append(
            {
                "name": loaded.model.name.short(),
                "model": loaded.model.name.short(),
                "size": loaded.size,
                "digest": loaded.model.digest,
                "details": loaded.details,
                "expires_at": timestamp(int(expires * 10**9)),
                "size_vram": int(loaded.size * exchange.app.settings.vram_share),
                "context_length": loaded.context_length,
            }
        )
    await exchange.json({"models": models})


async def show(exchange: Exchange) -> None:
    request = await exchange.bind(SHOW)
    name = request.get("model") or request.get("name") or ""
    if not name:
        raise ApiError(400, "model is required")
    await exchange.json(_description(exchange.model_shown(name), bool(request.get("verbose"))))


def _description(model: Model, verbose: bool) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "license": model.text("license"),
        "modelfile": modelfile(model),
        "parameters": "\n".join(
            f'{key:<30} "{value}"' if isinstance(value, str) else f"{key:<30} {value}"
            for key, value in _flat(model.parameters)
        ),
        "template": model.template,
        "system": model.text("system"),
        "messages": json.loads(model.text("messages") or "[]"),
    }
    answer = {key: value for key, value in answer.items() if value}
    head = model.gguf_head
    information = dict(sorted({**head.values, "general.parameter_count": head.parameter_count}.items()))
    if not verbose:
        information = {key: None if isinstance(value, list) else value for key, value in information.items()}
    return {
        **answer,
        "details": model.details(),
        "model_info": information,
        "tensors": head.tensors,
        "capabilities": model.capabilities,
        "modified_at": timestamp(model.modified_ns),
    }


def _flat(parameters: dict[str, Any]) -> list[tuple[str, Any]]:
    lists = {key: value if isinstance(value, list) else [value] for key, value in parameters.items()}
    return [(key, item) for key, items in lists.items() for item in items]


def _quoted(text: str) -> str:
    if "\n" not in text and text == text.strip(" "):
        return text
    return f'"""{text}"""' if '"' in text else f'"{text}"'


def modelfile(model: Model) -> str:
    lines = [
        '# Modelfile generated by "ollama show"',
        "# To build a new Modelfile based on this, replace FROM with:",
        f"# FROM {model.name.short()}",
        "",
        f"FROM {model.weights_path}",
    ]
    lines.append(f"TEMPLATE {_quoted(model.template)}")
    if system := model.text("system"):
        lines.append(f"SYSTEM {_quoted(system)}")
    lines += [f"PARAMETER {key} {value}" for key, value in sorted(_flat(model.parameters))]
    if license_text := model.text("license"):
        lines.append(f"LICENSE {license_text}")
    return "\n".join(lines) + "\n"
