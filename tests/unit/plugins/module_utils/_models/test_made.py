# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models of files on a server that writes each file anew, as Ollama 0.32.15 does."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.keeper import Keeper
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.made import Made
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.options import read_models
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.pull import Host


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Stream(list[dict[str, str]]):
    """The lines that a server sends while it works."""

    def wait(self, seconds: float) -> None:
        """Nothing comes late."""


class Server:
    """As much of a server as making a model of files needs. Its layers have other digests than the files."""

    timeout = 5

    def __init__(self, version: str = "") -> None:
        self.version = version
        self.models: dict[str, dict[str, Any]] = {}
        self.made = 0

    def tags(self) -> list[dict[str, Any]]:
        return [{"name": name, "digest": sha256(str(model))} for name, model in self.models.items()]

    def show(self, name: str) -> dict[str, Any]:
        model = self.models[name]
        layers = [sha256(digest.partition(":")[2] + " anew" + self.version) for digest in model["files"].values()]
        lines = [f"FROM /models/blobs/sha256-{layer}" for layer in layers]
        return {"modelfile": "\n".join(lines), "system": model.get("system", "")}

    def head_blob(self, _digest: str) -> bool:
        return True

    def create(self, name: str, options: dict[str, Any]) -> Stream:
        self.made += 1
        self.models[name] = options
        return Stream([{"status": "success"}])


class Deploy:
    """One task after another on the same host, each in a process of its own."""

    def __init__(self, folder: Path, server: Server | None = None) -> None:
        self.server = server or Server()
        self.file = folder / "own.gguf"
        self.note = folder / "made.json"
        self.file.write_bytes(b"GGUF" + b"x" * 100)
        self.problem = ""

    def run(self, check: bool = False, **options: Any) -> str:
        wanted, problems = read_models([{"name": "own", "files": [str(self.file)], **options}], "models")
        assert problems == []
        made = Made(str(self.note))
        keeper = Keeper(self.server, Host(), check, made=made)
        (result,) = keeper.keep(wanted)
        assert result.error == ""
        self.problem = made.problem
        return result.change


@pytest.fixture
def deploy(tmp_path: Path) -> Deploy:
    return Deploy(tmp_path)


def test_a_model_of_files_is_made_once_though_the_server_writes_them_anew(deploy: Deploy) -> None:
    assert deploy.run() == "added"
    assert deploy.run(check=True) == "unchanged"
    assert deploy.run() == "unchanged"
    assert deploy.server.made == 1


def test_another_file_or_setting_makes_it_anew_and_the_former_one_too(deploy: Deploy) -> None:
    deploy.run()
    former = deploy.file.read_bytes()
    deploy.file.write_bytes(b"GGUF" + b"y" * 100)
    assert deploy.run(check=True) == "updated"
    assert deploy.run() == "updated"
    assert deploy.run() == "unchanged"
    assert deploy.run(system="Other.") == "updated"
    assert deploy.run(system="Other.") == "unchanged"
    deploy.file.write_bytes(former)
    assert deploy.run(system="Other.") == "updated"


DAMAGED = [
    b"",
    b"[",
    b"[" * 200_000,
    b"{}",
    b'[{"files": 1}]',
    b'[{"files": [1], "layers": null}]',
    b"[1]",
    b"null",
    b"1" * 5000,
    b"\xff\x00",
]


@pytest.mark.parametrize("content", [None, *DAMAGED])
def test_without_the_note_it_is_made_once_more_and_is_no_change(deploy: Deploy, content: bytes | None) -> None:
    deploy.run()
    if content is None:
        deploy.note.unlink()
    else:
        deploy.note.write_bytes(content)
    assert deploy.run() == "unchanged"
    assert deploy.run() == "unchanged"
    assert deploy.server.made == 2
    assert deploy.problem == ""


def test_servers_that_make_different_layers_of_a_file_share_a_note(tmp_path: Path) -> None:
    hosts = [Deploy(tmp_path, Server(version)) for version in ("0.31", "0.32")]
    assert [one.run() for one in hosts] == ["added", "added"]
    for _time in range(2):
        assert [one.run(check=True) for one in hosts] == ["unchanged", "unchanged"]
        assert [one.run() for one in hosts] == ["unchanged", "unchanged"]
    assert [one.server.made for one in hosts] == [1, 1]


def test_what_others_note_meanwhile_stays(tmp_path: Path) -> None:
    first, second = Made(str(tmp_path / "made.json")), Made(str(tmp_path / "made.json"))
    file, other, layers = frozenset({"f"}), frozenset({"g"}), frozenset({"l"})
    assert not first.of(file, layers)
    second.note(other, layers)
    first.note(file, layers)
    later = Made(str(tmp_path / "made.json"))
    assert later.of(file, layers)
    assert later.of(other, layers)


@pytest.mark.parametrize(
    ("note", "reason"), [("/proc/made.json", "No such file or directory"), ("folder", "Is a directory")]
)
def test_a_note_that_cannot_be_written_costs_that_the_model_is_made_again_and_says_why(
    deploy: Deploy, note: str, reason: str
) -> None:
    deploy.note = deploy.note.parent / note
    (deploy.file.parent / "folder").mkdir()
    assert deploy.run() == "added"
    assert deploy.problem == f"{deploy.note} cannot be written: {reason}"
    assert deploy.run() == "unchanged"
    assert deploy.server.made == 2


def test_a_full_disk_costs_the_same_and_leaves_the_former_note(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy.run()
    former = deploy.note.read_bytes()
    deploy.file.write_bytes(b"GGUF" + b"y" * 100)

    def chmod(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.chmod", chmod)
    assert deploy.run() == "updated"
    assert deploy.problem == f"{deploy.note} cannot be written: No space left on device"
    assert deploy.note.read_bytes() == former
    assert [one.name for one in deploy.note.parent.iterdir() if "made" in one.name] == ["made.json"]


def test_what_is_no_file_is_not_waited_for_and_is_said_in_check_mode_too(deploy: Deploy) -> None:
    deploy.run()
    deploy.note.unlink()
    os.mkfifo(deploy.note)
    deploy.run(check=True)
    assert deploy.problem == f"{deploy.note} cannot be read: it is no regular file"
    assert deploy.run() == "unchanged"
    assert deploy.problem == ""
    assert deploy.run(check=True) == "unchanged"


def test_of_two_files_that_become_the_same_layer_each_is_made_once(tmp_path: Path) -> None:
    made = Made(str(tmp_path / "made.json"))
    file, same, layers = frozenset({"f"}), frozenset({"g"}), frozenset({"l"})
    made.note(file, layers)
    made.note(same, layers)
    # The second one may be the layer itself, copied out of the server.
    assert made.of(file, layers)
    assert made.of(same, layers)
    assert made.of(layers, layers)
    assert not made.of(frozenset({"h"}), layers)


def test_a_server_that_tells_no_layer_leaves_no_note(tmp_path: Path) -> None:
    made = Made(str(tmp_path / "made.json"))
    made.note(frozenset({"f"}), frozenset())
    assert list(tmp_path.iterdir()) == []
    assert not made.of(frozenset({"g"}), frozenset())


def test_check_mode_notes_nothing(deploy: Deploy) -> None:
    assert deploy.run(check=True) == "added"
    assert not deploy.note.exists()


def test_a_server_that_keeps_files_as_they_are_needs_no_note(tmp_path: Path) -> None:
    made = Made(str(tmp_path / "made.json"))
    made.note(frozenset("a"), frozenset("a"))
    assert list(tmp_path.iterdir()) == []
