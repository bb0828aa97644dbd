# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a made model is like, by what /api/show says of it, and what it should be like by its recipe. Pure functions.

A manifest's digest cannot be known in advance, for the server writes parts of it. So the parts are compared: the
weights by their digest, which stands in the Modelfile, and the settings as they are.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.gatehouse.ollama.plugins.module_utils._models.options import Recipe

Dict = t.Dict[str, t.Any]

_WEIGHTS = re.compile(r"^FROM .*sha256[-:]([0-9a-f]{64})\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Look:
    """A model's parts. `license` is all the text of its licences."""

    weights: t.FrozenSet[str]
    system: str
    template: str
    parameters: t.Mapping[str, t.Tuple[str, ...]]
    license: str
    messages: t.Tuple[t.Tuple[str, str], ...]

    def lines(self) -> t.List[str]:
        """For a diff."""
        shown = ["weights: " + " ".join(sorted(one[:12] for one in self.weights))]
        for option in ("system", "template", "license"):
            text = getattr(self, option)
            shown += [f"{option}: {line}" for line in text.splitlines()]
        shown += [f"parameter {key}: {value}" for key, values in sorted(self.parameters.items()) for value in values]
        return shown + [f"message of {role}: {content}" for role, content in self.messages]


def look(shown: Dict) -> Look:
    """What /api/show says."""
    modelfile = str(shown.get("modelfile") or "")
    messages = shown.get("messages") or []
    return Look(
        weights=frozenset(_WEIGHTS.findall(modelfile)),
        system=str(shown.get("system") or ""),
        template=str(shown.get("template") or ""),
        parameters=read_parameters(str(shown.get("parameters") or "")),
        license=str(shown.get("license") or ""),
        messages=tuple((str(one.get("role")), str(one.get("content"))) for one in messages),
    )


def read_parameters(text: str) -> t.Dict[str, t.Tuple[str, ...]]:
    """Lines of a name and a value as Go writes it; a name that is repeated has several."""
    found: t.Dict[str, t.Tuple[str, ...]] = {}
    for line in text.splitlines():
        key, _blank, value = line.strip().partition(" ")
        found[key] = (*found.get(key, ()), _read_value(value.strip()))
    return {key: tuple(sorted(values)) for key, values in found.items()}


def wanted_parameters(parameters: t.Mapping[str, t.Any]) -> t.Dict[str, t.Tuple[str, ...]]:
    """The same of a recipe."""
    found = {}
    for key, value in parameters.items():
        values = value if isinstance(value, (list, tuple)) else [value]
        found[key] = tuple(sorted(_text(one) for one in values))
    return found


def wanted(recipe: Recipe, base: Look | None, files: t.Iterable[str], current: Look | None) -> Look:
    """What the recipe makes of its base, or of files with these digests.

    What neither says is the server's choice, such as a template that it finds in a file: that is right as it is.
    """
    nothing = look({})
    before, other = base or nothing, base or current or nothing
    licenses = "\n".join(recipe.license)
    license_text = other.license
    if current is not None and licenses and licenses in current.license:
        license_text = current.license
    elif licenses not in license_text:
        # The server adds a licence to those of the base.
        license_text = "\n".join(filter(None, [license_text, licenses]))
    return Look(
        weights=base.weights if base is not None else frozenset(files),
        system=recipe.system or before.system,
        template=recipe.template or other.template,
        parameters={**other.parameters, **wanted_parameters(recipe.parameters)},
        license=license_text,
        messages=recipe.messages or before.messages,
    )


def request(recipe: Recipe, files: t.Mapping[str, str]) -> Dict:
    """The recipe as the API takes it; `files` are digests by name."""
    body: Dict = {
        "from": recipe.base and recipe.base.full,
        "files": dict(files),
        "system": recipe.system,
        "template": recipe.template,
        "parameters": dict(recipe.parameters),
        "license": list(recipe.license),
        "messages": [{"role": role, "content": content} for role, content in recipe.messages],
    }
    return {key: value for key, value in body.items() if value}


def _read_value(text: str) -> str:
    """A value of Go's %#v in a form that `_text` has, too."""
    try:
        return _text(json.loads(text))
    except ValueError:
        return _text(text[1:-1] if text.startswith('"') else text)


def _text(value: t.Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"{value:.9g}"
    return json.dumps(value)
