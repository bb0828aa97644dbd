# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of users and password hashes, as nginx reads it. Pure but for the hashing."""

from __future__ import annotations

import concurrent.futures
import os
import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import Client
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.passwords.hashing import Hasher, identify
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import DamagedFile
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.records import (
    Line,
    Outcome,
    Record,
    merge,
    read_lines,
)

# What the gateway takes as a hash, be it of another scheme than ours.
_HASH = re.compile(r"\$\w+\$[\w./$=,-]+\Z", re.ASCII)
# Unlike what any line holds.
_NEVER_WRITTEN = "\n"
# Hashing gives up the interpreter's lock. With more threads, memory and the host's other work count for more.
_MOST_THREADS = 32

Item = t.TypeVar("Item")
Result = t.TypeVar("Result")


def update(
    content: bytes | None, clients: t.Sequence[Client], hasher: Hasher, purge: bool, only_look: bool = False
) -> Outcome:
    """What becomes of the file. A hash stays if it is of the wanted scheme and rounds and of the client's password.

    With `only_look` nothing is hashed that nobody will write, and the text only tells whether the file changes.
    """
    lines = read_lines(content or b"", _read_line)
    there = {line.name: line for line in lines if line.name is not None}
    listed = {client.name: client for client in clients if client.present and client.password is not None}
    absent = {client.name for client in clients if not client.present}
    if not purge:
        for name, line in there.items():
            if name not in listed and name not in absent and not _HASH.match(_hash(line.text)):
                raise DamagedFile(line.number, "what follows the name is not a hash that the gateway knows")
    hash_of = (lambda password: _NEVER_WRITTEN) if only_look else hasher.hash
    # Every password is verified in every run: a memory of what was verified would be one more secret to keep.
    records = in_order(lambda client: _record(client, there.get(client.name), hasher, hash_of), listed.values())
    return merge(content, lines, records, purge, lambda name: name in absent)


def _read_line(number: int, text: str) -> Line:
    name, colon = text.partition(":")[:2]
    if not colon:
        raise DamagedFile(number, "it has no colon between a name and a hash")
    # What is not printable may steer the terminal in which a diff is shown.
    if not name or re.search(r"\s", name) or not name.isprintable():
        raise DamagedFile(number, "it must begin with a name without spaces, before the colon")
    scheme = identify(_hash(text))
    return Line(number, text, name, str(scheme) if scheme else "another kind of hash")


def _hash(text: str) -> str:
    return text.rstrip("\r").partition(":")[2]


def _record(client: Client, line: Line | None, hasher: Hasher, hash_of: t.Callable[[str], str]) -> Record:
    password = client.password or ""
    change = "" if line is None else _change(password, _hash(line.text), hasher)
    if line is not None and not change:
        return Record(client.name, line.text, str(hasher.scheme))
    return Record(client.name, f"{client.name}:{hash_of(password)}", str(hasher.scheme), change)


def _change(password: str, hashed: str, hasher: Hasher) -> str:
    scheme = identify(hashed)
    if scheme is None:
        return "unknown hash replaced"
    if scheme.name != hasher.scheme.name:
        return "scheme changed"
    if scheme.rounds != hasher.scheme.rounds:
        return "rounds changed"
    return "" if hasher.verify(password, hashed) else "password changed"


def cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def in_order(function: t.Callable[[Item], Result], items: t.Iterable[Item]) -> list[Result]:
    """The results in the order of the items, computed by as many threads as there are cores.

    An error is that of the first item with one.
    """
    with concurrent.futures.ThreadPoolExecutor(min(cores(), _MOST_THREADS)) as pool:
        return list(pool.map(function, items))
