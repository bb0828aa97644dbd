# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder for models is one of the user's own, writable for the server, and only what is Ollama's is taken out."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._models import models_dir

OURS = "/opt/gatehouse/ollama"
ME = os.geteuid()


@pytest.mark.parametrize(
    "path", ["/srv/models", "/models", "/mnt/disk 1/ä", "/usr/share/ollama/.ollama/models", "/var/lib/llm"]
)
def test_a_folder_of_ones_own_is_taken(path: str) -> None:
    assert models_dir.path_problem(path, OURS) is None


@pytest.mark.parametrize(
    "path", ["models", "/", "//srv/x", "/srv/x/", "/srv/../etc", "/srv/./x", "/a:b", "/a$b", "/a\nb", "~/x", "/\0"]
)
def test_what_is_no_plain_absolute_path_is_refused(path: str) -> None:
    assert "the absolute path of a folder" in str(models_dir.path_problem(path, OURS))


@pytest.mark.parametrize(
    "path",
    [
        *["/etc", "/etc/x", "/usr", "/usr/lib/x", "/var", "/home", "/srv", "/proc/1", "/var/lib/docker/volumes/x"],
        *["/home/ann", "/root", "/root/models", "/var/spool/cron", "/run/x", "/usr/local/bin/x", "/home/ann/.ssh"],
    ],
)
def test_a_folder_of_the_system_is_refused(path: str) -> None:
    assert f"{path} belongs to the system" in str(models_dir.path_problem(path, OURS))


def test_what_another_role_wrote_is_refused(tmp_path: Path) -> None:
    assert "apart from what the roles have in /opt/gatehouse" in str(
        models_dir.path_problem("/opt/gatehouse/gateway/clients", OURS)
    )
    (tmp_path / "clients").mkdir()
    (tmp_path / "compose.yaml").write_text("# managed\nname: gatehouse-gateway\n")
    for name in ("", "clients", "new"):
        with pytest.raises(GatehouseError, match=f"must be apart from {tmp_path}, where a role has what it wrote"):
            models_dir.refuse(str(tmp_path / name), OURS, ME)


@pytest.mark.parametrize("path", [OURS, f"{OURS}/models", "/opt/gatehouse"])
def test_the_folder_of_the_project_and_those_around_it_are_refused(path: str) -> None:
    assert f"apart from ollama_server_dir, which is {OURS}" in str(models_dir.path_problem(path, OURS))


def test_what_is_no_folder_or_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "system").symlink_to("/etc")
    (tmp_path / "linked").symlink_to(tmp_path)
    reasons = {
        "file": "is no folder",
        "file/below": "Not a directory",
        "no/such": "cannot be made, for .*/no is not there; is its disk mounted",
        "system": "system is a link, and none is followed.* name that: /etc",
        "linked": "linked is a link, and none is followed",
        "linked/new": "linked is a link, and none is followed",
    }
    for name, reason in reasons.items():
        with pytest.raises(GatehouseError, match=f"ollama_server_models_dir: .*{reason}"):
            models_dir.refuse(str(tmp_path / name), OURS, ME)
    models_dir.refuse(str(tmp_path / "new"), OURS, ME)
    with pytest.raises(GatehouseError, match=r"must be a folder of its own.* belongs to the system"):
        models_dir.refuse("/etc/models", OURS, ME)


def test_a_folder_is_made_and_emptied_by_no_link(tmp_path: Path) -> None:
    put(tmp_path / "other", "blobs/sha256-" + "a" * 64)
    (tmp_path / "linked").symlink_to(tmp_path / "other")
    with pytest.raises(GatehouseError, match="linked/new cannot be made"):
        models_dir.make(str(tmp_path / "linked/new"), ME)
    with pytest.raises(GatehouseError, match="linked cannot be removed"):
        models_dir.empty(str(tmp_path / "linked"), ME)
    assert len(list((tmp_path / "other/blobs").iterdir())) == 1


def test_links_that_come_after_a_look_are_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may write there exchanges the folder of blobs between the look and the removal."""
    blob = "sha256-" + "a" * 64
    put(tmp_path / "models", f"blobs/{blob}")
    put(tmp_path / "other", blob)
    seen = models_dir.belongings(str(tmp_path / "models"))
    (tmp_path / "models/blobs").rename(tmp_path / "models/away")
    (tmp_path / "models/blobs").symlink_to(tmp_path / "other")
    monkeypatch.setattr(models_dir, "belongings", lambda path: seen)
    with pytest.raises(GatehouseError, match="cannot be removed"):
        models_dir.empty(str(tmp_path / "models"), ME)
    assert (tmp_path / "other" / blob).exists()


def test_where_neither_root_nor_the_user_may_write_it_is_said_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root is nobody on NFS with root_squash: what it may not, the user may."""
    may = {"user": True}
    monkeypatch.setattr(models_dir.os, "access", lambda path, mode: False)
    monkeypatch.setattr(models_dir, "may_write", lambda folder, user_id: may["user"])
    models_dir.refuse(str(tmp_path), OURS, 60881)
    may["user"] = False
    with pytest.raises(
        GatehouseError, match=r"neither root nor user 60881 .* may write .* root_squash, run `chown 60881:60881`"
    ):
        models_dir.refuse(str(tmp_path), OURS, 60881)


def test_whether_a_user_may_write_is_tried_as_that_user(tmp_path: Path) -> None:
    assert models_dir.may_write(str(tmp_path), ME)
    tmp_path.chmod(0o700)
    assert models_dir.may_write(str(tmp_path), 60881) is (ME != 0)


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")


def test_what_is_ollamas_goes_and_what_is_not_stays(tmp_path: Path) -> None:
    blob = "blobs/sha256-" + hashlib.sha256(b"").hexdigest()
    ours = [
        blob,
        f"{blob}-partial-0",
        "id_ed25519",
        "id_ed25519.pub",
        "history",
        "manifests/registry.ollama.ai/library/tiny/latest",
    ]
    others = [
        "photo.jpg",
        "blobs/notes.txt",
        "manifests/deployment.yaml",
        "manifests/a/b/kustomize.yaml",
        "other/id_ed25519",
    ]
    put(tmp_path, *ours, *others)
    (tmp_path / "manifests" / "link").symlink_to(tmp_path / "other")
    assert sorted(models_dir.belongings(str(tmp_path))) == sorted(str(tmp_path / one) for one in ours)
    models_dir.empty(str(tmp_path), ME)
    left = sorted(str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*") if one.is_file())
    assert left == sorted(others)
    assert not (tmp_path / "manifests/registry.ollama.ai").exists()
    assert models_dir.belongings(str(tmp_path)) == []


def test_links_in_the_place_of_its_folders_are_not_followed(tmp_path: Path) -> None:
    put(tmp_path / "other", "sha256-" + "a" * 64, "h/n/m/t")
    for name in ("blobs", "manifests"):
        (tmp_path / name).symlink_to(tmp_path / "other")
    assert models_dir.belongings(str(tmp_path)) == []
    models_dir.empty(str(tmp_path), ME)
    assert len(list((tmp_path / "other").rglob("*"))) == 5
