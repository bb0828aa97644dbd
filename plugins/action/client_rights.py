# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import Rules, read_clients
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.limits import read_limits
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.rights import (
    OTHERS,
    limited,
    scope_files,
    update,
    with_limits,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.records import Outcome
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import (
    CLIENTS_OPTION,
    FILE_OPTIONS,
    Dict,
    HostFileAction,
    plain,
)

_REFUSED = (
    "%s may do nothing on plain nginx, which reads no bodies and so cannot keep to a list of models (%s). "
    "List the client without models, or as absent, or run OpenResty"
)
_UNLIMITED = (
    "%s has no limits on plain nginx, which counts nothing, though the file says so (%s). "
    "List the client without limits, or as absent, or run OpenResty"
)


class ActionModule(HostFileAction):
    ARGUMENTS: t.ClassVar[Dict] = {
        **FILE_OPTIONS,
        **CLIENTS_OPTION,
        "default_limits": {"type": "dict", "default": {}},
        "engine": {"type": "str", "default": "openresty", "choices": ["nginx", "openresty"]},
    }

    def update(self, arguments: Dict, task_vars: Dict, read: t.Callable[[], bytes | None]) -> tuple[Outcome, Dict]:
        problems = Problems()
        clients = read_clients(arguments["clients"], "clients", Rules(keys=True, allow_weak_secrets=True), problems)
        given = plain(arguments["default_limits"])
        defaults = read_limits(given, lambda text: problems.add("default_limits", text))
        problems.raise_any()
        outcome, rights = update(read(), clients, arguments["purge"], defaults)
        extra: Dict = {"files": scope_files(rights)}
        if arguments["engine"] == "nginx":
            warnings = _warnings(rights)
            extra.update({"warnings": warnings} if warnings else {})
        return outcome, extra


def _warnings(rights: Dict) -> list[str]:
    """What of the file plain nginx cannot keep to."""
    refused = [_REFUSED % (name, ", ".join(rights[name]["models"])) for name in limited(rights)]
    unlimited = [name for name in with_limits(rights) if name not in limited(rights)]
    return refused + [_UNLIMITED % (_called(name), ", ".join(rights[name]["limits"])) for name in unlimited]


def _called(name: str) -> str:
    return "whoever is not named" if name == OTHERS else name
