# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of others is a file of a sensible size, and never what a link leads to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._adopt import files
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"\0x")
    assert files.read(str(tmp_path / "one")) == b"\0x"


def test_links_pipes_folders_and_huge_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to("/etc/shadow")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "huge").write_bytes(b"12345")
    monkeypatch.setattr(files, "MOST_BYTES", 4)
    reasons = {
        "link": "it is a link",
        "pipe": "no file",
        "folder": "no file|directory",
        "huge": "more than",
        "none": "No such",
    }
    for name, reason in reasons.items():
        with pytest.raises(GatehouseError, match=f"{name}: .*({reason})"):
            files.read(str(tmp_path / name))
