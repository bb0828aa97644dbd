# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import re
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.yaml import yaml_load
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules import engine, gateway, runtime, server, valkey
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.common import Controller
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import CredentialsAction, Dict
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._private_folders import checked, revoked
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._role_input import Variables, known_options, unknown
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._tls_input import read_certificates

RULES = {
    "docker_engine": engine.check,
    "nvidia_runtime": runtime.check,
    "ollama_gateway": gateway.check,
    "ollama_server": server.check,
    "valkey": valkey.check,
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
        folders: dict[str, str] = {}

        def private_folder(kind: str, path: str) -> str:
            folders[kind] = checked(kind, path, task_vars)
            return folders[kind]

        controller = Controller(read=self._read, private_folder=private_folder, run=self.run_id())
        found = RULES[role](values, controller)
        for warning in found.warnings:
            self._display.warning(warning)
        problems = variables.problems(found.problems)
        if values.get("state") == "absent":
            # Of what is removed only where it is has to be right; a vault or a file that others need may be gone.
            problems = [one for one in problems if re.match(rf"{role}_(state|dir|data_dir|network):", one)]
        problems = unknown(role, task_vars, options) + problems
        if problems:
            raise BadInput(problems)
        result = dict(found.result)
        result.update({f"{kind}_dir": path for kind, path in folders.items()})
        if role == "ollama_gateway" and values["state"] == "present":
            result.update(self._certificates(values), revoked=revoked(folders["secrets"]))
        # It may hold secrets, such as a proxy's password in the environment of a server.
        return {"changed": False, **result, "_ansible_no_log": bool(result)}

    def _certificates(self, values: Dict) -> Dict:
        """What the certificates that are given come to; those of the gateway itself with tls provided."""
        own = values["tls"] == "provided"
        given = {
            "certificate": values["tls_certificate"] if own else "",
            "private_key": values["tls_private_key"] if own else "",
            "client_ca": values["client_ca"],
            "client_crl": values["client_crl"],
            "valkey_ca": values["valkey_ca"],
        }
        if not any(given.values()):
            return {}
        found = read_certificates(self._loader, given, values["server_names"])
        for warning in found.warnings:
            self._display.warning(warning)
        return {**found.result, "tls_pem": found.pem}

    def _read(self, path: str) -> str | None:
        try:
            real = self._loader.get_real_file(self._find_needle("files", path))
            with open(real, encoding="utf-8") as f:
                return f.read()
        except (AnsibleError, OSError, ValueError):
            return None
