# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people and programs read of ledgers, and what of a host's answer is believed."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._usage import report
from ansible_collections.gatehouse.ollama.plugins.module_utils._usage.ledger import Damage, Figures, Usage, is_name
from hypothesis import given
from hypothesis import strategies as some

BY = ("client", "model")
SUMS = {
    ("bob", ""): Figures(1, 9, 0, 0, 1, 0.25),
    ("alice", "tiny:latest"): Figures(412, 18212, 44310, 151, 2, 903.4449),
}
ROW = {"client": "alice", "model": "tiny", **dict.fromkeys(report.FIGURES, 1)}
ANSWER = {"rows": [ROW], "days": {"first": "2026-11-29", "last": "2026-11-30"}, "damaged": {"count": 1}}

NO_ROWS: list[Any] = [None, 1, "x", [None], [[]], [{}], {"a": 1}]


def test_rows_are_in_the_order_of_their_names_with_seconds_to_the_millisecond() -> None:
    alice, bob = report.rows(SUMS, BY)
    assert alice == {
        **{"client": "alice", "model": "tiny:latest", "requests": 412, "prompt_tokens": 18212},
        **{"completion_tokens": 44310, "counted_tokens": 151, "errors": 2, "seconds": 903.445},
    }
    assert (bob["client"], bob["model"], bob["requests"]) == ("bob", "", 1)
    assert report.total(SUMS)["prompt_tokens"] == 18221


def test_the_table_has_numbers_to_the_right_and_a_line_for_all() -> None:
    assert report.table(SUMS, BY, ["2026-11-30", "2026-11-24"], 2) == [
        "client  model        requests  prompt-tokens  completion-tokens  counted-tokens  errors  seconds",
        "alice   tiny:latest       412          18212              44310             151       2    903.4",
        "bob     -                   1              9                  0               0       1      0.2",
        "total   -                 413          18221              44310             151       3    903.7",
        "2026-11-24 to 2026-11-30, days of UTC",
        "2 damaged lines left out",
    ]


def test_a_ledger_without_requests_says_so() -> None:
    assert report.table({}, BY, []) == report.table({}, BY, ["2026-11-30"]) == ["no request in these days"]
    assert (report.rows({}, BY), report.total({})["requests"], report.first_and_last([])) == ([], 0, None)
    assert report.as_csv({}, BY) == "client,model," + ",".join(report.FIGURES) + "\n"


def test_damage_is_told_by_its_lines_and_never_without_end() -> None:
    usage = Usage(damage={"a": Damage(1, [7]), "b": Damage(12, list(range(1, 11)), is_cut=True)}, no_files=["c"])
    assert report.warnings(usage) == [
        "a, line 7: damaged, and left out",
        "b, lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more: damaged, and left out; what is behind that was not read",
        "c: it is no regular file, and left out",
    ]
    assert report.damaged(usage)["count"] == 13
    usage = Usage(damage={str(number): Damage(1, [1]) for number in range(1000)})
    assert report.warnings(usage)[10:] == ["more files like these: 990"]
    assert (report.damaged(usage)["count"], len(report.damaged(usage)["files"])) == (1000, 100)


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", '=cmd|"/c calc"!A1'])
def test_no_name_is_a_formula_of_a_spreadsheet(name: str) -> None:
    _header, cells = csv.reader(io.StringIO(report.as_csv({(name, "a,b"): Figures()}, BY)))
    assert cells[:2] == [f"'{name}", "a,b"]


NAME = some.text().filter(is_name)


@given(some.dictionaries(some.tuples(NAME, NAME), some.builds(Figures, *[some.integers(0, 99)] * 6)))
def test_csv_and_json_hold_all_rows(sums: dict[tuple[str, ...], Figures]) -> None:
    header, *cells = csv.reader(io.StringIO(report.as_csv(sums, BY), newline=""))
    assert (tuple(header), len(cells)) == ((*BY, *report.FIGURES), len(sums))
    assert sum(int(row[2]) for row in cells) == report.total(sums)["requests"]
    said = json.loads(report.as_json(report.Report(sums), BY, ["gone"]))
    assert (said["rows"], said["total"]) == (report.rows(sums, BY), report.total(sums))
    assert (said["by"], said["missing"]) == (["client", "model"], ["gone"])


@given(some.lists(some.lists(some.tuples(some.sampled_from("abc"), some.integers(0, 9)))))
def test_what_several_gateways_counted_is_what_one_would_have(hosts: list[list[tuple[str, int]]]) -> None:
    def summed(requests: list[tuple[str, int]]) -> report.Sums:
        sums: report.Sums = {}
        for client, tokens in requests:
            sums.setdefault((client,), Figures()).requests += 1
            sums[client,].prompt_tokens += tokens
        return sums

    merged = report.Report()
    for requests in hosts:
        merged.add(report.Answer(summed(requests), [], 1))
    assert merged.sums == summed([one for requests in hosts for one in requests])
    assert merged.damaged == len(hosts)


def test_an_answer_is_read_as_it_was_given() -> None:
    answer = report.answer(ANSWER, BY)
    assert answer == (({("alice", "tiny"): Figures(1, 1, 1, 1, 1, 1)}), ["2026-11-29", "2026-11-30"], 1)
    assert report.answer({**ANSWER, "rows": [], "days": None}, BY) == ({}, [], 1)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"rows": value} for value in NO_ROWS),
        *({"rows": [{**ROW, "client": name}]} for name in ("\x1b[2J", "a\nb", "a" * 513, 1, None, ["a"])),
        *({"rows": [{**ROW, "requests": count}]} for count in (-1, True, 1.5, "1", None, 10**30)),
        *({"rows": [{**ROW, "seconds": count}]} for count in (-1, True, "1", None, float("nan"), float("inf"))),
        *({"days": value} for value in (1, {}, {"first": "x", "last": "2026-11-30"}, {"first": 1, "last": 2})),
        *({"damaged": value} for value in (None, {}, {"count": "many"}, {"count": -1})),
    ],
    ids=repr,
)
def test_an_answer_that_a_host_cannot_have_is_refused(wrong: dict[str, Any]) -> None:
    """Whoever took the host over may have it answer what it likes."""
    with pytest.raises(GatehouseError, match="its answer "):
        report.answer({**ANSWER, **wrong}, BY)


@pytest.mark.parametrize(
    ("by", "right"), [(["day"], True), (["day", "day"], False), ([], False), (["host"], False), ([1], False)]
)
def test_columns_are_chosen_each_once(by: list[Any], right: bool) -> None:
    assert (report.columns_problem(by) is None) is right
