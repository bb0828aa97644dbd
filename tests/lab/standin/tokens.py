# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tiny models' tokenizer: byte pairs as in GPT-2, with the vocabulary that a model file holds."""

from __future__ import annotations

import re
from functools import lru_cache

_WORDS = """
    You are you hi hello there what user system assistant Hello this is tiny test model on loopback host and it says
    nothing of any value Bye
"""
SPECIAL = ["<|begin_of_text|>", "<|end_of_text|>", "<|im_start|>", "<|im_end|>"]
_SPECIAL = re.compile("(" + "|".join(map(re.escape, SPECIAL)) + ")")
_PIECE = re.compile(r"[^\r\n\w]?[^\W\d_]+|\d{1,3}| ?[^\s\w]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+|_")


def _bytes_as_text() -> list[str]:
    """A printable character for each byte, as GPT-2's vocabulary has them."""
    shown = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte if byte in shown else 256 + hidden.index(byte)) for byte in range(256)]


_BYTES = _bytes_as_text()


def printable(text: str) -> str:
    return "".join(_BYTES[byte] for byte in text.encode("utf-8", "replace"))


def _merges() -> list[str]:
    found: dict[str, str] = {}
    for word in _WORDS.split():
        for end in range(len(word)):
            left = _BYTES[32] + word[:end]
            found.setdefault(left + word[end], f"{left} {word[end]}")
    return list(found.values())


MERGES = _merges()


def vocabulary(extra: list[str]) -> list[str]:
    """All tokens by their number; `extra` are words of one model alone."""
    return [*_BYTES, *(merge.replace(" ", "") for merge in MERGES), *map(printable, extra), *SPECIAL]


class Tokenizer:
    def __init__(self, tokens: list[str], merges: list[str]) -> None:
        self._ids = {token: number for number, token in enumerate(tokens)}
        self._ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(merges)}

    def encode(self, text: str) -> list[int]:
        ids: list[int] = []
        for part in _SPECIAL.split(text):
            if part in self._ids:
                ids.append(self._ids[part])
            else:
                for piece in _PIECE.findall(part):
                    ids += self._word(printable(piece))
        return ids

    @lru_cache(maxsize=1024)  # noqa: B019
    def _word(self, word: str) -> list[int]:
        if word in self._ids:
            return [self._ids[word]]
        parts = list(word)
        while pairs := [pair for pair in zip(parts, parts[1:], strict=False) if pair in self._ranks]:
            best = min(pairs, key=lambda pair: self._ranks[pair])
            at = next(index for index in range(len(parts)) if (parts[index], parts[index + 1]) == best)
            parts[at : at + 2] = ["".join(best)]
        return [self._ids[part] for part in parts]


DEFAULT = Tokenizer(vocabulary([]), MERGES)
