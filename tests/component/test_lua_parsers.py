# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Lua reader of bodies agrees with Python's json on any body, in pieces of any size."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.component.parsers import Lua

KEYS = (
    st.sampled_from(["model", "name", "Model", "NAME", "mode\u006c", "x", "prompt", "\u212a", "mod\u00e9l"]) | st.text()
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
BODIES = st.builds(
    lambda value, ascii_only, indent: json.dumps(value, ensure_ascii=ascii_only, indent=indent),
    st.dictionaries(KEYS, VALUES | st.sampled_from(["tiny", "library/tiny"]), max_size=5),
    st.booleans(),
    st.sampled_from([None, 1]),
)


def constant(_text: str) -> Any:
    raise ValueError("NaN and Infinity are no JSON")


def reference(body: bytes) -> list[bytes] | None:
    """What Python makes of it, with the rules of the gateway."""
    try:
        pairs = json.loads(body.decode(), object_pairs_hook=tuple, parse_constant=constant)
    except ValueError:
        return None
    if not isinstance(pairs, tuple):
        return None
    names: list[str] = []
    seen = set()
    for key, value in pairs:
        folded = key.translate({0x17F: "s", 0x212A: "k"})
        folded = "".join(sign.lower() if sign.isascii() else sign for sign in folded)
        if folded not in ("model", "name"):
            continue
        if key != folded or folded in seen or not isinstance(value, str | None):
            return None
        seen.add(folded)
        if value:
            # The server goes by the model, wherever that stands.
            names.insert(0 if folded == "model" else len(names), value)
    try:
        return [name.encode() for name in names]
    except UnicodeEncodeError:  # half of a surrogate pair
        return None


@settings(max_examples=400, deadline=None)
@given(body=BODIES, size=st.integers(1, 40))
@example(body='{"a": 1E+2, "model": "\\ud83d\\ude00"}', size=3)
@example(body='{"a": "\\ud83d", "model": "tiny", "b": {"\\ude00": "\\ud83dx"}}', size=3)
@example(body='{"model": "\\ud83d"}', size=3)
@example(body='{"model\\ud83d": "x", "\\ud83d\\ude00": "x", "model": "tiny"}', size=3)
def test_a_body_names_the_models_that_python_finds(lua: Lua, body: str, size: int) -> None:
    assert lua.read(size, body.encode("utf-8", "replace")) == reference(body.encode("utf-8", "replace"))


@settings(max_examples=400, deadline=None)
@given(
    body=BODIES,
    cut=st.integers(0, 200),
    sign=st.sampled_from(list('{}[]",:\\ 019.eE-+tn\n\x00\x01\x1f\x7f')),
    size=st.integers(1, 9),
)
def test_a_damaged_body_is_never_read_otherwise(lua: Lua, body: str, cut: int, sign: str, size: int) -> None:
    damaged = (body[: cut % (len(body) + 1)] + sign + body[cut % (len(body) + 1) :]).encode("utf-8", "replace")
    assert lua.read(size, damaged) in (None, reference(damaged))
