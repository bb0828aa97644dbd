# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the bench say what was measured."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from tests.bench.bodies import small_tokens
from tests.bench.cluster import MODELS, Seen, arrivals
from tests.bench.load import LoadError, rate_of
from tests.bench.modules import PlaybookError, users_per_second
from tests.bench.streams import longest_stall
from tests.bench.summary import Figure, table

H2LOAD = """
finished in {seconds}, 5323.88 req/s, 898.72KB/s
requests: {total} total, {total} started, {total} done, {good} succeeded, {bad} failed, 0 errored, 0 timeout
status codes: {good} 2xx, 0 3xx, {bad} 4xx, 0 5xx
req/s           :    1832.57     1869.13     1851.58        9.75    62.50%
"""


def figure(unit: str, target: float | None, *rounds: tuple[float, float]) -> Figure:
    made = Figure("some", unit, target, "what it means")
    for one in rounds:
        made.add(*one)
    return made


def test_a_ratio_is_the_median_of_each_rounds_own() -> None:
    assert figure("ratio", None, (100, 90), (1000, 800), (10, 9)).value == 0.9


def test_milliseconds_are_the_median_of_what_the_gateway_adds() -> None:
    assert figure("ms", None, (1, 3), (10, 11), (5, 4)).value == 1


@pytest.mark.parametrize(
    ("unit", "gateway", "met"),
    [("ratio", 8.5, True), ("ratio", 8.4, False), ("ms", 10.85, True), ("ms", 10.9, False)],
)
def test_a_ratio_has_to_be_high_and_milliseconds_few(unit: str, gateway: float, met: bool) -> None:
    assert figure(unit, 0.85, (10, gateway)).met is met


def test_a_figure_without_a_target_is_neither_met_nor_missed() -> None:
    assert figure("ratio", None, (10, 1)).met is None


def test_the_table_says_which_target_is_missed() -> None:
    missed = table([figure("ratio", 0.85, (10, 5)), figure("ms", 50, (10, 20))]).splitlines()
    assert missed[1].split() == ["some", "0.500", "ratio", ">=", "0.85", "NO", "10.0", "5.0"]
    assert missed[2].split() == ["some", "10.000", "ms", "<=", "50", "yes", "10.0", "20.0"]


def test_the_rate_is_that_of_all_requests() -> None:
    assert rate_of(H2LOAD.format(seconds="800.12ms", total=4259, good=4259, bad=0)) == 5323.88


def test_a_rate_with_refused_requests_is_none() -> None:
    with pytest.raises(LoadError):
        rate_of(H2LOAD.format(seconds="1.00s", total=5000, good=4990, bad=10))


def test_a_stall_is_what_the_way_adds_to_a_gap() -> None:
    # The upstream itself paused for a second; the third chunk then came half a second late.
    assert longest_stall([(0.0, 0.25), (1.0, 1.25), (1.5, 2.25), (2.0, 2.25)]) == 0.5


def test_the_body_of_small_tokens_is_whole_and_of_its_size() -> None:
    body = small_tokens(1)
    assert 1_000_000 - len(body) in (0, 1)
    assert set(json.loads(body)["x"]) == {0}


def timed(**result: Any) -> dict[str, Any]:
    """What the callback ansible.posix.json says of a task that took two and a half seconds."""
    duration = {"start": "2026-01-01T00:00:59.500000Z", "end": "2026-01-01T00:01:02.000000Z"}
    other = {"task": {"name": "other", "duration": {}}, "hosts": {}}
    return {"plays": [{"tasks": [other, {"task": {"name": "ours", "duration": duration}, "hosts": {"here": result}}]}]}


def test_the_rate_of_a_task_is_that_of_its_own_time() -> None:
    assert users_per_second(timed(changed=False), False, "ours", 1000) == 400


@pytest.mark.parametrize("result", [{"changed": True}, {"changed": False, "failed": True, "msg": "no passlib"}])
def test_a_task_that_did_something_else_has_no_rate(result: dict[str, Any]) -> None:
    with pytest.raises(PlaybookError, match=str(result.get("msg", "changed"))):
        users_per_second(timed(**result), False, "ours", 1000)


def test_the_requests_for_a_cluster_are_the_same_each_time_and_ask_for_one_model_more_than_for_the_next() -> None:
    wanted = arrivals(3000)
    assert wanted == arrivals(3000)
    asked = Counter(one.model for one in wanted)
    assert [name for name, _count in asked.most_common()] == MODELS
    assert all(later.at > earlier.at for earlier, later in pairwise(wanted))


def test_an_answer_that_never_began_has_failed_and_one_that_was_cut_has_not() -> None:
    seen = Seen(Counter({200: 7, 503: 2, 0: 1}), cut=3)
    assert seen.failed == 3
