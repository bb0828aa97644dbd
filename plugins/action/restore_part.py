# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import json
import os
import typing as t
from dataclasses import asdict

from ansible_collections.gatehouse.ollama.plugins.module_utils._backup import certbot, controller, host, revoked
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.manifest import CA, SECRETS, File, Part
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.names import read_trees
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.store import Store, contents
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import Dict
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._backup import PART_ARGUMENTS, PartAction, store

_DIFFERENT = (
    "Different from what the archive has: %s. Nothing was changed. Move them away, or replace them by those of the "
    "archive with -e gatehouse_restore_overwrite=true."
)
_MOVED = (
    "ollama_gateway_dir: certbot's files in the archive name the folder %s, and cannot move to %s. Restore with that "
    "folder. Nothing was changed."
)
_STRANGE = (
    "The archive's %s has %s, by which a renewal may run a program as root, and which this collection does not write: "
    "was the archive changed? Nothing was changed."
)


class Folder(t.NamedTuple):
    """A folder of the controller: what it has to be given, and what of that it has otherwise."""

    kind: str
    path: str
    part: Part
    lacking: list[File]
    different: list[File]


class ActionModule(PartAction):
    MODULE = "gatehouse.ollama.restore_part"
    ARGUMENTS: t.ClassVar[Dict] = {
        **PART_ARGUMENTS,
        "overwrite": {"type": "bool", "default": False},
    }

    def apply(self, arguments: Dict, task_vars: Dict) -> Dict:
        self._task_vars = task_vars
        part = _part(arguments)
        _refuse_strange(part, arguments)
        overwrite = arguments["overwrite"]
        folders = _folders(part, arguments)
        self._where = {name: arguments[name] for name in ("folder", "trees", "overwrite")}
        self._where["archive"] = _identity(part, folders)
        self._store, part = _without_revoked(part, folders)
        self._where["files"] = [asdict(one) for one in part.files]
        looked = self._ask()
        different = [os.path.join(one.path, file.path) for one in folders for file in one.different]
        different += [os.path.join(arguments["folder"], path) for path in looked.get("different", [])]
        resumed = bool(looked.get("resumed"))
        # What a deployment changed of what a run before put back, stays.
        if different and not overwrite and not resumed:
            raise GatehouseError(_DIFFERENT % ", ".join(different))
        taken = {one.path: one.lacking + (one.different if overwrite else []) for one in folders}
        restored = [os.path.join(path, file.path) for path, files in taken.items() for file in files]
        restored += [os.path.join(arguments["folder"], path) for path in looked.get("restored", [])]
        if restored and not self._task.check_mode:
            for one in folders:
                _put(one, taken[one.path])
            data = {"data": self._transferred(part)} if looked.get("changed") else {}
            self._ask(noted=True, **data)
        result: Dict = {"changed": bool(restored), "restored": restored, "different": different, "resumed": resumed}
        result["notes"] = part.notes
        if self._task.diff and restored:
            result["diff"] = {"before": "", "after": "".join(f"{path}\n" for path in restored)}
        return result

    def _transferred(self, part: Part) -> str:
        """Where the host has the contents of its files now: in the folder of this task, which goes with it."""
        if self._connection._shell.tmpdir is None:
            self._make_tmp_path()
        there = self._connection._shell.join_path(self._connection._shell.tmpdir, "part.gz")
        self._transfer_file(self._store.content(part), there)
        self._fixup_perms2((self._connection._shell.tmpdir, there))
        return str(there)


def _part(arguments: Dict) -> Part:
    kind, name = arguments["kind"], arguments["host"]
    part = store().find(kind, name)
    if part is None:
        others = [one.host for one in store().parts() if one.kind == kind]
        has = f"which has {', '.join(others)}" if others else "which has none"
        raise GatehouseError(
            f"{name} is no {kind} of this archive, {has}. Give the host that name in the inventory, leave it out by "
            "--limit, or say in its variables by gatehouse_restore_host which one it is to become. Nothing was changed."
        )
    return part


def _refuse_strange(part: Part, arguments: Dict) -> None:
    trees = read_trees(arguments["trees"])
    moved = part.folder.rstrip("/") != arguments["folder"].rstrip("/")
    for one in part.files:
        tree = host.find(trees, one)
        if not tree.certbot:
            continue
        if moved:
            raise GatehouseError(_MOVED % (part.folder, arguments["folder"]))
        if certbot.is_renewal(one.path[len(tree.path) + 1 :]):
            strange = certbot.strange_option(store().read(part, one.path) or b"")
            if strange:
                raise GatehouseError(_STRANGE % (one.path, strange))


def _without_revoked(part: Part, folders: t.Sequence[Folder]) -> tuple[Store, Part]:
    """The part as this controller lets it back in: by no key that it, or the archive, remembers as revoked."""
    here = store()
    keys = here.read(part, revoked.KEYS)
    if keys is None:
        return here, part
    noted: set[str] = set()
    for one in folders:
        if one.kind == SECRETS:
            noted |= revoked.digests(controller.contents(one.path, SECRETS)) | revoked.digests(_read(one.part))
    left = revoked.without(keys, noted)
    return (here, part) if left == keys else here.changed(part, revoked.KEYS, left)


def _identity(part: Part, folders: t.Sequence[Folder]) -> str:
    """The same for the same files, however the archive was packed and encrypted."""
    parts = [part, *(one.part for one in folders)]
    files = [[one.kind, one.host, [[file.path, file.sha256] for file in one.files]] for one in parts]
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()


def _folders(part: Part, arguments: Dict) -> list[Folder]:
    """What the folders of the controller that belong to the host have of the archive."""
    found = []
    for kind in (SECRETS, CA):
        path, used = arguments[f"{kind}_dir"], store().used(part, kind)
        if path and used is not None:
            found.append(Folder(kind, path, used, *controller.split(path, used.files)))
    return found


def _put(folder: Folder, files: t.Sequence[File]) -> None:
    read = _read(folder.part)
    if files:
        controller.put(folder.path, folder.kind, {one.path: read[one.path] for one in files})


def _read(part: Part) -> dict[str, bytes]:
    return {one.path: b"".join(blocks) for one, blocks in contents(store().content(part), part.files)}
