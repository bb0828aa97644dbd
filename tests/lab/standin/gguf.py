# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The head of a GGUF file: its key-value pairs and the list of its tensors."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from .gojson import float32

MAGIC = b"GGUF"
ALIGNMENT = 32
QUANTIZATION = "general.quantization_version"
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY, UINT64 = 4, 5, 6, 7, 8, 9, 10
_TENSOR_TYPES = {0: "F32", 1: "F16", 2: "Q4_0", 8: "Q8_0", 12: "Q4_K", 14: "Q6_K", 30: "BF16"}


class NotGGUF(ValueError):
    """The file is no GGUF file, or a damaged one."""


@dataclass
class Head:
    values: dict[str, Any] = field(default_factory=dict)
    tensors: list[dict[str, Any]] = field(default_factory=list)
    # Where the keys and where the tensors' descriptions end.
    keys_end: int = 0
    end: int = 0

    @property
    def architecture(self) -> str:
        return str(self.values.get("general.architecture", ""))

    @property
    def parameter_count(self) -> int:
        total = 0
        for tensor in self.tensors:
            size = 1
            for dimension in tensor["shape"]:
                size *= dimension
            total += size
        return total

    @property
    def parameter_size(self) -> str:
        count = self.parameter_count
        for unit, letter in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
            if count >= unit:
                return f"{count / unit:.1f}{letter}" if unit > 1000 else f"{count / unit:.0f}{letter}"
        return str(count)


def _number(stream: BinaryIO, code: str) -> Any:
    size = struct.calcsize("<" + code)
    data = stream.read(size)
    if len(data) != size:
        raise NotGGUF("unexpected EOF")
    value = struct.unpack("<" + code, data)[0]
    return float32(value) if code == "f" else value


def _text(stream: BinaryIO) -> str:
    size = _number(stream, "Q")
    if size > 1 << 20:
        raise NotGGUF("string too long")
    return stream.read(size).decode("utf-8", "replace")


def _value(stream: BinaryIO, kind: int) -> Any:
    if kind == STRING:
        return _text(stream)
    if kind == ARRAY:
        item, count = _number(stream, "I"), _number(stream, "Q")
        if count > 1 << 20:
            raise NotGGUF("array too long")
        return [_value(stream, item) for _ in range(count)]
    if kind not in _SCALARS:
        raise NotGGUF(f"invalid type: {kind}")
    return _number(stream, _SCALARS[kind])


def read(path: Path) -> Head:
    with path.open("rb") as stream:
        return _read(stream)


def parse(data: bytes) -> Head:
    return _read(io.BytesIO(data))


def _read(stream: BinaryIO) -> Head:
    head = Head()
    if stream.read(4) != MAGIC:
        raise NotGGUF("invalid file magic")
    _number(stream, "I")
    tensors, values = _number(stream, "Q"), _number(stream, "Q")
    for _ in range(min(values, 1 << 16)):
        key = _text(stream)
        head.values[key] = _value(stream, _number(stream, "I"))
    head.keys_end = stream.tell()
    for _ in range(min(tensors, 1 << 16)):
        name = _text(stream)
        shape = [_number(stream, "Q") for _ in range(min(_number(stream, "I"), 8))]
        kind = _number(stream, "I")
        _number(stream, "Q")
        head.tensors.append({"name": name, "type": _TENSOR_TYPES.get(kind, str(kind)), "shape": shape})
    head.end = stream.tell()
    return head


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)


def encode(data: bytes) -> bytes:
    """The file as the server stores it: with the version of its quantization among the keys."""
    head = parse(data)
    if QUANTIZATION in head.values:
        return data
    count = struct.pack("<Q", len(head.values) + 1)
    added = _packed_text(QUANTIZATION) + struct.pack("<II", UINT32, 2)
    described = data[:16] + count + data[24 : head.keys_end] + added + data[head.keys_end : head.end]
    return _padded(described) + data[len(_padded(data[: head.end])) :]


def _packed_text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _packed_value(kind: int, value: Any) -> bytes:
    return _packed_text(value) if kind == STRING else struct.pack("<" + _SCALARS[kind], value)


def build(values: list[tuple[str, int, Any]], tensors: list[tuple[str, list[int]]]) -> bytes:
    """A GGUF file with 32-bit tensors of zeros; an array is given as (item type, items)."""
    out = [MAGIC, struct.pack("<IQQ", 3, len(tensors), len(values))]
    for key, kind, value in values:
        out += [_packed_text(key), struct.pack("<I", kind)]
        if kind == ARRAY:
            item, items = value
            out.append(struct.pack("<IQ", item, len(items)))
            out += [_packed_value(item, member) for member in items]
        else:
            out.append(_packed_value(kind, value))
    offset = 0
    for name, shape in tensors:
        size = 4
        for dimension in shape:
            size *= dimension
        out += [_packed_text(name), struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset)]
        offset += size
    return _padded(b"".join(out)) + bytes(offset)
