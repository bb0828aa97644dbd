# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a server that was just started do what servers are for? And what is in its memory for good?"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError, ServerError
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.keeper import stays
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.names import key_of

if t.TYPE_CHECKING:
    from ansible_collections.gatehouse.ollama.plugins.module_utils._models.client import Client

Dict = t.Dict[str, t.Any]

# A model may be broken by itself; a server with which none of so many does anything is.
_TRIED = 3
FOR_GOOD = -1


class SmokeError(GatehouseError):
    """The server answers, and does not what it is for."""


def by_size(tags: list[Dict]) -> list[Dict]:
    """The models that the server itself runs, the smallest first."""
    local = [one for one in tags if not one.get("remote_host") and not one.get("remote_model")]
    return sorted(local, key=lambda one: (int(one.get("size") or 0), str(one["name"])))


def loaded_for_good(client: Client) -> list[str]:
    """The names of the models that stay loaded. Raises ServerError."""
    return sorted(str(one["name"]) for one in client.ps() if stays(str(one.get("expires_at"))))


def try_out(client: Client) -> tuple[str, int]:
    """The model that made something, empty if there is none, and how many there are.

    What was not loaded before is unloaded. Raises GatehouseError.
    """
    tags = client.tags()
    problems = []
    for model in by_size(tags)[:_TRIED]:
        name = str(model["name"])
        loaded = {key_of(str(one.get("name"))) for one in client.ps()}
        try:
            client.answers_with(name)
        except ServerError as error:
            problems.append("%s: %s" % (name, error))
            continue
        if key_of(name) not in loaded:
            with contextlib.suppress(ServerError):
                client.load(name, 0)
        return name, len(tags)
    if problems:
        raise SmokeError("it lists its models, and generates with none that was tried. %s" % "; ".join(problems))
    return "", len(tags)


def load(client: Client, names: t.Iterable[str]) -> list[str]:
    """Load those of the models for good that the server has and has not loaded so. Raises ServerError."""
    there = {key_of(str(one["name"])): str(one["name"]) for one in client.tags()}
    done = {key_of(one) for one in loaded_for_good(client)}
    wanted = [there[key] for key in dict.fromkeys(map(key_of, names)) if key in there and key not in done]
    for name in wanted:
        client.load(name, FOR_GOOD)
    return wanted
