# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of a gateway that runs moves whole and once, also after a run that was killed, and onto nobody's files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._gateway import moving


@pytest.fixture
def old(tmp_path: Path) -> Path:
    folder = tmp_path / "old"
    (folder / "clients").mkdir(parents=True)
    (folder / "clients" / "api_keys").write_text("alice")
    (folder / "compose.yaml").write_text(f'source: "{folder}/clients"')
    return folder


def move(old: Path, new: Path) -> bool:
    due = moving.is_due(str(old), str(new), "gateway-1")
    if due:
        moving.move(str(old), str(new))
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


def test_a_folder_of_somebody_else_is_not_taken_for_the_one_that_is_gone(old: Path) -> None:
    new = old.parent / "new"
    new.mkdir()
    (new / "compose.yaml").write_text('source: "/home/me/site"')
    old.rename(old.parent / "somewhere")
    with pytest.raises(moving.NotMoved, match="which is not there"):
        move(old, new)
    assert os.listdir(new) == ["compose.yaml"]


def test_a_link_that_leads_to_the_folder_is_not_moved_instead_of_it(old: Path) -> None:
    link = old.parent / "link"
    link.symlink_to("old")
    new = old.parent / "srv" / "new"
    assert move(link, new)
    assert not new.is_symlink()
    assert (link / "clients" / "api_keys").read_text() == "alice"


def test_it_is_not_moved_into_itself(old: Path) -> None:
    with pytest.raises(moving.NotMoved, match="Choose one beside it"):
        move(old, old / "below" / "new")


def test_certbot_finds_its_folders_at_the_new_place(old: Path) -> None:
    renewal = old / "acme" / "config" / "renewal" / "gatehouse.conf"
    renewal.parent.mkdir(parents=True)
    renewal.write_text(f"cert = {old}/acme/config/live/gatehouse/cert.pem\nkey_type = ecdsa\n")
    renewal.chmod(0o640)
    new = old.parent / "new"
    assert move(old, new)
    moved = new / "acme" / "config" / "renewal" / "gatehouse.conf"
    assert moved.read_text() == f"cert = {new}/acme/config/live/gatehouse/cert.pem\nkey_type = ecdsa\n"
    assert moved.stat().st_mode & 0o777 == 0o640


def test_between_filesystems_it_says_what_to_do_before_anything_is_changed(old: Path) -> None:
    shared = Path("/dev/shm")
    if old.stat().st_dev == shared.stat().st_dev:
        pytest.skip("there is one filesystem here")
    with pytest.raises(moving.NotMoved, match="docker stop gateway-1 && cp -aT"):
        move(old, shared / "gatehouse-test" / "new")
    assert (old / "clients" / "api_keys").read_text() == "alice"
