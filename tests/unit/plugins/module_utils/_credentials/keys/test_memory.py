# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller remembers of keys: once for all gateways, whoever comes first, and private."""

from __future__ import annotations

import datetime
import multiprocessing
import os
from multiprocessing.pool import ThreadPool
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import Key
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.line import Entry
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.memory import KeyMemory, recall
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.orders import Orders
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.rotation import Known, Marker
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.store import SecretStore
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, SecretStoreError

NAME = "alice.laptop"
TIME = datetime.datetime(2026, 6, 1, 12, 0, tzinfo=datetime.timezone.utc)
HOUR = "2026-06-01T13:00:00Z"
IDLE = Orders(TIME, "this run")
ORDERS = {
    "of the command line": Orders(TIME, "this run", rotate=frozenset([NAME]), grace=3600),
    "of the inventory": IDLE,
}
POOLS: dict[str, Any] = {"processes": multiprocessing.get_context("fork").Pool, "threads": ThreadPool}


@pytest.fixture
def memory(tmp_path: Any) -> KeyMemory:
    return KeyMemory(SecretStore(str(tmp_path / "secrets")))


def key(secret: str | None = None, rotated: bool = False) -> Key:
    return Key("clients[0].keys[0] (alice.laptop)", "alice", "laptop", secret, None, True, rotated=rotated, grace=3600)


def act(job: tuple[str, Key, Orders]) -> bool:
    directory, one, orders = job
    return KeyMemory(SecretStore(directory)).act(one, None, orders)


def stored(memory: KeyMemory) -> str:
    """Generate the key and return its digest."""
    assert memory.act(key(), None, IDLE)
    return digest(memory)


def digest(memory: KeyMemory) -> str:
    secret = memory.store.load(NAME)
    assert secret is not None
    return key_form.digest(secret)


@pytest.mark.parametrize("pool", POOLS)
def test_of_many_gateways_at_once_exactly_one_generates_the_key(memory: KeyMemory, pool: str) -> None:
    with POOLS[pool](4) as workers:
        made = workers.map(act, [(memory.store.directory, key(), IDLE)] * 16)
    assert made.count(True) == 1
    assert memory.store.load(NAME) is not None
    assert memory.store.names() == {NAME, ".lock"}


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("order", ORDERS)
def test_of_many_gateways_at_once_exactly_one_rotates_the_key(memory: KeyMemory, pool: str, order: str) -> None:
    old = stored(memory)
    rotating = key(rotated=order == "of the inventory")
    with POOLS[pool](4) as workers:
        made = workers.map(act, [(memory.store.directory, rotating, ORDERS[order])] * 16)
    assert made.count(True) == 1
    assert memory.marker(NAME) == Marker(digest(memory), old, HOUR, "this run")
    assert memory.store.names() == {NAME, NAME + "~old", ".lock"}


@pytest.mark.parametrize("order", ORDERS)
def test_a_key_that_is_born_in_a_rotation_is_generated_once(memory: KeyMemory, order: str) -> None:
    for made in (True, False):
        assert memory.act(key(rotated=order == "of the inventory"), None, ORDERS[order]) is made


def test_the_note_of_a_rotation_holds_no_secret_and_is_private(memory: KeyMemory) -> None:
    stored(memory)
    secret = memory.store.load(NAME)
    assert memory.act(key(rotated=True), None, IDLE)
    path = memory.store.path(NAME + "~old")
    with open(path) as f:
        text = f.read()
    assert [one for one in (secret, memory.store.load(NAME)) if str(one) in text] == []
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_a_given_secret_is_rotated_without_being_stored(memory: KeyMemory) -> None:
    host = Entry(NAME, key_form.digest("old"))
    memory.remember([key("old")], {NAME: Known("old")})
    assert not memory.act(key("new", rotated=True), host, IDLE)
    assert memory.marker(NAME) == Marker(key_form.digest("new"), host.digest, HOUR, "this run")
    assert memory.store.load(NAME) is None


def test_of_a_given_secret_a_private_note_has_the_digest(memory: KeyMemory) -> None:
    memory.remember([key("given")], {NAME: Known("given")})
    path = memory.store.path(NAME + "~given")
    with open(path) as f:
        assert f.read() == f"sha256:{key_form.digest('given')}\n"
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert recall([key("next")], memory.store, IDLE)[0][NAME].before == key_form.digest("given")


def test_a_generated_key_is_what_a_given_one_supersedes_and_the_other_way_round(memory: KeyMemory) -> None:
    generated = stored(memory)
    assert memory.known(key("given")).before == generated
    memory.remember([key("given")], {NAME: memory.known(key("given"))})
    memory.remember([key()], {NAME: memory.known(key())})
    assert memory.given(NAME) is None, "the given one is no longer what hosts have"
    assert memory.known(key("next")).before == generated


def test_with_a_key_that_is_gone_or_revoked_its_note_goes(memory: KeyMemory) -> None:
    for end in (lambda: memory.forget(NAME, None, IDLE), lambda: memory.revoke(key("next"), [])):
        memory.remember([key("given")], {NAME: Known("given")})
        end()
        assert memory.given(NAME) is None
    assert memory.revoked(NAME) == {key_form.digest("given"), key_form.digest("next")}


def test_an_order_that_comes_while_another_run_rotates_is_refused(memory: KeyMemory) -> None:
    stored(memory)
    memory.act(key(), None, ORDERS["of the command line"])
    other = Orders(TIME, "other run", rotate=frozenset([NAME]), grace=60)
    with pytest.raises(BadInput, match=f"^rotate: {NAME} was rotated before"):
        memory.act(key(), None, other)


def test_a_revoked_key_is_remembered_with_all_that_it_was_and_its_secret_is_gone(memory: KeyMemory) -> None:
    old = stored(memory)
    memory.act(key(rotated=True), None, IDLE)
    new = digest(memory)
    memory.revoke(key(), ["1" * 64])
    assert memory.revoked(NAME) == {old, new, "1" * 64}
    assert memory.store.names() == {NAME + "~revoked", ".lock"}
    memory.revoke(key("given"), ["2" * 64])
    assert memory.revoked(NAME) == {old, new, "1" * 64, "2" * 64, key_form.digest("given")}


def test_a_rotation_is_forgotten_when_it_is_over_or_the_key_is_gone(memory: KeyMemory) -> None:
    stored(memory)
    memory.act(key(rotated=True), None, IDLE)
    memory.forget(NAME, key(), IDLE)
    assert memory.marker(NAME) is not None
    memory.forget(NAME, key(), Orders(TIME + datetime.timedelta(hours=1), "other run"))
    memory.forget(NAME, None, IDLE)
    assert memory.marker(NAME) is None


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("~old", "planted", "the note of a rotation is damaged; restore the file, or remove it to have the old key"),
        ("~revoked", "planted", "the list of revoked keys is damaged; each line must be like sha256:"),
        ("~revoked", "", "the list of revoked keys is damaged; each line must be like sha256:"),
        ("~given", "planted", "the note of a given key is damaged; each line must be like sha256:"),
    ],
)
def test_what_is_damaged_is_an_error_that_names_the_file(memory: KeyMemory, file: str, text: str, said: str) -> None:
    memory.store.write(NAME + file, text, "it")
    _, problems = recall([key("given")], memory.store, IDLE)
    assert len(problems) == 1
    assert problems[0].startswith(f"{key().place}: {memory.store.path(NAME + file)}: {said}")
    assert "planted" not in problems[0]


def test_what_others_may_read_is_an_error_that_names_the_file(memory: KeyMemory) -> None:
    memory.store.write(NAME + "~revoked", "sha256:" + "0" * 64, "it")
    os.chmod(memory.store.path(NAME + "~revoked"), 0o644)
    with pytest.raises(SecretStoreError, match=r"~revoked: mode 0644 lets others .* at the list of revoked keys"):
        memory.known(key())


def test_without_a_folder_nothing_can_be_rotated_or_revoked() -> None:
    orders = Orders(TIME, rotate=frozenset([NAME]), revoke=frozenset(["bob.ci"]))
    _, problems = recall([key("given", rotated=True)], None, orders)
    assert [problem.split(": ")[0] for problem in problems] == [key().place, "rotate", "revoke"]
    assert problems[1] == (
        "rotate: rotations and revocations are remembered on the controller, and secrets_dir does not say where"
    )


def test_the_stored_key_and_what_is_remembered_come_together(memory: KeyMemory) -> None:
    stored(memory)
    memory.act(key(rotated=True), None, IDLE)
    found, problems = recall([key()], memory.store, IDLE)
    assert (problems, found) == ([], {NAME: memory.known(key())})
