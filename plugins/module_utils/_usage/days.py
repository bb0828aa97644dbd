# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which days of the ledger are asked for. A day is one of UTC. Pure functions."""

from __future__ import annotations

import datetime
import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.durations import read_days

_DAY = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
_UNTIL = "a day such as 2026-11-30, today, yesterday, or empty for the last one"
_SINCE = "a day such as 2026-11-30, today, yesterday, the last days such as 7d, or empty for the first one"


class Days(t.NamedTuple):
    """From the first to the last of them, both included; None: there is no such end."""

    first: t.Optional[datetime.date] = None
    last: t.Optional[datetime.date] = None

    def have(self, day: datetime.date) -> bool:
        return (self.first or day) <= day <= (self.last or day)


def parse(text: str) -> datetime.date | None:
    """The day that is written as 2026-11-30; None if it is none."""
    try:
        # Newer versions of Python take other forms as well.
        return datetime.date.fromisoformat(text) if _DAY.match(text) else None
    except ValueError:
        return None


def read(since: str, until: str, today: datetime.date, problems: Problems, prefix: str = "") -> Days:
    """The days that the options `since` and `until` mean; what is wrong is told by their names behind `prefix`."""
    first, last = _day(since, today, back=True), _day(until, today, back=False)
    problems.add(f"{prefix}since", f"it must be {_SINCE}" if since and first is None else None)
    problems.add(f"{prefix}until", f"it must be {_UNTIL}" if until and last is None else None)
    if first and last and first > last:
        text = (
            f"{first} is after {prefix}until, which is {last}; name an earlier day, or make it empty for the first one"
        )
        problems.add(f"{prefix}since", text)
    return Days(first, last)


def _day(text: str, today: datetime.date, back: bool) -> datetime.date | None:
    """`back`: whether a number of days means the first of so many, of which today is the last."""
    if text in ("today", "yesterday"):
        return today - datetime.timedelta(days=int(text == "yesterday"))
    number = read_days(text) if back else None
    return today - datetime.timedelta(days=number - 1) if number else parse(text)
