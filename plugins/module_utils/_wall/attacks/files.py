# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the files of a gateway, which hold credentials or decide who comes in, and the folders above them."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.run import Result

KIND = "files"

EXPECTED = "a file or folder of %s and group %s, writable by its owner alone, closed to others, such as mode 0640"
EXPECTED_LEDGER = "a file or folder of %s and group %s, closed to others, such as mode 0640"
EXPECTED_ABOVE = "a folder of root's that only root may write"

# What the gateway reads, and what is judged by itself.
_READ = ("conf", "lua", "clients")
_THEMSELVES = ("compose.yaml", *_READ, "tls", "acme", "state")
# What the gateway writes.
_LEDGER = "state/usage"

# What is neither a file nor a folder, by the first letter that `ls -l` shows.
_OTHERS = {"l": "a link", "p": "a pipe", "s": "a socket", "b": "a device", "c": "a device"}


def attack(folder: str, user_id: int | None, tls: bool, acme: bool) -> t.Iterator[Result]:
    """The files of a gateway that runs as this user and group. Raises GatehouseError."""
    users = [0] if user_id is None else [0, user_id]
    # What is below belongs to the ACME client, and its folder is closed.
    themselves = [*_THEMSELVES, *(["acme/webroot"] if acme else [])]
    try:
        for name in _READ:
            yield from _judged(below(os.path.join(folder, name)), [0], users)
        yield from _judged([os.path.join(folder, name) for name in themselves], [0], users)
        ledger = os.path.join(folder, _LEDGER)
        yield from _judged([ledger, *below(ledger)], users, users, EXPECTED_LEDGER, stat.S_IWGRP)
        for path in above(folder):
            wrong = faults_above(os.lstat(path))
            yield Result(KIND, _shown(path), not wrong, "", "; ".join(wrong), EXPECTED_ABOVE)
        # The gateway itself reads its certificate, and nobody else.
        if tls:
            yield from _judged(below(os.path.join(folder, "tls")), users, users)
    except OSError as error:
        raise GatehouseError(f"{_shown(str(error.filename))} cannot be looked at: {error.strerror}") from error


def below(folder: str) -> list[str]:
    """All that is in it, whatever it is and whatever its name; links are not followed. Raises OSError."""

    def tell(error: OSError) -> None:
        if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
            raise error

    walked = os.walk(folder, onerror=tell)
    return [os.path.join(place, name) for place, folders, files in walked for name in files + folders]


def _judged(
    paths: t.Iterable[str], owners: t.Sequence[int], groups: t.Sequence[int], expected: str = EXPECTED, right: int = 0
) -> t.Iterator[Result]:
    """Judge what is there of the paths. What `right` holds of a mode is all right there."""
    for path in paths:
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            continue
        wrong = faults(status, owners, groups, right)
        came_back = "; ".join([f"mode {stat.S_IMODE(status.st_mode):04o}", *wrong])
        yield Result(KIND, _shown(path), not wrong, "", came_back, expected % (owners, groups))


def faults(status: os.stat_result, owners: t.Container[int], groups: t.Container[int], right: int = 0) -> list[str]:
    """What is wrong with one, but for what `right` holds of its mode; empty if nothing is.

    The gateway has no links: whoever made one decides what is read there.
    """
    mode = status.st_mode & ~right
    other = _OTHERS.get(stat.filemode(mode)[0])
    if other:
        return [other]
    wrong = []
    if mode & stat.S_IRWXO:
        wrong.append("others may access it")
    if mode & stat.S_IWGRP:
        wrong.append("its group may write it")
    if mode & (stat.S_ISUID | stat.S_ISGID) and not stat.S_ISDIR(mode):
        wrong.append("it runs as its owner or group")
    if status.st_uid not in owners:
        wrong.append(f"its owner is {_named(lambda: pwd.getpwuid(status.st_uid).pw_name, status.st_uid)}")
    if mode & stat.S_IRWXG and status.st_gid not in groups:
        wrong.append(f"its group is {_named(lambda: grp.getgrgid(status.st_gid).gr_name, status.st_gid)}")
    return wrong


def _named(name: t.Callable[[], str], number: int) -> str:
    try:
        return f"{name()} ({number})"
    except KeyError:
        return str(number)


def _shown(path: str) -> str:
    """A name may be no text."""
    return os.fsencode(path).decode("utf-8", "replace")


def above(folder: str) -> list[str]:
    """The folder and all above it, also where a link on the way leads; the highest first."""
    found: dict[str, None] = {}
    for path in (os.path.abspath(folder), os.path.realpath(folder)):
        parts = [part for part in path.split("/") if part]
        found.update(dict.fromkeys("/" + "/".join(parts[:count]) for count in range(len(parts) + 1)))
    return list(found)


def faults_above(status: os.stat_result) -> list[str]:
    """What is wrong with one of these; empty if nothing is. Who may write it may put another folder in its place."""
    wrong = []
    if status.st_uid != 0:
        wrong.append(f"its owner is {status.st_uid}")
    # The mode of a link does not count. In a folder such as /tmp (mode 1777) nobody replaces what is root's.
    if not stat.S_ISLNK(status.st_mode) and not status.st_mode & stat.S_ISVTX:
        if status.st_mode & stat.S_IWOTH:
            wrong.append("others may write it")
        if status.st_mode & stat.S_IWGRP and status.st_gid != 0:
            wrong.append(f"its group, {status.st_gid}, may write it")
    return wrong
