# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the ledgers of gateways say, for people and programs to read. Pure functions."""

from __future__ import annotations

import csv
import io
import json
import typing as t
from dataclasses import asdict, dataclass, field

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.columns import aligned
from ansible_collections.gatehouse.ollama.plugins.module_utils._usage import days
from ansible_collections.gatehouse.ollama.plugins.module_utils._usage.ledger import (
    COLUMNS,
    MOST,
    Figures,
    Usage,
    is_count,
    is_duration,
    is_name,
)

Row = t.Dict[str, t.Any]
Sums = t.Dict[t.Tuple[str, ...], Figures]

FIGURES = tuple(asdict(Figures()))
FORMATS = ("table", "csv", "json")
# A password has no key, and who was refused early no model.
_NOTHING = "-"
# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@")
# Each request adds up to MOST, so the sums of many are larger.
_MOST_SUM = MOST**2
# So many files are named; who repairs these finds the others.
_TOLD = 10
_MOST_FILES = 100


class Answer(t.NamedTuple):
    """What one gateway answered."""

    sums: Sums
    days: t.List[str]
    damaged: int


@dataclass
class Report:
    """What all gateways said together."""

    sums: Sums = field(default_factory=dict)
    days: list[str] = field(default_factory=list)
    damaged: int = 0

    def add(self, answer: Answer) -> None:
        for names, figures in answer.sums.items():
            _add(self.sums.setdefault(names, Figures()), figures)
        self.days += answer.days
        self.damaged += answer.damaged


def columns_problem(by: t.Sequence[object]) -> str | None:
    """What is wrong with a choice of columns, if so."""
    if by and all(name in COLUMNS for name in by) and len(by) == len({str(name) for name in by}):
        return None
    return f"it must be one or more of {', '.join(COLUMNS)}, each once"


def rows(sums: Sums, by: t.Sequence[str]) -> list[Row]:
    """The sums in the order of their names."""
    return [{**dict(zip(by, names)), **_shown(sums[names])} for names in sorted(sums)]


def total(sums: Sums) -> Row:
    everything = Figures()
    for figures in sums.values():
        _add(everything, figures)
    return _shown(everything)


def first_and_last(named: t.Sequence[str]) -> dict[str, str] | None:
    return {"first": min(named), "last": max(named)} if named else None


def damaged(usage: Usage) -> dict[str, t.Any]:
    """How many lines are damaged, and which come first in which files."""
    files = list(usage.damage.items())[:_MOST_FILES]
    return dict(
        count=sum(damage.count for damage in usage.damage.values()),
        files=[dict(file=name, count=damage.count, lines=damage.lines) for name, damage in files],
    )


def warnings(usage: Usage) -> list[str]:
    """What of the ledger is not in the sums."""
    texts = []
    for name, damage in usage.damage.items():
        numbers = ", ".join(map(str, damage.lines))
        more = f" and {damage.count - len(damage.lines)} more" if damage.count > len(damage.lines) else ""
        noun = "line" if damage.count == 1 else "lines"
        rest = "; what is behind that was not read" if damage.is_cut else ""
        texts.append(f"{name}, {noun} {numbers}{more}: damaged, and left out{rest}")
    texts += [f"{name}: it is no regular file, and left out" for name in usage.no_files]
    return texts[:_TOLD] + ([f"more files like these: {len(texts) - _TOLD}"] if len(texts) > _TOLD else [])


def answer(result: t.Mapping[str, t.Any], by: t.Sequence[str]) -> Answer:
    """What the module returned on a host. Raises GatehouseError: whoever took that over may return anything."""
    try:
        sums = dict(_read_row(row, by) for row in result["rows"])
        found = result["days"]
        named = [found["first"], found["last"]] if found is not None else []
        count = result["damaged"]["count"]
    except (KeyError, TypeError):
        raise GatehouseError("its answer is none of gatehouse.ollama.usage_info") from None
    if not all(isinstance(day, str) and days.parse(day) for day in named) or not _is_sum(count):
        raise GatehouseError("its answer has days or numbers that cannot be")
    return Answer(sums, named, count)


def table(sums: Sums, by: t.Sequence[str], named: t.Sequence[str], count: int = 0) -> list[str]:
    """A line for each row, one for all together, and then of which days that is and how many lines were left out."""
    lines = []
    if sums:
        header = [*by, *(name.replace("_", "-") for name in FIGURES)]
        cells = [[*(_cell(name) for name in names), *_numbers(sums[names])] for names in sorted(sums)]
        cells.append([*["total", *[_NOTHING] * len(by)][: len(by)], *_numbers(_sum(sums))])
        lines += aligned(_to_the_right([header, *cells], len(by)))
    ends = first_and_last(named)
    lines.append(f"{ends['first']} to {ends['last']}, days of UTC" if sums and ends else "no request in these days")
    return [*lines, *left_out(count)]


def left_out(count: int) -> list[str]:
    """What is said of damaged lines, if there are any."""
    return [f"{count} damaged line{'' if count == 1 else 's'} left out"] if count else []


def as_csv(sums: Sums, by: t.Sequence[str]) -> str:
    """The rows for a spreadsheet, for which no name is a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*by, *FIGURES])
    for row in rows(sums, by):
        writer.writerow([_harmless(row[name]) for name in by] + [row[name] for name in FIGURES])
    return text.getvalue()


def as_json(report: Report, by: t.Sequence[str], missing: t.Sequence[str]) -> str:
    """All there is. `missing` are the gateways that did not answer."""
    content = dict(
        days=first_and_last(report.days),
        by=list(by),
        rows=rows(report.sums, by),
        total=total(report.sums),
        damaged=report.damaged,
        missing=list(missing),
    )
    return json.dumps(content, indent=2) + "\n"


def _add(to: Figures, more: Figures) -> None:
    for name in FIGURES:
        setattr(to, name, getattr(to, name) + getattr(more, name))


def _sum(sums: Sums) -> Figures:
    return Figures(**total(sums))


def _shown(figures: Figures) -> Row:
    return {**asdict(figures), "seconds": round(figures.seconds, 3)}


def _read_row(row: t.Mapping[str, t.Any], by: t.Sequence[str]) -> tuple[tuple[str, ...], Figures]:
    names = tuple(row[name] for name in by)
    figures = Figures(**{name: row[name] for name in FIGURES})
    counts = [getattr(figures, name) for name in FIGURES if name != "seconds"]
    are_right = all(map(is_name, names)) and all(map(_is_sum, counts))
    if not are_right or not is_duration(figures.seconds, _MOST_SUM):
        raise GatehouseError("its answer has names or numbers that cannot be")
    return names, figures


def _is_sum(value: object) -> bool:
    return is_count(value, _MOST_SUM)


def _cell(name: str) -> str:
    return name or _NOTHING


def _numbers(figures: Figures) -> list[str]:
    return [f"{figures.seconds:.1f}" if name == "seconds" else str(getattr(figures, name)) for name in FIGURES]


def _to_the_right(cells: t.Sequence[t.Sequence[str]], after: int) -> list[list[str]]:
    """The same with the columns behind the first ones filled up from the left, as numbers are."""
    widths = [max(map(len, column)) for column in zip(*cells)]
    return [
        [cell.rjust(width) if number >= after else cell for number, (cell, width) in enumerate(zip(row, widths))]
        for row in cells
    ]


def _harmless(name: str) -> str:
    return f"'{name}" if name.startswith(_FORMULA) else name
