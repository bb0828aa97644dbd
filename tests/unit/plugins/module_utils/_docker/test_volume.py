# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A volume that belongs to somebody else is handed over, and check mode only says so."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker import volume
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker, DockerError
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.volume import Volume

NEW = "60881:60881"


@dataclass
class Host:
    """Stands for the AnsibleModule on a host whose volume belongs to somebody, as a container sees it."""

    owner: str
    check_mode: bool = False
    has_image: bool = True
    changes: list[str] = field(default_factory=list)

    def get_bin_path(self, name: str) -> str:
        return name

    def run_command(self, args: list[str]) -> tuple[int, str, str]:
        if args[1:3] == ["volume", "inspect"]:
            found = [{"Mountpoint": "/nowhere"}] if self.owner else []
            return int(not found), json.dumps(found), "" if found else "Error: no such volume: x"
        if args[1] == "run" and not self.has_image:
            return 125, "", "No such image"
        if "--volume=models_ollama:/volume:ro" in args:
            return 0, self.owner, ""
        self.changes.append(" ".join(args[1:3] if args[1] == "volume" else args[-1:]))
        return 0, "", ""


def hand_over(host: Host) -> tuple[str, str]:
    return Volume(Docker(host), "models", "ollama", "image:1").hand_over(60881)


@pytest.mark.parametrize(
    ("owner", "changes"), [(NEW, []), ("0:0", [NEW]), ("", ["volume create", NEW])], ids=["ours", "root", "none"]
)
def test_a_volume_that_is_not_there_or_not_the_users_becomes_the_users(owner: str, changes: list[str]) -> None:
    host = Host(owner)
    assert hand_over(host) == (owner, NEW)
    assert host.changes == changes
    looked = Host(owner, check_mode=True)
    assert hand_over(looked) == (owner, NEW)
    assert looked.changes == []


def test_what_the_host_sees_is_enough_where_it_is_the_wanted_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume, "_owner_of", lambda path: NEW)
    assert hand_over(Host("0:0", has_image=False)) == (NEW, NEW)


def test_without_the_image_check_mode_does_not_know_and_a_run_fails() -> None:
    assert hand_over(Host("0:0", has_image=False, check_mode=True)) == ("unknown", NEW)
    with pytest.raises(DockerError, match="models_ollama cannot be handed over: No such image"):
        hand_over(Host("0:0", has_image=False))


@dataclass
class Bind:
    """Stands for the AnsibleModule on a host with a folder that a user may write to, or may be given."""

    may_write: bool
    check_mode: bool = False
    has_image: bool = True
    changes: list[str] = field(default_factory=list)

    def get_bin_path(self, name: str) -> str:
        return name

    def run_command(self, args: list[str]) -> tuple[int, str, str]:
        if not self.has_image:
            return 125, "", "No such image"
        assert f"--user={NEW}" in args
        return int(not self.may_write), "", ""

    def chown(self, name: str | int, user: int, group: int, **_: object) -> None:
        self.changes.append(os.path.basename(os.readlink(f"/proc/self/fd/{name}")) if isinstance(name, int) else name)
        assert f"{user}:{group}" == NEW
        self.may_write = True


def forbid(*_: object, **__: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def give(host: Bind, path: str) -> tuple[str, str]:
    return volume.Bound(Docker(host), path, "image:1").hand_over(60881)


def test_a_folder_of_the_users_is_left_alone_where_the_server_may_write_whoever_owns_it(tmp_path: Path) -> None:
    host = Bind(may_write=True)
    assert give(host, str(tmp_path)) == (NEW, NEW)
    assert host.changes == []


def test_one_where_it_may_not_is_handed_over_and_check_mode_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Bind(may_write=False, check_mode=True)
    before, after = give(host, str(tmp_path))
    assert (before != NEW, after, host.changes) == (True, NEW, [])
    host = Bind(may_write=False)
    monkeypatch.setattr(volume.os, "chown", host.chown)
    assert give(host, str(tmp_path)) == (before, NEW)
    assert host.changes == [tmp_path.name]
    assert give(host, str(tmp_path)) == (NEW, NEW)


def test_what_is_a_servers_is_given_and_no_link_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, other = tmp_path / "models", tmp_path / "other"
    (folder / "blobs").mkdir(parents=True)
    other.mkdir()
    for one in (folder / "blobs/sha256-1", folder / "notes", other / "secret"):
        one.write_text("x")
    (folder / "blobs/sha256-2").symlink_to(other / "secret")
    (folder / "manifests").symlink_to(other)
    (folder / "id_ed25519").symlink_to(other / "secret")
    os.link(other / "secret", folder / "history")
    host = Bind(may_write=False)
    monkeypatch.setattr(volume.os, "chown", host.chown)
    give(host, str(folder))
    assert host.changes == ["sha256-1", "blobs", "models"]


def test_a_link_on_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(DockerError, match=r"link/models is not handed over: .*/link is a link, and none is followed"):
        give(Bind(may_write=False), str(tmp_path / "link/models"))


def test_where_root_may_give_nothing_away_it_is_said_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volume.os, "chown", forbid)
    with pytest.raises(
        DockerError, match=r"user 60881, who may not write .* not permitted.*root_squash, run `chown -R"
    ):
        give(Bind(may_write=False), str(tmp_path))


def test_check_mode_knows_a_folder_or_an_image_that_is_to_come(tmp_path: Path) -> None:
    assert give(Bind(may_write=False, check_mode=True), str(tmp_path / "none")) == ("", NEW)
    assert give(Bind(may_write=False, check_mode=True, has_image=False), str(tmp_path)) == (NEW, NEW)
