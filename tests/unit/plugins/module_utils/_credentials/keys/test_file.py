# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of keys: what may stand in a line, what is kept of it, what a rotation and a revocation make of it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import (
    Rules,
    present_keys,
    sound_clients,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.file import (
    Entry,
    KeyFile,
    parse,
    serialise,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.memory import Marker, Verdict
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, DamagedFile
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.records import Outcome
from hypothesis import given
from hypothesis import strategies as st

NOW, LATER, LAST = "2026-06-01T12:00:00Z", "2026-07-01T00:00:00Z", "2027-01-01T00:00:00Z"
SECRET, OLD, WEAK = "pXk29vQzLr4TnB8sWm1YcA", "Qw7eRt5yUi3oPa1sDf9gHj", "weak-one"
LAPTOP = {"name": "alice", "keys": [{"id": "laptop"}]}
BOTH = {"name": "alice", "keys": [{"id": "laptop"}, {"id": "phone"}]}


def digest(secret: str) -> str:
    return key_form.digest(secret)


def rotated(end: str = LATER, secret: str | None = SECRET, old: str = OLD) -> Verdict:
    return Verdict(secret, Marker("f" * 64, digest(old), end, "run"))


def update(content: str | None, client: dict[str, Any], purge: bool = True, **verdicts: Verdict) -> Outcome:
    clients = sound_clients([client], Rules(keys=True, allow_weak_secrets=True))
    judged = {key.name: verdicts.get(key.id, Verdict(SECRET)) for key in present_keys(clients)}
    return KeyFile(None if content is None else content.encode()).update(clients, judged, purge, NOW)[0]


def timed(**more: Any) -> dict[str, Any]:
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

    @pytest.mark.parametrize("purge", [True, False])
    @pytest.mark.parametrize(("was", "will"), [(False, True), (True, False)])
    def test_whether_a_key_may_stand_in_the_path_changes_its_line_and_the_diff_shows_it(
        self, was: bool, will: bool, purge: bool
    ) -> None:
        before = update(None, timed(in_path=was), purge).text
        outcome = update(before, timed(in_path=will), purge)
        end = " in_path=yes\n" if will else f" last4={SECRET[-4:]}\n"
        assert outcome.text.endswith(end)
        assert (outcome.updated, before.replace(" in_path=yes", "")) == (
            ["alice.laptop"],
            outcome.text.replace(" in_path=yes", ""),
        )
        assert outcome.after == (
            f"alice.laptop: fingerprint {digest(SECRET)[:8]}{', may stand in the path' if will else ''} "
            f"(edited: in_path was {'yes' if was else 'no'}, will be {'yes' if will else 'no'})\n"
        )
        assert not update(outcome.text, timed(in_path=will), purge).changed

    def test_a_key_to_be_generated_is_announced_with_where_it_may_stand(self) -> None:
        said = update(None, timed(in_path=True, expires=LATER), laptop=Verdict(None)).after
        assert said == f"alice.laptop: to be generated, expires {LATER}, may stand in the path (added)\n"

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

    @pytest.mark.parametrize(
        ("said", "wanted", "stays"),
        [("last4=9gHj in_path=yes", True, True), ("last4=9gHj in_path=yes", False, False), ("last4=9gHj", True, False)],
        ids=["as before", "taken away from both", "given to the new one"],
    )
    @pytest.mark.parametrize("secret", [{}, {"secret": SECRET}], ids=["generated", "given"])
    def test_the_old_key_may_stand_in_the_path_if_it_might_and_the_new_one_may(
        self, said: str, wanted: bool, stays: bool, secret: dict[str, str]
    ) -> None:
        client = timed(in_path=wanted, **secret)
        outcome = update(f"alice.laptop sha256:{digest(OLD)} {said}\n", client, laptop=rotated())
        new, old = outcome.text.splitlines()
        assert (new.endswith(" in_path=yes"), old.endswith(" in_path=yes")) == (wanted, stays)
        assert not update(outcome.text, client, laptop=rotated()).changed

    def test_within_the_grace_the_old_key_loses_the_path_with_the_new_one_and_gets_it_not_back(self) -> None:
        before = f"alice.laptop sha256:{digest(OLD)} last4=9gHj in_path=yes\n"
        both = update(before, timed(in_path=True), laptop=rotated()).text
        neither = update(both, timed(), laptop=rotated()).text
        again = update(neither, timed(in_path=True), laptop=rotated()).text
        assert [text.count("in_path=yes") for text in (both, neither, again)] == [2, 0, 1]

    def test_an_old_key_that_might_be_guessed_does_not_stand_in_the_path(self) -> None:
        planted = f"alice.laptop sha256:{digest(WEAK)} guessable=yes in_path=yes\n"
        _new, old = update(planted, timed(in_path=True), laptop=rotated(old=WEAK)).text.splitlines()
        assert old.endswith(" guessable=yes")

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

    @pytest.mark.parametrize(
        ("said", "end"),
        [
            ("", LATER),
            (f" expires={LAST}", LATER),
            (" expires=2026-06-02T00:00:00Z", "2026-06-02T00:00:00Z"),
            (" expires=2026-05-01T00:00:00Z", None),
            (" not_before=2026-05-01T00:00:00Z", LATER),
            (f" not_before={LATER}", None),
        ],
    )
    def test_the_old_key_does_not_outlive_its_own_expiry_nor_begin_before_its_time(
        self, said: str, end: str | None
    ) -> None:
        for name in ("alice.laptop", "alice.laptop~old"):
            written = update(f"{name} sha256:{digest(OLD)}{said}\n", LAPTOP, laptop=rotated()).text
            assert [line.split()[2] for line in written.splitlines()[1:]] == ([f"expires={end}"] if end else [])

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


DIGEST = "0" * 64
MOMENTS = st.none() | st.datetimes().map(key_form.moment)


@given(
    st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}\.[a-z0-9][a-z0-9_-]{0,8}(~old)?", fullmatch=True),
    st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    *(MOMENTS, MOMENTS, MOMENTS),
    st.none() | st.from_regex(r"[A-Za-z0-9._~+/=-]{4}", fullmatch=True),
    st.sampled_from([None, "yes"]),
    st.sampled_from([None, "yes"]),
)
def test_what_is_written_is_read_again(
    name: str,
    digest: str,
    expires: str | None,
    not_before: str | None,
    created: str | None,
    last4: str | None,
    guessable: str | None,
    in_path: str | None,
) -> None:
    entry = Entry(name, digest, expires, not_before, created, last4, guessable, in_path)
    assert parse(1, serialise(entry)) == entry


ATTRIBUTES = "not_before=2026-01-01T00:00:00Z expires=2027-01-01T00:00:00Z last4=Xy12 guessable=yes in_path=yes"


@given(st.permutations(ATTRIBUTES.split()))
def test_attributes_are_read_in_any_order_and_written_in_one(words: list[str]) -> None:
    entry = parse(1, " ".join([f"alice.laptop sha256:{DIGEST}", *words]))
    assert serialise(entry) == f"alice.laptop sha256:{DIGEST} {ATTRIBUTES}"


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ("expires=2027-01-01T00:00:00Z expires=2027-01-01T00:00:00Z", "after the hash only"),
        ("planted=1", "after the hash only"),
        ("expires", "after the hash only"),
        ("# planted", "after the hash only"),
        ("Expires=2027-01-01T00:00:00Z", "after the hash only"),
        ("expires=", "what follows expires= must be a moment"),
        ("expires=2027-02-30T00:00:00Z", "what follows expires= must be a moment"),
        ("created=2027-01-01t00:00:00Z", "what follows created= must be a moment"),
        ("not_before=2027-01-01T00:00:00+00:00", "what follows not_before= must be a moment"),
        ("guessable", "after the hash only"),
        ("guessable=no", "what follows guessable= must be yes"),
        ("in_path", "after the hash only"),
        ("in_path=no", "what follows in_path= must be yes"),
        ("in_path=yes in_path=yes", "after the hash only"),
        ("last4=plant", "what follows last4= must be four characters"),
        ("last4=ab\u00e4c", "what follows last4= must be four characters"),
    ],
)
def test_anything_else_is_damage_with_the_line_and_without_its_text(rest: str, reason: str) -> None:
    with pytest.raises(DamagedFile, match=f"^line 7: {reason}") as caught:
        parse(7, f"alice.laptop sha256:{DIGEST} {rest}")
    assert "plant" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        *("alice.laptop", "alice.laptop~old", "a.b-c.d_1", " alice.laptop\r", "a", "1234567"),
        *("dave-the-builder.", "dave-the-builder.laptop~", "dave-the-builder.laptop~ol"),
    ],
)
def test_what_is_left_of_a_line_is_no_key_in_plain_text(line: str) -> None:
    with pytest.raises(DamagedFile):
        parse(1, line)
    assert parse(1, "12345678").digest == key_form.digest("12345678")


@pytest.mark.parametrize("name", ["alice~old", "alice.laptop~", "alice.laptop~new", "alice~old.laptop", "a.b~old~old"])
def test_only_the_old_key_of_a_rotation_has_a_tilde(name: str) -> None:
    with pytest.raises(DamagedFile):
        parse(1, f"{name} sha256:{DIGEST}")


@pytest.mark.parametrize(
    ("secret", "shown"), [("pXk29vQzLr4TnB8sWm1YcA", "1YcA"), ("short", None), ("correct-horse-battery", None)]
)
def test_the_end_of_a_secret_is_shown_only_if_the_rest_is_beyond_guessing(secret: str, shown: str | None) -> None:
    assert key_form.last4(secret) == shown


def test_a_last_line_without_its_newline_is_damage_behind_whatever_it_was_cut() -> None:
    line = f"alice.laptop sha256:{DIGEST} expires=2027-01-01T00:00:00Z last4=Xy12"
    for length in range(1, len(line) + 1):
        with pytest.raises(DamagedFile, match="line 2: the newline at its end is missing"):
            KeyFile(f"a-plain-text-key\n{line[:length]}".encode())
    assert KeyFile(b"a-plain-text-key\n# a comment")
