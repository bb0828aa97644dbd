# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which folders Ansible reads as a part of an inventory: each file there becomes hosts, and its lines are printed."""

from __future__ import annotations

import os
import typing as t

from ansible.inventory.manager import IGNORED
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.former_folder import (
    default_folder,
    is_to_move,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import SecretStoreError


def inventory_base(task_vars: t.Mapping[str, t.Any]) -> str:
    """The folder of the host's own inventory, or where the user is: as in the defaults of the role."""
    folder = str(task_vars.get("inventory_dir") or "")
    return folder if os.path.isabs(folder) else os.environ.get("PWD", "")


def locate(path: str, kind: str, task_vars: t.Mapping[str, t.Any], absolute: t.Callable[[str], str]) -> str:
    """Where the folder `secrets` or `ca` is that shall be at `path`: there, or still at its former place.

    Raises SecretStoreError if it cannot be there. `absolute` makes a path that begins at the playbook absolute.
    """
    path = os.path.expanduser(os.path.expandvars(path))
    if not os.path.isabs(path):
        # It would begin at the playbook, which may be in an installed collection: the next upgrade removes that.
        text = "it must be an absolute path, such as {{ inventory_dir }}/.gatehouse/%s, not %s"
        raise SecretStoreError(text % (kind, path))
    refuse_visible(path, kind, task_vars)
    base = inventory_base(task_vars)
    # Of a host that is named on the command line, Ansible calls the folder None. That once was taken for a name.
    is_none = task_vars.get("inventory_dir") == "None"
    former = absolute(os.path.join("None", kind)) if is_none else os.path.join(base, kind)
    is_default = os.path.abspath(path) == os.path.abspath(default_folder(base, kind))
    return former if is_default and is_to_move(former, path, kind) else path


def refuse_visible(directory: str, kind: str, task_vars: t.Mapping[str, t.Any]) -> None:
    """Raise SecretStoreError if one of the sources of this run (-i) leads Ansible into the folder."""
    for source in task_vars.get("ansible_inventory_sources") or ():
        if is_read(directory, str(source)):
            message = "%s: Ansible reads this folder as a part of the inventory %s, so keys would become names of "
            message += "hosts; leave the option out and move the folder to %s, or name one outside of the inventory"
            raise SecretStoreError(message % (directory, source, default_folder(inventory_base(task_vars), kind)))


def is_read(directory: str, source: str) -> bool:
    """Whether Ansible reads the folder with the inventory `source`, be it by its real path."""
    if "," in source or not os.path.isdir(source):
        return False
    return any(_is_below(resolve(directory), resolve(source)) for resolve in (os.path.abspath, os.path.realpath))


def _is_below(directory: str, source: str) -> bool:
    parts = [part for part in os.path.relpath(directory, source).split(os.sep) if part != os.curdir]
    return os.pardir not in parts and not any(_is_ignored(part) for part in parts)


def _is_ignored(name: str) -> bool:
    # Newer versions of Ansible may have it as a pattern of text.
    return bool(IGNORED.search(os.fsencode(name) if isinstance(IGNORED.pattern, bytes) else name))
