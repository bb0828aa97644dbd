# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bind decoded JSON to request types as Go does: keys without regard to case, the last one wins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from . import gojson
from .gojson import Number, Pairs


class BindError(ValueError):
    """A member has the wrong type; the text is Go's."""


@dataclass(frozen=True)
class Type:
    go: str
    item: Type | None = None
    members: dict[str, Type] = field(default_factory=dict)
    # A pointer in Go: null sets it back to absent instead of leaving the earlier value.
    pointer: bool = False

    @property
    def struct_name(self) -> str:
        return self.go.rpartition(".")[2]


STRING = Type("string")
BOOL = Type("bool")
OPTIONAL_BOOL = Type("bool", pointer=True)
INT = Type("int")
OPTIONAL_INT = Type("int", pointer=True)
FLOAT = Type("float64")
OPTIONAL_FLOAT = Type("float64", pointer=True)
ANY = Type("interface {}")


def list_of(item: Type) -> Type:
    return Type("[]" + item.go, item=item)


def map_of(item: Type) -> Type:
    return Type("map[string]" + item.go, item=item)


def struct(go: str, **members: Type) -> Type:
    return Type(go, members={name.rstrip("_"): kind for name, kind in members.items()})


def fold(name: str) -> str:
    """Go compares by simple case folding, under which the long s is s and the Kelvin sign k."""
    return name.casefold() if name.isascii() else "".join(c.casefold() if len(c.casefold()) == 1 else c for c in name)


def bind(value: Any, kind: Type) -> Any:
    errors: list[str] = []
    result = _bind(value, kind, "", (), None, errors)
    if errors:
        raise BindError(errors[0])
    return result if result is not None else {}


def _name_of(value: Any) -> str:
    if isinstance(value, Pairs):
        return "object"
    if isinstance(value, list):
        return "array"
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, Number) else "string"


def _bind(value: Any, kind: Type, owner: str, path: tuple[str, ...], old: Any, errors: list[str]) -> Any:
    if kind.go == "interface {}":
        return gojson.plain(value)
    if value is None:
        nullable = kind.pointer or kind.go.startswith(("[]", "map["))
        return None if nullable else old
    if isinstance(value, Pairs) and kind.members:
        return _bind_struct(value, kind, path, old, errors)
    if isinstance(value, Pairs) and kind.go.startswith("map[") and kind.item:
        merged = dict(old) if isinstance(old, dict) else {}
        for key, member in value:
            merged[key] = _bind(member, kind.item, owner, (*path, key), None, errors)
        return merged
    if type(value) is list and kind.go.startswith("[]") and kind.item:
        return [_bind(item, kind.item, owner, path, None, errors) for item in value]
    bound = _scalar(value, kind)
    if bound is not None:
        return bound
    spelled = f"number {value}" if isinstance(value, Number) and kind.go == "int" else _name_of(value)
    target = f"struct field {owner}.{'.'.join(path)}" if owner else "value"
    errors.append(f"json: cannot unmarshal {spelled} into Go {target} of type {kind.go}")
    return old


def _bind_struct(value: Pairs, kind: Type, path: tuple[str, ...], old: Any, errors: list[str]) -> dict[str, Any]:
    result = dict(old) if isinstance(old, dict) else {}
    for key, member in value:
        name = key if key in kind.members else fold(key)
        if name in kind.members:
            bound = _bind(member, kind.members[name], kind.struct_name, (*path, name), result.get(name), errors)
            result[name] = bound
    return result


def _scalar(value: Any, kind: Type) -> Any:
    if isinstance(value, Number):
        if kind.go == "int" and not any(char in value for char in ".eE"):
            return int(value)
        return float(value) if kind.go.startswith("float") else None
    if isinstance(value, bool):
        return value if kind.go == "bool" else None
    if isinstance(value, str) and kind.go == "string":
        return gojson.plain(value)
    return None
