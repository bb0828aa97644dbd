# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON as Go's encoding/json reads and writes it, down to the wording of its errors."""

from __future__ import annotations

import json
import re
import struct
from decimal import Decimal
from typing import Any

_WORD = re.compile(r"true|false|null")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_STRING_PREFIX = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*')
_SPACE = re.compile(r"[ \t\r\n]*")
_SURROGATE = re.compile("[\ud800-\udfff]")


class GoSyntaxError(ValueError):
    """The body is no JSON; the text is Go's."""


class EmptyBody(ValueError):
    """There is no value at all."""


class Number(str):
    """A number as it was spelled."""


class Pairs(list[tuple[str, Any]]):
    """An object with its members in order, duplicates included."""


def _clean(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text) if not text.isascii() else text


def _pairs(members: list[tuple[str, Any]]) -> Pairs:
    return Pairs((_clean(key), value) for key, value in members)


def _reject_constant(name: str) -> Any:
    raise json.JSONDecodeError("not Go", name, 0)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=Number, parse_float=Number, parse_constant=_reject_constant
)


def decode(body: bytes) -> Any:
    """The first value of the body; what follows it is ignored, as Go's decoder does."""
    text = body.decode("utf-8", "replace")
    start = _SPACE.match(text).end()  # type: ignore[union-attr]
    if start == len(text):
        raise EmptyBody("EOF")
    try:
        return _DECODER.raw_decode(text, start)[0]
    except json.JSONDecodeError:
        raise GoSyntaxError(_complaint(text, start)) from None
    except RecursionError:
        raise GoSyntaxError("exceeded max depth") from None


def _quote(char: str) -> str:
    if char == "'":
        return r"'\''"
    if char == '"':
        return "'\"'"
    if char < " " and char not in "\a\b\f\n\r\t\v":
        return f"'\\x{ord(char):02x}'"
    return "'" + json.dumps(char)[1:-1] + "'"


def _complaint(text: str, position: int) -> str:
    """Walk the tokens up to the first wrong character and say what Go says of it."""
    stack: list[str] = []
    context = "looking for beginning of value"
    closable = False
    while True:
        position = _SPACE.match(text, position).end()  # type: ignore[union-attr]
        if position == len(text):
            return "unexpected EOF"
        char = text[position]
        if context.startswith("after"):
            closing = "]" if context == "after array element" else "}"
            if context == "after object key" and char == ":":
                context, closable = "looking for beginning of value", False
            elif context != "after object key" and char == ",":
                in_array = stack[-1] == "["
                context = "looking for beginning of " + ("value" if in_array else "object key string")
                closable = False
            elif context != "after object key" and char == closing:
                stack.pop()
                context = _after(stack)
            else:
                break
            position += 1
            continue
        if closable and char == ("]" if context.endswith("value") else "}"):
            stack.pop()
            context = _after(stack)
            position += 1
        elif context.endswith("object key string"):
            if char != '"':
                break
            match = _STRING.match(text, position)
            if match is None:
                return _string_complaint(text, position)
            position, context = match.end(), "after object key"
        elif char in "{[":
            stack.append(char)
            context = "looking for beginning of " + ("value" if char == "[" else "object key string")
            closable = True
            position += 1
        else:
            match = _scalar(text, position)
            if match is None:
                return _scalar_complaint(text, position)
            position, context = match.end(), _after(stack)
        if context == "":
            return "unexpected EOF"
    return f"invalid character {_quote(char)} {context}"


def _after(stack: list[str]) -> str:
    if not stack:
        return ""
    return "after array element" if stack[-1] == "[" else "after object key:value pair"


def _scalar(text: str, position: int) -> re.Match[str] | None:
    pattern = _STRING if text[position] == '"' else _WORD if text[position] in "tfn" else _NUMBER
    return pattern.match(text, position)


def _string_complaint(text: str, position: int) -> str:
    end = _STRING_PREFIX.match(text, position).end()  # type: ignore[union-attr]
    if end >= len(text):
        return "unexpected EOF"
    if text[end] != "\\":
        return f"invalid character {_quote(text[end])} in string literal"
    if end + 1 >= len(text):
        return "unexpected EOF"
    if text[end + 1] != "u":
        return f"invalid character {_quote(text[end + 1])} in string escape code"
    for char in text[end + 2 : end + 6]:
        if char not in "0123456789abcdefABCDEF":
            return f"invalid character {_quote(char)} in \\u hexadecimal character escape"
    return "unexpected EOF"


def _scalar_complaint(text: str, position: int) -> str:
    char = text[position]
    if char == '"':
        return _string_complaint(text, position)
    if char == "-":
        if position + 1 >= len(text):
            return "unexpected EOF"
        return f"invalid character {_quote(text[position + 1])} in numeric literal"
    for word in ("true", "false", "null"):
        if char == word[0]:
            for offset, expected in enumerate(word):
                if position + offset >= len(text):
                    return "unexpected EOF"
                got = text[position + offset]
                if got != expected:
                    return f"invalid character {_quote(got)} in literal {word} (expecting {_quote(expected)})"
    return f"invalid character {_quote(char)} looking for beginning of value"


def plain(value: Any) -> Any:
    """A decoded value as ordinary Python data; of duplicate keys the last one wins."""
    if isinstance(value, Pairs):
        return {key: plain(member) for key, member in value}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, Number):
        number = float(value)
        return int(number) if number.is_integer() else number
    return _clean(value) if isinstance(value, str) else value


def float32(value: float) -> float:
    """The shortest decimal that reads back as the same 32-bit number."""
    packed = struct.pack("<f", value)
    for digits in range(6, 10):
        short = float(f"{value:.{digits}g}")
        if struct.pack("<f", short) == packed:
            return short
    return value


def _go_float(value: float) -> str:
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    text = repr(value)
    if 1e-6 <= abs(value) < 1e21:
        return format(Decimal(text), "f") if "e" in text else text
    return re.sub(r"e([+-])0(\d)$", r"e\1\2", text)


def _parts(value: Any) -> str:
    if isinstance(value, dict):
        members = (f"{json.dumps(key, ensure_ascii=False)}:{_parts(item)}" for key, item in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_parts, value)) + "]"
    if isinstance(value, float):
        return _go_float(value)
    return json.dumps(value, ensure_ascii=False)


def encode(value: Any) -> bytes:
    """Compact JSON with <, > and & escaped, as json.Marshal writes it."""
    text = _parts(value)
    for char in "<>&\u2028\u2029":
        if char in text:
            text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode()
