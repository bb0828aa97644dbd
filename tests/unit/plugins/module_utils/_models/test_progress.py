# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._models import progress

WRITER = """
import sys, time
sys.path.insert(0, sys.argv[2])
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.progress import Notes
notes = Notes(sys.argv[1])
notes.event("begun")
notes.now("1 %")
notes.now("2 %")
print("ready", flush=True)
time.sleep(60)
"""
COLLECTIONS = Path(__file__).resolve().parents[5] / ".config" / "collections"


def test_a_reader_sees_what_is_new_and_whether_the_writer_lives_however_it_dies(tmp_path: Path) -> None:
    path = str(tmp_path / "folder" / "notes")
    assert progress.read(path, 0)["state"] == "missing"
    command = [sys.executable, "-c", WRITER, path, str(COLLECTIONS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        first = progress.read(path, 0)
        now = {"state": "alive", "now": "2 %", "offset": first["offset"]}
        assert first == {**now, "events": ["begun"]}
        assert progress.read(path, first["offset"]) == {**now, "events": [], "now": ""}
        writer.kill()
    states = [progress.read(path, first["offset"])["state"] for _ in range(2)]
    assert states == ["ended", "missing"]


def test_notes_are_not_written_into_what_somebody_else_prepared(tmp_path: Path) -> None:
    (tmp_path / "notes.new").symlink_to(tmp_path / "precious")
    with pytest.raises(FileExistsError):
        progress.Notes(str(tmp_path / "notes"))
    assert not (tmp_path / "precious").exists()


def test_notes_are_nobody_elses_to_read(tmp_path: Path) -> None:
    notes = progress.Notes(str(tmp_path / "notes"))
    notes.event("x")
    assert os.stat(tmp_path / "notes").st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("count", "text"),
    [(7, "7 bytes"), (530_000, "530 kB"), (1_321_098_329, "1.32 GB"), (42_000_000_000, "42 GB"), (2.5e15, "2500 TB")],
)
def test_sizes_are_for_people(count: float, text: str) -> None:
    assert progress.size(count) == text
