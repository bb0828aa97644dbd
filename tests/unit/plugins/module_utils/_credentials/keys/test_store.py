# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated keys on the controller: private, complete, one for all, and refused when something is wrong with them."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import Key
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.store import (
    SecretStore,
    stored_secrets,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import SecretStoreError

STRANGER = 65534


@pytest.fixture
def store(tmp_path: Path) -> SecretStore:
    return SecretStore(str(tmp_path / "inventory" / "secrets"))


def generate(store: SecretStore, name: str = "alice.laptop") -> None:
    store.write(name, key_form.generate() + "\n", "the new key")


def rewrite(directory: str) -> None:
    generate(SecretStore(directory))


def count(directory: str) -> None:
    """Not atomic, unless the lock makes it so."""
    store = SecretStore(directory)
    with store.lock():
        number = int(store.read("count", "the count") or 0)
        time.sleep(0.001)
        store.write("count", str(number + 1), "the count")


def enter(store: SecretStore) -> None:
    with store.lock():
        pass


def put(store: SecretStore, text: str, mode: int = 0o600) -> str:
    os.makedirs(store.directory, mode=0o700, exist_ok=True)
    path = Path(store.path("alice.laptop"))
    path.write_text(text)
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


def key(key_id: str, secret: str | None = None) -> Key:
    return Key(f"clients[0].keys[0] (alice.{key_id})", "alice", key_id, secret, None, True)


def test_a_new_key_is_sound_private_and_read_again(store: SecretStore) -> None:
    assert store.load("alice.laptop") is None
    generate(store)
    secret = store.load("alice.laptop")
    assert secret is not None
    assert key_form.verify(secret)
    assert os.listdir(store.directory) == ["alice.laptop"]
    assert os.stat(store.directory).st_mode & 0o777 == 0o700
    assert os.stat(store.path("alice.laptop")).st_mode & 0o777 == 0o600


def test_whoever_reads_while_others_write_finds_a_whole_key(store: SecretStore) -> None:
    generate(store)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        writes = pool.map_async(rewrite, [store.directory] * 50)
        while not writes.ready():
            assert store.load("alice.laptop") is not None
    assert os.listdir(store.directory) == ["alice.laptop"]


@pytest.mark.parametrize("kind", ["processes", "threads"])
def test_under_the_lock_one_works_at_a_time(store: SecretStore, kind: str) -> None:
    make: Any = multiprocessing.get_context("fork").Pool if kind == "processes" else ThreadPool
    with make(4) as pool:
        pool.map(count, [store.directory] * 40)
    assert store.read("count", "the count") == "40"
    assert os.stat(store.path(".lock")).st_mode & 0o777 == 0o600


def test_what_is_removed_is_gone_and_may_be_removed_again(store: SecretStore) -> None:
    generate(store)
    store.remove("alice.laptop")
    store.remove("alice.laptop")
    assert (store.load("alice.laptop"), store.names()) == (None, set())
    assert SecretStore(f"{store.directory}/none").names() == set()


def test_a_newline_at_the_end_of_a_stored_key_does_not_matter(store: SecretStore) -> None:
    secret = key_form.generate()
    put(store, secret)
    assert store.load("alice.laptop") == secret


@pytest.mark.parametrize(
    ("text", "word"), [("", "empty"), ("\n", "empty"), ("planted", "damaged"), ("ä" * 9000, "damaged")]
)
def test_an_empty_or_damaged_stored_key_is_an_error_that_names_the_file(
    store: SecretStore, text: str, word: str
) -> None:
    path = put(store, text)
    with pytest.raises(SecretStoreError, match=f"^{path}: the stored key is {word}; restore the file") as caught:
        store.load("alice.laptop")
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_stored_key_open_to_others_is_an_error_that_names_the_file(store: SecretStore, mode: int) -> None:
    path = put(store, key_form.generate(), mode)
    with pytest.raises(SecretStoreError, match=f"^{path}: mode 0{mode:o} .* chmod 600"):
        store.load("alice.laptop")


def test_a_stored_key_of_another_user_is_an_error_that_names_the_file(
    store: SecretStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(store, key_form.generate())
    give_away(monkeypatch, path)
    with pytest.raises(SecretStoreError, match=f"^{path}: the stored key belongs to uid {STRANGER}; .* chown"):
        store.load("alice.laptop")


def test_a_stored_key_that_is_a_link_is_an_error_that_names_the_file(store: SecretStore, tmp_path: Path) -> None:
    path = put(store, key_form.generate())
    os.rename(path, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", path)
    with pytest.raises(SecretStoreError, match=f"^{path}: the stored key is a symbolic link; put the file itself"):
        store.load("alice.laptop")


def test_a_folder_that_others_may_write_into_is_not_used(store: SecretStore) -> None:
    put(store, key_form.generate())
    os.chmod(store.directory, 0o777)
    for use in (lambda: store.load("alice.phone"), lambda: generate(store, "alice.phone"), lambda: enter(store)):
        with pytest.raises(SecretStoreError, match=f"^{store.directory}: .* chmod 700"):
            use()
    assert os.listdir(store.directory) == ["alice.laptop"]


def test_a_folder_of_another_user_is_not_used(store: SecretStore, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, key_form.generate())
    give_away(monkeypatch, store.directory)
    for use in (lambda: store.load("alice.phone"), lambda: generate(store, "alice.phone"), lambda: enter(store)):
        with pytest.raises(SecretStoreError, match=f"^{store.directory}: the folder of the keys belongs to uid"):
            use()
    assert os.listdir(store.directory) == ["alice.laptop"]


def test_a_link_to_the_folder_is_used_unless_it_is_another_users(
    store: SecretStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, key_form.generate())
    link = tmp_path / "link"
    link.symlink_to(store.directory)
    linked = SecretStore(f"{link}/")
    assert linked.load("alice.laptop") == store.load("alice.laptop")
    give_away(monkeypatch, str(link))
    for use in (lambda: linked.load("alice.phone"), lambda: generate(linked, "alice.phone")):
        with pytest.raises(SecretStoreError, match=f"^{link}/: the link to the folder of the keys belongs to uid"):
            use()


def test_a_folder_that_cannot_be_made_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = SecretStore(str(tmp_path / "file" / "secrets"))
    with pytest.raises(SecretStoreError, match=r"alice\.laptop: the new key cannot be stored: "):
        generate(store)
    with pytest.raises(SecretStoreError, match=r"\.lock: it cannot be locked: "):
        enter(store)


def test_given_and_stored_secrets_come_together_and_the_others_are_left_out(store: SecretStore) -> None:
    generate(store)
    secrets, problems = stored_secrets([key("laptop"), key("given", "s"), key("new")], store, "secrets_dir")
    assert problems == []
    assert secrets == {"alice.laptop": store.load("alice.laptop"), "alice.given": "s"}


def test_the_folder_is_looked_at_once_for_ten_thousand_keys(
    store: SecretStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(store)
    looks = []
    check = store._check_directory
    monkeypatch.setattr(store, "_check_directory", lambda: looks.append(check()))
    secrets, problems = stored_secrets(
        [key("laptop"), *(key(f"k{number}") for number in range(9999))], store, "secrets_dir"
    )
    assert (list(secrets), problems) == (["alice.laptop"], [])
    assert len(looks) == 1


def test_a_folder_that_is_not_used_is_one_problem_however_many_keys_there_are(store: SecretStore) -> None:
    put(store, key_form.generate())
    os.chmod(store.directory, 0o777)
    secrets, problems = stored_secrets([key("laptop"), key("phone")], store, "secrets_dir")
    assert secrets == {}
    assert len(problems) == 1
    assert problems[0].startswith(f"secrets_dir: {store.directory}: others than its owner may write into")
    assert stored_secrets([key("given", "s")], store, "secrets_dir") == ({"alice.given": "s"}, [])


def test_a_stored_key_that_is_also_given_to_somebody_is_an_error(store: SecretStore) -> None:
    generate(store)
    _, problems = stored_secrets([key("laptop"), key("given", store.load("alice.laptop"))], store, "secrets_dir")
    assert len(problems) == 1
    assert "is that of clients[0].keys[0] (alice.given) too" in problems[0]


def test_without_a_folder_a_key_needs_a_secret() -> None:
    _, problems = stored_secrets([key("laptop"), key("given", "s")], None, "secrets_dir")
    assert problems == [
        "clients[0].keys[0] (alice.laptop): it has no secret, "
        "and secrets_dir does not say where to keep a generated one"
    ]
