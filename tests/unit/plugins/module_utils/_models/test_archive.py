# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._models import archive
from ansible_collections.gatehouse.ollama.plugins.module_utils._models import names as model_names
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.archive import Folder, Store
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.names import Name


def name(text: str) -> Name:
    found = model_names.parse(text)
    assert found is not None
    return found


def put(folder: Path, text: str, *layers: bytes) -> str:
    """Put a model into a folder as Ollama keeps it; return its digest."""
    blobs = [*layers, b'{"model_format": "gguf"}']
    digests = [hashlib.sha256(blob).hexdigest() for blob in blobs]
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    for digest, blob in zip(digests, blobs, strict=True):
        (folder / "blobs" / f"sha256-{digest}").write_bytes(blob)
    parts = [{"digest": f"sha256:{one}", "size": len(blob)} for one, blob in zip(digests, blobs, strict=True)]
    manifest = json.dumps({"schemaVersion": 2, "config": parts[-1], "layers": parts[:-1]}).encode()
    of = name(text)
    path = folder / "manifests" / of.host / of.namespace / of.model / of.tag
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(manifest)
    return hashlib.sha256(manifest).hexdigest()


def blob(folder: Path, content: bytes) -> Path:
    return folder / "blobs" / f"sha256-{hashlib.sha256(content).hexdigest()}"


def files(folder: Path) -> list[str]:
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*") if not one.is_dir())


def copy_all(source: Store, target: Store) -> None:
    for model in source.models():
        target.take(model, source)


@pytest.fixture
def there(tmp_path: Path) -> Path:
    folder = tmp_path / "there"
    put(folder, "tiny", b"weights", b"template")
    put(folder, "someone/other:1b", b"weights", b"another template")
    return folder


@pytest.fixture
def source(there: Path) -> Iterator[Store]:
    with Folder.at(str(there)) as folder:
        yield Store(folder)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


@pytest.fixture
def target(here: Path) -> Iterator[Store]:
    with Folder.at(str(here)) as folder:
        yield Store(folder)


def test_models_are_read_with_their_digests_as_ollama_shows_them(there: Path, source: Store) -> None:
    digest = put(there, "tiny", b"weights", b"template")
    assert {one.name.short: one.digest for one in source.models()}["tiny:latest"] == digest
    assert [one.name.short for one in source.models()] == ["tiny:latest", "someone/other:1b"]


def test_a_model_is_found_in_any_spelling(source: Store) -> None:
    found = source.find(name("registry.ollama.ai/library/TINY"))
    assert found is not None
    assert found.name.short == "tiny:latest"
    assert source.find(name("absent")) is None


def test_a_copied_model_is_the_same_model(there: Path, here: Path, source: Store, target: Store) -> None:
    copy_all(source, target)
    assert files(here) == files(there)
    assert [one.digest for one in target.models()] == [one.digest for one in source.models()]


def test_what_is_there_is_not_planned_again_and_shared_layers_are_planned_once(source: Store, target: Store) -> None:
    plans = archive.plan(source.models(), target)
    planned = [part.digest for one in plans for part in one.blobs]
    assert len(planned) == len(set(planned)) == 4
    copy_all(source, target)
    assert not any(one.needed for one in archive.plan(source.models(), target))


def test_a_damaged_layer_is_named_and_neither_it_nor_the_model_appears(
    there: Path, here: Path, source: Store, target: Store
) -> None:
    blob(there, b"weights").write_bytes(b"weightz")
    model = source.find(name("tiny"))
    assert model is not None
    with pytest.raises(GatehouseError, match=blob(there, b"weights").name + " is damaged"):
        target.take(model, source)
    assert not blob(here, b"weights").exists()
    assert target.models() == []


def test_a_missing_layer_is_named(there: Path, source: Store, target: Store) -> None:
    blob(there, b"template").unlink()
    model = source.find(name("tiny"))
    assert model is not None
    with pytest.raises(GatehouseError, match="of tiny:latest is missing"):
        target.take(model, source)


def test_another_model_under_the_same_name_replaces_it_in_its_spelling(
    here: Path, source: Store, target: Store
) -> None:
    put(here, "Tiny", b"old weights")
    model = source.find(name("tiny"))
    assert model is not None
    (one,) = archive.plan([model], target)
    assert one.needed
    assert one.old
    target.take(model, source)
    assert [(one.name.model, one.digest) for one in target.models()] == [("Tiny", model.digest)]


@pytest.mark.parametrize("place", ["blobs", "manifests", "manifests/registry.ollama.ai"])
def test_a_folder_that_is_a_link_is_refused(place: str, here: Path, source: Store, target: Store) -> None:
    elsewhere = here.parent / "elsewhere"
    elsewhere.mkdir()
    link = here / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere)
    with pytest.raises(GatehouseError, match="link"):
        copy_all(source, target)
    assert files(elsewhere) == []


def test_a_manifest_that_is_a_link_is_not_read(here: Path, target: Store) -> None:
    path = here / "manifests/registry.ollama.ai/library/tiny/latest"
    path.parent.mkdir(parents=True)
    path.symlink_to("/etc/passwd")
    with pytest.raises(GatehouseError, match="tiny/latest: it is a link"):
        target.models()


def test_a_layer_that_is_a_link_is_replaced_and_what_it_leads_to_stays(
    here: Path, source: Store, target: Store
) -> None:
    secret = here.parent / "secret"
    secret.write_text("secret")
    blob(here, b"weights").parent.mkdir()
    blob(here, b"weights").symlink_to(secret)
    copy_all(source, target)
    assert secret.read_text() == "secret"
    assert blob(here, b"weights").read_bytes() == b"weights"


def test_a_link_in_an_archive_is_not_read(there: Path, source: Store, target: Store) -> None:
    away = there / "away"
    blob(there, b"weights").rename(away)
    blob(there, b"weights").symlink_to(away)
    with pytest.raises(GatehouseError, match="is missing"):
        copy_all(source, target)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"layers": []}',
        b'{"config": {"digest": "sha256:../../etc/passwd", "size": 1}, "layers": []}',
        b'{"config": {"digest": "md5:00", "size": 1}, "layers": []}',
        b'{"config": {"size": 1}, "layers": []}',
    ],
    ids=["empty", "a list", "no config", "a path", "another digest", "no digest"],
)
def test_a_damaged_manifest_is_named_by_its_model(content: bytes) -> None:
    with pytest.raises(GatehouseError, match="the manifest of tiny:latest is damaged"):
        archive.read_manifest(name("tiny"), content)


def test_what_is_no_manifest_is_not_read_to_its_end(here: Path, target: Store) -> None:
    put(here, "tiny", b"weights")
    with (here / "manifests/registry.ollama.ai/library/tiny/latest").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(GatehouseError, match="it is no manifest"):
        target.models()


def test_what_was_left_by_a_broken_copy_is_no_model(here: Path, target: Store) -> None:
    put(here, "tiny", b"weights")
    (here / "manifests/registry.ollama.ai/library/tiny/.latest.123").write_bytes(b"half")
    assert [one.name.short for one in target.models()] == ["tiny:latest"]


def test_a_copy_belongs_to_the_owner_of_the_folder(here: Path, source: Store) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    os.chown(here, 4321, 4321)
    with Folder.at(str(here)) as folder:
        for model in source.models():
            Store(folder).take(model, source)
    assert {one.stat().st_uid for one in here.rglob("*")} == {4321}
    assert {oct(one.stat().st_mode & 0o777) for one in here.rglob("*") if one.is_file()} == {"0o644"}


def test_a_disk_that_is_too_small_is_told_before_anything_is_copied(
    source: Store, target: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Folder, "free", lambda self: 1000)
    with pytest.raises(GatehouseError, match="GB are free; make room"):
        archive.refuse_if_too_large(archive.plan(source.models(), target), target.folder)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(GatehouseError, match="absent: No such file or directory"), Folder.at(str(tmp_path / "absent")):
        pass
