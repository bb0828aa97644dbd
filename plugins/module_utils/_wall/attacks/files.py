# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges files and folders that hold credentials or what decides who comes in, and the folders above them."""

from __future__ import annotations

import os
import stat
import typing as t

# Neither a file nor a folder, by what ansible.builtin.find calls them.
_OTHERS = {"islnk": "a link", "isfifo": "a pipe", "issock": "a socket", "isblk": "a device", "ischr": "a device"}

EXPECTED = "a file or folder of %s and group %s, writable by its owner alone, closed to others, such as mode 0640"
EXPECTED_ABOVE = "a folder of root's that only root may write"


def faults(file: t.Mapping[str, t.Any], owners: t.Container[int], groups: t.Container[int]) -> list[str]:
    """What is wrong with one, as ansible.builtin.find returns it; empty if nothing is.

    The gateway has no links: whoever made one decides what is read there.
    """
    mode = int(str(file["mode"]), 8)
    found = [what for key, what in _OTHERS.items() if file.get(key)]
    if found:
        return found
    wrong = []
    if mode & stat.S_IRWXO:
        wrong.append("others may access it")
    if mode & stat.S_IWGRP:
        wrong.append("its group may write it")
    if mode & (stat.S_ISUID | stat.S_ISGID) and not file.get("isdir"):
        wrong.append("it runs as its owner or group")
    if "uid" in file and file["uid"] not in owners:
        wrong.append("its owner is %s" % _named(file, "pw_name", "uid"))
    if "gid" in file and mode & stat.S_IRWXG and file["gid"] not in groups:
        wrong.append("its group is %s" % _named(file, "gr_name", "gid"))
    return wrong


def _named(file: t.Mapping[str, t.Any], name: str, number: str) -> str:
    return "%s (%d)" % (file[name], file[number]) if file.get(name) else str(file[number])


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
        wrong.append("its owner is %d" % status.st_uid)
    # The mode of a link does not count. In a folder such as /tmp (mode 1777) nobody replaces what is root's.
    if not stat.S_ISLNK(status.st_mode) and not status.st_mode & stat.S_ISVTX:
        if status.st_mode & stat.S_IWOTH:
            wrong.append("others may write it")
        if status.st_mode & stat.S_IWGRP and status.st_gid != 0:
            wrong.append("its group, %d, may write it" % status.st_gid)
    return wrong
