# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.names import parse


@pytest.mark.parametrize(
    "text",
    [
        "tiny",
        "tiny:latest",
        "library/tiny",
        "registry.ollama.ai/library/TINY:Latest",
        "https://registry.ollama.ai/library/tiny",
    ],
)
def test_every_spelling_of_a_name_is_the_same(text: str) -> None:
    name = parse(text)
    assert name is not None
    assert name.key == ("registry.ollama.ai", "library", "tiny", "latest")
    assert name.short.lower() == "tiny:latest"


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("llama3.2:1b", "llama3.2:1b"),
        ("me/clerk", "me/clerk:latest"),
        ("hf.co/team/model:Q4_K_M", "hf.co/team/model:Q4_K_M"),
        ("10.0.0.1:5000/library/tiny", "10.0.0.1:5000/library/tiny:latest"),
    ],
)
def test_a_name_is_shown_as_ollama_lists_it(text: str, short: str) -> None:
    name = parse(text)
    assert name is not None
    assert name.short == short
    assert parse(name.full) == name


@pytest.mark.parametrize("text", ["", " tiny", "a b", "tiny:", ":tag", "/tiny", "a//b", "tiny:a/b:c d", "-x", "tiny\n"])
def test_what_ollama_refuses_is_no_name(text: str) -> None:
    assert parse(text) is None
