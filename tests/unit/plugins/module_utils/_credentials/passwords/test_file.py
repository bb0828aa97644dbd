# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many items at a time give the same as one after the other."""

from __future__ import annotations

import os
import threading
import time

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.passwords import file as password_file
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.passwords.file import cores, in_order


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_results_come_in_the_order_of_the_items(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def slower_first(number: int) -> int:
        time.sleep(0.002 * (20 - number))
        return number * number

    monkeypatch.setattr(password_file, "cores", lambda: threads)
    assert in_order(slower_first, range(20)) == [number * number for number in range(20)]
    assert in_order(slower_first, []) == []


def test_items_are_done_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(3, timeout=10)
    monkeypatch.setattr(password_file, "cores", lambda: 3)
    assert sorted(in_order(lambda _: together.wait(), range(3))) == [0, 1, 2]


@pytest.mark.parametrize("threads", [1, 4])
def test_the_error_is_that_of_the_first_item_with_one(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(number: int) -> int:
        if number in (3, 7):
            raise ValueError(number)
        return number

    monkeypatch.setattr(password_file, "cores", lambda: threads)
    with pytest.raises(ValueError, match="3"):
        in_order(fail, range(10))


def test_there_are_as_many_threads_as_cores_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5, 6})
    assert cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1
