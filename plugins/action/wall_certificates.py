# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.certificate import pem
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.pem import require_cryptography
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall import certificates
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import CredentialsAction, Dict
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._ca_folder import CaFolder

_MISSING = (
    "there is no %s in %s on the controller, so doors were tried with certificates of other CAs alone, and not whether "
    "they let a gateway in"
)


class ActionModule(CredentialsAction):
    """Makes them on the controller; nothing is asked of the host or written to it."""

    TRANSFERS_FILES = False

    ARGUMENTS: t.ClassVar[Dict] = {
        "ca_dir": {"type": "path", "required": True},
        "gateways": {"type": "list", "elements": "str", "default": []},
    }

    def apply(self, arguments: Dict, task_vars: Dict) -> Dict:
        require_cryptography()
        folder = CaFolder(self.controller_path(arguments["ca_dir"]))
        ca = folder.certificate()
        key = folder.key_of(ca) if ca is not None and folder.has_key() else None
        given = (ca, key, arguments["gateways"], datetime.datetime.now(datetime.timezone.utc))
        # Ansible prints nothing of this result then, and register still gets it.
        result: Dict = {"changed": False, "_ansible_no_log": True, "missing": ""}
        result["ca"] = pem([ca]) if ca is not None else ""
        result.update(worthless=certificates.worthless(*given), valid=certificates.valid(*given))
        if key is None:
            result["missing"] = _MISSING % ("ca.pem" if ca is None else "ca.key", folder.directory)
        return result
