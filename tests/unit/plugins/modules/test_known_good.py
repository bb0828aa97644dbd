# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Compose project goes back to what worked: its files, its images by their numbers, the owner of its volume."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible_collections.gatehouse.ollama.plugins.modules import known_good as module

from tests.unit.plugins.modules.ended import answer

OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64
NAME = "docker.io/ollama/ollama:1"


class Engine:
    """A Docker with one container, and images by name and number."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.health, self.hash, self.image = "healthy", "h1", OLD
        self.images = {NAME: OLD, OLD: OLD}
        self.done: list[str] = []
        self.fails = ""
        self.mounts: list[dict[str, Any]] = [{"type": "volume", "source": "ollama", "target": "/home/ollama/.ollama"}]
        (folder / "compose.yaml").write_text("old\n")

    def container(self) -> dict[str, Any]:
        labels = {"com.docker.compose.service": "ollama", "com.docker.compose.config-hash": self.hash}
        return {
            "Image": self.image,
            "State": {"Running": True, "Health": {"Status": self.health}},
            "Config": {"Image": NAME, "User": "60881:60881", "Labels": labels},
        }

    def command(self, command: list[str]) -> tuple[int, str, str]:
        words = command[1:]
        if self.fails and self.fails in words:
            return 1, "", "first line\ncontainer is unhealthy"
        if words[0] == "ps":
            return 0, "1234", ""
        if words[:2] == ["container", "inspect"]:
            return 0, json.dumps([self.container()]), ""
        if words[:2] == ["image", "inspect"]:
            found = self.images.get(words[2])
            return (0, json.dumps([{"Id": found}]), "") if found else (1, "[]", "Error: No such image: x")
        if "--format=json" in words:
            return 0, json.dumps({"services": {"ollama": {"volumes": self.mounts}}}), ""
        if "config" in words:
            return 0, "ollama h1", ""
        if words[:2] == ["volume", "inspect"]:
            return 0, json.dumps([{"Mountpoint": "/nowhere"}]), ""
        if words[0] == "tag":
            self.images[words[2]] = words[1]
        self.done.append(" ".join(words[:1]) if words[0] == "run" else " ".join(words[-6:]))
        return 0, "60881:60881", ""

    def run(self, state: str, check: bool = False, **options: Any) -> dict[str, Any]:
        where = {"project": "gatehouse-ollama", "project_src": str(self.folder)}
        files = {"files": ["compose.yaml", "egress/nginx.conf"]}
        return answer(module, {"state": state, **where, **files, "_ansible_check_mode": check, **options})


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    made = Engine(tmp_path)
    monkeypatch.setattr(basic.AnsibleModule, "get_bin_path", lambda self, name: name)
    monkeypatch.setattr(basic.AnsibleModule, "run_command", lambda self, command: made.command(command))
    return made


def kept(engine: Engine) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((engine.folder / "good.json").read_text())
    return found


def test_what_works_is_kept_for_root_alone_and_once(engine: Engine) -> None:
    assert engine.run("kept", check=True)["changed"]
    assert not (engine.folder / "good.json").exists()
    assert engine.run("kept")["changed"]
    assert kept(engine) == {"files": {"compose.yaml": "old\n"}, "images": {NAME: OLD}, "user": "60881:60881"}
    assert (engine.folder / "good.json").stat().st_mode & 0o777 == 0o600
    assert not engine.run("kept")["changed"]


@pytest.mark.parametrize(("attribute", "value"), [("health", "unhealthy"), ("hash", "another")])
def test_what_is_not_well_or_not_what_is_described_is_not_taken_for_good(
    engine: Engine, attribute: str, value: str
) -> None:
    setattr(engine, attribute, value)
    said = engine.run("kept", if_runs=True)
    assert (said["changed"], said["is_good"]) == (False, False)
    assert not (engine.folder / "good.json").exists()


def test_what_a_run_left_that_was_broken_off_is_seen_not_to_be_good(engine: Engine) -> None:
    assert engine.run("kept", if_runs=True)["is_good"]
    assert engine.run("kept", if_runs=True)["is_good"]
    engine.image = NEW
    said = engine.run("kept", if_runs=True)
    assert (said["changed"], said["is_good"]) == (False, False)
    engine.image = OLD
    (engine.folder / "compose.yaml").write_text("new\n")
    assert not engine.run("kept", if_runs=True)["is_good"]
    assert kept(engine)["files"] == {"compose.yaml": "old\n"}


def test_files_and_images_come_back_and_the_project_is_started(engine: Engine) -> None:
    (engine.folder / "egress").mkdir()
    (engine.folder / "egress/nginx.conf").write_text("old too\n")
    engine.run("kept")
    (engine.folder / "compose.yaml").write_text("new\n")
    (engine.folder / "egress/nginx.conf").write_text("new too\n")
    engine.images[NAME] = NEW
    assert engine.run("returned", check=True)["changed"]
    assert engine.done == []
    assert engine.run("returned", volume="ollama")["images"] == {NAME: OLD}
    assert (engine.folder / "compose.yaml").read_text() == "old\n"
    assert (engine.folder / "egress/nginx.conf").read_text() == "old too\n"
    assert engine.images[NAME] == OLD
    assert engine.done[0] == f"tag {OLD} {NAME}"
    assert "--wait --wait-timeout 120" in engine.done[-1]


@pytest.mark.parametrize("kind", ["volume", "bind"])
def test_what_has_the_models_is_given_back_be_it_the_volume_or_a_folder(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    given: list[str] = []
    for one in (module.Volume, module.Bound):
        monkeypatch.setattr(one, "hand_over", lambda self, user_id: given.append(f"{self.name} {user_id}"))
    if kind == "bind":
        egress = {"type": "bind", "source": "/opt/gatehouse/ollama/egress", "target": "/etc/x", "read_only": True}
        engine.mounts = [{"type": "bind", "source": "/srv/models", "target": "/home/ollama/.ollama"}, egress]
    engine.run("kept")
    (engine.folder / "compose.yaml").write_text("new\n")
    assert not engine.run("returned", volume="ollama").get("failed")
    assert given == ["gatehouse-ollama_ollama 60881" if kind == "volume" else "/srv/models 60881"]


def test_there_is_no_way_back_without_the_old_image(engine: Engine) -> None:
    engine.run("kept")
    (engine.folder / "compose.yaml").write_text("new\n")
    del engine.images[OLD]
    said = engine.run("returned")
    assert "is not on this host any more" in said["msg"]
    assert (engine.folder / "compose.yaml").read_text() == "new\n"


def test_there_is_no_way_back_to_what_is_there(engine: Engine) -> None:
    engine.run("kept")
    assert engine.run("returned")["msg"] == "nothing else is known to work"
    assert engine.done == []


def test_one_that_does_not_become_healthy_is_told(engine: Engine) -> None:
    engine.run("kept")
    (engine.folder / "compose.yaml").write_text("new\n")
    engine.fails = "up"
    assert engine.run("returned")["msg"] == "it does not become healthy: container is unhealthy"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "{}",
        json.dumps({"files": {}, "images": {NAME: OLD}, "user": ""}),
        json.dumps({"files": {"compose.yaml": "x"}, "images": {}, "user": ""}),
        json.dumps({"files": {"compose.yaml": "x"}, "images": {NAME: "--help"}, "user": ""}),
        json.dumps({"files": {"compose.yaml": "x", "../../etc/passwd": "x"}, "images": {NAME: OLD}, "user": ""}),
        json.dumps({"files": {"compose.yaml": "x", "/etc/passwd": "x"}, "images": {NAME: OLD}, "user": ""}),
        json.dumps({"files": {"compose.yaml": 7}, "images": {NAME: OLD}, "user": ""}),
    ],
)
def test_what_is_damaged_is_nothing_to_return_to(engine: Engine, text: str) -> None:
    (engine.folder / "good.json").write_text(text)
    assert engine.run("returned")["msg"] == f"{engine.folder}/good.json cannot be understood"
    assert engine.done == []
    assert not engine.run("kept", if_runs=True, check=True).get("failed")


def test_where_nothing_was_kept_and_where_there_is_no_folder_that_is_said(engine: Engine) -> None:
    assert engine.run("returned")["msg"] == "nothing ran before that is known to work"
    shutil.rmtree(engine.folder)
    assert engine.run("kept", if_runs=True)["is_good"] is False
