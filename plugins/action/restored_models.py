# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._backup import models
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.names import key_of
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import CredentialsAction, Dict, plain


class ActionModule(CredentialsAction):
    TRANSFERS_FILES = False
    _requires_connection = False
    ARGUMENTS: t.ClassVar[Dict] = {
        "models": {"type": "list", "elements": "dict", "required": True},
        "installed": {"type": "list", "elements": "dict"},
        "answer": {"type": "dict", "default": {}},
        "listed": {"type": "list", "elements": "raw", "default": []},
        "purge": {"type": "bool", "default": False},
    }

    def apply(self, arguments: Dict, task_vars: Dict) -> Dict:
        given: Dict = plain(arguments)
        listed, purge, installed = given["listed"], given["purge"], given["installed"]
        found = models.read(given["models"])
        wanted = models.wanted(found, listed, purge)
        there = {key_of(str(one.get("name"))) for one in installed or []}
        result: Dict = {
            "changed": False,
            "wanted": [{"name": one.name, "digest": one.digest} for one in wanted],
            "missing": [one.name for one in wanted if key_of(one.name) not in there],
        }
        if installed is not None and not self._task.check_mode:
            failed = models.failures(given["answer"], wanted)
            lines, other = models.report(found, installed, failed, listed, purge)
            result.update(lines=lines, **({"warnings": other} if other else {}))
        return result
