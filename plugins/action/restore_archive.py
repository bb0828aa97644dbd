# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import os
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._backup import archive
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.manifest import (
    GATEWAY,
    SERVER,
    Damaged,
    Foreign,
    Manifest,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import CredentialsAction, Dict
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._backup import (
    MOST_VAULT_TEXT,
    is_sealed,
    refuse_unknown,
    remove_leftovers,
    store,
    unseal,
)

_UNSEALED = "%s is not encrypted, so nothing tells whether somebody changed it since it was written."


class ActionModule(CredentialsAction):
    TRANSFERS_FILES = False
    _requires_connection = False
    ARGUMENTS: t.ClassVar[Dict] = {
        "state": {"type": "str", "choices": ["opened", "closed"], "required": True},
        "file": {"type": "str", "default": ""},
    }

    def apply(self, arguments: Dict, task_vars: Dict) -> Dict:
        store().clear()
        if arguments["state"] == "closed":
            return {"changed": False}
        refuse_unknown(task_vars)
        remove_leftovers()
        if not arguments["file"]:
            raise GatehouseError(
                "gatehouse_restore_file: it must be the path of an archive that gatehouse.ollama.backup wrote, such as "
                "-e gatehouse_restore_file=my-hosts/.gatehouse/backups/gatehouse-2026-11-30T160000Z.tar.gz.vault"
            )
        path = os.path.abspath(os.path.expanduser(arguments["file"]))
        try:
            found, sealed = self._open(path)
        except Damaged as error:
            raise GatehouseError(f"{path} is damaged: {error}. Nothing was changed.") from None
        except Foreign as error:
            raise GatehouseError(
                f"{path} was not written by gatehouse.ollama.backup: {error}. Nothing was changed."
            ) from None
        except GatehouseError as error:
            raise GatehouseError(f"{path}: {error}. Nothing was changed.") from None
        except OSError as error:
            raise GatehouseError(f"{error.filename or path}: {error.strerror}. Nothing was changed.") from None
        hosts = {"gateways": found.hosts(GATEWAY), "servers": found.hosts(SERVER)}
        result: Dict = {"changed": False, "made_at": found.made_at, **hosts}
        return result if sealed else {**result, "warnings": [_UNSEALED % path]}

    def _open(self, path: str) -> tuple[Manifest, bool]:
        """What is in the archive, which is in the store then, and whether it was encrypted."""
        # A pipe in the place of a file would wait for ever.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            start = file.read(len(archive.MAGIC) + 32)
            file.seek(0)
            if not is_sealed(start):
                if not start.startswith(archive.MAGIC):
                    raise Foreign("it is neither encrypted by ansible-vault nor an archive")
                return archive.read(file, store()), False
            if os.fstat(file.fileno()).st_size > MOST_VAULT_TEXT:
                raise Foreign("it is longer than any that is encrypted")
            opened = unseal(self._loader, file.read())
        if not opened.startswith(archive.MAGIC):
            raise Foreign("what is encrypted there is no archive")
        return archive.read(io.BytesIO(opened), store()), True
