# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the actions of backup and restore share: variables, the private folder of a run, and ansible-vault."""

from __future__ import annotations

import os
import re
import time
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.parsing.vault import AnsibleVaultFormatError, VaultLib, is_encrypted, match_encrypt_secret
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.manifest import Damaged
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.names import PART_OPTIONS
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.store import Store
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError, HostFileError
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import CredentialsAction, unlogged
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._near_miss import closest

if t.TYPE_CHECKING:
    from ansible.parsing.dataloader import DataLoader

Dict = dict[str, t.Any]

VARIABLES = (
    "gatehouse_backup_file",
    "gatehouse_backup_plaintext",
    "gatehouse_backup_usage_since",
    "gatehouse_restore_file",
    "gatehouse_restore_host",
    "gatehouse_restore_overwrite",
)
# Of what is encrypted: ansible-vault works in memory, and takes twenty times as much.
MOST_SEALED = 128 << 20
# ansible-vault writes each byte as four, in lines.
MOST_VAULT_TEXT = 5 * MOST_SEALED


# Both must be named: in the archive no host has another's place.
PART_ARGUMENTS: Dict = {**PART_OPTIONS, **{name: {**PART_OPTIONS[name], "required": True} for name in ("kind", "host")}}

_PARTS = "gatehouse-parts"
_RUN = re.compile(r"ansible-local-([1-9][0-9]{0,9}?)[a-z0-9_]{8}\Z")
# Seconds after which a run that this machine does not know is over, wherever it was.
_OVER = 3600


class PartAction(CredentialsAction):
    """An action for what a backup has of one host, which asks its module on the host several times."""

    TRANSFERS_FILES = False
    MODULE: t.ClassVar[str]
    # What each question has in common, set by `apply`.
    _where: Dict
    _task_vars: Dict

    def _ask(self, **options: t.Any) -> Dict:
        with unlogged(self._connection):
            answer: Dict = self._execute_module(
                module_name=self.MODULE, module_args={**self._where, **options}, task_vars=self._task_vars
            )
        if answer.get("failed"):
            raise HostFileError(str(answer.get("msg")))
        return answer


def store() -> Store:
    """In the folder that Ansible makes for one run on the controller, for its user alone, and removes at its end."""
    return Store(os.path.join(str(C.DEFAULT_LOCAL_TMP), _PARTS))


def remove_leftovers() -> None:
    """Of runs that were killed, so that Ansible removed nothing."""
    above = os.path.dirname(str(C.DEFAULT_LOCAL_TMP))
    for run in os.listdir(above) if os.path.isdir(above) else ():
        match, parts = _RUN.match(run), os.path.join(above, run, _PARTS)
        if match and os.path.isdir(parts) and time.time() - os.stat(parts).st_mtime > _OVER and not _lives(match[1]):
            Store(parts).clear()


def _lives(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def refuse_unknown(task_vars: t.Mapping[str, t.Any]) -> None:
    """Raise GatehouseError about variables that look as if they were meant for backup or restore."""
    for name in sorted(map(str, task_vars)):
        if name.startswith(("gatehouse_backup", "gatehouse_restore")) and name not in VARIABLES:
            guess = closest(name, VARIABLES)
            advice = f"is {guess} meant?" if guess else "docs/backup.md lists them"
            raise GatehouseError(f"{name}: it is no variable of these playbooks; {advice}")


def has_secrets(loader: DataLoader) -> bool:
    return bool(loader._vault.secrets)


def seal(loader: DataLoader, content: bytes) -> tuple[bytes, str]:
    """The content encrypted as ansible-vault itself would do it in this run, and by which vault id."""
    chosen = C.config.get_config_value("DEFAULT_VAULT_ENCRYPT_IDENTITY")
    try:
        vault_id, secret = match_encrypt_secret(loader._vault.secrets, encrypt_vault_id=chosen)
    except AnsibleError:
        raise GatehouseError(f"this run has no vault password for the vault id {chosen}, which is to encrypt") from None
    return bytes(VaultLib(loader._vault.secrets).encrypt(content, secret, vault_id)), str(vault_id)


def unseal(loader: DataLoader, text: bytes) -> bytes:
    """Raises Damaged or GatehouseError."""
    if not has_secrets(loader):
        raise GatehouseError("it is encrypted, and this run has no vault password; add --ask-vault-pass")
    try:
        return bytes(VaultLib(loader._vault.secrets).decrypt(text))
    except AnsibleVaultFormatError:
        raise Damaged("it ends too early or was changed") from None
    except (AnsibleError, ValueError, IndexError):
        raise GatehouseError(
            "no vault password of this run opens it: it was made with another one, or it is damaged"
        ) from None


def is_sealed(start: bytes) -> bool:
    return bool(is_encrypted(start))
