# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a container to be as it should."""

from __future__ import annotations

import time
import typing as t

_STEP = 0.05


def within(seconds: float, holds: t.Callable[[], bool]) -> bool:
    """Whether it holds at once, or within so many seconds."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(_STEP)
    return True
