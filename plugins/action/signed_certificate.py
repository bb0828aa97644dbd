# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems, SecretStoreError
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls import signing
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.certificate import pem
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.pem import read_private_key, require_cryptography
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.renewal import Subject, judge_ca, why_due
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import (
    Dict,
    HostFileAction,
    attributes_of,
    unlogged,
)
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._ca_folder import CaFolder

# No key with its certificate is longer; a host may send anything.
_LONGEST = 1 << 16
_CA = "ca_dir: the CA in %s on the controller %s"


class ActionModule(HostFileAction):
    ARGUMENTS: t.ClassVar[Dict] = {
        "path": {"type": "str", "required": True},
        "ca_dir": {"type": "path", "required": True},
        "ca_name": {"type": "str", "required": True},
        "common_name": {"type": "str", "required": True},
        "names": {"type": "list", "elements": "str", "default": []},
        "usage": {"type": "str", "required": True, "choices": ["server", "client"]},
        "days": {"type": "int", "default": 30},
        "life": {"type": "int", "default": 397},
        "owner": {"type": "str"},
        "group": {"type": "str"},
        "mode": {"type": "raw", "default": "0600"},
    }

    def apply(self, arguments: Dict, task_vars: Dict) -> Dict:
        require_cryptography()
        subject = Subject(arguments["names"], arguments["common_name"], arguments["usage"] == "client")
        signing.check(subject)
        folder = CaFolder(self.controller_path(arguments["ca_dir"]))
        now = datetime.datetime.now(datetime.timezone.utc)
        # What is read and written holds the private key.
        with unlogged(self._connection):
            there = self._read(arguments, task_vars)
            if there is not None and len(there) > _LONGEST:
                there = b""
            ca = folder.certificate()
            reason = why_due(there, ca, subject, arguments["days"], now)
            warnings = _judge(folder, ca, reason is not None, arguments["life"], now)
            if reason is not None and not self._task.check_mode:
                ca = ca or folder.have(arguments["ca_name"], now)
                content = _signed(folder, ca, there, subject, arguments["life"], now)
                options = {"path": arguments["path"], "content": content, **attributes_of(arguments)}
                self._module("gatehouse.ollama.host_file", options, task_vars)
        result: Dict = {"changed": reason is not None, "reason": reason or "", "ca": pem([ca]) if ca else ""}
        if warnings:
            result["warnings"] = warnings
        if reason is not None and self._task.diff:
            result["diff"] = _diff(arguments, subject, reason)
        elif reason is None:
            attributes = self._set_attributes(arguments, task_vars)
            result.update({name: attributes[name] for name in ("changed", "diff") if name in attributes})
        return result


def _judge(folder: CaFolder, ca: t.Any, is_due: bool, life: int, now: datetime.datetime) -> list[str]:
    """What will be wrong with the CA before long. Raises SecretStoreError where something is."""
    if ca is None:
        return []
    problem, warning = judge_ca(ca, is_due, folder.has_key(), life, now)
    if problem:
        raise SecretStoreError(_CA % (folder.directory, problem))
    return [_CA % (folder.directory, warning)] if warning else []


def _signed(
    folder: CaFolder, ca: t.Any, there: bytes | None, subject: Subject, life: int, now: datetime.datetime
) -> str:
    """The key of the host, or a new one where it has none that can be read, and its certificate."""
    key = read_private_key(there, "", Problems()) if there else None
    key = key if signing.is_usable(key) else signing.new_key()
    return signing.key_pem(key) + pem([signing.leaf_certificate(key, subject, ca, folder.key_of(ca), life, now)])


def _diff(arguments: Dict, subject: Subject, reason: str) -> Dict:
    path = arguments["path"]
    names = f" ({', '.join(subject.names)})" if subject.names else ""
    after = f"a certificate for the {arguments['usage']} {subject.common_name}{names}\n"
    return {"before_header": path, "after_header": path, "before": reason + "\n", "after": after}
