# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models of a backup are to come back, and what came of them. Pure functions."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.names import Key, key_of, parse
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.options import read_models

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_MOST = 10000
_SHORT = 12


class Model(t.NamedTuple):
    """A model that the server had, and what /api/show gave as its Modelfile."""

    name: str
    digest: str


def read(given: t.Any) -> list[Model]:
    """The models of the notes of an archive. Raises GatehouseError."""
    try:
        found = [Model(str(one["name"]), str(one["digest"])) for one in given]
    except (TypeError, KeyError):
        raise GatehouseError("the models in the archive are not listed as this collection does it") from None
    if len(found) > _MOST or not all(parse(one.name) and _DIGEST.match(one.digest) for one in found):
        raise GatehouseError("the models in the archive have names or digests that cannot be")
    return found


def wanted(models: t.Sequence[Model], listed: t.Any, purge: bool) -> list[Model]:
    """Those that restore brings back itself: the inventory describes the others, and with `purge` no others stay."""
    known = set(_listed(listed))
    return [] if purge else [one for one in models if key_of(one.name) not in known]


def report(
    models: t.Sequence[Model],
    installed: t.Iterable[t.Mapping[str, t.Any]],
    failed: t.Mapping[str, str],
    listed: t.Any,
    purge: bool,
) -> tuple[list[str], list[str]]:
    """A line for all that are as they were, and one for each that is not; the latter once more by themselves."""
    there = {key_of(str(one.get("name"))): str(one.get("digest")) for one in installed}
    reasons = {key_of(name): reason for name, reason in failed.items()}
    known = _listed(listed)
    same, other = [], []
    for one in models:
        key = key_of(one.name)
        if there.get(key) == one.digest:
            same.append(one.name)
        elif key in there and known.get(key):
            other.append(
                f"{one.name}: made anew as the inventory says ({there[key][:_SHORT]}, was {one.digest[:_SHORT]})"
            )
        elif key in there:
            other.append(
                f"{one.name}: its registry has another one under this name now, {there[key][:_SHORT]}, and that is "
                f"what the server has; {one.digest[:_SHORT]} is where models_export wrote it"
            )
        elif purge and key not in known:
            other.append(f"{one.name}: left out, for ollama_server_models_purge is true and no list has it")
        else:
            reason = reasons.get(key, "neither a registry nor ollama_server_archive has it")
            other.append(f"{one.name} ({one.digest[:_SHORT]}) is not back: {reason}")
    return ([f"As before: {', '.join(same)}"] if same else []) + other, other


def _listed(listed: t.Any) -> dict[Key, bool]:
    """The models of the inventory, and whether it says how to make each."""
    found, _problems = read_models(listed or [], "ollama_server_models")
    return {one.name.key: one.recipe is not None or one.source is not None for one in found if one.state != "absent"}


def failures(answer: t.Mapping[str, t.Any], wanted: t.Sequence[Model]) -> dict[str, str]:
    """Why models could not be downloaded, by their names, of what the module `models` returned."""
    told = answer.get("failed_models")
    if isinstance(told, dict) and told:
        return {str(name): str(reason) for name, reason in told.items()}
    return {one.name: str(answer.get("msg")) for one in wanted} if answer.get("msg") else {}
