# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which days the options mean."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._usage import days
from ansible_collections.gatehouse.ollama.plugins.module_utils._usage.days import Days

TODAY = datetime.date(2026, 11, 30)


def day(month: int, number: int) -> datetime.date:
    return datetime.date(2026, month, number)


def told(since: str, until: str) -> list[str]:
    problems = Problems()
    days.read(since, until, TODAY, problems, "usage_")
    return problems


@pytest.mark.parametrize(
    ("since", "until", "meant"),
    [
        ("", "", Days()),
        ("2026-11-01", "2026-11-29", Days(day(11, 1), day(11, 29))),
        ("2026-11-29", "2026-11-29", Days(day(11, 29), day(11, 29))),
        ("yesterday", "today", Days(day(11, 29), day(11, 30))),
        ("today", "", Days(day(11, 30), None)),
        ("", "yesterday", Days(None, day(11, 29))),
        ("1d", "", Days(day(11, 30), None)),
        ("7d", "", Days(day(11, 24), None)),
        ("30d", "", Days(day(11, 1), None)),
    ],
)
def test_days_are_named_or_counted_back_with_today_as_the_first(since: str, until: str, meant: Days) -> None:
    problems = Problems()
    assert days.read(since, until, TODAY, problems) == meant
    assert problems == []


@pytest.mark.parametrize(
    "text", ["2026-13-01", "2026-11-31", "20261130", "2026-W48-1", "30.11.2026", "0d", "-7d", "7", "7h"]
)
def test_what_is_no_day_is_refused_with_what_would_be_right(text: str) -> None:
    right = "a day such as 2026-11-30, today, yesterday, the last days such as 7d, or empty for the first one"
    assert told(text, "") == [f"usage_since: it must be {right}"]
    (problem,) = told("", text)
    assert problem.startswith("usage_until: it must be a day such as 2026-11-30, ")


def test_a_number_of_days_is_none_to_end_with() -> None:
    (problem,) = told("", "7d")
    assert "7d" not in problem


def test_an_end_before_the_beginning_is_refused_with_both() -> None:
    assert told("today", "2026-11-29") == [
        "usage_since: 2026-11-30 is after usage_until, which is 2026-11-29; name an earlier day, or make it empty for "
        "the first one"
    ]


def test_both_ends_are_included_and_an_open_one_has_no_end() -> None:
    some = Days(day(11, 2), day(11, 4))
    assert [number for number in range(1, 7) if some.have(day(11, number))] == [2, 3, 4]
    assert Days().have(datetime.date.min)
    assert Days().have(datetime.date.max)
