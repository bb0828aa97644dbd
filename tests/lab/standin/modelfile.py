# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Modelfile as the command reads it: instructions, of which some hold text over several lines."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_LINE = re.compile(r'(\w+)[ \t]+(?:"""(.*?)"""|"([^"\n]*)"|([^\n]*))[ \t]*(?:\n|$)', re.DOTALL)
_TEXTS = ("from", "template", "system", "license")


def parse(text: str) -> dict[str, Any]:
    """The members of a request to create what the file describes."""
    found: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    for match in _LINE.finditer(re.sub(r"(?m)^#.*\n?", "", text)):
        name, value = match[1].lower(), next(part for part in match.groups()[1:] if part is not None)
        if name == "parameter":
            key, _, setting = value.partition(" ")
            _add(parameters, key, _value(setting.strip().strip('"')))
        elif name in _TEXTS:
            found[name] = value
    return {**found, **({"parameters": parameters} if parameters else {})}


def _add(parameters: dict[str, Any], key: str, value: Any) -> None:
    if key == "stop":
        parameters.setdefault(key, []).append(value)
    else:
        parameters[key] = value


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def files(path: Path, wanted: dict[str, Any]) -> list[Path]:
    """What is to be sent before: the weights, where FROM names a file."""
    file = path.parent / str(wanted.get("from", ""))
    return [file] if file.is_file() else []
