# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._role_input import Variables, known_options, unknown

OPTIONS = known_options(
    {
        "main": {
            "options": {
                "ollama_server_image": {"type": "str", "default": "x"},
                "ollama_server_on": {"type": "bool", "default": True},
                "ollama_server_egress": {"type": "str", "choices": ["any", "off", ""], "default": "any"},
                "ollama_server_models": {"type": "list"},
                "ollama_server_raw": {"type": "raw", "default": ""},
            }
        },
        "models": {"options": {"ollama_server_environment": {"type": "dict"}}},
        "verify": {"options": {"ollama_server_verify_timeout": {"type": "int", "default": 120}}},
        "nothing": {},
    }
)
DEFAULTS = {
    "ollama_server_image": "x",
    "ollama_server_on": True,
    "ollama_server_egress": "any",
    "ollama_server_models": [],
    "ollama_server_raw": "",
    "ollama_server_environment": {},
    "ollama_server_verify_timeout": 120,
}


def variables(**given: Any) -> Variables:
    return Variables(OPTIONS, given, lambda value: value)


def test_variables_of_all_entry_points_are_read_and_what_is_not_given_has_its_default() -> None:
    assert variables().values == DEFAULTS
    assert unknown("ollama_server", DEFAULTS, OPTIONS) == []


def test_a_value_is_the_same_from_yaml_and_as_text() -> None:
    from_yaml = {"models": ["a"], "environment": {"A": "b"}, "verify_timeout": 1, "on": False, "image": "7"}
    as_text = {
        "models": '["a"]',
        "environment": '{"A": "b"}',
        "verify_timeout": "1",
        "on": "no",
        "image": 7,
    }
    for given in (from_yaml, as_text):
        read = variables(**{f"ollama_server_{name}": value for name, value in given.items()})
        assert read.problems() == []
        assert read.values == {**DEFAULTS, **{f"ollama_server_{name}": one for name, one in from_yaml.items()}}


@pytest.mark.parametrize(("given", "value"), [("any", "any"), ("off", "off"), (False, "off"), ("", "")])
def test_a_choice_is_what_somebody_wrote_where_yaml_takes_off_for_false(given: Any, value: str) -> None:
    assert variables(ollama_server_egress=given).values["ollama_server_egress"] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ollama_server_models", '["a-secret"'),
        ("ollama_server_environment", "TOKEN=a-secret"),
        ("ollama_server_verify_timeout", "1_0"),
        ("ollama_server_verify_timeout", None),
        ("ollama_server_image", ["a-secret"]),
        ("ollama_server_image", None),
        ("ollama_server_on", "perhaps"),
        ("ollama_server_on", 7),
    ],
)
def test_what_cannot_be_read_is_an_error_that_says_how_it_is_written(name: str, value: Any) -> None:
    (problem,) = variables(**{name: value}).problems()
    assert problem.startswith(f"{name}: it must be ")
    assert f'On the command line: -e \'{{"{name}": ' in problem
    assert "a-secret" not in problem


def test_all_problems_are_told_in_the_order_of_the_specification_and_each_once() -> None:
    read = variables(ollama_server_verify_timeout="a-secret", ollama_server_egress="a-secret")
    others = ["ollama_server_environment: b", "ollama_server_image: a", "ollama_server_environment: b"]
    problems = read.problems(others)
    assert problems[:3] == [
        "ollama_server_image: a",
        'ollama_server_egress: it must be any, off or ""',
        "ollama_server_environment: b",
    ]
    assert [problem.split(":")[0] for problem in problems[3:]] == ["ollama_server_verify_timeout"]
    assert "a-secret" not in str(problems)


def test_a_problem_that_only_follows_from_a_value_that_cannot_be_read_is_not_told() -> None:
    read = variables(ollama_server_egress="a")
    assert read.values == DEFAULTS
    assert len(read.problems(["ollama_server_image: it needs ollama_server_egress any"])) == 1


def test_what_a_template_lacks_is_told_with_the_name_of_the_variable() -> None:
    def template(value: Any) -> Any:
        raise AnsibleError("'vault_token' is undefined")

    (problem,) = Variables(OPTIONS, {"ollama_server_image": "{{ vault_token }}"}, template).problems()
    assert problem == "ollama_server_image: its value cannot be made: 'vault_token' is undefined"


def test_variables_of_others_pass() -> None:
    names = [
        *("ollama_servers", "__ollama_server_private", "ollama_gateway_port", "my_ollama_server_image"),
        *("ollama_server", "ollama_servers_of_ours", "a_ollama_server_image", "ollama_sever_room"),
    ]
    assert unknown("ollama_server", names, OPTIONS) == []


def test_every_unknown_variable_has_a_line_that_names_the_closest_and_no_others() -> None:
    names = ["ollama_server_zzzzzzzzzzzzzzzzzzzzzzz", "ollama_server_imgae"]
    assert unknown("ollama_server", names, OPTIONS) == [
        "ollama_server_imgae: it is no variable of the role ollama_server; is ollama_server_image meant?",
        "ollama_server_zzzzzzzzzzzzzzzzzzzzzzz: it is no variable of the role ollama_server; "
        "'ansible-doc -t role gatehouse.ollama.ollama_server' lists them",
    ]


@pytest.mark.parametrize(
    "name",
    [
        *("ollama_sever_image", "olama_server_image", "ollama_servers_image", "ollamaserver_image"),
        *("Ollama_server_image", "ollama_srever_image", "ollama_sever_imgae"),
    ],
)
def test_a_mistyped_prefix_is_caught_as_a_mistyped_variable_is(name: str) -> None:
    (problem,) = unknown("ollama_server", [name], OPTIONS)
    assert problem.startswith(f"{name}: ")
    assert problem.endswith("is ollama_server_image meant?")
