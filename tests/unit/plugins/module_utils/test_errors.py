# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that is wrong is told in one go, each with its place."""

from __future__ import annotations

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, Problems, SecretStoreError


def test_problems_are_collected_with_their_places_and_raised_together() -> None:
    problems = Problems()
    problems.raise_any()
    problems.add("first", "it is wrong")
    problems.add("second", None)
    with problems.of("third"):
        raise SecretStoreError("it is broken")
    with pytest.raises(BadInput, match=r"^first: it is wrong\nthird: it is broken$") as caught:
        problems.raise_any()
    assert caught.value.problems == problems


def test_what_is_no_error_of_ours_is_not_collected() -> None:
    problems = Problems()
    with pytest.raises(ZeroDivisionError), problems.of("place"):
        raise ZeroDivisionError
    assert problems == []
