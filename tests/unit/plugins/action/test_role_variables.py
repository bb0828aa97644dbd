# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.template import Templar
from ansible_collections.gatehouse.ollama.plugins.action import role_variables as plugin

SPECS = {
    "main": {
        "options": {
            "ollama_server_image": {"type": "str"},
            "ollama_server_on": {"type": "bool"},
            "ollama_server_egress": {"type": "str", "choices": ["any", "off", ""]},
            "ollama_server_models": {"type": "list"},
        }
    },
    "models": {"options": {"ollama_server_environment": {"type": "dict"}}},
    "verify": {"options": {"ollama_server_verify_timeout": {"type": "int"}}},
    "nothing": {},
}


@pytest.fixture
def run(tmp_path: Path) -> Any:
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "argument_specs.yml").write_text(yaml.safe_dump({"argument_specs": SPECS}))

    def call(**task_vars: Any) -> dict[str, Any]:
        loader = DataLoader()
        task = Task.load({"gatehouse.ollama.role_variables": {"role": "ollama_server"}})
        action = plugin.ActionModule(task, MagicMock(), MagicMock(), loader, Templar(loader=loader), None)
        return action.run(task_vars={"role_path": str(tmp_path), **task_vars})

    return call


def test_variables_of_all_entry_points_pass(run: Any) -> None:
    assert not run(ollama_server_image="x", ollama_server_models=[], ollama_server_verify_timeout=1)["changed"]


def test_variables_of_others_pass(run: Any) -> None:
    run(ollama_servers=1, __ollama_server_private=1, ollama_gateway_port=1, my_ollama_server_image=1, ollama_server=1)
    run(ollama_servers_of_ours=[], __ollama_server_image="x", a_ollama_server_image="x", ollama_sever_room="cold")


def test_a_mistyped_variable_is_an_error_that_names_the_closest(run: Any) -> None:
    with pytest.raises(AnsibleActionFail, match=r"ollama_server_imgae is not a variable.*is ollama_server_image meant"):
        run(ollama_server_imgae="x")


def test_every_unknown_variable_is_named(run: Any) -> None:
    with pytest.raises(AnsibleActionFail) as e:
        run(ollama_server_zzzzzzzzzzzzzzzzzzzzzzz=1, ollama_server_modells=[])
    assert "ollama_server_zzzzzzzzzzzzzzzzzzzzzzz is not" in str(e.value)
    assert "is ollama_server_models meant" in str(e.value)


def test_the_message_is_a_line_for_each_name_and_lists_no_others(run: Any) -> None:
    with pytest.raises(AnsibleActionFail) as e:
        run(ollama_server_imgae="x", ollama_server_zzzzzzzzzzzzzzzzzzzzzzz=1)
    lines = str(e.value).splitlines()
    assert lines == [
        "ollama_server_imgae is not a variable of the role ollama_server; is ollama_server_image meant?",
        "ollama_server_zzzzzzzzzzzzzzzzzzzzzzz is not a variable of the role ollama_server; "
        "'ansible-doc -t role gatehouse.ollama.ollama_server' lists them.",
    ]


@pytest.mark.parametrize(
    "name",
    [
        *("ollama_sever_image", "olama_server_image", "ollama_servers_image", "ollamaserver_image"),
        *("Ollama_server_image", "ollama_srever_image", "ollama_sever_imgae"),
    ],
)
def test_a_mistyped_prefix_is_caught_as_a_mistyped_variable_is(run: Any, name: str) -> None:
    with pytest.raises(AnsibleActionFail, match=f"{name} is not a variable.*is ollama_server_image meant"):
        run(**{name: "x"})


def test_a_play_without_the_role_is_told_so(run: Any) -> None:
    with pytest.raises(AnsibleActionFail, match="only as a task of a role"):
        run(role_path=None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ollama_server_models", '["a-secret"'),
        ("ollama_server_environment", "TOKEN=a-secret"),
        ("ollama_server_verify_timeout", "1_0"),
        ("ollama_server_image", ["a-secret"]),
        ("ollama_server_on", "perhaps"),
        ("ollama_server_on", 7),
    ],
)
def test_what_cannot_be_read_is_an_error_that_says_how_it_is_written(run: Any, name: str, value: Any) -> None:
    with pytest.raises(AnsibleActionFail) as e:
        run(**{name: value})
    assert str(e.value).startswith(f"{name}: it must be ")
    assert f'On the command line: -e \'{{"{name}": ' in str(e.value)
    assert "a-secret" not in str(e.value)


def test_a_wrong_choice_costs_a_line_for_each_variable(run: Any) -> None:
    with pytest.raises(AnsibleActionFail) as e:
        run(ollama_server_egress="a-secret", ollama_server_verify_timeout="a-secret")
    assert str(e.value).splitlines()[0] == 'ollama_server_egress: it must be any, off or ""'
    assert len(str(e.value).splitlines()) == 2
    assert "a-secret" not in str(e.value)
    for right in ("any", "off", False, "", None):
        run(ollama_server_egress=right)


def test_lists_dictionaries_and_numbers_may_be_text(run: Any) -> None:
    run(
        ollama_server_models='["a"]',
        ollama_server_environment='{"A": "b"}',
        ollama_server_verify_timeout="1",
        ollama_server_image=7,
    )
