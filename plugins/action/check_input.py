# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.yaml import yaml_load
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules import engine, gateway, runtime, server
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.common import Controller
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import CredentialsAction, Dict
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._inventory_folders import locate
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._role_input import Variables, known_options, unknown

RULES = {
    "docker_engine": engine.check,
    "nvidia_runtime": runtime.check,
    "ollama_gateway": gateway.check,
    "ollama_server": server.check,
}


class ActionModule(CredentialsAction):
    TRANSFERS_FILES = False
    _requires_connection = False
    ARGUMENTS: t.ClassVar[Dict] = {"role": {"type": "str", "required": True, "choices": list(RULES)}}

    def apply(self, arguments: Dict, task_vars: Dict) -> Dict:
        role = arguments["role"]
        if not task_vars.get("role_path"):
            raise AnsibleActionFail("gatehouse.ollama.check_input works only as a task of a role.")
        with open(os.path.join(task_vars["role_path"], "meta", "argument_specs.yml"), encoding="utf-8") as f:
            options = known_options(yaml_load(f)["argument_specs"])
        variables = Variables(options, task_vars, self._templar.template)
        values = {name[len(role) + 1 :]: value for name, value in variables.values.items()}
        controller = Controller(
            read=self._read,
            private_folder=lambda kind, path: locate(path, kind, task_vars, self.controller_path),
            run=self.run_id(),
        )
        found = RULES[role](values, controller)
        for warning in found.warnings:
            self._display.warning(warning)
        problems = unknown(role, task_vars, options) + variables.problems(found.problems)
        if problems:
            raise BadInput(problems)
        # It may hold secrets, such as a proxy's password in the environment of a server.
        return {"changed": False, **found.result, "_ansible_no_log": bool(found.result)}

    def _read(self, path: str) -> str | None:
        try:
            real = self._loader.get_real_file(self._find_needle("files", path))
            with open(real, encoding="utf-8") as f:
                return f.read()
        except (AnsibleError, OSError, ValueError):
            return None
