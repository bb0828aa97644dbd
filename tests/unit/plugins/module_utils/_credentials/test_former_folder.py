# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys and the CA leave the places where Ansible read them: at once, once, and nothing of it is lost."""

from __future__ import annotations

import os
from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.former_folder import is_to_move, move
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import SecretStoreError


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The former folder of the keys, with one of them."""
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    (folder / ".lock").touch()
    (folder / "alice.laptop").write_text(key_form.generate() + "\n")
    (folder / "alice.laptop~revoked").write_text("sha256:" + "0" * 64 + "\n")
    return folder


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return tmp_path / ".gatehouse" / "secrets"


def step(base: Path) -> bool:
    """As each host of a run does it."""
    old, new = str(base / "secrets"), str(base / ".gatehouse" / "secrets")
    return is_to_move(old, new, "secrets") and move(old, new)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_keys_move_with_all_that_is_remembered_of_them(tmp_path: Path, old: Path, new: Path) -> None:
    before = contents(old)
    assert step(tmp_path)
    assert (contents(new), old.exists()) == (before, False)
    assert new.parent.stat().st_mode & 0o777 == new.stat().st_mode & 0o777 == 0o700
    assert (new.parent / ".gitignore").read_text() == "*\n"
    assert not step(tmp_path)


def test_the_ca_moves(tmp_path: Path) -> None:
    (tmp_path / "ca").mkdir()
    for name in ("ca.key", "ca.pem"):
        (tmp_path / "ca" / name).write_text(name)
    old, new = str(tmp_path / "ca"), str(tmp_path / ".gatehouse" / "ca")
    assert is_to_move(old, new, "ca")
    assert move(old, new)
    assert sorted(path.name for path in (tmp_path / ".gatehouse" / "ca").iterdir()) == ["ca.key", "ca.pem"]


def test_of_many_hosts_at_once_exactly_one_moves_the_keys(tmp_path: Path, old: Path, new: Path) -> None:
    before = contents(old)
    with ThreadPool(8) as workers:
        moved = workers.map(lambda _: step(tmp_path), range(32))
    assert moved.count(True) == 1
    assert contents(new) == before


@pytest.mark.parametrize("name", ["vault.yml", "password", "id_ed25519.pub"])
def test_a_folder_of_somebody_s_own_stays_where_it_is(tmp_path: Path, name: str) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / name).write_text("their own")
    assert not step(tmp_path)
    assert (tmp_path / "secrets" / name).exists()


def test_beside_files_of_somebody_s_own_keys_are_not_moved_without_him(tmp_path: Path, old: Path, new: Path) -> None:
    (old / "vault.yml").write_text("their own")
    with pytest.raises(SecretStoreError, match=f"^{old}: keys are kept in {new} now, .* such as vault.yml; move the"):
        step(tmp_path)
    assert (old / "alice.laptop").exists()


def test_keys_in_both_places_are_an_error_and_none_is_lost(tmp_path: Path, old: Path, new: Path) -> None:
    new.mkdir(parents=True)
    (new / "alice.laptop").write_text("another")
    with pytest.raises(SecretStoreError, match=f"^{old}: keys are kept in {new} now, and there are some in both; put"):
        step(tmp_path)
    assert move_fails(tmp_path), "nor where they came in between"
    assert ((old / "alice.laptop").exists(), (new / "alice.laptop").read_text()) == (True, "another")


def move_fails(base: Path) -> bool:
    with pytest.raises(SecretStoreError, match=r"this folder cannot be moved there \(.*\); move it yourself$"):
        move(str(base / "secrets"), str(base / ".gatehouse" / "secrets"))
    return True


def test_a_folder_on_another_file_system_is_for_its_owner_to_move(
    tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(old)

    def rename(*_: str) -> None:
        raise OSError(18, os.strerror(18))

    monkeypatch.setattr(os, "rename", rename)
    assert move_fails(tmp_path)
    assert contents(old) == before


def test_a_link_goes_on_leading_to_the_keys_or_is_an_error(tmp_path: Path, old: Path, new: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    old.rename(elsewhere)
    old.symlink_to("elsewhere")
    assert move_fails(tmp_path)
    old.unlink()
    old.symlink_to(elsewhere)
    assert step(tmp_path)
    assert contents(new) == contents(elsewhere)


def test_what_others_may_change_is_not_moved(tmp_path: Path, old: Path) -> None:
    old.chmod(0o777)
    with pytest.raises(SecretStoreError, match=f"^{old}: others than its owner may write into the folder of the keys"):
        step(tmp_path)
