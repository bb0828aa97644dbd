# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models come to where they are to be, whole or not at all, once, and what was there stays."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible_collections.gatehouse.ollama.plugins.module_utils._models import archive, move
from ansible_collections.gatehouse.ollama.plugins.modules import models_place as module

from tests.unit.plugins.module_utils._models.test_archive import blob, files, put
from tests.unit.plugins.modules.ended import answer

ME = os.geteuid()


class Host:
    """A host with a volume in a folder, if it has one, and a Docker that knows nothing else."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.volume = root / "docker/volumes/gatehouse-ollama_ollama/_data"
        self.disk = root / "disk/models"
        self.project = root / "project"
        for folder in (self.project, self.disk.parent, root / "docker"):
            folder.mkdir(parents=True)

    @property
    def volume_models(self) -> Path:
        return self.volume / "models"

    def docker(self, command: list[str]) -> tuple[int, str, str]:
        if command[1:3] == ["volume", "inspect"]:
            found = [{"Mountpoint": str(self.volume)}] if self.volume.exists() else []
            return int(not found), json.dumps(found), "" if found else "no such volume"
        if command[1:3] == ["volume", "create"]:
            self.volume.mkdir(parents=True)
        return 0, str(self.root / "docker"), ""

    def run(self, path: str = "", check: bool = False, **options: Any) -> dict[str, Any]:
        place = {"project": "gatehouse-ollama", "volume": "ollama", "project_dir": str(self.project), "user_id": ME}
        return answer(module, {"path": path, **place, "_ansible_check_mode": check, **options})

    def deploy(self, path: str = "", **options: Any) -> list[str]:
        """Copy, and settle as with a server that runs there then: the names that were copied."""
        first = self.run(path, **options)
        assert not first.get("failed"), first
        settled = self.run(path, state="settled", **options) if first["due"] else {"copied": []}
        assert not settled.get("failed"), settled
        return [*first["copied"], *settled["copied"]]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path)
    monkeypatch.setattr(basic.AnsibleModule, "get_bin_path", lambda self, name: name)
    monkeypatch.setattr(basic.AnsibleModule, "run_command", lambda self, command: made.docker(command))
    return made


def test_without_a_folder_and_without_others_nothing_is_done_or_noted(host: Host) -> None:
    told = host.run()
    assert (told["changed"], told["due"], told["copied"]) == (False, False, [])
    assert list(host.project.iterdir()) == []


def test_models_go_to_a_folder_and_back_and_stay_where_they_were(host: Host) -> None:
    put(host.volume_models, "tiny", b"weights")
    for name in ("id_ed25519", "id_ed25519.pub"):
        (host.volume / name).write_text(f"{name}\n")
    told = host.run(str(host.disk), check=True)
    assert (told["changed"], told["copied"], host.disk.exists()) == (True, ["tiny:latest"], False)
    assert host.deploy(str(host.disk)) == ["tiny:latest"]
    assert files(host.disk) == sorted(["id_ed25519", "id_ed25519.pub", *files(host.volume_models)])
    assert (host.disk / "id_ed25519").stat().st_mode & 0o777 == 0o600
    again = host.run(str(host.disk))
    assert (again["changed"], again["due"]) == (False, False)
    # What is removed there does not come back, and what comes there goes back with the rest.
    put(host.disk, "other", b"weights", b"more")
    (host.disk / "manifests/registry.ollama.ai/library/tiny/latest").unlink()
    assert host.run(str(host.disk))["changed"] is False
    assert host.deploy() == ["other:latest"]
    assert blob(host.volume_models, b"more").read_bytes() == b"more"
    assert host.run()["changed"] is False
    assert blob(host.disk, b"weights").exists()


def test_what_comes_while_a_copy_is_made_follows(host: Host) -> None:
    put(host.volume_models, "tiny", b"weights")
    assert host.run(str(host.disk))["copied"] == ["tiny:latest"]
    put(host.volume_models, "late", b"weights")
    assert host.run(str(host.disk), state="settled")["copied"] == ["late:latest"]


def test_a_copy_that_was_broken_off_goes_on(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    put(host.volume_models, "tiny", b"weights", b"template")

    def kill(*_: object) -> None:
        raise OSError(28, "No space left on device", "blobs")

    with monkeypatch.context() as broken:
        broken.setattr(archive.os, "fsync", kill)
        assert "No space left on device" in host.run(str(host.disk))["msg"]
    assert not (host.disk / "manifests").exists()
    assert host.deploy(str(host.disk)) == ["tiny:latest"]


def test_without_room_nothing_is_made(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    put(host.volume_models, "tiny", b"weights")
    monkeypatch.setattr(move, "free", lambda path: move._RESERVE)
    for check in (True, False):
        told = host.run(str(host.disk), check=check)
        assert f"ollama_server_models_dir: {host.disk} has no room: 0.0 GB of models" in told["msg"]
    assert not host.disk.exists()


def test_a_disk_with_little_room_is_told(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda self, text: said.append(text))
    monkeypatch.setattr(move, "free", lambda path: 1_500_000_000)
    host.deploy(str(host.disk))
    assert said[0] == f"ollama_server_models_dir: {host.disk} has 1.5 GB left, less than the 2.1 GB of a small model."


def test_what_is_damaged_stays_behind_with_a_warning(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda self, text: said.append(text))
    for name in ("tiny", "cut", "rotten", "odd"):
        put(host.volume_models, name, b"weights of " + name.encode())
    blob(host.volume_models, b"weights of cut").write_bytes(b"we")
    blob(host.volume_models, b"weights of rotten").write_bytes(b"Weights of rotten")
    (host.volume_models / "manifests/registry.ollama.ai/library/odd/latest").write_bytes(b"\0" * 99)
    assert host.deploy(str(host.disk)) == ["tiny:latest"]
    text = "\n".join(said)
    for words in ("cut:latest: sha256-", "is damaged", "odd:latest: the manifest of odd:latest is damaged"):
        assert words in text


def test_a_folder_that_had_the_models_and_is_gone_is_no_empty_one(host: Host) -> None:
    assert host.deploy(str(host.disk)) == []
    host.disk.rename(host.root / "elsewhere")
    assert "has the models of this host and is not there; is its disk mounted" in host.run(str(host.disk))["msg"]
    assert "which is not there; is its disk mounted" in host.run()["msg"]
    (host.project / "models.json").write_text("[]")
    assert "models.json: it should say where the models of this host are" in host.run()["msg"]


def test_models_of_others_are_taken_over_once(host: Host) -> None:
    old = host.root / "old"
    put(old / "models", "tiny", b"weights")
    adopt = [{"path": str(old), "below": "models"}]
    told = host.run(check=True, adopt=adopt)
    assert (told["copied"], told["stays"], host.volume.exists()) == (["tiny:latest"], [f"{old}/models"], False)
    assert host.deploy(adopt=adopt) == ["tiny:latest"]
    (host.volume_models / "manifests/registry.ollama.ai/library/tiny/latest").unlink()
    assert host.run(adopt=adopt)["changed"] is False
    assert host.run()["changed"] is False


@pytest.mark.parametrize("trap", ["the folder is a link", "a key is a link", "a key is another's"])
def test_keys_come_along_only_where_they_are_the_servers_own(
    host: Host, monkeypatch: pytest.MonkeyPatch, trap: str
) -> None:
    said: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda self, text: said.append(text))
    old, secret = host.root / "old", host.root / "secret"
    put(old / "models", "tiny", b"weights")
    for name in ("id_ed25519", "id_ed25519.pub"):
        (old / name).write_text(name)
    if trap == "the folder is a link":
        old.rename(secret)
        old.symlink_to(secret)
    elif trap == "a key is a link":
        (old / "id_ed25519").rename(secret)
        (old / "id_ed25519").symlink_to(secret)
    else:
        monkeypatch.setattr(archive.Folder, "owner", ME + 1)
    assert host.deploy(adopt=[{"path": str(old), "below": "models"}]) == ["tiny:latest"]
    assert not (host.volume / "id_ed25519").exists()
    assert "The keys by which a server is known at ollama.com stay where they are" in said[0]


def test_a_folder_that_a_link_leads_to_is_refused(host: Host) -> None:
    (host.root / "linked").symlink_to(host.disk.parent)
    for state in ("copied", "settled", "emptied"):
        told = host.run(str(host.root / "linked/models"), state=state)
        assert "linked is a link, and none is followed" in told["msg"]
    assert not host.disk.exists()


def test_models_of_others_may_stay_where_they_are(host: Host) -> None:
    put(host.disk, "tiny", b"weights")
    before = files(host.disk)
    assert host.deploy(str(host.disk), adopt=[{"path": str(host.disk)}]) == []
    assert files(host.disk) == before


def test_a_folder_is_emptied_of_what_is_ollamas(host: Host) -> None:
    put(host.disk, "tiny", b"weights")
    (host.disk / "notes").write_text("mine")
    assert host.run(str(host.disk), check=True, state="emptied")["changed"] is True
    assert len(files(host.disk)) == 4
    assert host.run(str(host.disk), state="emptied")["changed"] is True
    assert files(host.disk) == ["notes"]
    assert host.run(str(host.disk), state="emptied")["changed"] is False
