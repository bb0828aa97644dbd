# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of a gateway that serves gets another place. What is mounted from it stays mounted, by rename(2)."""

from __future__ import annotations

import errno
import os

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

ELSEWHERE = (
    "{old} cannot be moved to {new} while its gateway serves: they are on different filesystems ({why}). Stop it and "
    "copy the folder yourself, on the host: `docker stop {container} && cp -a {old} {new} && mv {old} {old}.before`; "
    "then deploy again. Nothing was changed"
)


class NotMoved(GatehouseError):
    """The folder stays where it is; the text says why and what to do."""


def is_due(old: str, new: str) -> bool:
    """Whether the gateway that runs from `old` has to get the folder `new`. Raises NotMoved."""
    # By a link as well: that of an earlier move, where this one is its way back.
    if os.path.realpath(old) == os.path.realpath(new):
        return False
    # A run that was killed between the two steps has moved it.
    if not os.path.lexists(old):
        return os.path.isdir(new)
    if os.path.lexists(new) and not (os.path.isdir(new) and not os.listdir(new)):
        raise NotMoved(
            f"The gateway that runs has its folder at {old}, and {new} is not empty. Empty it, or set "
            f"ollama_gateway_dir to {old}"
        )
    return True


def move(old: str, new: str, container: str) -> None:
    """Rename the folder, and leave a link for what still asks for it by its former name. Raises NotMoved, OSError."""
    if os.path.lexists(old):
        os.makedirs(os.path.dirname(new), mode=0o755, exist_ok=True)
        try:
            # Onto an empty folder as well; not where that is a filesystem of its own.
            os.rename(old, new)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EBUSY):
                raise
            raise NotMoved(ELSEWHERE.format(old=old, new=new, container=container, why=error.strerror)) from None
    os.symlink(new, old)
