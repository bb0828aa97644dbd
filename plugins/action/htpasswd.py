# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import Rules, sound_clients
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.passwords.file import update
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.passwords.hashing import (
    SCHEMES,
    Hasher,
    choose_scheme,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.records import Outcome
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import (
    CLIENTS_OPTION,
    FILE_OPTIONS,
    Dict,
    HostFileAction,
)


class ActionModule(HostFileAction):
    ARGUMENTS: t.ClassVar[Dict] = {
        **FILE_OPTIONS,
        **CLIENTS_OPTION,
        "scheme": {"type": "str", "default": "sha512_crypt", "choices": list(SCHEMES)},
        "rounds": {"type": "int"},
    }

    def update(self, arguments: Dict, task_vars: Dict, read: t.Callable[[], bytes | None]) -> tuple[Outcome, Dict]:
        scheme = choose_scheme(arguments["scheme"], arguments["rounds"])
        clients = sound_clients(arguments["clients"], Rules(scheme=scheme.name))
        hasher = Hasher(scheme)
        return update(read(), clients, hasher, arguments["purge"], only_look=bool(self._task.check_mode)), {}
