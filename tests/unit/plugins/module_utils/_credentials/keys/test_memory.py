# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller remembers of keys, once for all gateways, whoever comes first; and what is to become of a key, by
what the inventory, the command line, the controller and the host say of it.
"""

from __future__ import annotations

import datetime
import multiprocessing
import os
from multiprocessing.pool import ThreadPool
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials import private_folder
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import Key, Names, Orders
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.memory import (
    KeyMemory,
    Known,
    Marker,
    Verdict,
    is_foreign,
    is_over,
    judge,
    load_marker,
    recall,
    rotation_problem,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, Problems, SecretStoreError

NAME = "alice.laptop"
TIME = datetime.datetime(2026, 6, 1, 12, 0, tzinfo=datetime.timezone.utc)
NOW, HOUR, LATER, BEFORE = (
    "2026-06-01T12:00:00Z",
    "2026-06-01T13:00:00Z",
    "2026-07-01T00:00:00Z",
    "2026-05-01T00:00:00Z",
)
IDLE = Orders(TIME, "this run")
ROTATE = Orders(TIME, "this run", rotate=frozenset([NAME]), grace=3600)
NO_GRACE = Orders(TIME, "this run", rotate=frozenset([NAME]))
REVOKE = Orders(TIME, "this run", revoke=frozenset([NAME]))


def digest(secret: str) -> str:
    return key_form.digest(secret)


def key(secret: str | None = None, rotated: bool = False, grace: int = 3600) -> Key:
    return Key("clients[0].keys[0] (alice.laptop)", "alice", "laptop", secret, None, True, rotated=rotated, grace=grace)


def marker(old: str | None = "old", new: str = "new", expires: str = LATER, run: str = "another") -> Marker:
    return Marker(digest(new), None if old is None else digest(old), expires, run)


def line(secret: str) -> str:
    return digest(secret)


def to_write(old: str | None, expires: str = HOUR, new: str | None = None) -> Marker:
    return Marker("" if new is None else digest(new), None if old is None else digest(old), expires, "this run")


class TestGenerated:
    def test_a_stored_key_goes_on_and_a_missing_one_is_generated(self) -> None:
        assert judge(key(), Known("s"), line("s"), IDLE) == Verdict("s")
        assert judge(key(), Known(), None, IDLE) == Verdict(None, acts=True)

    @pytest.mark.parametrize(("wanted", "orders"), [(key(rotated=True), IDLE), (key(), ROTATE)])
    def test_a_rotation_supersedes_the_stored_key_for_the_grace(self, wanted: Key, orders: Orders) -> None:
        for there in (line("s"), line("foreign"), None):
            verdict = judge(wanted, Known("s"), there, orders)
            assert verdict == Verdict(None, to_write("s"), acts=True)

    def test_a_rotation_that_the_inventory_asks_for_is_done_once(self) -> None:
        for mark in (marker(new="s"), marker(new="s", expires=BEFORE), marker(None, "s", NOW)):
            assert judge(key(rotated=True), Known("s", mark), line("s"), IDLE) == Verdict("s", mark)

    def test_a_rotation_that_is_ordered_is_done_once_in_a_run_and_again_in_the_next(self) -> None:
        done = marker(new="s", run="this run")
        assert judge(key(), Known("s", done), line("old"), ROTATE) == Verdict("s", done)
        again = judge(key(rotated=True), Known("s", marker(new="s", expires=BEFORE)), line("s"), ROTATE)
        assert again == Verdict(None, to_write("s"), acts=True)

    def test_a_rotation_that_was_cut_short_is_done_anew(self) -> None:
        """The marker was written, the new key was not."""
        known = Known("s", marker(old="s", new="never stored"))
        assert judge(key(rotated=True), known, line("s"), IDLE) == Verdict(None, to_write("s"), acts=True)
        assert judge(key(), known, line("s"), IDLE) == Verdict("s")

    def test_a_new_key_that_is_born_rotated_is_remembered_so_that_it_is_not_rotated_again(self) -> None:
        assert judge(key(rotated=True), Known(), None, IDLE) == Verdict(None, to_write(None, NOW), acts=True)

    def test_a_given_secret_that_was_written_before_is_superseded_by_a_generated_one(self) -> None:
        for there in (line("given before"), line("planted"), None):
            known = Known(given=digest("given before"))
            assert judge(key(rotated=True), known, there, IDLE).marker == to_write("given before")

    def test_a_key_of_the_host_that_the_controller_does_not_know_is_not_superseded(self) -> None:
        assert judge(key(rotated=True), Known(), line("planted"), IDLE).marker == to_write(None, NOW)


class TestGiven:
    def test_a_given_secret_that_the_host_has_not_yet_supersedes_what_it_has(self) -> None:
        for wanted, orders in ((key("new", rotated=True), IDLE), (key("new"), ROTATE)):
            # The same on a host that was down, and on one that somebody else has changed.
            for there in (line("old"), line("new"), line("planted"), None):
                verdict = judge(wanted, Known("new", given=digest("old")), there, orders)
                assert verdict == Verdict("new", to_write("old", new="new"), acts=True)

    def test_only_a_digest_that_the_controller_wrote_lives_on(self) -> None:
        for wanted, orders in ((key("new", rotated=True), IDLE), (key("new"), ROTATE)):
            verdict = judge(wanted, Known("new"), line("planted"), orders)
            assert verdict == Verdict("new", to_write(None, NOW, "new"), acts=True)
            assert is_foreign(Known("new"), verdict, line("planted"))

    def test_what_the_controller_wrote_is_not_foreign(self) -> None:
        known = Known("new", marker("old", "new"), frozenset([digest("revoked")]), digest("new"))
        for secret in ("new", "old", "revoked"):
            assert not is_foreign(known, Verdict("new", known.marker), line(secret))

    def test_without_a_rotation_the_old_one_ends_at_once(self) -> None:
        assert judge(key("new"), Known("new"), line("old"), IDLE) == Verdict("new")

    def test_all_hosts_have_the_same_end(self) -> None:
        done = marker("old", "new")
        for there in (line("old"), line("new"), line("foreign"), None):
            assert judge(key("new", rotated=True), Known("new", done), there, IDLE) == Verdict("new", done)

    def test_an_older_rotation_gives_way_to_the_next(self) -> None:
        verdict = judge(key("newer", rotated=True), Known("newer", marker("old", "new")), line("new"), IDLE)
        assert verdict == Verdict("newer", to_write("new", new="newer"), acts=True)

    def test_a_rotation_without_a_new_secret_changes_nothing_and_is_told(self) -> None:
        assert judge(key("s", rotated=True), Known("s"), line("s"), IDLE) == Verdict("s", idle=True)
        assert judge(key("s", rotated=True), Known("s"), None, IDLE) == Verdict("s")

    def test_the_old_secret_given_once_more_is_no_superseded_one(self) -> None:
        back = judge(key("old"), Known("old", marker("old", "new")), line("new"), IDLE)
        assert back == Verdict("old")


class TestEnd:
    def test_the_grace_of_the_order_counts_before_that_of_the_inventory(self) -> None:
        assert judge(key(rotated=True, grace=7200), Known("s"), line("s"), ROTATE).marker == to_write("s", HOUR)
        assert judge(key(rotated=True), Known("s"), line("s"), NO_GRACE).marker == to_write("s", NOW)

    def test_a_rotation_is_forgotten_when_it_is_over_unless_the_inventory_or_this_run_needs_it(self) -> None:
        assert is_over(key(), marker(expires=NOW), IDLE)
        assert not is_over(key(), marker(expires=HOUR), IDLE)
        assert not is_over(key(rotated=True), marker(expires=NOW), IDLE)
        assert not is_over(key(), marker(expires=NOW, run="this run"), IDLE)


class TestRefused:
    def test_an_order_that_would_break_the_promise_of_a_rotation_before_is_refused(self) -> None:
        orders = Orders(TIME, "this run", frozenset([NAME]), grace=60, names=Names(rotate="keys", grace="rotate_grace"))
        assert rotation_problem(key(), Known("new", marker()), orders) == (
            f"alice.laptop was rotated before, and the old key is valid until {LATER}; rotate it after that, or "
            "with rotate_grace 0s, which refuses both earlier keys at once"
        )
        assert rotation_problem(key("newer"), Known("newer", marker()), orders) is not None

    @pytest.mark.parametrize(
        ("known", "orders"),
        [
            (Known("new", marker()), IDLE),
            (Known("new", marker()), NO_GRACE),
            (Known("new", marker(expires=NOW)), ROTATE),
            (Known("new", marker(run="this run")), ROTATE),
            (Known("new", marker(None)), ROTATE),
            (Known("old", marker()), ROTATE),
            (Known("new"), ROTATE),
        ],
    )
    def test_any_other_order_is_taken(self, known: Known, orders: Orders) -> None:
        assert rotation_problem(key(), known, orders) is None

    def test_a_given_secret_that_was_rotated_to_may_be_ordered_again(self) -> None:
        assert rotation_problem(key("new"), Known("new", marker()), ROTATE) is None


class TestRevoked:
    def test_a_key_that_is_revoked_now_is_blocked(self) -> None:
        assert judge(key(), Known("s", marker()), line("s"), REVOKE) == Verdict(blocked=True)

    def test_a_secret_that_was_revoked_is_blocked_and_none_is_generated_in_its_place(self) -> None:
        revoked = frozenset([digest("s")])
        for rotated in (True, False):
            assert judge(key("s", rotated), Known("s", revoked=revoked), None, IDLE).blocked
            assert judge(key(None, rotated), Known(revoked=revoked), line("s"), IDLE).blocked

    def test_another_secret_is_let_in_and_the_revoked_one_has_no_grace(self) -> None:
        known = Known("t", revoked=frozenset([digest("s")]))
        assert judge(key("t"), known, line("s"), IDLE) == Verdict("t")
        assert judge(key("t", rotated=True), known, line("s"), IDLE).marker == to_write(None, NOW, "t")


class TestMarker:
    def test_what_is_written_is_read_again(self) -> None:
        for one in (marker(), marker(None)):
            assert load_marker(one.dump()) == one

    @pytest.mark.parametrize(
        "text", ["", "{", "[]", "7", '{"new": 1}', marker().dump().replace("2026", "x"), marker(new="").dump()[:-9]]
    )
    def test_anything_else_is_damage(self, text: str) -> None:
        assert load_marker(text) is None

    def test_digests_do_not_show_in_a_representation(self) -> None:
        assert digest("old")[:8] not in repr(judge(key(), Known("new", marker()), None, IDLE))


ORDERS = {
    "of the command line": ROTATE,
    "of the inventory": IDLE,
}
POOLS: dict[str, Any] = {"processes": multiprocessing.get_context("fork").Pool, "threads": ThreadPool}


@pytest.fixture
def memory(tmp_path: Any) -> KeyMemory:
    return KeyMemory(str(tmp_path / "secrets"))


def act(job: tuple[str, Key, Orders]) -> bool:
    directory, one, orders = job
    return KeyMemory(directory).act(one, None, orders).acts


def recalled(keys: list[Key], memory: KeyMemory | None, orders: Orders = IDLE) -> tuple[dict[str, Known], Problems]:
    problems = Problems()
    return recall(keys, memory, orders, problems), problems


def stored(memory: KeyMemory) -> str:
    """Generate the key and return its digest."""
    assert memory.act(key(), None, IDLE).acts
    return current(memory)


def current(memory: KeyMemory) -> str:
    secret = memory.secret(NAME)
    assert secret is not None
    return digest(secret)


@pytest.mark.parametrize("pool", POOLS)
def test_of_many_gateways_at_once_exactly_one_generates_the_key(memory: KeyMemory, pool: str) -> None:
    with POOLS[pool](4) as workers:
        made = workers.map(act, [(memory.directory, key(), IDLE)] * 16)
    assert made.count(True) == 1
    assert memory.secret(NAME) is not None
    assert memory.names() == {NAME, ".lock"}


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("order", ORDERS)
def test_of_many_gateways_at_once_exactly_one_rotates_the_key(memory: KeyMemory, pool: str, order: str) -> None:
    old = stored(memory)
    rotating = key(rotated=order == "of the inventory")
    with POOLS[pool](4) as workers:
        made = workers.map(act, [(memory.directory, rotating, ORDERS[order])] * 16)
    assert made.count(True) == 1
    assert memory.marker(NAME) == Marker(current(memory), old, HOUR, "this run")
    assert memory.names() == {NAME, NAME + "~old", ".lock"}


@pytest.mark.parametrize("order", ORDERS)
def test_a_key_that_is_born_in_a_rotation_is_generated_once(memory: KeyMemory, order: str) -> None:
    for made in (True, False):
        assert memory.act(key(rotated=order == "of the inventory"), None, ORDERS[order]).acts is made


def test_the_note_of_a_rotation_holds_no_secret_and_is_private(memory: KeyMemory) -> None:
    stored(memory)
    secret = memory.secret(NAME)
    assert memory.act(key(rotated=True), None, IDLE).acts
    path = memory.path(NAME + "~old")
    with open(path) as f:
        text = f.read()
    assert [one for one in (secret, memory.secret(NAME)) if str(one) in text] == []
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_a_given_secret_is_rotated_without_being_stored(memory: KeyMemory) -> None:
    memory.remember([key("old")], {NAME: Known("old")})
    assert memory.act(key("new", rotated=True), digest("old"), IDLE) == Verdict(
        "new", to_write("old", new="new"), acts=True
    )
    assert memory.marker(NAME) == to_write("old", new="new")
    assert memory.secret(NAME) is None


def test_of_a_given_secret_a_private_note_has_the_digest(memory: KeyMemory) -> None:
    memory.remember([key("given")], {NAME: Known("given")})
    path = memory.path(NAME + "~given")
    with open(path) as f:
        assert f.read() == f"sha256:{key_form.digest('given')}\n"
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert recalled([key("next")], memory)[0][NAME].before == key_form.digest("given")


def test_a_generated_key_is_what_a_given_one_supersedes_and_the_other_way_round(memory: KeyMemory) -> None:
    generated = stored(memory)
    assert memory.known(key("given")).before == generated
    memory.remember([key("given")], {NAME: memory.known(key("given"))})
    memory.remember([key()], {NAME: memory.known(key())})
    assert memory.given(NAME) is None, "the given one is no longer what hosts have"
    assert memory.known(key("next")).before == generated


def test_with_a_key_that_is_gone_or_revoked_its_note_goes(memory: KeyMemory) -> None:
    for end in (lambda: memory.forget(NAME, digest("given")), lambda: memory.revoke(key("next"), [])):
        memory.remember([key("given")], {NAME: Known("given")})
        end()
        assert memory.given(NAME) is None
    assert set(memory.digests(NAME, "~revoked")) == {digest("given"), digest("next")}


def test_an_order_that_comes_while_another_run_rotates_is_refused(memory: KeyMemory) -> None:
    stored(memory)
    memory.act(key(), None, ORDERS["of the command line"])
    other = Orders(TIME, "other run", rotate=frozenset([NAME]), grace=60)
    with pytest.raises(BadInput, match=f"^rotate: {NAME} was rotated before"):
        memory.act(key(), None, other)


def test_a_revoked_key_is_remembered_with_all_that_it_was_and_its_secret_is_gone(memory: KeyMemory) -> None:
    old = stored(memory)
    memory.act(key(rotated=True), None, IDLE)
    new = current(memory)
    memory.revoke(key(), ["1" * 64])
    assert set(memory.digests(NAME, "~revoked")) == {old, new, "1" * 64}
    assert memory.names() == {NAME + "~revoked", ".lock"}
    memory.revoke(key("given"), ["2" * 64])
    assert set(memory.digests(NAME, "~revoked")) == {old, new, "1" * 64, "2" * 64, key_form.digest("given")}


def test_a_rotation_is_forgotten_when_it_is_over_or_the_key_is_gone(memory: KeyMemory) -> None:
    stored(memory)
    memory.act(key(rotated=True), None, IDLE)
    memory.end_rotation(key(), IDLE)
    memory.forget(NAME, digest("planted"))
    assert memory.marker(NAME) is not None, "it goes on, and a host may have anything of that name"
    memory.end_rotation(key(), Orders(TIME + datetime.timedelta(hours=1), "other run"))
    assert memory.marker(NAME) is None
    memory.act(key(rotated=True), None, IDLE)
    memory.forget(NAME, current(memory))
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
    put(memory, NAME + file, text)
    _, problems = recalled([key("given")], memory)
    assert len(problems) == 1
    assert problems[0].startswith(f"{key().place}: {memory.path(NAME + file)}: {said}")
    assert "planted" not in problems[0]


def test_what_others_may_read_is_an_error_that_names_the_file(memory: KeyMemory) -> None:
    put(memory, NAME + "~revoked", "sha256:" + "0" * 64)
    os.chmod(memory.path(NAME + "~revoked"), 0o644)
    with pytest.raises(SecretStoreError, match=r"~revoked: mode 0644 lets others .* at the list of revoked keys"):
        memory.known(key())


def test_without_a_folder_nothing_can_be_rotated_or_revoked() -> None:
    orders = Orders(TIME, rotate=frozenset([NAME]), revoke=frozenset(["bob.ci"]))
    _, problems = recalled([key("given", rotated=True)], None, orders)
    assert [problem.split(": ")[0] for problem in problems] == [key().place, "rotate", "revoke"]
    assert problems[1] == (
        "rotate: rotations and revocations are remembered on the controller, and secrets_dir does not say where"
    )


def test_the_stored_key_and_what_is_remembered_come_together(memory: KeyMemory) -> None:
    stored(memory)
    memory.act(key(rotated=True), None, IDLE)
    found, problems = recalled([key()], memory)
    assert (problems, found) == ([], {NAME: memory.known(key())})


def put(memory: KeyMemory, name: str, text: str) -> None:
    with memory.lock():
        memory.write(name, text, "it")


def named(key_id: str, secret: str | None = None) -> Key:
    return Key(f"clients[0].keys[0] (alice.{key_id})", "alice", key_id, secret, None, True)


def test_given_and_stored_secrets_come_together(memory: KeyMemory) -> None:
    stored(memory)
    found, problems = recalled([key(), named("given", "s"), named("new")], memory)
    assert problems == []
    assert [one.secret for one in found.values()] == [memory.secret(NAME), "s", None]


def test_the_folder_is_looked_at_once_for_ten_thousand_keys(memory: KeyMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(memory)
    looks = []
    monkeypatch.setattr(private_folder, "check", lambda *_: looks.append(1))
    found, problems = recalled([key(), *(named(f"k{number}") for number in range(9999))], memory)
    assert (len(found), problems, len(looks)) == (10000, [], 1)


def test_a_folder_that_is_not_used_is_one_problem_however_many_keys_there_are(memory: KeyMemory) -> None:
    stored(memory)
    os.chmod(memory.directory, 0o777)
    found, (problem,) = recalled([key(), named("phone"), named("given", "s")], memory)
    assert [one.secret for one in found.values()] == [None, None, "s"]
    assert problem.startswith(f"secrets_dir: {memory.directory}: others than its owner may write into")


def test_a_stored_key_that_is_also_given_to_somebody_is_an_error(memory: KeyMemory) -> None:
    stored(memory)
    _, (problem,) = recalled([key(), named("given", memory.secret(NAME))], memory)
    assert "is that of clients[0].keys[0] (alice.given) too" in problem


def test_without_a_folder_a_key_needs_a_secret() -> None:
    _, problems = recalled([key(), named("given", "s")], None)
    assert problems == [
        "clients[0].keys[0] (alice.laptop): it has no secret, "
        "and secrets_dir does not say where to keep a generated one"
    ]


def test_a_newline_at_the_end_of_a_stored_key_does_not_matter(memory: KeyMemory) -> None:
    secret = key_form.generate()
    put(memory, NAME, secret)
    assert memory.secret(NAME) == secret


@pytest.mark.parametrize(
    ("text", "word"), [("", "empty"), ("\n", "empty"), ("planted", "damaged"), ("ä" * 9000, "damaged")]
)
def test_an_empty_or_damaged_stored_key_is_an_error_that_names_the_file(
    memory: KeyMemory, text: str, word: str
) -> None:
    put(memory, NAME, text)
    _, (problem,) = recalled([key()], memory)
    assert problem.startswith(f"{key().place}: {memory.path(NAME)}: the stored key is {word}; restore the file")
    assert "planted" not in problem
