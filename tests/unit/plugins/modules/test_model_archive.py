# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of an archive is copied. The copy itself is tested with the store."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.archive import Folder, Store
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.options import Wanted, read_models
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.place import Container
from ansible_collections.gatehouse.ollama.plugins.modules import model_archive as module

from tests.unit.plugins.module_utils._models.test_archive import blob, put


class Module:
    """Stands for the AnsibleModule."""

    def __init__(self, path: Path, check_mode: bool, **params: Any) -> None:
        self.check_mode = check_mode
        self.params = {"path": str(path), "only_missing": False, "path_variable": "the_archive", **params}
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def wanted(*models: Any) -> list[Wanted]:
    found, problems = read_models(list(models), "the_models")
    assert problems == []
    return found


class Scene:
    """A server's folder, an archive, and the module between them."""

    def __init__(self, folder: Path) -> None:
        self.volume = folder / "volume"
        (self.volume / "models").mkdir(parents=True)
        self.archive = folder / "archive"
        self.container = Container(
            "id", "name", 1, "127.0.0.1", 11434, {"HOME": "/home"}, {"/home/.ollama": str(self.volume)}
        )
        self.warnings: list[str] = []

    def run(self, state: str, *models: Any, check_mode: bool = False, **params: Any) -> dict[str, Any]:
        stand_in = Module(self.archive, check_mode, **params)
        archive = module.Archive(stand_in, wanted(*models))
        result: dict[str, Any] = getattr(archive, state)(self.container)
        self.warnings = stand_in.warnings
        return result

    def has(self) -> list[str]:
        with ExitStack() as opened:
            store = Store(opened.enter_context(Folder.at(str(self.volume / "models"))))
            return sorted(one.name.short for one in store.models())


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_all_that_the_server_has_is_exported_and_imported_by_another(scene: Scene, tmp_path: Path) -> None:
    put(scene.volume / "models", "tiny", b"weights")
    assert scene.run("exported")["added"] == ["tiny:latest"]
    assert scene.run("exported")["changed"] is False
    other = Scene(tmp_path / "other")
    other.archive = scene.archive
    assert other.run("imported", check_mode=True)["added"] == ["tiny:latest"]
    assert other.has() == []
    assert other.run("imported")["added"] == ["tiny:latest"]
    assert (other.run("imported")["changed"], other.has()) == (False, ["tiny:latest"])


def test_every_name_that_is_not_there_is_told_with_its_place(scene: Scene) -> None:
    put(scene.archive, "tiny", b"weights")
    with pytest.raises(BadInput) as error:
        scene.run("imported", "absent", "tiny", {"name": "gone", "digest": "0" * 12})
    assert [problem.split(":")[0] for problem in error.value.problems] == ["the_models[0]", "the_models[2]"]


def test_an_archive_that_is_not_there_is_told_by_its_variable(scene: Scene) -> None:
    with pytest.raises(GatehouseError, match=r"^the_archive: .*No such file"):
        scene.run("imported", "tiny")
    scene.archive.mkdir()
    with pytest.raises(GatehouseError, match=r"^the_archive: .* has no models"):
        scene.run("imported")


def test_a_place_where_no_disk_is_is_not_written_to(scene: Scene) -> None:
    put(scene.volume / "models", "tiny", b"weights")
    scene.archive = scene.archive / "deep"
    with pytest.raises(GatehouseError, match=r"^the_archive: .*No such file"):
        scene.run("exported")


class TestOnlyMissing:
    """What deploy takes from a disk before it downloads."""

    def test_what_is_there_stays_though_the_archive_has_another(self, scene: Scene) -> None:
        put(scene.archive, "tiny", b"old weights")
        put(scene.volume / "models", "tiny", b"weights")
        assert scene.run("imported", "tiny", only_missing=True)["changed"] is False

    def test_another_digest_that_is_asked_for_is_taken(self, scene: Scene) -> None:
        digest = put(scene.archive, "tiny", b"new weights")
        put(scene.volume / "models", "tiny", b"weights")
        answer = scene.run("imported", {"name": "tiny", "digest": digest[:12]}, only_missing=True)
        assert answer["updated"] == ["tiny:latest"]
        assert scene.run("imported", {"name": "tiny", "digest": digest[:12]}, only_missing=True)["changed"] is False

    def test_a_digest_that_the_archive_does_not_have_is_left_to_others(self, scene: Scene) -> None:
        put(scene.archive, "tiny", b"weights")
        answer = scene.run("imported", {"name": "tiny", "digest": "0" * 12}, only_missing=True)
        assert (answer["changed"], scene.has()) == (False, [])

    def test_what_a_model_is_made_from_comes_too(self, scene: Scene) -> None:
        put(scene.archive, "base", b"weights")
        scene.run("imported", {"name": "clerk", "from": "base", "system": "Be brief."}, only_missing=True)
        assert scene.has() == ["base:latest"]

    def test_a_disk_that_was_taken_away_is_not_missed_where_all_is_there(self, scene: Scene) -> None:
        put(scene.volume / "models", "tiny", b"weights")
        assert scene.run("imported", "tiny", only_missing=True)["changed"] is False
        assert scene.warnings == []

    def test_a_disk_that_was_taken_away_is_told_where_something_is_missing(self, scene: Scene) -> None:
        assert scene.run("imported", "tiny", only_missing=True)["changed"] is False
        (warning,) = scene.warnings
        assert warning.startswith("the_archive: ")

    def test_a_damaged_archive_is_still_an_error(self, scene: Scene) -> None:
        put(scene.archive, "tiny", b"weights")
        blob(scene.archive, b"weights").write_bytes(b"weightz")
        with pytest.raises(GatehouseError, match="is damaged"):
            scene.run("imported", "tiny", only_missing=True)
