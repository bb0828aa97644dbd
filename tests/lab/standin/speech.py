# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tiny models say, token by token, and the numbers they turn text into."""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from typing import Any, Iterator, NamedTuple

from .gojson import float32

LOOPING = "tiny synthetic loop model"
REPEATING = "tiny synthetic word model"
EMBEDDING_LENGTH = 64


class Speech(NamedTuple):
    # Each of these is one token of the model's own speech.
    tokens: list[str]
    loops: bool = False


_SENTENCE = " Hello, this is a tiny test model on the loopback host and it says nothing of any value. Bye"
SAYING = re.findall(r" ?\w+|[,.]", _SENTENCE)
THINKING = ["<think>", " hmm", " let me", " see", "</think>", " Hello", ",", " this", " is", " a", "."]
CALLING = ["<tool_call>", '\n{"name": "get_weather",', ' "arguments": ', '{"city": "Rome"}}', "\n</tool_call>"]


def speech_of(description: str, template: str) -> Speech:
    """What a model says depends on its description and, for those that think or call, on its template."""
    if ".Thinking" in template:
        return Speech(THINKING)
    if ".ToolCalls" in template:
        return Speech(CALLING)
    return Speech([" ha"], True) if description == REPEATING else Speech(SAYING, description == LOOPING)


def formatted(wanted: Any) -> Speech:
    """The smallest answer of a form that was asked for, letter by letter, with the recorded models' blanks."""
    return Speech(list("{" + 20 * " " + "}") if wanted == "json" else list(_smallest(wanted)))


def _smallest(schema: Any) -> str:
    schema = schema if isinstance(schema, dict) else {}
    if schema.get("enum"):
        return json.dumps(schema["enum"][0])
    if schema.get("type") == "object":
        members = [f"{json.dumps(key)}\n:{_smallest(kind)}" for key, kind in schema.get("properties", {}).items()]
        return "{\n" + ",\n".join(members) + "\n}"
    return {"boolean": "true", "integer": "0", "number": "0", "array": "[]", "null": "null"}.get(
        str(schema.get("type")), '""'
    )


def say(speech: Speech, limit: int) -> Iterator[str]:
    """The tokens, at most `limit` of them; the end of speech counts as an empty one."""
    spoken = 0
    while True:
        for token in speech.tokens:
            if spoken == limit:
                return
            spoken += 1
            yield token
        if not speech.loops:
            if spoken < limit:
                yield ""
            return


class StopFilter:
    """Holds text back while it may yet become one of the stop strings."""

    def __init__(self, stops: list[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held: list[str] = []
        self.stopped = False

    def feed(self, token: str) -> list[str]:
        self._held.append(token)
        text = "".join(self._held)
        ends = [text.index(stop) for stop in self._stops if stop in text]
        if ends:
            self.stopped = True
            self._held = [text[: min(ends)]]
            return self.flush()
        if any(text.endswith(stop[:size]) for stop in self._stops for size in range(1, len(stop))):
            return []
        return self.flush()

    def flush(self) -> list[str]:
        held, self._held = [token for token in self._held if token], []
        return held


def embed(text: str, normalized: bool, dimensions: int = 0) -> list[float]:
    """Numbers that depend on the text alone, dominated by the first as the recorded ones are."""
    seed = hashlib.shake_256(text.encode("utf-8", "replace")).digest(4 * EMBEDDING_LENGTH)
    values = [(word / 2**32 - 0.5) * 0.4 for word in struct.unpack(f"<{EMBEDDING_LENGTH}I", seed)]
    values[0] += 8
    if 0 < dimensions < len(values):
        values = values[:dimensions]
    if not normalized:
        return [struct.unpack("<f", struct.pack("<f", value))[0] for value in values]
    length = math.sqrt(sum(value * value for value in values))
    return [float32(value / length) for value in values]
