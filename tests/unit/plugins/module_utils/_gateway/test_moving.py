# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of a gateway that runs moves whole and once, also after a run that was killed, and onto nobody's files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._gateway import moving


@pytest.fixture
def old(tmp_path: Path) -> Path:
    folder = tmp_path / "old"
    (folder / "clients").mkdir(parents=True)
    (folder / "clients" / "api_keys").write_text("alice")
    return folder


def move(old: Path, new: Path) -> bool:
    due = moving.is_due(str(old), str(new))
    if due:
        moving.move(str(old), str(new), "gateway-1")
    return due


@pytest.mark.parametrize("there", ["nothing", "an empty folder"])
def test_it_moves_once_and_is_found_by_its_former_name(old: Path, there: str) -> None:
    new = old.parent / "srv" / "new"
    if there != "nothing":
        new.mkdir(parents=True)
    inode = (old / "clients").stat().st_ino
    assert move(old, new)
    assert (new / "clients").stat().st_ino == inode
    assert old.is_symlink()
    assert (old / "clients" / "api_keys").read_text() == "alice"
    assert not move(old, new)
    # The way back: by the link.
    assert not move(new, old)


def test_the_next_run_ends_what_a_killed_one_began(old: Path) -> None:
    new = old.parent / "new"
    old.rename(new)
    assert move(old, new)
    assert (old / "clients" / "api_keys").read_text() == "alice"


@pytest.mark.parametrize("there", ["files", "a file", "a link"])
def test_nothing_is_moved_onto_what_somebody_has_there(old: Path, there: str) -> None:
    new = old.parent / "new"
    if there == "files":
        new.mkdir()
        (new / "thesis").write_text("mine")
    elif there == "a file":
        new.write_text("mine")
    else:
        new.symlink_to("/nowhere")
    with pytest.raises(moving.NotMoved, match="is not empty"):
        move(old, new)
    assert (old / "clients" / "api_keys").read_text() == "alice"
    assert not old.is_symlink()


def test_another_spelling_of_the_same_folder_is_no_move(old: Path) -> None:
    link = old.parent / "link"
    link.symlink_to(old)
    assert not move(old, link)
    assert not move(old, Path(f"{old}/../old"))


def test_between_filesystems_it_says_what_to_do(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_paths: str) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(moving.os, "rename", refused)
    with pytest.raises(moving.NotMoved, match="docker stop gateway-1 && cp -a"):
        move(old, old.parent / "new")
    assert (old / "clients" / "api_keys").read_text() == "alice"
