# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of keys in the life of a key: what is kept of a line, what a rotation and a revocation make of it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import (
    Rules,
    present_keys,
    read_clients,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import file as key_file
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.rotation import Marker, Verdict
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.records import Outcome

NOW, LATER, LAST = "2026-06-01T12:00:00Z", "2026-07-01T00:00:00Z", "2027-01-01T00:00:00Z"
SECRET, OLD, WEAK = "pXk29vQzLr4TnB8sWm1YcA", "Qw7eRt5yUi3oPa1sDf9gHj", "weak-one"
LAPTOP = {"name": "alice", "keys": [{"id": "laptop"}]}
BOTH = {"name": "alice", "keys": [{"id": "laptop"}, {"id": "phone"}]}


def digest(secret: str) -> str:
    return key_form.digest(secret)


def rotated(end: str = LATER, secret: str | None = SECRET, old: str = OLD) -> Verdict:
    return Verdict(secret, Marker("f" * 64, digest(old), end, "run"))


def update(content: str | None, client: dict[str, Any], purge: bool = True, **verdicts: Verdict) -> Outcome:
    clients, problems = read_clients([client], "clients", Rules(keys=True, allow_weak_secrets=True))
    assert problems == []
    judged = {key.name: verdicts.get(key.id, Verdict(SECRET)) for key in present_keys(clients)}
    return key_file.update(None if content is None else content.encode(), clients, judged, purge, NOW)


def timed(**more: str) -> dict[str, Any]:
    return {"name": "alice", "keys": [{"id": "laptop", **more}]}


class TestLine:
    def test_a_new_line_says_when_it_was_written_and_how_the_key_ends(self) -> None:
        written = update(None, timed(not_before=LATER, expires=LAST)).text
        said = f"not_before={LATER} expires={LAST} created={NOW} last4={SECRET[-4:]}"
        assert written == f"alice.laptop sha256:{digest(SECRET)} {said}\n"

    def test_of_a_weak_key_nothing_is_shown(self) -> None:
        written = update(None, LAPTOP, laptop=Verdict(WEAK)).text
        assert written == f"alice.laptop sha256:{digest(WEAK)} created={NOW} guessable=yes\n"

    def test_a_weak_key_is_marked_with_the_next_run_and_a_strong_one_is_not_any_more(self) -> None:
        for secret, mark, wanted in ((WEAK, "", " guessable=yes"), (SECRET, " guessable=yes", "")):
            line = f"alice.laptop sha256:{digest(secret)} created={NOW}{mark}\n"
            outcome = update(line, LAPTOP, laptop=Verdict(secret))
            assert outcome.updated == ["alice.laptop"]
            assert (" guessable=yes" in outcome.text) == bool(wanted)
            assert "edited: guessable was " in outcome.after
            assert not update(outcome.text, LAPTOP, laptop=Verdict(secret)).changed

    @pytest.mark.parametrize("rest", ["", " last4=XXXX", " created=2001-01-01T00:00:00Z", "  "])
    @pytest.mark.parametrize("purge", [True, False])
    def test_a_line_that_says_all_that_counts_is_left_as_it_is(self, rest: str, purge: bool) -> None:
        outcome = update(f"alice.laptop sha256:{digest(SECRET)}{rest}\n", LAPTOP, purge)
        assert (outcome.changed, outcome.unchanged) == (False, ["alice.laptop"])

    def test_the_time_of_creation_stays_until_the_secret_changes(self) -> None:
        created = "created=2001-01-01T00:00:00Z"
        line = f"alice.laptop sha256:{digest(SECRET)} expires={LATER} {created}\n"
        assert created in update(line, LAPTOP).text
        assert f"created={NOW}" in update(line, LAPTOP, laptop=Verdict(OLD)).text

    @pytest.mark.parametrize("purge", [True, False])
    def test_what_was_edited_by_hand_is_set_right_and_the_diff_shows_what_differs(self, purge: bool) -> None:
        lines = f"# head\nalice.laptop sha256:{'0' * 64} not_before={NOW} expires={LAST}\nerin.x sha256:{'1' * 64}\n"
        outcome = update(lines, timed(expires=LATER), purge)
        assert outcome.updated == ["alice.laptop"]
        edits = f"fingerprint was 00000000, will be {digest(SECRET)[:8]}; not_before was {NOW}, will be none"
        assert f"(edited: {edits}; expires was {LAST}, will be {LATER})\n" in outcome.after
        kept = [line for line in outcome.text.splitlines() if not line.startswith("alice.laptop ")]
        assert kept == ([] if purge else ["# head", f"erin.x sha256:{'1' * 64}"])


class TestRotation:
    @pytest.mark.parametrize("purge", [True, False])
    def test_the_new_key_and_the_old_one_are_written_at_once(self, purge: bool) -> None:
        outcome = update(f"alice.laptop sha256:{digest(OLD)}\n", LAPTOP, purge, laptop=rotated())
        assert outcome.text.splitlines() == [
            f"alice.laptop sha256:{digest(SECRET)} created={NOW} last4={SECRET[-4:]}",
            f"alice.laptop~old sha256:{digest(OLD)} expires={LATER}",
        ]
        assert (outcome.updated, outcome.added) == (["alice.laptop"], ["alice.laptop~old"])
        old = digest(OLD)[:8]
        assert outcome.after == (
            f"alice.laptop: fingerprint {digest(SECRET)[:8]} "
            f"(rotated; the old key (fingerprint {old}) is valid until {LATER})\n"
            f"alice.laptop~old: fingerprint {old}, expires {LATER} (added)\n"
        )
        assert not update(outcome.text, LAPTOP, purge, laptop=rotated()).changed

    @pytest.mark.parametrize(
        ("old", "said", "marked"),
        [(WEAK, " guessable=yes", True), (WEAK, "", True), (OLD, f" last4={OLD[-4:]}", False), (None, "", True)],
        ids=["weak", "weak and older than the mark", "strong", "not there"],
    )
    def test_a_given_key_that_might_be_guessed_might_be_as_the_old_one_too(
        self, old: str | None, said: str, marked: bool
    ) -> None:
        line = f"alice.laptop sha256:{digest(old)}{said}\n" if old else None
        given = timed(secret=SECRET)
        outcome = update(line, given, laptop=rotated(old=old or OLD))
        (written,) = (one for one in outcome.text.splitlines() if one.startswith("alice.laptop~old "))
        assert written.endswith(" guessable=yes") == marked
        assert not update(outcome.text, given, laptop=rotated(old=old or OLD)).changed

    def test_a_gateway_without_the_old_key_gets_it_too(self) -> None:
        assert update(None, LAPTOP, laptop=rotated()).added == ["alice.laptop", "alice.laptop~old"]

    def test_a_rotation_to_come_is_announced(self) -> None:
        outcome = update(f"alice.laptop sha256:{digest(OLD)}\n", LAPTOP, laptop=rotated(secret=None))
        assert outcome.changed
        assert outcome.after.startswith("alice.laptop: to be generated (rotated; the old key (fingerprint ")

    def test_without_a_grace_the_old_key_ends_at_once(self) -> None:
        outcome = update(f"alice.laptop sha256:{digest(OLD)}\n", LAPTOP, laptop=rotated(NOW))
        assert len(outcome.text.splitlines()) == 1
        assert f"(rotated; the old key (fingerprint {digest(OLD)[:8]}) is refused from now on)\n" in outcome.after

    @pytest.mark.parametrize("purge", [True, False])
    @pytest.mark.parametrize("verdict", [rotated(NOW), Verdict(SECRET)])
    def test_the_old_key_goes_when_it_is_over(self, purge: bool, verdict: Verdict) -> None:
        both = update(None, LAPTOP, laptop=rotated()).text
        outcome = update(both, LAPTOP, purge, laptop=verdict)
        assert (outcome.removed, outcome.unchanged) == (["alice.laptop~old"], ["alice.laptop"])

    def test_the_old_key_does_not_outlive_the_expiry_in_the_inventory(self) -> None:
        soon = "2026-06-02T00:00:00Z"
        assert f"~old sha256:{digest(OLD)} expires={soon}\n" in update(None, timed(expires=soon), laptop=rotated()).text

    def test_an_old_key_that_was_edited_by_hand_is_set_right(self) -> None:
        both = update(None, LAPTOP, laptop=rotated()).text
        outcome = update(both.replace(LATER, LAST), LAPTOP, laptop=rotated())
        assert (outcome.text, outcome.updated) == (both, ["alice.laptop~old"])
        assert f"(edited: expires was {LAST}, will be {LATER})" in outcome.after

    def test_an_old_key_that_is_another_keys_secret_by_now_is_written_once(self) -> None:
        moved = update(None, BOTH, laptop=rotated(), phone=Verdict(OLD))
        assert moved.added == ["alice.laptop", "alice.phone"]
        same = update(None, BOTH, laptop=rotated(), phone=rotated(secret="another"))
        assert same.added == ["alice.laptop", "alice.laptop~old", "alice.phone"]

    def test_an_old_key_that_a_foreign_line_has_as_well_is_an_error(self) -> None:
        with pytest.raises(BadInput, match=r"\(alice.laptop\): line 1 of the file has the same key"):
            update(f"erin.x sha256:{digest(OLD)}\n", LAPTOP, False, laptop=rotated())

    @pytest.mark.parametrize("client", [{"name": "alice", "state": "absent"}, timed(state="absent"), {"name": "alice"}])
    def test_with_a_key_its_old_one_goes(self, client: dict[str, Any]) -> None:
        both = update(None, LAPTOP, laptop=rotated()).text
        gone = ["alice.laptop", "alice.laptop~old"]
        assert update(both, client).removed == gone
        unlisted = client == {"name": "alice"}
        assert update(both, client, purge=False).removed == ([] if unlisted else gone)


@pytest.mark.parametrize("purge", [True, False])
def test_a_revoked_key_and_its_old_one_go_though_listed(purge: bool) -> None:
    both = update(None, LAPTOP, laptop=rotated()).text
    outcome = update(both, LAPTOP, purge, laptop=Verdict(blocked=True))
    assert (outcome.text, outcome.removed) == ("", ["alice.laptop", "alice.laptop~old"])
