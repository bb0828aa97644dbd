# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs attacks, class by class, within a budget of requests, of requests a second and of time."""

from __future__ import annotations

import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attack import Attack, got
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Answer

_WORKERS = 4


@dataclass(frozen=True)
class Result:
    """What came of one attack; `route` and `column` say where it stands in the table, if it does."""

    kind: str
    name: str
    held: bool
    sent: str
    came_back: str
    expected: str
    route: str = ""
    column: str = ""
    # What is to be said of it though it is no hole.
    note: str = ""
    # What the table says of it.
    got: str = ""


T = t.TypeVar("T", Attack, Result)


class Budget:
    """`requests` at most in all, `rate` of them a second, within `seconds` from now on."""

    def __init__(self, requests: int, rate: float, seconds: float) -> None:
        self._left = requests
        self._pause = 1.0 / rate
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._next = time.monotonic()
        self._lock = threading.Lock()

    def take(self, count: int) -> None:
        """Refuse before any of `count` requests is made, if they are too many."""
        if count > self._left:
            raise GatehouseError(
                f"{count} more attacks are to be made and max_requests allows {self._left}; raise max_requests"
            )
        self._left -= count

    def wait(self) -> None:
        """Wait for the turn of the next request."""
        with self._lock:
            turn = max(self._next, time.monotonic())
            self._next = turn + self._pause
        if turn > self._deadline:
            raise GatehouseError(
                f"the attacks took longer than the timeout of {self._seconds:g} seconds; raise timeout "
                "(of the role: ollama_gateway_verify_timeout) or rate"
            )
        time.sleep(max(0.0, turn - time.monotonic()))


def run(
    attacks: t.Iterable[Attack],
    send: t.Callable[[Attack], Answer],
    budget: Budget,
    secrets: t.Sequence[bytes] = (),
) -> t.Iterator[Result]:
    """The results, in order, up to the end of the first class in which one did not hold. Raises GatehouseError."""

    def one(attack: Attack) -> Result:
        budget.wait()
        answer = send(attack)
        held = attack.expects.holds(answer)
        return Result(
            attack.kind,
            attack.name,
            held,
            attack.request.shown,
            answer.shown(secrets),
            attack.expects.text,
            attack.route,
            attack.column,
            got=got(answer, attack.expects, held),
        )

    for group in by_kind(attacks):
        budget.take(len(group))
        with ThreadPoolExecutor(_WORKERS) as pool:
            results = list(pool.map(one, group))
        yield from results
        if not all(result.held for result in results):
            return


def by_kind(several: t.Iterable[T]) -> list[list[T]]:
    """Attacks or results, each class together."""
    groups: dict[str, list[T]] = {}
    for one in several:
        groups.setdefault(one.kind, []).append(one)
    return list(groups.values())
