# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files with credentials: whose they are, who may read or write them, and who may put others in their place."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks import files

GATEWAY = 60880


def found(mode: str, uid: int = 0, gid: int = GATEWAY, **kind: bool) -> dict[str, Any]:
    """An entry as ansible.builtin.find returns it."""
    return {"path": "/x", "mode": mode, "uid": uid, "gid": gid, "pw_name": "", "gr_name": "staff", **kind}


def faults(file: dict[str, Any]) -> list[str]:
    return files.faults(file, [0], [0, GATEWAY])


@pytest.mark.parametrize(
    "file",
    [
        found("0640"),
        found("0600", gid=100),
        found("0750", isdir=True),
        found("2750", isdir=True),
        found("0400", gid=0),
        {"path": "/x", "mode": "0640"},
    ],
)
def test_what_the_role_writes_is_sound(file: dict[str, Any]) -> None:
    assert faults(file) == []


@pytest.mark.parametrize(
    ("file", "fault"),
    [
        (found("0777", islnk=True), "a link"),
        (found("0640", isfifo=True), "a pipe"),
        (found("0640", issock=True), "a socket"),
        (found("0644"), "others may access it"),
        (found("0641"), "others may access it"),
        (found("0642"), "others may access it"),
        (found("0660"), "its group may write it"),
        (found("0770", isdir=True), "its group may write it"),
        (found("4750"), "it runs as its owner or group"),
        (found("2750"), "it runs as its owner or group"),
        (found("0640", uid=1000), "its owner is 1000"),
        (found("0640", uid=GATEWAY), "its owner is 60880"),
        (found("0640", gid=50), "its group is staff (50)"),
    ],
)
def test_what_somebody_else_made_of_it_is_a_hole(file: dict[str, Any], fault: str) -> None:
    assert faults(file) == [fault]


def test_the_files_of_https_may_be_the_gateways_own() -> None:
    assert files.faults(found("0600", uid=GATEWAY), [0, GATEWAY], [0, GATEWAY]) == []


def test_all_folders_above_are_looked_at_and_where_links_lead(tmp_path: Path) -> None:
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    above = files.above(str(tmp_path / "link" / "inner"))
    assert above[0] == "/"
    assert {str(tmp_path / one) for one in ("", "link", "link/inner", "real", "real/inner")} <= set(above)


def status(mode: int, uid: int = 0, gid: int = 0) -> os.stat_result:
    return os.stat_result((mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("one", "faults"),
    [
        (status(stat.S_IFDIR | 0o755), []),
        (status(stat.S_IFDIR | 0o750, gid=GATEWAY), []),
        (status(stat.S_IFDIR | 0o1777), []),
        (status(stat.S_IFDIR | 0o775), []),
        (status(stat.S_IFLNK | 0o777), []),
        (status(stat.S_IFDIR | 0o777), ["others may write it"]),
        (status(stat.S_IFDIR | 0o775, gid=50), ["its group, 50, may write it"]),
        (status(stat.S_IFDIR | 0o755, uid=1000), ["its owner is 1000"]),
        (status(stat.S_IFLNK | 0o777, uid=1000), ["its owner is 1000"]),
    ],
)
def test_who_may_write_a_folder_above_may_replace_all_below(one: os.stat_result, faults: list[str]) -> None:
    assert files.faults_above(one) == faults
