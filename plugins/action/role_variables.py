# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t

import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._near_miss import closest, meant
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._spelling import problem


def known_options(specs: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    """Return the options of all entry points of a role."""
    return {name: option for one in specs.values() for name, option in (one.get("options") or {}).items()}


def unknown_names(role: str, names: t.Iterable[str], known: t.Container[str]) -> list[str]:
    prefix = f"{role}_"
    return sorted(name for name in names if name.startswith(prefix) and name not in known)


def explain(role: str, names: t.Iterable[str], known: t.Collection[str]) -> list[str]:
    """A line for each name that is none of the role's variables, and looks as if it were meant to be one."""
    names = list(names)
    guesses = {name: closest(name, known) for name in unknown_names(role, names, known)}
    guesses.update({name: guess for name in sorted(names) for guess in [meant(name, role, known)] if guess})
    where = f"'ansible-doc -t role gatehouse.ollama.{role}' lists them."
    return [
        f"{name} is not a variable of the role {role}" + (f"; is {guess} meant?" if guess else f"; {where}")
        for name, guess in guesses.items()
    ]


def misspelled(name: str, value: t.Any, option: dict[str, t.Any]) -> str | None:
    """What is wrong with a value, be it that Ansible's own check of the specification lets it through."""
    kind = option["type"]
    text = problem(value, kind)
    choices = option.get("choices")
    if choices and not text and value is not None and _text(value) not in choices:
        return f"{name}: it must be {', '.join(map(_quoted, choices[:-1]))} or {_quoted(choices[-1])}"
    example = {"list": '["a", "b"]', "dict": '{"a": "b"}', "int": "1", "bool": "true"}.get(kind, '"a"')
    return f"{name}: {text}. On the command line: -e '{{\"{name}\": {example}}}'" if text else None


def _text(value: t.Any) -> str:
    """As somebody wrote it: YAML takes off without quotes for false."""
    return "off" if value is False else str(value)


def _quoted(choice: str) -> str:
    return choice or '""'


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        _dummy, arguments = self.validate_argument_spec({"role": {"type": "str", "required": True}})
        role = arguments["role"]
        if not task_vars.get("role_path"):
            raise AnsibleActionFail("gatehouse.ollama.role_variables works only as a task of a role.")
        with open(os.path.join(task_vars["role_path"], "meta", "argument_specs.yml"), encoding="utf-8") as f:
            known = known_options(yaml.safe_load(f)["argument_specs"])
        unknown = explain(role, task_vars, known)
        if unknown:
            raise AnsibleActionFail("\n".join(unknown))
        problems = [
            misspelled(name, self._templar.template(task_vars[name]), option)
            for name, option in known.items()
            if name in task_vars
        ]
        if any(problems):
            raise AnsibleActionFail("\n".join(filter(None, problems)))
        result["changed"] = False
        return result
