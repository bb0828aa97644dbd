# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import difflib
import os
import typing as t

import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


def known_names(specs: dict[str, t.Any]) -> set[str]:
    """Return the options of all entry points of a role."""
    return {name for entry_point in specs.values() for name in entry_point.get("options") or {}}


def unknown_names(role: str, names: t.Iterable[str], known: set[str]) -> list[str]:
    prefix = f"{role}_"
    return sorted(name for name in names if name.startswith(prefix) and name not in known)


def explain(role: str, unknown: list[str], known: set[str]) -> str:
    lines = []
    for name in unknown:
        closest = difflib.get_close_matches(name, sorted(known), n=1)
        lines.append(f"{name} is not a variable of the role {role}" + (f"; is {closest[0]} meant?" if closest else "."))
    lines.append(f"Its variables are: {', '.join(sorted(known))}.")
    return "\n".join(lines)


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
            known = known_names(yaml.safe_load(f)["argument_specs"])
        unknown = unknown_names(role, task_vars, known)
        if unknown:
            raise AnsibleActionFail(explain(role, unknown, known))
        result["changed"] = False
        return result
