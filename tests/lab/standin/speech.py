# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tiny models say, token by token, and the numbers they turn text into."""

from __future__ import annotations

import hashlib
import math
import struct
from typing import Iterator

from .gojson import float32

_WORDS = "Hello this is a tiny test model on the loopback host and it says nothing of any value Bye"
VOCABULARY = (
    ["<unk>", "<s>", "</s>"]
    + [f"<0x{byte:02X}>" for byte in range(256)]
    + ["▁"]
    + [chr(code) for code in range(33, 127)]
    + ["▁" + word for word in _WORDS.split()]
)
# Each of these is one token of the model's own speech.
_SAYING = [" Hello", ",", *[" " + word for word in _WORDS.split()[1:-1]], ".", " Bye"]
LOOPING = "tiny synthetic loop model"

_IDS = {token: index for index, token in enumerate(VOCABULARY)}
EMBEDDING_LENGTH = 64


def tokenize(text: str) -> list[int]:
    """Token ids as the recorded model's tokenizer makes them, which knows one merge: a space and an a."""
    marked = "▁" + text.replace(" ", "▁")
    ids: list[int] = []
    position = 0
    while position < len(marked):
        size = 2 if marked.startswith("▁a", position) else 1
        piece = marked[position : position + size]
        ids += [_IDS[piece]] if piece in _IDS else [3 + byte for byte in piece.encode("utf-8", "replace")]
        position += size
    return ids


def say(loops: bool, limit: int) -> Iterator[str]:
    """The tokens, at most `limit` of them; the end of speech counts as an empty one."""
    spoken = 0
    while True:
        for token in _SAYING:
            if spoken == limit:
                return
            spoken += 1
            yield token
        if not loops:
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


def embed(text: str, normalized: bool) -> list[float]:
    """Numbers that depend on the text alone, dominated by the first as the recorded ones are."""
    seed = hashlib.shake_256(text.encode("utf-8", "replace")).digest(4 * EMBEDDING_LENGTH)
    values = [(word / 2**32 - 0.5) * 0.4 for word in struct.unpack(f"<{EMBEDDING_LENGTH}I", seed)]
    values[0] += 8
    if not normalized:
        return [struct.unpack("<f", struct.pack("<f", value))[0] for value in values]
    length = math.sqrt(sum(value * value for value in values))
    return [float32(value / length) for value in values]
