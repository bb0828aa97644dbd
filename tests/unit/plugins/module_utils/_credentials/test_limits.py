# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The limits of clients: what is taken, what is refused and in which words, and what comes of default and own ones."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest
import yaml
from ansible.parsing.splitter import parse_kv
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.limits import (
    COUNTED,
    LIMITS,
    MOST,
    are_sound,
    described,
    merged,
    named,
    patterns,
    read_limits,
)
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._spelling import as_dict
from hypothesis import given
from hypothesis import strategies as st

ALL = {
    "requests_per_minute": 60,
    "concurrent_requests": 4,
    "tokens_per_minute": 20000,
    "tokens_per_day": 1000000,
    "max_context": 16384,
    "keep_alive": 1800,
    "models": {"llama3.3*": {"tokens_per_day": 200000, "requests_per_minute": 10}, "tiny": {"concurrent_requests": 1}},
}
COUNT = f"must be a whole number from 1 to {MOST}, or null for no limit"
DURATION = 'must be a duration such as "90s", "30m" or "1h" and "90d" at most, 0, or null for no limit'


def read(given: object) -> tuple[dict[str, Any], list[str]]:
    problems: list[str] = []
    return read_limits(given, problems.append), problems


def sound(given: object) -> dict[str, Any]:
    limits, problems = read(given)
    assert problems == []
    return limits


def test_all_limits_are_read() -> None:
    assert sound({**ALL, "keep_alive": "30m"}) == ALL


@pytest.mark.parametrize("name", [*COUNTED, "max_context"])
@pytest.mark.parametrize(("value", "number"), [(1, 1), ("60", 60), (MOST, MOST), (str(MOST), MOST), (None, None)])
def test_a_count_is_a_whole_number_be_it_as_text_or_null(name: str, value: object, number: int | None) -> None:
    assert sound({name: value}) == {name: number}
    if name in COUNTED:
        assert sound({"models": {"tiny": {name: value}}}) == {"models": {"tiny": {name: number}}}


@pytest.mark.parametrize(
    "value",
    [
        *(0, -1, "0", "-1", "+1", "060", " 60", "60\n", "", 60.0, 1.5, "1.5", "1e6", "1_000", "planted", "\u0663"),
        *(True, False, "true", MOST + 1, str(MOST + 1), 10**5000, "9" * 5000, float("inf"), float("nan"), [60]),
        {"planted": 60},
    ],
    ids=lambda value: str(type(value)),
)
def test_any_other_count_is_refused_and_not_quoted(value: object) -> None:
    assert read({"tokens_per_day": value}) == ({}, [f"tokens_per_day {COUNT}"])
    nested = {"models": {"tiny": {"tokens_per_day": value}}}
    assert read(nested) == ({"models": {"tiny": {}}}, [f"models: tiny: tokens_per_day {COUNT}"])


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("90s", 90), ("30m", 1800), ("1h", 3600), ("90d", 7776000), (0, 0), ("0", 0), ("0s", 0), (None, None)],
)
def test_a_keep_alive_is_a_duration_or_nothing(value: object, seconds: int | None) -> None:
    assert sound({"keep_alive": value}) == {"keep_alive": seconds}


@pytest.mark.parametrize(
    "value", [1, 1800, "1800", -1, "-1", "-1m", "91d", "1w", "1h30m", "1.5h", "", 0.0, False, True, ["30m"], "30m\n"]
)
def test_any_other_keep_alive_is_refused(value: object) -> None:
    assert read({"keep_alive": value}) == ({}, [f"keep_alive {DURATION}"])


@pytest.mark.parametrize("value", [None, "planted", 60, ["requests_per_minute"], True])
def test_limits_that_are_no_dictionary_are_refused(value: object) -> None:
    assert read(value) == ({}, ["it must be a dictionary of limits, such as {requests_per_minute: 60}"])
    assert read({"models": {"tiny": value or 0}})[1] == [
        "models: tiny: it must be a dictionary of limits, such as {requests_per_minute: 60}"
    ]


@pytest.mark.parametrize("value", ["planted", 60, ["tiny"], True])
def test_limits_of_models_that_are_no_dictionary_are_refused(value: object) -> None:
    right = 'such as {"llama3.3*": {tokens_per_day: 200000}}'
    assert read({"models": value})[1] == [f"models: it must be a dictionary of patterns with limits, {right}"]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"request_per_minute": 1}, "'request_per_minute' is unknown here; is requests_per_minute meant?"),
        ({"tokens_a_day": 1}, "'tokens_a_day' is unknown here; is tokens_per_day meant?"),
        ({"colour": 1}, f"'colour' is unknown here; known are {', '.join(LIMITS)}"),
        ({7: 1}, f"'7' is unknown here; known are {', '.join(LIMITS)}"),
        (
            {"models": {"tiny": {"max_context": 1}}},
            f"models: tiny: 'max_context' is unknown here; known are {', '.join(COUNTED)}",
        ),
        (
            {"models": {"tiny": {"models": {}}}},
            f"models: tiny: 'models' is unknown here; known are {', '.join(COUNTED)}",
        ),
    ],
)
def test_an_unknown_limit_is_named_with_the_closest_right_one(given: dict[Any, Any], problem: str) -> None:
    assert read(given)[1] == [problem]


@pytest.mark.parametrize("pattern", ["", "planted secret", "../planted", "planted\n", 7, None, "a" * 1001])
def test_what_is_no_pattern_is_told_by_its_place_and_not_quoted(pattern: object) -> None:
    assert read({"models": {"tiny": {}, pattern: {}}})[1] == [
        'models: the name of entry 2 must be that of a model or a pattern, such as "llama3.2" or "qwen3*"'
    ]


def test_two_spellings_of_a_pattern_are_refused() -> None:
    assert read({"models": {"tiny": {}, "Tiny:latest": None}})[1] == [
        "models: Tiny:latest means the same as tiny; list it once"
    ]


def test_all_problems_are_told_at_once() -> None:
    given = {"tokens_per_day": 0, "max_context": 1.5, "models": {"a b": {}, "tiny": {"x": 1, "tokens_per_day": "-1"}}}
    assert len(read(given)[1]) == 5


class TestMerged:
    DEFAULT = sound({"requests_per_minute": 60, "keep_alive": 0, "models": {"llama3.3*": {"tokens_per_day": 5}}})

    def of(self, own: dict[str, Any]) -> dict[str, Any]:
        return merged(self.DEFAULT, sound(own))

    def test_a_client_that_says_nothing_has_the_default(self) -> None:
        assert self.of({}) == self.DEFAULT
        assert merged({}, {}) == {}

    def test_what_a_client_says_takes_the_place_of_the_default_name_by_name(self) -> None:
        own = {"requests_per_minute": 600, "max_context": 8, "models": {"llama3.3*": {"concurrent_requests": 1}}}
        assert self.of(own) == {
            "requests_per_minute": 600,
            "max_context": 8,
            "keep_alive": 0,
            "models": {"llama3.3*": {"concurrent_requests": 1, "tokens_per_day": 5}},
        }

    @pytest.mark.parametrize(
        ("own", "gone"),
        [
            ({"requests_per_minute": None}, "requests_per_minute"),
            ({"keep_alive": None}, "keep_alive"),
            ({"models": None}, "models"),
            ({"models": {"llama3.3*": None}}, "models"),
            ({"models": {"llama3.3*": {"tokens_per_day": None}}}, "models"),
            # In another spelling.
            ({"models": {"Llama3.3*:*": None}}, "models"),
        ],
    )
    def test_null_lifts_a_limit_a_pattern_or_all_of_models(self, own: dict[str, Any], gone: str) -> None:
        assert self.of(own) == {name: value for name, value in self.DEFAULT.items() if name != gone}

    def test_a_client_that_lifts_everything_has_no_limits(self) -> None:
        assert self.of(dict.fromkeys(LIMITS)) == {}

    def test_null_in_the_default_is_no_limit(self) -> None:
        default = sound({"tokens_per_day": None, "models": {"tiny": None}})
        assert merged(default, {}) == {}
        assert merged(default, {"models": {"tiny": {"tokens_per_day": 1}}}) == {
            "models": {"tiny": {"tokens_per_day": 1}}
        }

    def test_a_pattern_is_written_as_the_client_spells_it(self) -> None:
        assert self.of({"models": {"Llama3.3*": {}}})["models"] == {"Llama3.3*": {"tokens_per_day": 5}}

    def test_neither_the_default_nor_the_own_ones_are_changed(self) -> None:
        own = sound({"models": {"llama3.3*": {"tokens_per_day": 7}}})
        before = json.dumps([self.DEFAULT, own])
        merged(self.DEFAULT, own)["models"]["llama3.3*"]["tokens_per_day"] = 9
        assert json.dumps([self.DEFAULT, own]) == before


def test_the_names_of_limits_that_are_set_are_told() -> None:
    limits = {"keep_alive": 0, "tokens_per_day": None, "models": {"a": {"tokens_per_minute": 1}, "b": None, "c": {}}}
    assert named(limits) == {"keep_alive", "tokens_per_minute"}
    assert patterns(limits) == ["a"]
    assert (named({"models": None}), patterns({"models": None})) == (set(), [])


BAD_OF_MODELS: list[Any] = [None, [], {"max_context": 1}, {"models": {}}, {"tokens_per_day": 0}]
BAD_NUMBERS: list[Any] = [0, -1, 1.5, MOST + 1, True, "60", None, float("nan"), float("inf"), []]


class TestFile:
    @pytest.mark.parametrize("limits", [{}, ALL, {"keep_alive": 0}, {"models": {}}, {"models": {"tiny": {}}}])
    def test_what_the_gateway_takes_is_sound(self, limits: dict[str, Any]) -> None:
        assert are_sound(json.loads(json.dumps(limits)))

    @pytest.mark.parametrize("number", ["1e6", "60.0"])
    def test_so_are_whole_numbers_as_json_may_spell_them(self, number: str) -> None:
        assert are_sound(json.loads(f'{{"tokens_per_day": {number}}}'))

    @pytest.mark.parametrize(
        "limits",
        [
            *(None, [], "x", 1, {"colour": 1}, {"models": None}, {"models": []}, {"models": {"": {}}}),
            *({"models": {"tiny": one}} for one in BAD_OF_MODELS),
            *({"tokens_per_day": one} for one in BAD_NUMBERS),
            *({"keep_alive": one} for one in (-1, "30m", None)),
        ],
        ids=str,
    )
    def test_what_it_does_not_take_is_damage(self, limits: object) -> None:
        assert not are_sound(limits)


def test_people_read_them_in_few_words_without_blanks() -> None:
    assert described(ALL) == [
        "60/min",
        "4-at-once",
        "20k-tokens/min",
        "1M-tokens/day",
        "16384-context",
        "30m-kept",
        "llama3.3*:10/min+200k-tokens/day",
        "tiny:1-at-once",
    ]
    assert described({"keep_alive": 0, "tokens_per_day": 1.5e6, "models": {"tiny": {}}}) == [
        "1500k-tokens/day",
        "0s-kept",
    ]
    assert described({}) == []


# Each spelling of a value: as YAML has it, and as text, which is what the environment gives.
COUNTS = st.none() | st.integers(1, MOST) | st.integers(1, MOST).map(str)
DURATIONS = st.none() | st.sampled_from(["90s", "30m", "1h", "0s", "0", 0])
OF_MODELS = st.dictionaries(st.sampled_from(COUNTED), COUNTS)
PATTERNS = st.dictionaries(st.sampled_from(["tiny", "llama3.3*", "hf.co/team/*", "q?en:*"]), st.none() | OF_MODELS)
GIVEN = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys([*COUNTED, "max_context"], COUNTS),
        "keep_alive": DURATIONS,
        "models": st.none() | PATTERNS,
    },
)


def as_text(value: Any) -> Any:
    """The same with all numbers as texts."""
    if isinstance(value, dict):
        return {name: as_text(one) for name, one in value.items()}
    return str(value) if isinstance(value, int) else value


def from_ini(text: str) -> Any:
    """What an INI inventory makes of a text: a value if it is one of Python."""
    try:
        return ast.literal_eval(text)
    except ValueError:
        return text


def spellings(limits: dict[str, Any]) -> list[Any]:
    """What Ansible makes of limits in YAML, and as text, as the command line, an INI inventory and others give it."""
    compact = json.dumps(limits, separators=(",", ":"))
    return [
        yaml.safe_load(yaml.safe_dump(limits)),
        yaml.safe_load(yaml.safe_dump(as_text(limits))),
        parse_kv(f"x={compact}")["x"],
        from_ini(compact),
        from_ini(repr(limits)),
        json.dumps(as_text(limits)),
        yaml.safe_dump(limits, default_flow_style=True),
    ]


@given(GIVEN)
def test_limits_mean_the_same_from_yaml_and_as_text(limits: dict[str, Any]) -> None:
    expected = sound(limits)
    assert [sound(as_dict(one)) for one in spellings(limits)] == [expected] * 7
    assert are_sound(merged(expected, {}))
    assert are_sound(merged({}, expected))
