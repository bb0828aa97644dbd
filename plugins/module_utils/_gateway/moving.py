# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of a gateway that serves gets another place. What is mounted from it stays mounted, by rename(2)."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

ELSEWHERE = (
    "{old} cannot be moved to {new} while its gateway serves: they are on different filesystems. Stop it and copy the "
    "folder yourself, on the host: `docker stop {container} && cp -aT {old} {new} && mv {old} {old}.before && "
    "ln -s {new} {old}`; then deploy again. Nothing was changed"
)
# Where certbot writes down the folders that it works with.
_RENEWAL = "acme/config/renewal"


class NotMoved(GatehouseError):
    """The folder stays where it is; the text says why and what to do."""


def is_due(old: str, new: str, container: str) -> bool:
    """Whether the gateway that ran from `old` last has to get the folder `new`. Raises NotMoved, OSError."""
    real = os.path.realpath(old)
    # By a link as well: that of an earlier move, where this one is its way back.
    if real == os.path.realpath(new):
        return False
    if not os.path.isdir(real):
        if _came_from(old, new):
            # A run that was killed between the two steps has moved it.
            return True
        raise NotMoved(
            f"The gateway had its folder at {old}, which is not there. Set ollama_gateway_dir to where it is"
        )
    if os.path.lexists(new) and not (os.path.isdir(new) and not os.path.islink(new) and not os.listdir(new)):
        raise NotMoved(
            f"The gateway has its folder at {old}, and {new} is not empty. Empty it, or set ollama_gateway_dir to {old}"
        )
    if f"{os.path.realpath(new)}/".startswith(f"{real}/"):
        raise NotMoved(f"{new} is in the folder that would be moved there, {old}. Choose one beside it")
    if os.stat(real).st_dev != os.stat(_nearest(new)).st_dev:
        raise NotMoved(ELSEWHERE.format(old=real, new=new, container=container))
    return True


def move(old: str, new: str) -> None:
    """Rename the folder, and leave a link for what still asks for it by its former name. Raises OSError."""
    real = os.path.realpath(old)
    if os.path.isdir(real):
        os.makedirs(os.path.dirname(new), mode=0o755, exist_ok=True)
        os.rename(real, new)
    for name in sorted({old, real}):
        for file in Path(new, _RENEWAL).glob("*.conf"):
            _rename_in(file, f"{name}/acme/", f"{new}/acme/")
    os.symlink(new, real)


def _came_from(old: str, new: str) -> bool:
    """Whether the gateway in `new` was described in `old`."""
    try:
        return f'"{old}/' in Path(new, "compose.yaml").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _nearest(path: str) -> str:
    """The path, or the nearest folder above it that is there."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


def _rename_in(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    if old in text:
        there, other = file.stat(), file.with_name(f".{file.name}.new")
        other.write_text(text.replace(old, new), encoding="utf-8")
        other.chmod(there.st_mode & 0o7777)
        os.chown(other, there.st_uid, there.st_gid)
        other.replace(file)
