# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker import image_archive
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.image_archive import ArchiveError


def archive(path: Path, **contents: Any) -> str:
    return members(path, *((f"{name}.json", content) for name, content in contents.items()))


def members(path: Path, *contents: tuple[str, Any]) -> str:
    """An archive of members with JSON; a text in the place of it makes a symbolic link."""
    with tarfile.open(path, "w") as tar:
        for name, content in contents:
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
            data = b"" if isinstance(content, str) else json.dumps(content).encode()
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return str(path)


@pytest.mark.parametrize(
    "name",
    ["docker.io/ollama/ollama:1.2", "ollama/ollama:1.2", "index.docker.io/ollama/ollama:1.2"],
)
def test_names_are_those_that_docker_shows(name: str) -> None:
    assert image_archive.familiar(name) == "ollama/ollama:1.2"
    assert image_archive.familiar("docker.io/library/nginx:1.30") == "nginx:1.30"
    assert image_archive.familiar("registry.example.com/library/nginx:1") == "registry.example.com/library/nginx:1"


def test_an_archive_of_an_old_engine_is_read(tmp_path: Path) -> None:
    images = [{"Config": "ab12.json", "RepoTags": ["ollama/ollama:1.2", "other:3"]}]
    found = image_archive.read(archive(tmp_path / "old.tar", manifest=images))
    assert found.names == {"ollama/ollama:1.2", "other:3"}
    assert found.ids == {"sha256:ab12"}


def test_an_archive_of_a_new_engine_is_read_with_both_ids(tmp_path: Path) -> None:
    images = [{"Config": "blobs/sha256/ab12", "RepoTags": ["ollama/ollama:1.2"]}]
    index = {"schemaVersion": 2, "manifests": [{"digest": "sha256:cd34"}]}
    found = image_archive.read(archive(tmp_path / "new.tar", manifest=images, index=index))
    assert found.ids == {"sha256:ab12", "sha256:cd34"}


def test_an_image_without_a_name_has_none(tmp_path: Path) -> None:
    found = image_archive.read(archive(tmp_path / "x.tar", manifest=[{"Config": "ab12.json", "RepoTags": None}]))
    assert found.names == frozenset()


def test_what_is_no_archive_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(b"no archive")
    with pytest.raises(ArchiveError, match=r"x\.tar: it is no archive of images"):
        image_archive.read(str(path))
    with pytest.raises(ArchiveError):
        image_archive.read(archive(tmp_path / "y.tar", other=[]))
    with pytest.raises(FileNotFoundError):
        image_archive.read(str(tmp_path / "absent.tar"))


WANTED = {"Config": "ab12.json", "RepoTags": ["ollama/ollama:1.2"]}
OTHER = {"Config": "cd34.json", "RepoTags": ["nginx:1.30"]}


@pytest.mark.parametrize(
    ("annotations", "name"),
    [
        ({"io.containerd.image.name": "docker.io/library/nginx:1.30", "org.opencontainers.image.ref.name": "1.30"}, 1),
        ({"org.opencontainers.image.ref.name": "docker.io/library/nginx:1.30"}, 1),
        ({}, 0),
    ],
    ids=["by containerd's annotation", "by OCI's annotation", "none"],
)
def test_names_count_that_only_a_new_engine_reads(tmp_path: Path, annotations: dict[str, str], name: int) -> None:
    named = {"digest": "sha256:ab", "annotations": {"io.containerd.image.name": "docker.io/ollama/ollama:1.2"}}
    index = {"manifests": [named, {"digest": "sha256:cd", "annotations": annotations}]}
    found = image_archive.read(archive(tmp_path / "x.tar", manifest=[WANTED], index=index))
    assert found.names == {"ollama/ollama:1.2", *["nginx:1.30"][:name]}
    assert found.has_unnamed is not bool(name)


@pytest.mark.parametrize(
    "hidden",
    [
        [("manifest.json", [WANTED]), ("./manifest.json", [OTHER])],
        [("manifest.json", [WANTED]), ("manifest.json", [OTHER])],
        [("other.json", [OTHER]), ("manifest.json", "other.json")],
        [("manifest.json", [WANTED]), ("here", "."), ("here/manifest.json", [OTHER])],
        [("manifest.json", [WANTED]), ("here", "."), ("here/x/../y/manifest.json", [OTHER])],
        [("manifest.json", [WANTED]), ("blobs/../index.json", {}), ("index.json", {"manifests": []})],
    ],
    ids=["another spelling", "twice", "a link", "behind a link", "deeper behind a link", "the other list twice"],
)
def test_a_list_that_an_engine_could_read_otherwise_is_refused(tmp_path: Path, hidden: list[tuple[str, Any]]) -> None:
    with pytest.raises(ArchiveError):
        image_archive.read(members(tmp_path / "x.tar", *hidden))


@pytest.mark.parametrize(
    "manifest",
    [
        '[{"Config": "ab.json", "RepoTags": ["a:1"], "repotags": ["a:1", "b:1"]}]',
        '[{"Config": "ab.json", "RepoTags": ["a:1"], "RepoTags": ["b:1"]}]',
        '[{"Config": "ab.json", "REPOTAGS": ["b:1"]}]',
        '[{"Config": "ab.json", "RepoTag\\u017f": ["b:1"]}]',
    ],
)
def test_a_list_whose_keys_two_readers_could_take_in_two_ways_is_refused(tmp_path: Path, manifest: str) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo("manifest.json")
        member.size = len(manifest)
        tar.addfile(member, io.BytesIO(manifest.encode()))
    with pytest.raises(ArchiveError):
        image_archive.read(str(path))


def test_an_archive_that_renames_its_members_for_some_readers_is_refused(tmp_path: Path) -> None:
    lists = [[{"Config": "ab.json", "RepoTags": [name]}] for name in ("b:1", "a:1")]
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for told, name, content in zip(("decoy", "manifest.json"), ("manifest.json", "other"), lists):
            assert tar.fileobj is not None
            tar.fileobj.write(tarfile.TarInfo.create_pax_global_header({"path": told}))
            tar.offset = tar.fileobj.tell()
            data = json.dumps(content).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    with pytest.raises(ArchiveError):
        image_archive.read(str(path))
