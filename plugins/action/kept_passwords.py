# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import secrets
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.private_folder import SecretFolder
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import SecretStoreError
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import CredentialsAction, Dict

_WHAT = "the password"
# What stands in a configuration as it is, and nobody guesses.
_FORM = re.compile(r"[A-Za-z0-9_.~-]{32,256}\Z")
_BYTES = 32


class ActionModule(CredentialsAction):
    """Reads and makes them on the controller; nothing is asked of the host or written to it."""

    TRANSFERS_FILES = False
    _requires_connection = False
    ARGUMENTS: t.ClassVar[Dict] = {
        "folder": {"type": "path", "required": True},
        "names": {"type": "list", "elements": "str", "required": True},
    }

    def apply(self, arguments: Dict, task_vars: Dict) -> Dict:
        folder = SecretFolder(self.controller_path(arguments["folder"]))
        found = _stored(folder, arguments["names"]) if folder.is_there() else {}
        missing = [name for name in arguments["names"] if name not in found]
        if missing and not self._task.check_mode:
            # Hosts take turns: one makes them.
            with folder.lock():
                found = _stored(folder, arguments["names"])
                for name in arguments["names"]:
                    if name not in found:
                        found[name] = secrets.token_urlsafe(_BYTES)
                        folder.write(name, found[name] + "\n", _WHAT)
        # Ansible prints nothing of this result then, and register still gets it.
        return {"changed": bool(missing), "passwords": found, "_ansible_no_log": True}


def _stored(folder: SecretFolder, names: t.Iterable[str]) -> dict[str, str]:
    found = {}
    for name in names:
        text = folder.read(name, _WHAT)
        if text is None:
            continue
        if not _FORM.match(text.strip()):
            right = "it must have 32 to 256 letters, digits, dots, dashes, underscores and tildes"
            raise SecretStoreError(f"{folder.path(name)}: {right}; put the right one back, as plain text")
        found[name] = text.strip()
    return found
