# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import CredentialsAction, Dict
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._tls_input import VARIABLES, read_certificates


class ActionModule(CredentialsAction):
    TRANSFERS_FILES = False
    _requires_connection = False
    ARGUMENTS: t.ClassVar[Dict] = {
        **{name: {"type": "str", "default": ""} for name in VARIABLES},
        "names": {"type": "list", "elements": "str", "default": []},
        "required_days": {"type": "int", "default": 0},
        "check_only": {"type": "bool", "default": False},
    }

    def apply(self, arguments: Dict, task_vars: Dict) -> Dict:
        found = read_certificates(self._loader, arguments, arguments["names"], arguments["required_days"])
        result = {"changed": False, **found.result}
        if found.pem and not arguments["check_only"]:
            result["pem"] = found.pem
        if found.warnings:
            result["warnings"] = found.warnings
        return result
