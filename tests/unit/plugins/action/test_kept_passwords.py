# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords that the controller keeps for hosts: made once, read by nobody else, and not printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.conftest import Direct, Playbook

NAMES = ["password", "replica"]


def task(folder: Path) -> dict[str, Any]:
    return {"gatehouse.ollama.kept_passwords": {"folder": str(folder), "names": NAMES}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".gatehouse" / "valkey"


def test_they_are_made_once_each_another_one_and_for_nobody_else_to_read(direct: Direct, folder: Path) -> None:
    first, second = direct.run([task(folder), task(folder)]).only
    assert (first["changed"], second["changed"]) == (True, False)
    assert first["passwords"] == second["passwords"]
    assert len(set(first["passwords"].values())) == len(NAMES)
    for name in NAMES:
        assert (folder / name).read_text() == first["passwords"][name] + "\n"
        assert (folder / name).stat().st_mode & 0o777 == 0o600
        assert len(first["passwords"][name]) == 43
    assert folder.stat().st_mode & 0o777 == 0o700


def test_check_mode_makes_none_and_says_so(direct: Direct, folder: Path) -> None:
    (found,) = direct.run([task(folder)], "--check").only
    assert (found["changed"], found["passwords"]) == (True, {})
    assert not folder.exists()


def test_hosts_at_the_same_time_get_the_same_ones_and_nothing_is_printed(playbook: Playbook, folder: Path) -> None:
    run = playbook.run([task(folder)], "-vvv", "--diff", hosts=4)
    assert run.returncode == 0, run.output
    found = {(folder / name).read_text().strip() for name in NAMES}
    assert len(found) == len(NAMES)
    assert [one for one in found if one in run.output] == []


@pytest.mark.parametrize(("text", "mode"), [("short\n", 0o600), ("a" * 31 + " b\n", 0o600), ("a" * 43, 0o644)])
def test_one_that_is_weak_or_for_others_to_read_is_refused_with_its_path(
    direct: Direct, folder: Path, text: str, mode: int
) -> None:
    folder.mkdir(parents=True, mode=0o700)
    (folder / "password").write_text(text)
    (folder / "password").chmod(mode)
    (found,) = direct.run([task(folder)]).only
    assert found["failed"]
    assert found["msg"].startswith(f"{folder}/password: ")
    assert text.strip() not in found["msg"]
