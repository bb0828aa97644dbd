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
from ansible_collections.gatehouse.ollama.plugins.modules import image as module

OLLAMA, NGINX = "docker.io/ollama/ollama:1.2.3", "docker.io/library/nginx:1.30"


def write_archive(path: Path, images: dict[str, str]) -> None:
    """What `docker save` writes of images with these ids, by name."""
    entries = [{"Config": f"blobs/sha256/{one}", "RepoTags": [name] if name else None} for name, one in images.items()]
    data = json.dumps(entries).encode()
    member = tarfile.TarInfo("manifest.json")
    member.size = len(data)
    with tarfile.open(path, "w") as tar:
        tar.addfile(member, io.BytesIO(data))


class Host:
    """Stands for the AnsibleModule on a host with these images; `registry` holds what can be pulled."""

    def __init__(self, images: dict[str, str], registry: dict[str, str] | None = None, **params: Any) -> None:
        self.images, self.registry = dict(images), registry or {}
        self.check_mode = bool(params.pop("check_mode", False))
        self.params = {
            "archive": None,
            "archive_names": [],
            "ask_version_of": [],
            "name_variable": "ollama_server_image",
            "archive_variable": "ollama_server_image_archive",
            **params,
        }
        self.params.setdefault("names", [])
        self.called: list[str] = []

    def get_bin_path(self, name: str, **_: Any) -> str:
        return name

    def run_command(self, args: list[str]) -> tuple[int, str, str]:
        self.called.append(args[1])
        return getattr(self, "_" + args[1])(*args[2:])

    def _image(self, *args: str) -> tuple[int, str, str]:
        found = self.images.get(args[-1])
        missing = 1, "[]", f"Error: No such image: {args[-1]}"
        return (0, json.dumps([{"Id": f"sha256:{found}"}]), "") if found else missing

    def _pull(self, *args: str) -> tuple[int, str, str]:
        if args[-1] not in self.registry:
            return 1, "", "manifest unknown"
        self.images[args[-1]] = self.registry[args[-1]]
        return 0, "", ""

    def _tag(self, image: str, name: str) -> tuple[int, str, str]:
        self.images[name] = image.removeprefix("sha256:")
        return 0, "", ""

    def _load(self, *args: str) -> tuple[int, str, str]:
        self.images.update(self.registry)
        return 0, "", ""

    def _save(self, _option: str, path: str, *names: str) -> tuple[int, str, str]:
        write_archive(Path(path), {module.familiar(name): self.images[name] for name in names})
        return 0, "", ""


def have(host: Host) -> dict[str, Any]:
    return module.have(module.Images(host))


def put(host: Host) -> dict[str, Any]:
    return module.put_into_archive(module.Images(host))


def test_what_is_there_is_not_fetched() -> None:
    host = Host({OLLAMA: "a1"}, names=[OLLAMA])
    assert have(host) == {"changed": False, "ids": ["sha256:a1"], "digests": [""], "diff": {"before": "", "after": ""}}
    assert set(host.called) == {"image"}


def test_what_is_missing_is_pulled_and_nothing_else() -> None:
    host = Host({NGINX: "b2"}, {OLLAMA: "a1"}, names=[OLLAMA, NGINX])
    assert have(host) == {
        "changed": True,
        "ids": ["sha256:a1", "sha256:b2"],
        "digests": ["", ""],
        "diff": {"before": "", "after": OLLAMA + "\n"},
    }
    assert host.called.count("pull") == 1


def test_check_mode_tells_and_pulls_nothing() -> None:
    host = Host({}, {OLLAMA: "a1"}, names=[OLLAMA], check_mode=True)
    assert have(host)["changed"]
    assert (host.images, "pull" in host.called) == ({}, False)


def test_an_image_that_does_not_exist_is_refused_by_variable_and_reason() -> None:
    with pytest.raises(
        module.ImageError, match=f"ollama_server_image: {OLLAMA} cannot be pulled .manifest unknown.*no such image"
    ):
        have(Host({}, names=[OLLAMA]))


def test_an_archive_is_taken_in_the_place_of_the_registry(tmp_path: Path) -> None:
    write_archive(tmp_path / "x.tar", {"ollama/ollama:1.2.3": "a1"})
    host = Host({}, {OLLAMA: "a1"}, names=[OLLAMA], archive=str(tmp_path / "x.tar"))
    assert have(host)["ids"] == ["sha256:a1"]
    assert "pull" not in host.called


def test_an_archive_is_not_needed_for_an_image_that_is_there() -> None:
    assert not have(Host({OLLAMA: "a1"}, names=[OLLAMA], archive="/absent"))["changed"]


@pytest.mark.parametrize("check_mode", [False, True], ids=["for real", "in check mode"])
def test_an_archive_without_the_image_is_refused_with_what_it_has(tmp_path: Path, check_mode: bool) -> None:
    write_archive(tmp_path / "x.tar", {"nginx:1.30": "b2"})
    host = Host({}, names=[OLLAMA], archive=str(tmp_path / "x.tar"), check_mode=check_mode)
    with pytest.raises(module.ImageError, match=r"image_archive: .*x\.tar has no .*ollama:1\.2\.3, but nginx:1\.30"):
        have(host)
    assert "load" not in host.called


def test_an_image_that_a_digest_pins_has_no_place_in_an_archive(tmp_path: Path) -> None:
    pinned = f"{OLLAMA}@sha256:{'a' * 64}"
    host = Host({}, names=[pinned], archive=str(tmp_path / "x.tar"))
    for what in (have, put):
        with pytest.raises(module.ImageError, match="image_archive: an archive keeps no digests"):
            what(host)
    assert not have(Host({pinned: "a1"}, names=[pinned], archive=str(tmp_path / "x.tar")))["changed"]


def test_an_archive_is_written_once(tmp_path: Path) -> None:
    host = Host({OLLAMA: "a1", NGINX: "b2"}, names=[OLLAMA, NGINX], archive=str(tmp_path / "x.tar"))
    assert put(host)["changed"]
    assert not put(host)["changed"]
    assert host.called.count("save") == 1
    assert (tmp_path / "x.tar").stat().st_mode & 0o777 == 0o644


def test_an_archive_of_another_image_is_replaced_and_shown(tmp_path: Path) -> None:
    write_archive(tmp_path / "x.tar", {"ollama/ollama:1.2.3": "old"})
    answer = put(Host({OLLAMA: "a1"}, names=[OLLAMA], archive=str(tmp_path / "x.tar")))
    assert (answer["diff"]["before"], answer["diff"]["after"]) == ("sha256:old\n", "sha256:a1\n")


def test_in_check_mode_no_archive_is_written(tmp_path: Path) -> None:
    assert put(Host({OLLAMA: "a1"}, names=[OLLAMA], archive=str(tmp_path / "x.tar"), check_mode=True))["changed"]
    assert list(tmp_path.iterdir()) == []


def test_what_the_host_does_not_have_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(module.ImageError, match=r"this host has no image .*; deploy first"):
        put(Host({}, names=[OLLAMA], archive=str(tmp_path / "x.tar")))


@pytest.mark.parametrize("check_mode", [False, True], ids=["for real", "in check mode"])
def test_an_archive_that_holds_what_nobody_named_is_refused_before_it_is_loaded(
    tmp_path: Path, check_mode: bool
) -> None:
    write_archive(tmp_path / "x.tar", {"ollama/ollama:1.2.3": "a1", "nginx:1.30": "evil", "alpine:3": "c3"})
    host = Host({NGINX: "b2"}, names=[OLLAMA], archive=str(tmp_path / "x.tar"), check_mode=check_mode)
    with pytest.raises(module.ImageError, match=r"image_archive: .* besides what is wanted alpine:3, nginx:1\.30"):
        have(host)
    assert "load" not in host.called
    assert host.images == {NGINX: "b2"}


def test_an_archive_with_an_image_without_a_name_is_refused(tmp_path: Path) -> None:
    write_archive(tmp_path / "x.tar", {"ollama/ollama:1.2.3": "a1", "": "c3"})
    with pytest.raises(module.ImageError, match="an image without a name"):
        have(Host({}, names=[OLLAMA], archive=str(tmp_path / "x.tar")))


def test_an_archive_may_hold_what_is_named_elsewhere_and_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    write_archive(tmp_path / "x.tar", {"ollama/ollama:1.2.3": "a1", "nginx:1.30": "other"})
    archived = {OLLAMA: "a1", NGINX: "other"}
    host = Host({NGINX: "b2"}, archived, names=[OLLAMA], archive=str(tmp_path / "x.tar"), archive_names=[OLLAMA, NGINX])
    assert have(host)["ids"] == ["sha256:a1"]
    assert host.images == {OLLAMA: "a1", NGINX: "b2"}


def test_an_archive_that_does_not_bring_what_it_lists_is_told(tmp_path: Path) -> None:
    write_archive(tmp_path / "x.tar", {"ollama/ollama:1.2.3": "a1"})
    with pytest.raises(module.ImageError, match=f"`docker load` brought no {OLLAMA}"):
        have(Host({}, names=[OLLAMA], archive=str(tmp_path / "x.tar")))


def test_the_version_is_read_from_what_the_program_says_without_a_server() -> None:
    said = "Warning: could not connect to a running Ollama instance\nWarning: client version is 0.32.15\n"
    assert module.read_version(said) == "0.32.15"
    assert module.read_version("ollama version is 0.17.1-rc2") == "0.17.1-rc2"
    assert module.read_version("exec: not found") == ""


@pytest.mark.parametrize(
    ("said", "problem"),
    [("client version is 0.32.15", ""), ("client version is 0.6.0", "older than"), ("not found", "does not tell")],
)
def test_an_image_whose_tag_does_not_tell_is_asked_for_its_version(said: str, problem: str) -> None:
    host = Host({}, ask_version_of=["ours/llm:1"], minimum_version="0.17.1")
    host._run = lambda *args: (0, said, "")  # type: ignore[attr-defined]
    if problem:
        with pytest.raises(module.BadInput, match=f"ours/llm:1.*{problem}"):
            module.ask_versions(module.Images(host))
    else:
        assert module.ask_versions(module.Images(host)) == {"ours/llm:1": "0.32.15"}
