# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders of the controller in a backup."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup import controller
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.manifest import File
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import SecretStoreError

CONTENTS = {"alice.laptop": b"secret\n", "alice.laptop~old": b"{}\n"}
FILES = [File(name, len(text), hashlib.sha256(text).hexdigest()) for name, text in CONTENTS.items()]


def test_what_was_read_comes_back_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / ".gatehouse" / "secrets"
    controller.put(str(folder), "secrets", CONTENTS)
    assert controller.contents(str(folder), "secrets") == CONTENTS
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "alice.laptop").stat().st_mode & 0o777 == 0o600
    assert (folder.parent / ".gitignore").read_text() == "*\n"
    assert controller.split(str(folder), FILES) == ([], [])


def test_the_certificate_of_a_ca_is_for_everybody(tmp_path: Path) -> None:
    controller.put(str(tmp_path / "ca"), "ca", {"ca.pem": b"c", "ca.key": b"k"})
    modes = {one.name: one.stat().st_mode & 0o777 for one in (tmp_path / "ca").iterdir()}
    assert modes == {"ca.pem": 0o644, "ca.key": 0o600}


def test_what_is_missing_and_what_differs_is_told(tmp_path: Path) -> None:
    assert controller.split(str(tmp_path / "none"), FILES) == (FILES, [])
    (tmp_path / "alice.laptop").write_text("SECRET\n")
    assert controller.split(str(tmp_path), FILES) == ([FILES[1]], [FILES[0]])


def test_no_folder_that_others_may_write_to_is_read_or_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for act in (
        lambda: controller.contents(str(tmp_path), "secrets"),
        lambda: controller.put(str(tmp_path), "secrets", CONTENTS),
    ):
        with pytest.raises(SecretStoreError, match="others than its owner may write into"):
            act()


def test_a_link_in_the_place_of_a_key_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir(0o700)
    (tmp_path / "elsewhere").write_text("x")
    (folder / "alice.laptop").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Exception, match="no regular file"):
        controller.contents(str(folder), "secrets")


def test_gateways_that_share_a_ca_take_turns(tmp_path: Path) -> None:
    folder = tmp_path / "ca"
    folder.mkdir(0o700)
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with ThreadPoolExecutor() as pool:
        done = [pool.submit(controller.put, str(folder), "ca", {"ca.key": b"k"}) for _ in range(8)]
        time.sleep(0.3)
        assert list(folder.iterdir()) == []
        os.close(descriptor)
        for one in done:
            one.result()
    assert [one.name for one in folder.iterdir()] == ["ca.key"]


def test_a_key_that_is_revoked_here_is_not_forgotten(tmp_path: Path) -> None:
    folder, name = str(tmp_path / "secrets"), "alice.laptop~revoked"
    first, second = b"sha256:" + b"a" * 64 + b"\n", b"sha256:" + b"b" * 64 + b"\n"
    for content, wanted in ((second, second), (first, first + second), (b"", first + second)):
        controller.put(folder, "secrets", {name: content})
        assert controller.contents(folder, "secrets") == {name: wanted}
