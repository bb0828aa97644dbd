# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of what clients may do: what is sound, and what is damage."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._client_rights import read
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import DamagedFile

RIGHTS = {"models": ["*"], "scopes": ["inference"]}


@pytest.mark.parametrize(
    "notes",
    [
        {},
        {"owner": "bob@example.com"},
        {"comment": "", "keys": {}},
        {"owner": "Bob", "comment": "pilot", "keys": {"laptop": {"comment": "red"}}},
    ],
)
def test_notes_for_people_may_stand_beside_what_a_client_may_do(notes: dict[str, Any]) -> None:
    assert read(json.dumps({"bob": {**RIGHTS, **notes}}).encode()) == {"bob": {**RIGHTS, **notes}}


@pytest.mark.parametrize(
    "members",
    [
        {"scopes": ["root"]},
        {"scopes": "inference"},
        {"models": [1]},
        {"owner": 7},
        {"comment": None},
        {"keys": []},
        {"keys": {"k": "text"}},
        {"keys": {"k": {}}},
        {"keys": {"k": {"comment": ["text"]}}},
        {"keys": {"k": {"comment": "text", "more": 1}}},
        {"notes": "text"},
    ],
)
def test_anything_else_is_damage_with_the_line_of_the_client(members: dict[str, Any]) -> None:
    text = json.dumps({"alice": RIGHTS}).rstrip("}") + "},\n" + json.dumps({"bob": {**RIGHTS, **members}}).lstrip("{")
    with pytest.raises(DamagedFile, match=r"^line 2: a client must have scopes and models, each a list of names; its"):
        read(text.encode())
