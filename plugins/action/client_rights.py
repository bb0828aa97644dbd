# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import Rules, sound_clients
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.rights import limited, scope_files, update
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.records import Outcome
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import (
    CLIENTS_OPTION,
    FILE_OPTIONS,
    Dict,
    HostFileAction,
)

_REFUSED = (
    "%s may do nothing on plain nginx, which reads no bodies and so cannot keep to a list of models (%s). "
    "List the client without models, or as absent, or run OpenResty"
)


class ActionModule(HostFileAction):
    ARGUMENTS: t.ClassVar[Dict] = {
        **FILE_OPTIONS,
        **CLIENTS_OPTION,
        "engine": {"type": "str", "default": "openresty", "choices": ["nginx", "openresty"]},
    }

    def update(self, arguments: Dict, task_vars: Dict, read: t.Callable[[], bytes | None]) -> tuple[Outcome, Dict]:
        clients = sound_clients(arguments["clients"], Rules(keys=True, allow_weak_secrets=True))
        outcome, rights = update(read(), clients, arguments["purge"])
        extra: Dict = {"files": scope_files(rights)}
        refused = limited(rights) if arguments["engine"] == "nginx" else []
        if refused:
            extra["warnings"] = [_REFUSED % (name, ", ".join(rights[name]["models"])) for name in refused]
        return outcome, extra
