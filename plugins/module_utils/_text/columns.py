# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables for people to read. Pure functions."""

from __future__ import annotations

import typing as t


def aligned(rows: t.Sequence[t.Sequence[str]]) -> list[str]:
    """A line for each row, with the cells of a column below each other; all rows have as many cells."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
