# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger: a file of JSON lines for each UTC day, a line for each request to a model. Read as it comes, never kept.

The gateway writes it, and whoever took that over may have written anything: no link is followed, nothing but files is
read, no line is quoted, and reading takes neither memory nor time without end.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import json
import os
import re
import stat
import typing as t
from dataclasses import dataclass, field

from ansible_collections.gatehouse.ollama.plugins.module_utils._usage import days

# By what requests can be told apart.
COLUMNS = ("client", "key", "model", "day")
# In place of each column: what is beyond so many sums. No client has this name.
OTHERS = "(others)"
MOST_SUMS = 100000
# No request takes more tokens, or seconds.
MOST = 2**31

_FILE = re.compile(r"\d{4}-\d\d-\d\d\.jsonl\Z", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z\Z", re.ASCII)
_NAMES = ("request_id", "client", "key", "model", "route", "server")
_LONGEST_NAME = 512
_SOURCES = ("server", "counted", "none")
_ENDS = ("complete", "broken", "error")
_LAST_STATUS = 999
# The gateway writes far shorter ones, none of them a long one.
_LONGEST_LINE = 65536
_LONG_LINE = 4096
# Of lines that are longer, so much is passed by in all: a file may have holes of any length that cost no disk.
_MOST_PASSED_BY = 256 << 20
# So many numbers of lines are told of a file; who repairs these finds the others.
_TOLD = 10


@dataclass
class Figures:
    """What requests took together. `counted_tokens` are those of all that Ollama did not say itself."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    counted_tokens: int = 0
    errors: int = 0
    seconds: float = 0.0

    def add(self, entry: t.Mapping[str, t.Any]) -> None:
        """Add a line of the ledger."""
        prompt, completion = entry["prompt_tokens"], entry["completion_tokens"]
        self.requests += 1
        self.prompt_tokens += prompt
        self.completion_tokens += completion
        self.counted_tokens += prompt + completion if entry["source"] == "counted" else 0
        self.errors += entry["end"] != "complete" or entry["status"] >= 400
        self.seconds += entry["seconds"]


@dataclass
class Damage:
    """Damaged lines of one file: how many, and the first of their numbers."""

    count: int = 0
    lines: list[int] = field(default_factory=list)
    # Whether what is behind them was not read.
    is_cut: bool = False

    def add(self, line: int) -> None:
        self.count += 1
        if len(self.lines) < _TOLD:
            self.lines.append(line)


class Wanted(t.NamedTuple):
    """What is summed: of which days and clients (all, if none is named), and by which columns."""

    by: t.Sequence[str] = COLUMNS
    days: days.Days = days.Days()
    clients: t.FrozenSet[str] = frozenset()


@dataclass
class Usage:
    """What the ledger says. The sums are by the values of the columns; damage is by the name of the file."""

    sums: dict[tuple[str, ...], Figures] = field(default_factory=dict)
    days: list[str] = field(default_factory=list)
    damage: dict[str, Damage] = field(default_factory=dict)
    # What has the name of a day, and is no file.
    no_files: list[str] = field(default_factory=list)


def is_name(value: object) -> bool:
    """Whether this may be the name of a client, key or model: not too long, and nothing that steers a terminal."""
    return isinstance(value, str) and len(value) <= _LONGEST_NAME and value.isprintable()


def is_count(value: object, most: int = MOST) -> bool:
    return isinstance(value, int) and 0 <= value <= most and not isinstance(value, bool)


def is_duration(value: object, most: int = MOST) -> bool:
    # Nothing that is compared with a NaN holds.
    return isinstance(value, (int, float)) and 0 <= value <= most and not isinstance(value, bool)


def read(folder: str, wanted: Wanted, today: datetime.date) -> Usage:
    """What the files of the folder say; raises OSError if it or one of them cannot be read."""
    return _Reader(wanted, today).read(folder)


class _Reader:
    def __init__(self, wanted: Wanted, today: datetime.date) -> None:
        self._wanted = wanted
        self._today = f"{today}.jsonl"
        self._usage = Usage()
        self._spare = _MOST_PASSED_BY

    def read(self, folder: str) -> Usage:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in sorted(filter(self._is_wanted, os.listdir(descriptor))):
                # The gateway may have removed it since.
                with contextlib.suppress(FileNotFoundError):
                    self._open(name, descriptor)
        finally:
            os.close(descriptor)
        return self._usage

    def _is_wanted(self, name: str) -> bool:
        day = days.parse(name[:10]) if _FILE.match(name) else None
        return day is not None and self._wanted.days.have(day)

    def _open(self, name: str, folder: int) -> None:
        file = _opened(name, folder)
        if file is None:
            self._usage.no_files.append(name)
            return
        with file:
            self._read_file(file, name)

    def _read_file(self, file: t.BinaryIO, name: str) -> None:
        usage, damage = self._usage, Damage()
        day = name[:10]
        has_lines = False
        for number, line in self._lines(file, damage):
            entry = _entry(line)
            if entry is not None:
                has_lines = True
                self._add(entry, day)
            # Of today's file, what has no end yet is just being written.
            elif line.endswith(b"\n") or name != self._today:
                damage.add(number)
        if has_lines:
            usage.days.append(day)
        if damage.count:
            usage.damage[name] = damage

    def _lines(self, file: t.BinaryIO, damage: Damage) -> t.Iterator[tuple[int, bytes]]:
        """The lines that are there now, with their numbers; those that are too long are damage, and passed by."""
        left = os.fstat(file.fileno()).st_size
        number = 0
        while left > 0:
            line = file.readline(_LONGEST_LINE + 1)
            number += 1
            left -= len(line)
            if not line:
                return
            if len(line) <= _LONGEST_LINE or line.endswith(b"\n"):
                if line != b"\n":
                    yield number, line
                continue
            damage.add(number)
            while line and not line.endswith(b"\n"):
                self._spare -= len(line)
                if self._spare < 0:
                    damage.is_cut = True
                    return
                line = file.readline(_LONGEST_LINE + 1)
                left -= len(line)

    def _add(self, entry: dict[str, t.Any], day: str) -> None:
        if self._wanted.clients and entry["client"] not in self._wanted.clients:
            return
        entry["day"] = day
        names = tuple([entry[column] for column in self._wanted.by])
        sums = self._usage.sums
        figures = sums.get(names)
        if figures is None:
            if len(sums) >= MOST_SUMS:
                names = (OTHERS,) * len(names)
            figures = sums.setdefault(names, Figures())
        figures.add(entry)


def _opened(name: str, folder: int) -> t.BinaryIO | None:
    """The file of that name; None if it is none, or a link."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        descriptor = os.open(name, flags, dir_fd=folder)
    except OSError as error:
        # A link, or a socket.
        if error.errno in (errno.ELOOP, errno.ENXIO):
            return None
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb", buffering=1 << 18)
    os.close(descriptor)
    return None


def _whole(digits: str) -> int:
    """A number of so many digits that it takes time to read is wrong anyway."""
    return int(digits) if len(digits) < 20 else -1


def _no_number(name: str) -> t.Any:
    """NaN and Infinity, which JSON does not have."""
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_no_number)
# Slower, and for lines longer than the gateway's.
_CAREFUL_DECODER = json.JSONDecoder(parse_constant=_no_number, parse_int=_whole)


def _entry(line: bytes) -> dict[str, t.Any] | None:
    """What a line says; None if it is damaged."""
    decoder = _DECODER if len(line) <= _LONG_LINE else _CAREFUL_DECODER
    try:
        entry: t.Any = decoder.decode(line.decode("utf-8"))
        return entry if _is_right(entry) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _is_right(entry: t.Any) -> bool:
    """Whether each member is what it must be; raises TypeError or KeyError where one is missing or is of another kind.

    In one go, as a ledger may have millions of lines.
    """
    names = [entry[name] for name in _NAMES]
    status, first_chunk = entry["status"], entry["first_chunk_seconds"]
    return (
        entry["client"] != ""
        and "".join(names).isprintable()
        and max(map(len, names)) <= _LONGEST_NAME
        and _TIME.match(entry["time"]) is not None
        and entry["source"] in _SOURCES
        and entry["end"] in _ENDS
        and is_count(entry["prompt_tokens"])
        and is_count(entry["completion_tokens"])
        and is_duration(entry["seconds"])
        and is_count(status, _LAST_STATUS)
        and (first_chunk is None or is_duration(first_chunk))
    )
