# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a gateway is whole, or it is refused; what is put back is in place in one step a file."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._gateway import previous

IMAGE = "sha256:" + "1" * 64
OLD = {"compose.yaml": "services:\n  gateway-1:\n", "conf/nginx.conf": "old", "lua/gatehouse/a.lua": "a", "page/x": "x"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, OLD)
    (tmp_path / "clients").mkdir()
    (tmp_path / "clients" / "api_keys").write_text("alice.laptop sha256:...")
    return tmp_path


def write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o640)


def there(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in previous.files_below(folder)}


def test_what_was_kept_is_put_back_and_what_came_since_goes(folder: Path) -> None:
    previous.save(str(folder), IMAGE)
    inode = (folder / "conf").stat().st_ino
    write(folder, {"conf/nginx.conf": "new", "conf/more.conf": "more", "compose.yaml": "services:\n  gateway-2:\n"})
    (folder / "lua" / "gatehouse" / "a.lua").unlink()
    assert previous.read(str(folder)).image == IMAGE
    previous.put_back(str(folder))
    assert there(folder) == OLD
    # It is mounted.
    assert (folder / "conf").stat().st_ino == inode
    assert (folder / "conf" / "nginx.conf").stat().st_mode & 0o777 == 0o640


def test_clients_are_not_kept_so_that_nobody_who_was_revoked_comes_back(folder: Path) -> None:
    previous.save(str(folder), IMAGE)
    assert "clients" not in os.listdir(folder / "previous")
    (folder / "clients" / "api_keys").write_text("")
    previous.put_back(str(folder))
    assert (folder / "clients" / "api_keys").read_text() == ""


def test_clients_and_keys_belong_to_the_user_of_the_gateway_that_comes_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[str, int]] = []
    monkeypatch.setattr(previous.os, "chown", lambda path, _user, group, **_: given.append((Path(path).name, group)))
    user = (folder / "clients").stat().st_gid
    previous._give_to(folder, user)
    assert given == []
    previous._give_to(folder, user + 1)
    assert {name for name, _group in given} >= {"clients", "api_keys", "conf", "nginx.conf"}
    assert {group for _name, group in given} == {user + 1}


def test_going_back_twice_leads_forward_again(folder: Path) -> None:
    previous.save(str(folder), IMAGE)
    write(folder, {"conf/nginx.conf": "new"})
    previous.swap(str(folder), "sha256:2", OLD["compose.yaml"])
    assert there(folder) == OLD
    # Until it has ended, the same leads there again.
    assert previous.read(str(folder)).image == IMAGE
    previous.forget_interrupted(str(folder))
    assert previous.read(str(folder)).image == "sha256:2"
    previous.swap(str(folder), IMAGE, OLD["compose.yaml"])
    assert there(folder)["conf/nginx.conf"] == "new"


class Killed(BaseException):
    pass


def test_a_way_back_that_is_killed_between_the_renames_keeps_the_one_that_ran(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    previous.save(str(folder), IMAGE)
    write(folder, {"conf/nginx.conf": "new"})
    rename = Path.rename

    def until_killed(self: Path, target: Path) -> Path:
        if self.name == "previous.new":
            raise Killed
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", until_killed)
    with pytest.raises(Killed):
        previous.swap(str(folder), "sha256:2", OLD["compose.yaml"])
    monkeypatch.setattr(Path, "rename", rename)
    assert previous.read(str(folder)).image == IMAGE
    previous.swap(str(folder), "sha256:2", OLD["compose.yaml"])
    previous.forget_interrupted(str(folder))
    assert there(folder) == OLD
    assert previous.read(str(folder)).image == "sha256:2"


@pytest.mark.parametrize("step", range(1, 15))
def test_a_way_back_that_is_killed_at_any_step_is_gone_to_its_end_by_the_next_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    previous.save(str(folder), IMAGE)
    write(folder, {"conf/nginx.conf": "new", "lua/gatehouse/b.lua": "b"})
    left = step
    copy = previous._copy

    def until_killed(*arguments: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed
        copy(*arguments)

    monkeypatch.setattr(previous, "_copy", until_killed)
    with contextlib.suppress(Killed):
        previous.swap(str(folder), "sha256:2", OLD["compose.yaml"])
    assert left <= 0, "one of the steps is not one"
    monkeypatch.setattr(previous, "_copy", copy)
    assert previous.read(str(folder)).image == IMAGE
    previous.swap(str(folder), "sha256:2", OLD["compose.yaml"])
    assert there(folder) == OLD
    previous.forget_interrupted(str(folder))
    assert not previous.was_interrupted(str(folder))
    assert previous.read(str(folder)).image == "sha256:2"
    previous.swap(str(folder), IMAGE, OLD["compose.yaml"])
    assert there(folder)["conf/nginx.conf"] == "new"


def test_without_one_the_error_says_so(folder: Path) -> None:
    with pytest.raises(previous.NoPrevious, match="There is no gateway to go back to"):
        previous.read(str(folder))


@pytest.mark.parametrize("damage", ["changed", "removed", "added", "no list", "a list of something else", "outside"])
def test_what_is_not_whole_is_refused(folder: Path, damage: str) -> None:
    previous.save(str(folder), IMAGE)
    kept = folder / "previous"
    listed = kept / "previous.json"
    if damage == "changed":
        (kept / "conf" / "nginx.conf").write_text("evil")
    elif damage == "removed":
        (kept / "conf" / "nginx.conf").unlink()
    elif damage == "added":
        (kept / "conf" / "evil.conf").write_text("evil")
    elif damage == "no list":
        listed.unlink()
    elif damage == "a list of something else":
        listed.write_text("[1, 2]")
    else:
        files = json.loads(listed.read_text())["files"]
        listed.write_text(json.dumps({"image": IMAGE, "files": {**files, "../clients/api_keys": files["page/x"]}}))
    with pytest.raises(previous.NoPrevious, match="does not hold what the gateway before was made of"):
        previous.read(str(folder))


def test_a_save_or_a_way_back_that_fails_leaves_the_one_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    previous.save(str(folder), IMAGE)

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(previous, "_copy", full)
    with pytest.raises(OSError, match="No space left"):
        previous.save(str(folder), "sha256:2")
    with pytest.raises(OSError, match="No space left"):
        previous.swap(str(folder), "sha256:2", OLD["compose.yaml"])
    assert previous.read(str(folder)).image == IMAGE
    assert sorted(one for one in os.listdir(folder) if one.startswith("previous")) == ["previous"]
