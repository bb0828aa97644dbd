# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of the attacks, for people to read. Pure functions."""

from __future__ import annotations

import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._text.columns import aligned
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.run import Result, by_kind

HELD, HOLE, NOT_TRIED = "✓", "✗", "-"


def table(
    results: t.Sequence[Result],
    routes: t.Sequence[str],
    columns: t.Sequence[str],
    every: bool = False,
    head: str = "route",
) -> list[str]:
    """Who may do what: lines of a table of routes, or what `head` says, by columns, with what each of them got.

    Routes where all got the same share a line unless `every` is asked for. One with a hole has a line of its own.
    """
    cells: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        cells.setdefault((result.route, result.column), []).append(result)
    alike: dict[tuple[str, ...], list[str]] = {}
    for route in routes:
        row = tuple(_cell(cells.get((route, column), [])) for column in columns)
        apart = every or any(HOLE in cell for cell in row)
        alike.setdefault((route, *row) if apart else row, []).append(route)
    rows = [(_together(names), *key[-len(columns) :]) for key, names in alike.items()]
    return aligned([(head, *columns), *rows])


def _cell(results: t.Sequence[Result]) -> str:
    """What came of attacks with one credential on one route: holes, or in if one was let in, or the usual refusal."""
    holes = list(dict.fromkeys(result.got for result in results if not result.held))
    if holes:
        return f"{HOLE} {', '.join(holes)}"
    got = [result.got for result in results]
    return "in" if "in" in got else max(got, key=got.count, default=NOT_TRIED)


def _together(routes: t.Sequence[str]) -> str:
    shortest = min(routes, key=len)
    return shortest if len(routes) == 1 else f"{shortest} and {len(routes) - 1} more"


def summary(results: t.Sequence[Result]) -> list[str]:
    """A line for each class of attacks."""
    lines = []
    for group in by_kind(results):
        holes = sum(not result.held for result in group)
        found = f", holes: {holes}" if holes else ""
        lines.append(f"{HOLE if holes else HELD} {group[0].kind}: {len(group)}{found}")
    return lines


def notes(results: t.Sequence[Result]) -> list[str]:
    """What is to be said of attacks that found no hole."""
    return [f"{result.kind} {result.name}: {result.note}" for result in results if result.note]


def hole(results: t.Sequence[Result]) -> str:
    """The first hole in words; empty if there is none."""
    holes = [result for result in results if not result.held]
    if not holes:
        return ""
    first = holes[0]
    parts = [
        f"The wall has a hole ({first.kind}): {first.name}.",
        f"Sent:\n{_indented(first.sent)}" if first.sent else "",
        f"Came back:\n{_indented(first.came_back)}",
        f"Expected: {first.expected}.",
        "There are %d more of this class; later classes were not tried." % (len(holes) - 1) if len(holes) > 1 else "",
    ]
    return "\n".join(part for part in parts if part)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.strip().splitlines())
