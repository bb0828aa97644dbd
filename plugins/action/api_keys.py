# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils import _api_keys, _keys
from ansible_collections.gatehouse.ollama.plugins.module_utils._clients import (
    Client,
    Key,
    Rules,
    present_keys,
    read_clients,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput
from ansible_collections.gatehouse.ollama.plugins.module_utils._records import Outcome
from ansible_collections.gatehouse.ollama.plugins.module_utils._secret_store import SecretStore, stored_secrets
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import (
    CLIENTS_OPTION,
    FILE_OPTIONS,
    Dict,
    HostFileAction,
)


class ActionModule(HostFileAction):
    KIND = "api_keys"
    ARGUMENTS: t.ClassVar[Dict] = {
        **FILE_OPTIONS,
        **CLIENTS_OPTION,
        "secrets_dir": {"type": "path"},
        "allow_weak_secrets": {"type": "bool", "default": False},
    }

    def prepare(self, arguments: Dict) -> t.Callable[[bytes | None], tuple[Outcome, Dict]]:
        rules = Rules(keys=True, allow_weak_secrets=arguments["allow_weak_secrets"])
        clients, problems = read_clients(arguments["clients"], "clients", rules)
        keys = present_keys(clients)
        directory = arguments["secrets_dir"]
        store = SecretStore(self.controller_path(directory)) if directory else None
        secrets, more = stored_secrets(keys, store, "secrets_dir")
        if problems or more:
            raise BadInput(problems + more)
        return lambda content: self._decide(content, clients, keys, secrets, store, arguments["purge"])

    def _decide(
        self,
        content: bytes | None,
        clients: list[Client],
        keys: list[Key],
        secrets: dict[str, str],
        store: SecretStore | None,
        purge: bool,
    ) -> tuple[Outcome, Dict]:
        # Also finds what is wrong with the file, before a key is generated.
        outcome = _api_keys.update(content, clients, secrets.get, purge)
        missing = [key for key in keys if key.name not in secrets]
        generated = missing
        if missing and store and not self._task.check_mode:
            generated = [key for key in missing if store.create(key.name)]
            # From the store in any case: another process may have been first.
            stored, problems = stored_secrets(missing, store, "secrets_dir")
            if problems:
                raise BadInput(problems)
            secrets = {**secrets, **stored}
            outcome = _api_keys.update(content, clients, lambda name: secrets[name], purge)
        past = [key for key in keys if key.expires and _keys.is_past(key.expires)]
        extra: Dict = {
            "generated": [
                {"client": key.client, "id": key.id, "path": store.path(key.name)} for key in generated if store
            ],
            "fingerprints": {name: _keys.fingerprint(_keys.digest(secret)) for name, secret in secrets.items()},
        }
        if past:
            text = "%s: the key expired on %s; the gateway refuses it"
            extra["warnings"] = [text % (key.place, key.expires) for key in past]
        return outcome, extra
