# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.private_folder import make
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import SecretStoreError
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import CredentialsAction, Dict
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._private_folders import named, revoked, settle


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
        with named(kind):
            folder = settle(path, kind, task_vars, self.controller_path, self._task.check_mode)
            result: Dict = {"changed": bool(folder.warning), "path": folder.path}
            if folder.warning:
                result["warnings"] = [folder.warning]
            if arguments["create"] and not os.path.isdir(path):
                result["changed"] = True
                if not self._task.check_mode:
                    _make(path)
        return {**result, "revoked": revoked(folder.path) if kind == "secrets" else []}


def _make(path: str) -> None:
    try:
        make(path)
    except OSError as error:
        raise SecretStoreError("%s cannot be made on the controller: %s" % (path, error.strerror)) from None
