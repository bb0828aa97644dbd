# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders `secrets` and `ca` of the controller, as the first task of a run finds them."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.former_folder import move
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.memory import REVOKED
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.private_folder import check, check_file
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError, SecretStoreError
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.gateway import PREFIX
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._inventory_folders import locate


class PrivateFolder(t.NamedTuple):
    """Where it is in this run, and a warning that it was moved there or is to be."""

    path: str
    warning: str


@contextlib.contextmanager
def named(kind: str) -> t.Iterator[None]:
    """Name the variable of the folder in whatever is wrong with it, as SecretStoreError."""
    try:
        yield
    except GatehouseError as error:
        raise SecretStoreError("%s%s_dir: %s" % (PREFIX, kind, error)) from None


def settle(
    path: str, kind: str, task_vars: t.Mapping[str, t.Any], absolute: t.Callable[[str], str], check_mode: bool
) -> PrivateFolder:
    """Judge a CA, then take the folder from where a former version had it. Raises SecretStoreError.

    In check mode nothing is moved, and the folder is where it was.
    """
    path = os.path.expanduser(os.path.expandvars(path))
    former, warning = locate(path, kind, task_vars, absolute), ""
    if kind == "ca":
        for place in dict.fromkeys((former, path)):
            _check_ca(place)
    if former != path and (check_mode or move(former, path)):
        text = "%s %s moved to %s, for Ansible reads what is beside an inventory as a part of it"
        warning = text % (former, "is to be" if check_mode else "was", path)
    return PrivateFolder(former if warning and check_mode else path, warning)


def revoked(secrets_dir: str) -> list[str]:
    """The names of the keys that are remembered as revoked. Raises SecretStoreError."""
    try:
        names = os.listdir(secrets_dir) if os.path.isdir(secrets_dir) else []
    except OSError as error:
        raise SecretStoreError("%s cannot be read: %s" % (secrets_dir, error.strerror)) from None
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
