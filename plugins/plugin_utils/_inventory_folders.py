# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which folders Ansible reads as a part of an inventory: each file there becomes hosts, and its lines are printed."""

from __future__ import annotations

import os
import typing as t

from ansible.inventory.manager import IGNORED
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.private_folder import HIDDEN
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import SecretStoreError


def default_folder(kind: str, task_vars: t.Mapping[str, t.Any]) -> str:
    """As in the defaults of the role: beside the host's own inventory, or where the user is."""
    folder = str(task_vars.get("inventory_dir") or "")
    return os.path.join(folder if os.path.isabs(folder) else os.environ.get("PWD", ""), HIDDEN, kind)


def refuse_visible(directory: str, kind: str, task_vars: t.Mapping[str, t.Any]) -> None:
    """Raise SecretStoreError if one of the sources of this run (-i) leads Ansible into the folder."""
    for source in task_vars.get("ansible_inventory_sources") or ():
        if is_read(directory, str(source)):
            message = "%s: Ansible reads this folder as a part of the inventory %s, so keys would become names of "
            message += "hosts; leave the option out and move the folder to %s, or name one outside of the inventory"
            raise SecretStoreError(message % (directory, source, default_folder(kind, task_vars)))


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
