# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Booleans and their texts."""

from __future__ import annotations

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.booleans import read_boolean


@pytest.mark.parametrize(
    ("values", "meaning"),
    [
        ([True, 1, "true", "True", "yes", "on", "1"], True),
        ([False, 0, "false", "False", "no", "OFF", "0"], False),
        ([None, "", "y", "t", "maybe", " true", 2, 1.0, [], [True], {"true": True}], None),
    ],
)
def test_a_boolean_is_the_same_from_each_of_its_texts_and_nothing_else_is_one(
    values: list[object], meaning: bool | None
) -> None:
    assert [read_boolean(value) for value in values] == [meaning] * len(values)
