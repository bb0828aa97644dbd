# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders on the controller that hold secrets: how they are made, and whose they and their files must be."""

from __future__ import annotations

import contextlib
import os
import stat

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import SecretStoreError

# Beside the inventory. Ansible never reads what begins with a dot as a part of an inventory.
HIDDEN = ".gatehouse"


def make(directory: str) -> None:
    """Make the folder, with a .gitignore beside it if that is ours to write; raises OSError."""
    parent = os.path.dirname(os.path.abspath(directory))
    if os.path.basename(parent) == HIDDEN:
        os.makedirs(parent, mode=0o700, exist_ok=True)
        with contextlib.suppress(FileExistsError), open(os.path.join(parent, ".gitignore"), "x") as f:
            f.write("*\n")
    os.makedirs(directory, mode=0o700, exist_ok=True)


def check(directory: str, what: str) -> None:
    """Whoever could put or swap files in the folder could choose the keys. It may be a link, made by us or root.

    Raises SecretStoreError, and OSError if the folder is not there or cannot be looked at.
    """
    status = os.stat(directory)
    check_owner(directory, what, status)
    check_owner(directory, "the link to " + what, os.lstat(directory.rstrip("/")))
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        message = "%s: others than its owner may write into %s; run chmod 700 on it"
        raise SecretStoreError(message % (directory, what))


def check_file(path: str, what: str, status: os.stat_result) -> None:
    """A file with a secret must be ours or root's, and nobody else's to read."""
    check_owner(path, what, status)
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        message = "%s: mode %04o lets others than its owner at %s; run chmod 600 on it, and replace the key"
        raise SecretStoreError((message + " if they may have read it") % (path, stat.S_IMODE(status.st_mode), what))


def check_owner(path: str, what: str, status: os.stat_result) -> None:
    if status.st_uid not in (0, os.geteuid()):
        message = "%s: %s belongs to uid %d; it must belong to the user that runs Ansible (uid %d) or to root:"
        message += " run chown on it, and replace the keys if that user is not to know them"
        raise SecretStoreError(message % (path, what, status.st_uid, os.geteuid()))
