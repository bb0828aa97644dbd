# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to become of a key, by what the inventory, the command line, the controller and the host say of it."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import Key
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.line import Entry
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.orders import Names, Orders
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.rotation import (
    Known,
    Marker,
    Verdict,
    end_on_host,
    is_foreign,
    is_over,
    judge,
    load_marker,
    rotation_problem,
)

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


def line(secret: str, expires: str | None = None, not_before: str | None = None) -> Entry:
    return Entry(NAME, digest(secret), expires, not_before)


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
        assert not is_foreign(known, Verdict("new"), None)

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
    def test_a_host_s_line_ends_no_key_on_other_hosts(self) -> None:
        for there in (line("s", expires=BEFORE), line("s", not_before=LATER)):
            assert judge(key(rotated=True), Known("s"), there, IDLE).marker == to_write("s", HOUR)

    def test_the_old_key_does_not_outlive_its_own_expiry(self) -> None:
        soon = "2026-06-01T12:00:01Z"
        assert end_on_host(HOUR, [line("s", expires=soon)], NOW) == soon
        assert end_on_host(HOUR, [line("s", expires=LATER)], NOW) == HOUR
        assert end_on_host(HOUR, [line("s"), line("s", expires=BEFORE)], NOW) == BEFORE
        assert end_on_host(HOUR, [], NOW) == HOUR

    def test_an_old_key_whose_time_had_not_come_does_not_become_valid_by_a_rotation(self) -> None:
        assert end_on_host(HOUR, [line("s", not_before=LATER)], NOW) == NOW
        assert end_on_host(HOUR, [line("s", not_before=BEFORE)], NOW) == HOUR

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
            f"keys: alice.laptop was rotated before, and the old key is valid until {LATER}; rotate it after that, or "
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
