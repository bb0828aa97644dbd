# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders `secrets`, `valkey`, `ca` and `door_ca` of the controller, as the first task of a run finds them."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.memory import REVOKED
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.private_folder import (
    SecretFolder,
    check,
    check_file,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import SecretStoreError
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.gateway import PREFIX
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._inventory_folders import refuse_visible


def checked(kind: str, path: str, task_vars: t.Mapping[str, t.Any]) -> str:
    """The absolute path of the folder of this kind. Raises SecretStoreError if it cannot be that."""
    path = os.path.expanduser(os.path.expandvars(path))
    if not os.path.isabs(path):
        # It would begin at the playbook, which may be in an installed collection: the next upgrade removes that.
        text = "it must be an absolute path, such as {{ inventory_dir }}/.gatehouse/%s, not %s"
        raise SecretStoreError(text % (kind, path))
    refuse_visible(path, kind, task_vars)
    if kind.endswith("ca"):
        _check_ca(path)
    elif kind == "valkey":
        SecretFolder(path).is_there()
    return path


def revoked(secrets_dir: str) -> list[str]:
    """The names of the keys that are remembered as revoked. Raises SecretStoreError."""
    try:
        names = os.listdir(secrets_dir) if os.path.isdir(secrets_dir) else []
    except OSError as error:
        raise SecretStoreError("%ssecrets_dir: %s cannot be read: %s" % (PREFIX, secrets_dir, error.strerror)) from None
    return sorted(name[: -len(REVOKED)] for name in names if name.endswith(REVOKED))


def _check_ca(path: str) -> None:
    """Whoever has the key of the CA, or put it there, can pass for every gateway."""
    if not os.path.lexists(path):
        return
    if not (os.path.isdir(path) and os.access(path, os.W_OK)):
        message = "%s on the controller is not a folder that can be written to. Make it one, or name another."
        raise SecretStoreError((message + " Nothing was changed.") % path)
    check(path, "the folder of the CA")
    key = os.path.join(path, "ca.key")
    if os.path.exists(key):
        check_file(key, "the key of the CA", os.stat(key))
