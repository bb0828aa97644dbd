# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError, SecretStoreError
from ansible_collections.gatehouse.ollama.plugins.module_utils._former_folder import default_folder, is_to_move, move
from ansible_collections.gatehouse.ollama.plugins.module_utils._gateway_rules import PREFIX
from ansible_collections.gatehouse.ollama.plugins.module_utils._key_memory import REVOKED
from ansible_collections.gatehouse.ollama.plugins.module_utils._private_folder import check, check_file, make
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import CredentialsAction, Dict
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._inventory_folders import inventory_base, refuse_visible


class ActionModule(CredentialsAction):
    TRANSFERS_FILES = False
    _requires_connection = False
    ARGUMENTS: t.ClassVar[Dict] = {
        "path": {"type": "path", "required": True},
        "kind": {"type": "str", "choices": ["ca", "secrets"], "required": True},
        "create": {"type": "bool", "default": False},
    }

    def apply(self, arguments: Dict, task_vars: Dict) -> Dict:
        kind, path = arguments["kind"], arguments["path"]
        variable = "%s%s_dir" % (PREFIX, kind)
        if not os.path.isabs(path):
            # It would begin at the playbook, which may be in an installed collection: the next upgrade removes that.
            text = "%s: it must be an absolute path, such as {{ inventory_dir }}/.gatehouse/%s, not %s"
            raise SecretStoreError(text % (variable, kind, path))
        base = inventory_base(task_vars)
        result: Dict = {"changed": False, "path": path}
        try:
            refuse_visible(path, kind, task_vars)
            is_default = os.path.abspath(path) == os.path.abspath(default_folder(base, kind))
            old = self._former(base, kind, task_vars)
            if is_default and is_to_move(old, path, kind):
                if self._task.check_mode:
                    text = "%s is to be moved to %s, for Ansible reads what is beside an inventory as a part of it"
                    return {"changed": True, "path": old, "warnings": [text % (old, path)]}
                if move(old, path):
                    text = "%s was moved to %s, for Ansible reads what is beside an inventory as a part of it"
                    result.update(changed=True, warnings=[text % (old, path)])
            if kind == "ca":
                _check_ca(path)
            if arguments["create"] and not os.path.isdir(path):
                result["changed"] = True
                if not self._task.check_mode:
                    _make(path)
        except GatehouseError as error:
            raise SecretStoreError("%s: %s" % (variable, error)) from None
        return {**result, "revoked": _revoked(path) if kind == "secrets" else []}

    def _former(self, base: str, kind: str, task_vars: Dict) -> str:
        # Of a host that is named on the command line, Ansible calls the folder None. That once was taken for a name.
        if task_vars.get("inventory_dir") == "None":
            return self.controller_path(os.path.join("None", kind))
        return os.path.join(base, kind)


def _revoked(path: str) -> list[str]:
    names = os.listdir(path) if os.path.isdir(path) else []
    return sorted(name[: -len(REVOKED)] for name in names if name.endswith(REVOKED))


def _make(path: str) -> None:
    try:
        make(path)
    except OSError as error:
        raise SecretStoreError("%s cannot be made on the controller: %s" % (path, error.strerror)) from None


def _check_ca(path: str) -> None:
    """Whoever has the key of the CA, or put it there, can pass for every gateway."""
    if not os.path.lexists(path):
        return
    if not (os.path.isdir(path) and os.access(path, os.W_OK)):
        message = "%s on the controller is not a folder that can be written to. Make it one, or name another."
        raise SecretStoreError((message + " Nothing was changed.") % path)
    check(path, "the folder of the CA")
    key = os.path.join(path, "ca.key")
    if os.path.exists(key):
        check_file(key, "the key of the CA", os.stat(key))
