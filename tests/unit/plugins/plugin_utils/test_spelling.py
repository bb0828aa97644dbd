# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._spelling import as_dict, as_list, read


@pytest.mark.parametrize(
    "text",
    ['["a:1", "b"]', "['a:1', 'b']", "[a:1, b]", " [ a:1, b ] ", "a:1,b", " a:1 , b ", "a:1,b,"],
)
def test_a_list_is_the_same_from_each_of_its_texts(text: str) -> None:
    assert as_list(text) == ["a:1", "b"]


@pytest.mark.parametrize("nothing", ["", " ", "[]", None, []])
def test_nothing_is_an_empty_list(nothing: Any) -> None:
    assert as_list(nothing) == []


def test_what_is_in_a_list_keeps_its_type() -> None:
    assert as_list('[0, true, {"name": "alice", "keys": [{"id": "a"}]}]') == [
        0,
        True,
        {"name": "alice", "keys": [{"id": "a"}]},
    ]
    assert as_list(7) == [7]


@pytest.mark.parametrize("text", ['{"a": "b"}', "{'a': 'b'}", "{a: b}", "a: b"])
def test_a_dictionary_is_the_same_from_each_of_its_texts(text: str) -> None:
    assert as_dict(text) == {"a": "b"}


@pytest.mark.parametrize("nothing", ["", " ", "{}", None, {}])
def test_nothing_is_an_empty_dictionary(nothing: Any) -> None:
    assert as_dict(nothing) == {}


@pytest.mark.parametrize(
    ("value", "kind", "right"),
    [
        ('["secret"', "list", '["a", "b"]'),
        ("[!!python/object:os.system secret]", "list", '["a", "b"]'),
        ('{"secret": 1}', "list", "text of a dictionary"),
        ({"secret": 1}, "list", "a dictionary"),
        ("A=secret", "dict", '{"a": "b"}'),
        ('["secret"]', "dict", '{"a": "b"}'),
        (["secret"], "dict", '{"a": "b"}'),
        (True, "dict", '{"a": "b"}'),
        ("8_880", "int", "whole number"),
        ("0x1f", "int", "whole number"),
        (True, "int", "whole number"),
        (1.5, "int", "whole number"),
        ("y", "bool", "true or false"),
        ("T", "bool", "true or false"),
        ("secret", "bool", "true or false"),
        (["secret"], "str", "text, and it is a list"),
        ({"secret": 1}, "path", "text, and it is a dictionary"),
        (None, "str", "text, and it is nothing"),
        (None, "int", "whole number"),
    ],
)
def test_what_cannot_be_read_is_refused_without_its_value(value: Any, kind: str, right: str) -> None:
    with pytest.raises(ValueError, match=re.escape(right)) as e:
        read(value, kind)
    assert "secret" not in str(e.value)


@pytest.mark.parametrize(
    ("value", "kind", "meant"),
    [
        ("-1", "int", -1),
        (8880, "int", 8880),
        ("x", "str", "x"),
        (1.5, "str", "1.5"),
        ("no", "bool", False),
        ("TRUE", "bool", True),
        (1, "bool", True),
        (None, "bool", False),
        ("a, b", "list", ["a", "b"]),
        ("{a: b}", "dict", {"a": "b"}),
        ([], "raw", []),
        (None, "raw", ""),
    ],
)
def test_what_can_be_read_means_what_it_means_in_yaml(value: Any, kind: str, meant: Any) -> None:
    assert read(value, kind) == meant
    assert type(read(value, kind)) is type(meant)
