# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import re
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.yaml import yaml_load
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, Problems, SecretStoreError
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules import engine, gateway, runtime, server
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.common import Controller
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import CredentialsAction, Dict
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._inventory_folders import locate
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._private_folders import (
    PrivateFolder,
    named,
    revoked,
    settle,
)
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._role_input import Variables, known_options, unknown
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._tls_input import read_certificates

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
        problems = variables.problems(found.problems)
        if values.get("state") == "absent":
            # Of what is removed only where it is has to be right; a vault or a file that others need may be gone.
            problems = [one for one in problems if re.match(rf"{role}_(state|dir|network):", one)]
        Problems(unknown(role, task_vars, options) + problems).raise_any()
        result = dict(found.result)
        if role == "ollama_gateway" and values["state"] == "present":
            result.update(self._look_around(values, task_vars))
        # It may hold secrets, such as a proxy's password in the environment of a server.
        return {"changed": False, **result, "_ansible_no_log": bool(result)}

    def _look_around(self, values: Dict, task_vars: Dict) -> Dict:
        """The certificates and folders that the variables name. All are judged before a former folder is moved."""
        kinds = ["secrets", "ca"] if values["tls"] == "self_signed" else ["secrets"]
        result: Dict = {}
        problems = Problems()
        folders: dict[str, PrivateFolder] = {}
        try:
            result = self._certificates(values)
        except BadInput as error:
            problems += error.problems
        for kind in kinds:
            try:
                folders[kind] = self._settled(kind, values, task_vars, only_look=True)
                if kind == "secrets":
                    with named(kind):
                        result["revoked"] = revoked(folders[kind].path)
            except SecretStoreError as error:
                problems.append(str(error))
        problems.raise_any()
        if not self._task.check_mode:
            folders = {kind: self._settled(kind, values, task_vars, only_look=False) for kind in kinds}
        for folder in folders.values():
            if folder.warning:
                self._display.warning(folder.warning)
        result.update({f"{kind}_dir": folder.path for kind, folder in folders.items()})
        return {**result, "changed": any(folder.warning for folder in folders.values())}

    def _settled(self, kind: str, values: Dict, task_vars: Dict, only_look: bool) -> PrivateFolder:
        with named(kind):
            return settle(values[f"{kind}_dir"], kind, task_vars, self.controller_path, only_look)

    def _certificates(self, values: Dict) -> Dict:
        """What the certificates that are given come to; those of the gateway itself with tls provided."""
        own = values["tls"] == "provided"
        given = {
            "certificate": values["tls_certificate"] if own else "",
            "private_key": values["tls_private_key"] if own else "",
            "client_ca": values["client_ca"],
            "client_crl": values["client_crl"],
        }
        if not any(given.values()):
            return {}
        found = read_certificates(self._loader, given, values["server_names"])
        for warning in found.warnings:
            self._display.warning(warning)
        return {name: found.result[name] for name in ("names", "client_ca", "client_crl")}

    def _read(self, path: str) -> str | None:
        try:
            real = self._loader.get_real_file(self._find_needle("files", path))
            with open(real, encoding="utf-8") as f:
                return f.read()
        except (AnsibleError, OSError, ValueError):
            return None
