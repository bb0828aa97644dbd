# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import datetime
import os
import tempfile
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._backup import archive, manifest
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.manifest import GATEWAY, SERVER, Manifest, Part
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.private_folder import make
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import CredentialsAction, Dict
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._backup import (
    MOST_SEALED,
    has_secrets,
    refuse_unknown,
    remove_leftovers,
    seal,
    store,
)
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._inventory_folders import default_folder, is_read

_OPEN = (
    "This run has no vault password, and the archive would hold private keys for everybody who gets hold of it. Add "
    "--ask-vault-pass or --vault-password-file, or say -e gatehouse_backup_plaintext=true if you protect it otherwise."
)
_LARGE = (
    "The archive would have %d MiB, and ansible-vault, which works in memory, is given %d MiB at most. Nothing was "
    "written. Take what was counted in the last days alone (-e gatehouse_backup_usage_since=90d), or say -e "
    "gatehouse_backup_plaintext=true and encrypt the archive yourself."
)


class ActionModule(CredentialsAction):
    TRANSFERS_FILES = False
    _requires_connection = False
    ARGUMENTS: t.ClassVar[Dict] = {
        "state": {"type": "str", "choices": ["begun", "written"], "required": True},
        "file": {"type": "str", "default": ""},
        "plaintext": {"type": "bool", "default": False},
    }

    def apply(self, arguments: Dict, task_vars: Dict) -> Dict:
        if arguments["state"] == "begun":
            return self._begin(arguments, task_vars)
        path = arguments["file"]
        if self._task.check_mode:
            self._display.display(f"\nWould write {path}\n")
            return {"changed": True, "path": path}
        parts = store().parts()
        _refuse_incomplete(parts, _expected(task_vars))
        try:
            protection = self._write(path, parts, arguments["plaintext"])
        except OSError as error:
            raise GatehouseError(f"{path} cannot be written: {error.strerror}. Nothing is left of it.") from None
        files = sum(len(part.files) for part in parts)
        self._display.display(f"\nWritten: {path}, {protection}: {files} files of {_hosts(parts)}\n")
        return {"changed": True, "path": path}

    def _begin(self, arguments: Dict, task_vars: Dict) -> Dict:
        """Judge all that can be known before a host is asked."""
        refuse_unknown(task_vars)
        remove_leftovers()
        plaintext = arguments["plaintext"]
        if not plaintext and not has_secrets(self._loader):
            raise GatehouseError(_OPEN)
        path = arguments["file"] or _default(task_vars, plaintext)
        path = os.path.abspath(os.path.expanduser(path))
        folder = os.path.dirname(path)
        for source in task_vars.get("ansible_inventory_sources") or ():
            if is_read(folder, str(source)):
                raise GatehouseError(
                    f"gatehouse_backup_file: Ansible reads {folder} as a part of the inventory {source}; name another "
                    "folder"
                )
        if os.path.lexists(path):
            raise GatehouseError(f"gatehouse_backup_file: {path} is there already, and no archive is written over")
        if arguments["file"] and not os.path.isdir(folder):
            raise GatehouseError(f"gatehouse_backup_file: there is no folder {folder}")
        return {"changed": False, "path": path}

    def _write(self, path: str, parts: list[Part], plaintext: bool) -> str:
        """Put the archive there, all of it at once, and say how it is protected. Raises GatehouseError and OSError."""
        now = datetime.datetime.now(datetime.timezone.utc)
        folder, name = os.path.split(path)
        if not os.path.isdir(folder):
            make(folder)
        # Of mode 0600.
        descriptor, new = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
        protection = "not encrypted"
        try:
            with os.fdopen(descriptor, "w+b") as file:
                found = Manifest(now.strftime("%Y-%m-%dT%H:%M:%SZ"), parts)
                _refuse_unreadable(found)
                if plaintext:
                    archive.write(file, found, store(), int(now.timestamp()))
                else:
                    sealed, vault_id = self._sealed(found, int(now.timestamp()))
                    file.write(sealed)
                    protection = f"encrypted by ansible-vault (vault id {vault_id})"
                file.flush()
                os.fsync(file.fileno())
            _publish(new, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new)
        return protection

    def _sealed(self, found: Manifest, moment: int) -> tuple[bytes, str]:
        """The archive by ansible-vault. What is not encrypted yet is in no folder that outlives the run."""
        with store().scratch() as file:
            archive.write(file, found, store(), moment)
            size = file.tell()
            if size > MOST_SEALED:
                raise GatehouseError(_LARGE % (size >> 20, MOST_SEALED >> 20))
            file.seek(0)
            return seal(self._loader, file.read())


def _default(task_vars: t.Mapping[str, t.Any], plaintext: bool) -> str:
    moment = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H%M%SZ")
    name = f"gatehouse-{moment}.tar.gz" + ("" if plaintext else ".vault")
    return os.path.join(default_folder("backups", task_vars), name)


def _publish(new: str, path: str) -> None:
    """Give the file its name, unless somebody else has it by now."""
    try:
        os.link(new, path)
    except FileExistsError:
        raise GatehouseError(f"gatehouse_backup_file: {path} is there by now, and no archive is written over") from None
    except OSError:
        # A disk without hard links.
        if os.path.lexists(path):
            raise
        os.rename(new, path)


def _expected(task_vars: t.Mapping[str, t.Any]) -> dict[str, list[str]]:
    """The hosts of the play by what they are, whether they could be reached or not."""
    expected = {}
    for kind in (GATEWAY, SERVER):
        hosts = set(task_vars["groups"].get(f"ollama_{kind}s", ())) & set(task_vars["ansible_play_hosts_all"])
        states = {host: task_vars["hostvars"][host].get(f"ollama_{kind}_state", "present") for host in hosts}
        expected[kind] = sorted(host for host in hosts if states[host] != "absent")
    return expected


def _refuse_incomplete(parts: t.Sequence[Part], expected: t.Mapping[str, t.Sequence[str]]) -> None:
    there = {(part.kind, part.host) for part in parts}
    missing = [f"{host} as a {kind}" for kind, hosts in expected.items() for host in hosts if (kind, host) not in there]
    if missing:
        raise GatehouseError(f"No archive was written, for it would lack {', '.join(missing)}.")
    if not any(part.host for part in parts):
        raise GatehouseError("No archive was written, for no host has anything to back up.")


def _refuse_unreadable(found: Manifest) -> None:
    """Raise GatehouseError if restore would not take it."""
    try:
        manifest.read(found.dump())
    except GatehouseError as error:
        raise GatehouseError(f"No archive was written, for none could be restored from it: {error}.") from None


def _hosts(parts: t.Sequence[Part]) -> str:
    return ", ".join(sorted({part.host for part in parts if part.host}))
