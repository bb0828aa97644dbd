# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.former_folder import move
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.memory import REVOKED
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.private_folder import (
    check,
    check_file,
    make,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError, SecretStoreError
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.gateway import PREFIX
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import CredentialsAction, Dict
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._inventory_folders import locate


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
        result: Dict = {"changed": False, "path": path}
        try:
            former = locate(path, kind, task_vars, self.controller_path)
            checks = self._task.check_mode
            if former != path and (checks or move(former, path)):
                text = "%s %s moved to %s, for Ansible reads what is beside an inventory as a part of it"
                warning = text % (former, "is to be" if checks else "was", path)
                result.update(changed=True, path=former if checks else path, warnings=[warning])
            if kind == "ca":
                _check_ca(path)
            if arguments["create"] and not os.path.isdir(path):
                result["changed"] = True
                if not self._task.check_mode:
                    _make(path)
        except GatehouseError as error:
            raise SecretStoreError("%s%s_dir: %s" % (PREFIX, kind, error)) from None
        return {**result, "revoked": _revoked(result["path"]) if kind == "secrets" else []}


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
