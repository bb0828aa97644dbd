# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files with secrets on the controller: private, complete, and refused when something is wrong with them."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.private_folder import SecretFolder
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import SecretStoreError

NAME, SECRET = "alice.laptop", "a secret\n"
STRANGER = 65534


@pytest.fixture
def store(tmp_path: Path) -> SecretFolder:
    return SecretFolder(str(tmp_path / "inventory" / "secrets"))


def load(store: SecretFolder) -> str | None:
    return store.read(NAME, "the stored key") if store.is_there() else None


def save(store: SecretFolder) -> None:
    with store.lock():
        store.write(NAME, SECRET, "the new key")


def rewrite(directory: str) -> None:
    save(SecretFolder(directory))


def count(directory: str) -> None:
    """Not atomic, unless the lock makes it so."""
    store = SecretFolder(directory)
    with store.lock():
        number = int(store.read("count", "the count") or 0)
        time.sleep(0.001)
        store.write("count", str(number + 1), "the count")


def put(store: SecretFolder, mode: int = 0o600) -> str:
    os.makedirs(store.directory, mode=0o700, exist_ok=True)
    path = Path(store.path(NAME))
    path.write_text(SECRET)
    path.chmod(mode)
    return str(path)


def give_away(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Make `path`, and it alone, look like a stranger's: really to give it away takes root."""
    inode = os.lstat(path).st_ino

    def with_owner(call: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        def answer(*args: Any, **options: Any) -> os.stat_result:
            status = call(*args, **options)
            fields = list(status[:10])
            fields[4] = STRANGER
            return os.stat_result(fields) if status.st_ino == inode else status

        return answer

    for name in ("stat", "lstat", "fstat"):
        monkeypatch.setattr(os, name, with_owner(getattr(os, name)))


def test_a_new_file_is_private_and_read_again(store: SecretFolder) -> None:
    assert load(store) is None
    save(store)
    assert load(store) == SECRET
    assert store.names() == {NAME, ".lock"}
    assert os.stat(store.directory).st_mode & 0o777 == 0o700
    assert os.stat(store.path(NAME)).st_mode & 0o777 == 0o600


def test_whoever_reads_while_others_write_finds_a_whole_file(store: SecretFolder) -> None:
    save(store)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        writes = pool.map_async(rewrite, [store.directory] * 50)
        while not writes.ready():
            assert load(store) == SECRET
    assert store.names() == {NAME, ".lock"}


@pytest.mark.parametrize("kind", ["processes", "threads"])
def test_under_the_lock_one_works_at_a_time(store: SecretFolder, kind: str) -> None:
    make: Any = multiprocessing.get_context("fork").Pool if kind == "processes" else ThreadPool
    with make(4) as pool:
        pool.map(count, [store.directory] * 40)
    assert store.read("count", "the count") == "40"
    assert os.stat(store.path(".lock")).st_mode & 0o777 == 0o600


def test_what_is_removed_is_gone_and_may_be_removed_again(store: SecretFolder) -> None:
    save(store)
    store.remove(NAME)
    store.remove(NAME)
    assert (load(store), store.names()) == (None, {".lock"})
    assert SecretFolder(f"{store.directory}/none").names() == set()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_file_open_to_others_is_an_error_that_names_it(store: SecretFolder, mode: int) -> None:
    path = put(store, mode)
    with pytest.raises(SecretStoreError, match=f"^{path}: mode 0{mode:o} .* chmod 600"):
        load(store)


def test_a_file_of_another_user_is_an_error_that_names_it(store: SecretFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(store)
    give_away(monkeypatch, path)
    with pytest.raises(SecretStoreError, match=f"^{path}: the stored key belongs to uid {STRANGER}; .* chown"):
        load(store)


def test_a_file_that_is_a_link_is_an_error_that_names_it(store: SecretFolder, tmp_path: Path) -> None:
    path = put(store)
    os.rename(path, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", path)
    with pytest.raises(SecretStoreError, match=f"^{path}: the stored key is a symbolic link; put the file itself"):
        load(store)


def test_a_lock_that_is_a_link_is_not_followed(store: SecretFolder, tmp_path: Path) -> None:
    put(store)
    os.symlink(tmp_path / "elsewhere", store.path(".lock"))
    with pytest.raises(SecretStoreError, match=r"\.lock: it cannot be locked: "):
        save(store)
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_others_may_write_into_is_not_used(store: SecretFolder) -> None:
    put(store)
    os.chmod(store.directory, 0o777)
    for use in (load, save):
        with pytest.raises(SecretStoreError, match=f"^{store.directory}: .* chmod 700"):
            use(store)
    assert store.names() == {NAME}


def test_a_folder_of_another_user_is_not_used(store: SecretFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store)
    give_away(monkeypatch, store.directory)
    for use in (load, save):
        with pytest.raises(SecretStoreError, match=f"^{store.directory}: the folder of the keys belongs to uid"):
            use(store)
    assert store.names() == {NAME}


def test_a_link_to_the_folder_is_used_unless_it_is_another_users(
    store: SecretFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store)
    link = tmp_path / "link"
    link.symlink_to(store.directory)
    linked = SecretFolder(f"{link}/")
    assert load(linked) == SECRET
    give_away(monkeypatch, str(link))
    for use in (load, save):
        with pytest.raises(SecretStoreError, match=f"^{link}/: the link to the folder of the keys belongs to uid"):
            use(linked)


def test_a_folder_that_cannot_be_made_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = SecretFolder(str(tmp_path / "file" / "secrets"))
    with pytest.raises(SecretStoreError, match=r"alice\.laptop: the new key cannot be stored: "):
        store.write(NAME, SECRET, "the new key")
    with pytest.raises(SecretStoreError, match=r"\.lock: it cannot be locked: "):
        save(store)
