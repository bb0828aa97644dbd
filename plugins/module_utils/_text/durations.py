# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations such as 90s, 30m, 24h and 7d. Pure functions."""

from __future__ import annotations

import re

DEFAULT_GRACE = "24h"

_DURATION = re.compile(r"(\d{1,8})([smhd])\Z", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST = 90 * _SECONDS["d"]
_DAYS = re.compile(r"([1-9]\d{0,4})d\Z", re.ASCII)


def read_duration(value: object) -> int | None:
    """The seconds of a duration of 90 days at most; None if it is none."""
    found = _DURATION.match(value) if isinstance(value, str) else None
    seconds = int(found.group(1)) * _SECONDS[found.group(2)] if found else _LONGEST + 1
    return seconds if seconds <= _LONGEST else None


def read_grace(value: object) -> tuple[int, str | None]:
    """The seconds that an old key goes on, and what is wrong with the value."""
    seconds = read_duration(value)
    if seconds is None:
        return 0, 'the grace must be a duration such as "90s", "30m", "24h" or "7d", and "90d" at most'
    return seconds, None


def written(seconds: int) -> str:
    """A number of seconds as a duration, in the largest unit of which it is a multiple."""
    unit = next(unit for unit in reversed(_SECONDS) if seconds % _SECONDS[unit] == 0) if seconds else "s"
    return f"{seconds // _SECONDS[unit]}{unit}"


def read_days(value: object) -> int | None:
    """The number of a duration in whole days, one or more; None if it is none."""
    found = _DAYS.match(value) if isinstance(value, str) else None
    return int(found.group(1)) if found else None
