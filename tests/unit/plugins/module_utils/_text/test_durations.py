# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations, as people write them and as they are shown."""

from __future__ import annotations

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.durations import read_duration, written
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (1, "1s"), (90, "90s"), (60, "1m"), (1800, "30m"), (3600, "1h"), (5400, "90m"), (172800, "2d")],
)
def test_a_duration_is_shown_in_its_largest_unit(seconds: int, text: str) -> None:
    assert written(seconds) == text


@given(st.integers(0, 90 * 86400))
def test_what_is_shown_is_read_as_the_same(seconds: int) -> None:
    assert read_duration(written(seconds)) == seconds
