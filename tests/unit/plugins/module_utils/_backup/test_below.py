# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files below a folder that somebody else may write to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.below import Below
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.names import Tree
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import HostFileError

USAGE = Tree("state/usage", files=r"[0-9-]+[.]jsonl")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "gateway"
    (found / "state/usage").mkdir(parents=True)
    (found / "tls").mkdir()
    (found / "tls/server.pem").write_text("key")
    (found / "state/usage/2026-11-30.jsonl").write_text("line\n")
    (tmp_path / "secret").write_text("of somebody else")
    return found


def test_files_are_those_of_the_trees_and_the_others_are_told(folder: Path) -> None:
    for name in ("odd name", ".hidden", "2026-11-30.jsonl.bak"):
        (folder / "state/usage" / name).write_text("x")
    (folder / "compose.yaml").write_text("x")
    found, left_out = Below(str(folder)).files([Tree("tls"), USAGE, Tree("made.json")])
    assert found == {"state/usage/2026-11-30.jsonl": 5, "tls/server.pem": 3}
    assert left_out == ["state/usage/2026-11-30.jsonl.bak", "state/usage/odd name"]


def test_no_link_and_no_pipe_is_read(folder: Path) -> None:
    secret = folder.parent / "secret"
    (folder / "state/usage/2026-01-01.jsonl").symlink_to(secret)
    os.mkfifo(folder / "state/usage/2026-01-02.jsonl")
    (folder / "linked").symlink_to(folder.parent)
    below = Below(str(folder))
    assert set(below.files([USAGE, Tree("linked")])[0]) == {"state/usage/2026-11-30.jsonl"}
    for path in ("state/usage/2026-01-01.jsonl", "linked/secret"):
        with pytest.raises(OSError, match=r"symbolic|directory"):
            below.read(path, 0, 2)
    with pytest.raises(HostFileError, match="no regular file"):
        below.read("state/usage/2026-01-02.jsonl", 0, 2)
    with pytest.raises(HostFileError, match="no regular file"):
        below.size("state/usage/2026-01-01.jsonl")


def test_a_file_that_became_shorter_is_an_error_and_a_longer_one_is_none(folder: Path) -> None:
    below = Below(str(folder))
    assert below.read("tls/server.pem", 1, 2) == b"ey"
    with pytest.raises(HostFileError, match="became shorter"):
        below.read("tls/server.pem", 0, 4)


def test_nothing_is_written_through_a_link(folder: Path) -> None:
    (folder / "tls/server.pem").unlink()
    (folder / "tls/server.pem").symlink_to(folder.parent / "secret")
    (folder / "clients").symlink_to(folder.parent)
    below = Below(str(folder))
    below.write("tls/server.pem", [b"new"], Tree("tls"))
    assert (folder / "tls/server.pem").read_text() == "new"
    assert not (folder / "tls/server.pem").is_symlink()
    with pytest.raises(OSError, match=r"symbolic|directory"):
        below.write("clients/secret", [b"new"], Tree("clients"))
    assert (folder.parent / "secret").read_text() == "of somebody else"


def test_a_write_that_breaks_off_leaves_what_was_there(folder: Path) -> None:
    def broken() -> object:
        yield b"half"
        raise HostFileError("broken")

    below = Below(str(folder))
    with pytest.raises(HostFileError, match="broken"):
        below.write("tls/server.pem", broken(), Tree("tls"))
    assert (folder / "tls/server.pem").read_text() == "key"
    assert [one.name for one in (folder / "tls").iterdir()] == ["server.pem"]


def test_folders_and_files_are_for_whom_the_tree_says(tmp_path: Path) -> None:
    below = Below(str(tmp_path / "new"))
    below.write("acme/config/renewal/x.conf", [b"x"], Tree("acme/config", mode=0o600, folder_mode=0o700))
    modes = [(tmp_path / "new" / path).stat().st_mode & 0o777 for path in ("acme", "acme/config/renewal/x.conf")]
    assert modes == [0o700, 0o600]
    assert below.link("acme/config/live/x.pem", "../archive/x.pem", Tree("acme/config")) is True
    assert below.link("acme/config/live/x.pem", "/etc/passwd", Tree("acme/config")) is False
    assert os.readlink(tmp_path / "new/acme/config/live/x.pem") == "../archive/x.pem"


def test_what_certbot_has_beside_the_files_of_its_tree_is_passed_by(folder: Path) -> None:
    for name in ("renewal/gatehouse.conf", "live/README", "renewal-hooks/deploy/run.sh"):
        (folder / "acme/config" / name).parent.mkdir(parents=True)
        (folder / "acme/config" / name).write_text("x")
    tree = Tree("acme/config", files=r"renewal/gatehouse[.]conf", certbot=True)
    assert Below(str(folder)).files([tree]) == ({"acme/config/renewal/gatehouse.conf": 1}, [])


def test_two_may_write_the_same_file_at_once(folder: Path) -> None:
    below = Below(str(folder))

    def interrupted() -> Iterator[bytes]:
        yield b"fir"
        below.write("tls/server.pem", [b"second"], Tree("tls"))
        yield b"st"

    below.write("tls/server.pem", interrupted(), Tree("tls"))
    assert (folder / "tls/server.pem").read_text() == "first"
    assert [one.name for one in (folder / "tls").iterdir()] == ["server.pem"]
