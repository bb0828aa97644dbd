# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns on names of models, as the gateway reads them: `*` and `?` stand for any characters of one part."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._models.names import HOST, NAMESPACE, TAG, Key

# A glob pattern on host, namespace, model and tag.
_FORM = re.compile(r"[A-Za-z0-9_*?][A-Za-z0-9._:/*?-]*\Z")
_TAGGED = re.compile(r"(.*):([^:/]*)\Z")
# Of a name on this server rather than at ollama.com.
_LOCAL = re.compile(r"(.+):local\Z", re.IGNORECASE)


def is_pattern(value: object) -> bool:
    """Whether this is a name of a model or a pattern of such names."""
    return isinstance(value, str) and bool(_FORM.match(value))


def key_of_pattern(pattern: str) -> Key:
    """The globs of host, namespace, model and tag: the same for all spellings of a pattern."""
    if pattern == "*":
        return "*", "*", "*", "*"
    local = _LOCAL.match(pattern)
    tagged = _TAGGED.match(local.group(1) if local else pattern)
    rest, tag = tagged.groups() if tagged else (local.group(1) if local else pattern, None)
    parts = rest.rsplit("/", 2)
    model = parts.pop()
    namespace = parts.pop() if parts else NAMESPACE
    host = parts.pop().rpartition("://")[2] if parts else HOST
    if tag is None:
        tag = "*" if not local and re.search(r"[*?]", model) else TAG
    return host.lower(), namespace.lower(), model.lower(), tag.lower()


def overlap(one: str, other: str) -> bool:
    """Whether there can be a name that both patterns mean."""
    return all(_meet(*globs) for globs in zip(key_of_pattern(one), key_of_pattern(other)))


def _meet(one: str, other: str) -> bool:
    """Whether there is a text that both globs mean."""
    # Where one may stand in `other` when so much of `one` was read.
    places = _behind_asterisks(other, {0})
    for sign in one:
        if not places:
            return False
        if sign == "*":
            places = set(range(min(places), len(other) + 1))
            continue
        steps = {
            place + (other[place] != "*")
            for place in places
            if place < len(other) and (sign in ("?", other[place]) or other[place] in "*?")
        }
        places = _behind_asterisks(other, steps)
    return len(other) in places


def _behind_asterisks(glob: str, places: t.AbstractSet[int]) -> set[int]:
    """These places, and those behind asterisks that stand for nothing."""
    found = set(places)
    for place in places:
        end = place
        while glob[end : end + 1] == "*":
            end += 1
            found.add(end)
    return found
