# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns on names of models: their spellings, and whether two of them can mean one name."""

from __future__ import annotations

import itertools
import re

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.patterns import (
    is_pattern,
    key_of_pattern,
    overlap,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    "spellings",
    [
        ["tiny", "TINY", "tiny:latest", "library/tiny", "https://registry.ollama.ai/library/Tiny:latest", "tiny:local"],
        ["qwen3*", "Qwen3*", "qwen3*:*", "library/qwen3*"],
        ["qwen3*:latest", "qwen3*:LOCAL"],
        ["tiny:7b", "tiny:7b:local"],
        ["*", "*/*/*", "*/*/*:*"],
    ],
    ids=lambda spellings: str(spellings[0]),
)
def test_all_spellings_of_a_pattern_are_one(spellings: list[str]) -> None:
    assert all(is_pattern(one) for one in spellings)
    assert len({key_of_pattern(one) for one in spellings}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tiny", "tiny"),
        ("tiny:7b", "tiny:*"),
        ("*", "hf.co/team/model:q4"),
        ("llama3*", "llama3.3:70b"),
        ("llama*3", "*3.3"),
        ("qwen?:8b", "qwen3*"),
        ("hf.co/*/*", "hf.co/team/m*"),
        ("a*b*c", "*abc"),
    ],
)
def test_patterns_that_can_mean_one_name_overlap(one: str, other: str) -> None:
    assert overlap(one, other)
    assert overlap(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tiny", "tiny:7b"),
        ("llama3.3*", "qwen3*"),
        ("hf.co/team/*", "other/*"),
        ("team/*", "*:*"),
        ("llama?", "llama3.3"),
        ("a*b", "a*c"),
        ("tiny*:7b", "tiny"),
    ],
)
def test_patterns_that_cannot_do_not(one: str, other: str) -> None:
    assert not overlap(one, other)
    assert not overlap(other, one)


GLOBS = st.text("ab*?", min_size=1, max_size=5)
NAMES = ["".join(signs) for length in range(9) for signs in itertools.product("ab", repeat=length)]


def meant(glob: str) -> set[str]:
    form = re.compile(glob.replace("*", ".*").replace("?", "."))
    return {name for name in NAMES if form.fullmatch(name)}


@given(GLOBS, GLOBS)
def test_two_globs_overlap_exactly_if_there_is_a_text_that_both_mean(one: str, other: str) -> None:
    """Of texts that both mean, the shortest is no longer than the two together."""
    assert overlap(f"x{one}", f"x{other}") is bool(meant(one) & meant(other))
