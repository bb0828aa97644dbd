# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import os
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import SecretStoreError
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.pem import require_cryptography
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.renewal import Subject, judge_ca, why_due
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import Dict, HostFileAction, unlogged
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._ca_folder import read_ca

# No key with its certificate is longer; a host may send anything.
_LONGEST = 1 << 16
_CA = "ollama_gateway_ca_dir: the CA in %s on the controller %s"


class ActionModule(HostFileAction):
    ARGUMENTS: t.ClassVar[Dict] = {
        "path": {"type": "str", "required": True},
        "ca_file": {"type": "path", "required": True},
        "names": {"type": "list", "elements": "str", "required": True},
        "days": {"type": "int", "required": True},
        "life": {"type": "int", "required": True},
        "owner": {"type": "str"},
        "group": {"type": "str"},
        "mode": {"type": "raw", "default": "0600"},
    }

    def apply(self, arguments: Dict, task_vars: Dict) -> Dict:
        require_cryptography()
        # What is read holds the private key.
        with unlogged(self._connection):
            there = self._read(arguments, task_vars)
        if there is not None and len(there) > _LONGEST:
            there = b""
        now = datetime.datetime.now(datetime.timezone.utc)
        ca = read_ca(arguments["ca_file"])[0]
        reason = why_due(there, ca, Subject(arguments["names"]), arguments["days"], now)
        result: Dict = {"changed": False, "due": reason is not None, "reason": reason or "", "has_ca": ca is not None}
        if ca is not None:
            folder = os.path.dirname(arguments["ca_file"])
            key_is_there = os.path.exists(os.path.join(folder, "ca.key"))
            problem, warning = judge_ca(ca, reason is not None, key_is_there, arguments["life"], now)
            if problem:
                raise SecretStoreError(_CA % (folder, problem))
            if warning:
                result["warnings"] = [_CA % (folder, warning)]
        if there is not None:
            attributes = self._set_attributes(arguments, task_vars)
            result.update({name: attributes[name] for name in ("changed", "diff") if name in attributes})
        return result
