# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import HostFileError
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.clients import (
    credential_files,
    make_up,
    rights_files,
)
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import CredentialsAction, Dict, unlogged

# After which the keys expire, should nobody be left to remove them.
LIFE = datetime.timedelta(minutes=15)


class ActionModule(CredentialsAction):
    """Makes up the clients, and writes their files before the module runs the gateway and once it runs."""

    TRANSFERS_FILES = False

    ARGUMENTS: t.ClassVar[Dict] = {
        "project": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
        "folder": {"type": "str"},
        "clients": {"type": "str", "required": True},
        "group": {"type": "str"},
        "auth": {"type": "str", "choices": ["basic", "bearer", "both"], "default": "both"},
        "engine": {"type": "str", "choices": ["nginx", "openresty"], "default": "openresty"},
        "client_certificates": {"type": "str", "choices": ["none", "any", "all"], "default": "none"},
        "image": {"type": "str"},
        "options": {"type": "list", "elements": "str", "default": []},
        "program": {"type": "list", "elements": "str", "default": []},
        "seconds": {"type": "int", "default": 600},
    }

    def apply(self, arguments: Dict, task_vars: Dict) -> Dict:
        if arguments["state"] == "absent":
            return self._call("wall_gateway", arguments, task_vars)
        engine, now = arguments["engine"], self._now()
        kinds = ["basic", "bearer"] if arguments["auth"] == "both" else [arguments["auth"]]
        life = max(LIFE, datetime.timedelta(seconds=arguments["seconds"]))
        made = make_up(kinds, now, life, arguments["client_certificates"], limits_models=engine == "openresty")
        rights = rights_files(made["clients"], engine)
        self._write({**rights, **credential_files(made["clients"], kinds, now)}, arguments, task_vars)
        answer = self._call("wall_gateway", arguments, task_vars)
        if answer.get("failed"):
            return answer
        # As the modules for credentials revoke one: the file is replaced while the gateway runs.
        self._write({**rights, **credential_files(made["kept"], kinds, now)}, arguments, task_vars)
        # Ansible prints nothing of this result then, and register still gets it.
        return {**answer, "credentials": made["credentials"], "_ansible_no_log": True}

    def _now(self) -> datetime.datetime:
        """By the clock of the host, which is to tell what has expired."""
        answer: Dict = self._low_level_execute_command("date +%s")
        try:
            seconds = int(str(answer["stdout"]).split()[-1])
            now = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
            # So that there is a later moment as well.
            return now.replace(year=min(now.year, datetime.MAXYEAR - 1))
        except (ValueError, IndexError, OverflowError, OSError):
            raise HostFileError("the host does not tell its time: %s" % answer.get("stderr")) from None

    def _write(self, files: dict[str, str], arguments: Dict, task_vars: Dict) -> None:
        options = {"path": arguments["clients"], "files": files, "mode": "u=rwX,g=rX,o="}
        group = {"group": arguments["group"]} if arguments["group"] else {}
        with unlogged(self._connection):
            answer = self._call("folder_files", {**options, **group}, task_vars)
        if answer.get("failed"):
            raise HostFileError("clients: %s" % answer.get("msg"))

    def _call(self, module: str, arguments: Dict, task_vars: Dict) -> Dict:
        given = {name: value for name, value in arguments.items() if value is not None}
        answer: Dict = self._execute_module(
            module_name="gatehouse.ollama." + module, module_args=given, task_vars=task_vars
        )
        return answer
