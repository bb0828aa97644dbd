# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text files of one record a line: what a list of wanted records makes of the lines that are there. Pure functions."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import DamagedFile


@dataclass(frozen=True)
class Line:
    """A line of a file. `name` is None for what is no named record; `about` describes it without secrets."""

    number: int
    text: str = field(repr=False)
    name: str | None
    about: str

    @property
    def label(self) -> str:
        return f"line {self.number}: {self.about}" if self.name is None else f"{self.name}: {self.about}"


@dataclass(frozen=True)
class Record:
    """A wanted record. `change` says in a few words what makes it differ from the line of the same name, if so."""

    name: str
    text: str = field(repr=False)
    about: str
    change: str = ""


@dataclass(frozen=True)
class Outcome:
    """The new text of the file, the names by what happened to them, and the two sides of a diff without secrets."""

    text: str = field(repr=False)
    changed: bool
    added: list[str]
    updated: list[str]
    removed: list[str]
    unchanged: list[str]
    before: str
    after: str


def split_lines(content: bytes) -> list[str]:
    """The lines of a file, without their newlines; raises DamagedFile at the first that is not UTF-8."""
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    texts = []
    for number, line in enumerate(lines, 1):
        try:
            texts.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            raise DamagedFile(number, "it is not UTF-8 text") from None
    return texts


def read_lines(content: bytes, read: t.Callable[[int, str], Line]) -> list[Line]:
    """The lines of a file; `read` judges those that are neither empty nor a comment. A name may occur once."""
    lines = []
    seen: dict[str, int] = {}
    for number, text in enumerate(split_lines(content), 1):
        stripped = text.strip()
        if not stripped or stripped.startswith("#"):
            lines.append(Line(number, text, None, "a comment" if stripped else "an empty line"))
            continue
        line = read(number, text)
        if line.name is not None:
            if line.name in seen:
                raise DamagedFile(number, f"it has the same name as line {seen[line.name]}")
            seen[line.name] = number
        lines.append(line)
    return lines


def merge(
    content: bytes | None,
    lines: t.Sequence[Line],
    wanted: t.Sequence[Record],
    purge: bool,
    is_absent: t.Callable[[str], bool],
) -> Outcome:
    """What becomes of a file whose `content` was read as `lines`; None stands for no file.

    With `purge` the file holds `wanted` and nothing else, in that order. Without, every line keeps its place, `wanted`
    replaces lines of the same names or is appended, and only lines that `is_absent` names go.
    """
    records: dict[str | None, Record] = {record.name: record for record in wanted}
    there = {line.name for line in lines if line.name is not None}

    def goes(line: Line) -> bool:
        return line.name not in records and (purge or (line.name is not None and is_absent(line.name)))

    kept: list[Line | Record] = list(wanted)
    if not purge:
        new = [record for record in wanted if record.name not in there]
        kept = [*(records.get(line.name, line) for line in lines if not goes(line)), *new]
    text = "".join(f"{item.text}\n" for item in kept)
    before = None if content is None else content.decode("utf-8")
    if before is not None and [item.text for item in kept] == [line.text for line in lines]:
        text = before  # a missing newline at the end is no reason to write
    said = [line.label + (" (removed)" if goes(line) else _foreign(line, records)) for line in lines]
    return Outcome(
        text=text,
        changed=text != before,
        added=[record.name for record in wanted if record.name not in there],
        updated=[record.name for record in wanted if record.name in there and record.change],
        removed=[line.name for line in lines if line.name is not None and goes(line)],
        unchanged=[record.name for record in wanted if record.name in there and not record.change],
        before="no such file\n" if before is None else "".join(f"{one}\n" for one in said),
        after="".join(_after(item, there) + "\n" for item in kept),
    )


def _after(item: Line | Record, there: t.AbstractSet[str]) -> str:
    if isinstance(item, Line):
        return item.label + _foreign(item)
    note = item.change if item.name in there else "added"
    return f"{item.name}: {item.about}" + (f" ({note})" if note else "")


def _foreign(line: Line, ours: t.Container[str | None] = ()) -> str:
    return "" if line.name is None or line.name in ours else " (foreign, kept)"
