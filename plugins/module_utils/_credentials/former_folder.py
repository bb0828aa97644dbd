# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys and the CA once lay in `secrets` and `ca` beside the inventory, where Ansible read them as hosts: they move."""

from __future__ import annotations

import os
import re

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.private_folder import HIDDEN, check, make
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import SecretStoreError

# `alice.laptop`, and `alice.laptop~revoked`, which nobody else would write.
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*\.[a-z0-9][a-z0-9_-]*(~[a-z]+)?\Z")


def default_folder(base: str, kind: str) -> str:
    """Where the folder `secrets` or `ca` is, unless the user says otherwise."""
    return os.path.join(base, HIDDEN, kind)


def is_to_move(old: str, new: str, kind: str) -> bool:
    """Whether there is still a folder of ours at the former place; raises SecretStoreError if it must not be moved."""
    try:
        there = set(os.listdir(old))
        ours = {name for name in there if _is_ours(os.path.join(old, name), kind)}
        if not ours:
            return False
        check(old, "the folder of the keys")
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise SecretStoreError(f"{old}: the folder cannot be looked at: {error.strerror}") from None
    others = sorted(name for name in there - ours if not name.startswith("."))
    if others:
        what = "the keys" if kind == "secrets" else "the CA"
        yours = f"beside the keys there are files of yours here, such as {others[0]}"
        raise SecretStoreError(f"{_moved(old, new)}, and {yours}; move {what} to {new}, or the others away from here")
    # Unless another host of this run has just moved it.
    if os.path.isdir(new) and os.listdir(new) and os.path.isdir(old):
        advice = "put those that the hosts have into the second, and remove the first. Nothing was moved"
        raise SecretStoreError(f"{_moved(old, new)}, and there are some in both; {advice}")
    return True


def move(old: str, new: str) -> bool:
    """Move the folder, at once or not at all. False if somebody else was first; raises SecretStoreError."""
    try:
        if os.path.islink(old) and not os.path.isabs(os.readlink(old)):
            raise SecretStoreError(_by_hand(old, new, "it is a link with a relative path"))
        make(new)
        # What was made is empty, or somebody was first and its keys are there: then this fails.
        if os.path.islink(old):
            os.rmdir(new)
        os.rename(old, new)
    except OSError as error:
        if not os.path.lexists(old):
            return False
        raise SecretStoreError(_by_hand(old, new, error.strerror)) from None
    return True


def _moved(old: str, new: str) -> str:
    return f"{old}: keys are kept in {new} now"


def _by_hand(old: str, new: str, reason: str | None) -> str:
    return f"{_moved(old, new)}, and this folder cannot be moved there ({reason}); move it yourself"


def _is_ours(path: str, kind: str) -> bool:
    name = os.path.basename(path)
    if kind == "ca":
        return name in ("ca.key", "ca.pem")
    found = _NAME.match(name)
    if found is None or not os.path.isfile(path):
        return False
    if found.group(1):
        return True
    with open(path, "rb") as f:
        return key_form.verify(f.read(4096).decode("ascii", "replace").strip())
