# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does one thing for many items at a time. Of use where the interpreter's lock is given up meanwhile."""

from __future__ import annotations

import concurrent.futures
import os
import typing as t

Item = t.TypeVar("Item")
Result = t.TypeVar("Result")

# Beyond that, memory and the host's other work count for more.
_MOST = 32


def cores() -> int:
    """How many cores this process may use."""
    try:
        return min(len(os.sched_getaffinity(0)), _MOST)
    except AttributeError:  # not on macOS
        return min(os.cpu_count() or 1, _MOST)


def in_order(function: t.Callable[[Item], Result], items: t.Sequence[Item], threads: int | None = None) -> list[Result]:
    """The results in the order of the items, computed by as many threads as there are cores.

    An error is that of the first item with one.
    """
    threads = min(cores() if threads is None else threads, len(items))
    if threads <= 1:
        return [function(item) for item in items]
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))
