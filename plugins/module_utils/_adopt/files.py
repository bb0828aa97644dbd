# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what somebody else put on a host: files of a sensible size, and no links, which could lead root anywhere."""

from __future__ import annotations

import errno
import os
import stat

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

# A hundred thousand users or keys.
MOST_BYTES = 16 << 20


def read(path: str) -> bytes:
    """The content of a file. Raises GatehouseError."""
    try:
        # A pipe in the place of a file would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise GatehouseError(f"{path}: it is no file")
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise GatehouseError(f"{path}: it is a link, and none is followed; name the file itself") from None
        raise GatehouseError(f"{path}: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise GatehouseError(f"{path}: it has more than {MOST_BYTES >> 20} MB")
    return content
