# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of the attacks, for people to read. Pure functions."""

from __future__ import annotations

import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._columns import aligned
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall_run import Result

HELD, HOLE, NOT_TRIED = "✓", "✗", "-"


def table(results: t.Sequence[Result], routes: t.Sequence[str], columns: t.Sequence[str]) -> list[str]:
    """Lines of a table of routes by credentials; a cell is right only if every attack in it is."""
    cells: dict[tuple[str, str], bool] = {}
    for result in results:
        place = (result.route, result.column)
        cells[place] = cells.get(place, True) and result.held
    rows = [["route", *columns]]
    for route in routes:
        rows.append([route, *(_mark(cells.get((route, column))).center(len(column)) for column in columns)])
    return aligned(rows)


def summary(results: t.Sequence[Result]) -> list[str]:
    """A line for each class of attacks."""
    kinds: dict[str, list[Result]] = {}
    for result in results:
        kinds.setdefault(result.kind, []).append(result)
    lines = []
    for kind, group in kinds.items():
        holes = sum(not result.held for result in group)
        lines.append("%s %s: %d%s" % (_mark(not holes), kind, len(group), ", holes: %d" % holes if holes else ""))
    return lines


def notes(results: t.Sequence[Result]) -> list[str]:
    """What is to be said of attacks that found no hole."""
    return ["%s %s: %s" % (result.kind, result.name, result.note) for result in results if result.note]


def hole(results: t.Sequence[Result]) -> str:
    """The first hole in words; empty if there is none."""
    holes = [result for result in results if not result.held]
    if not holes:
        return ""
    first = holes[0]
    parts = [
        "The wall has a hole (%s): %s." % (first.kind, first.name),
        "Sent:\n%s" % _indented(first.sent) if first.sent else "",
        "Came back:\n%s" % _indented(first.came_back),
        "Expected: %s." % first.expected,
        "There are %d more of this class; later classes were not tried." % (len(holes) - 1) if len(holes) > 1 else "",
    ]
    return "\n".join(part for part in parts if part)


def _mark(held: bool | None) -> str:
    return NOT_TRIED if held is None else HELD if held else HOLE


def _indented(text: str) -> str:
    return "\n".join("    %s" % line for line in text.strip().splitlines())
