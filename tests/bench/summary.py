# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures: what a gateway measured against what its baseline did, round by round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any


def _compared(unit: str, baseline: float, gateway: float) -> float:
    """How a round's two numbers become one."""
    return gateway / baseline if unit == "ratio" else gateway - baseline


@dataclass
class Figure:
    """One figure. A ratio's target is a minimum, unless `at_most` says otherwise; milliseconds should be few."""

    name: str
    unit: str
    target: float | None
    meaning: str
    # Whether the target is a maximum; it always is for milliseconds.
    at_most: bool = False
    rounds: list[tuple[float, float]] = field(default_factory=list)

    def add(self, baseline: float, gateway: float) -> None:
        """A round: what the baseline and the gateway measured one after the other."""
        self.rounds.append((baseline, gateway))

    @property
    def value(self) -> float:
        """The median of the rounds, each compared in itself: other load on the machine hits both sides of a round."""
        return median(_compared(self.unit, baseline, gateway) for baseline, gateway in self.rounds)

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if self.target is None:
            return None
        return self.value <= self.target if self.is_limit else self.value >= self.target

    @property
    def is_limit(self) -> bool:
        """Whether the target is a maximum."""
        return self.at_most or self.unit == "ms"

    def report(self) -> dict[str, Any]:
        """What build/bench.json says about the figure."""
        baselines, gateways = zip(*self.rounds, strict=True)
        return {
            "value": round(self.value, 3),
            "unit": self.unit,
            "target": self.target,
            "met": self.met,
            "baseline": round(median(baselines), 3),
            "gateway": round(median(gateways), 3),
            "repetitions": len(self.rounds),
            "meaning": self.meaning,
        }


def table(figures: list[Figure]) -> str:
    """The figures for people to read."""
    rows = [("figure", "value", "target", "met", "baseline", "gateway")]
    for figure in figures:
        told = figure.report()
        sign = "<=" if figure.is_limit else ">="
        rows.append(
            (
                figure.name,
                f"{told['value']:.3f} {figure.unit}",
                "-" if figure.target is None else f"{sign} {figure.target:g}",
                {None: "-", True: "yes", False: "NO"}[figure.met],
                f"{told['baseline']:.1f}",
                f"{told['gateway']:.1f}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def in_turn(rounds: int, figure: Figure, baseline: Callable[[], float], gateway: Callable[[], float]) -> None:
    """Measure both in short rounds, each time the other one first."""
    for number in range(rounds):
        if number % 2:
            second = gateway()
            figure.add(baseline(), second)
        else:
            first = baseline()
            figure.add(first, gateway())
