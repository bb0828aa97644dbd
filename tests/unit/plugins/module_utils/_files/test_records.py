# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both credential files: what stays, what goes, and that the diff tells the truth without secrets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import (
    Client,
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
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.memory import Verdict
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.passwords import file as password_file
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.passwords.hashing import Hasher, Scheme
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, DamagedFile
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.records import Outcome
from hypothesis import given
from hypothesis import strategies as st

HASHER = Hasher(Scheme("sha512_crypt", 1000))
APR1 = Hasher(Scheme("apr1"))
FOREIGN = "erin:$1$abcdefgh$0123456789012345678901"
NOW = "2026-06-01T12:00:00Z"
SECRETS = {
    "alice.laptop": "pXk29vQzLr4TnB8sWm1YcA",
    "alice.phone": "Qw7eRt5yUi3oPa1sDf9gHj",
    "bob.k": "Zx8cVb6nMl4kJh2gFd0sAq",
}


def clients(*entries: dict[str, Any], scheme: str = "sha512_crypt") -> list[Client]:
    return sound_clients(list(entries), Rules(scheme, keys=True, allow_weak_secrets=True))


def users(content: str | None, *entries: dict[str, Any], purge: bool = True, hasher: Hasher = HASHER) -> Outcome:
    return password_file.update(None if content is None else content.encode(), clients(*entries), hasher, purge)


def keys(content: str | None, *entries: dict[str, Any], purge: bool = True) -> Outcome:
    found = clients(*entries)
    verdicts = {key.name: Verdict(SECRETS.get(key.name)) for key in present_keys(found)}
    return KeyFile(None if content is None else content.encode()).update(found, verdicts, purge, NOW)[0]


def key_line(name: str, expires: str = "") -> str:
    """A line as it is written now."""
    secret = SECRETS[name]
    end = f" expires={expires}" if expires else ""
    return f"{name} sha256:{key_form.digest(secret)}{end} created={NOW} last4={secret[-4:]}"


def user(name: str, password: str = "pw") -> dict[str, Any]:
    return {"name": name, "password": password}


def holder(name: str, *ids: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "keys": [{"id": key_id, **more} for key_id in ids]}


class TestHtpasswd:
    def test_a_new_file_holds_the_list_in_its_order(self) -> None:
        outcome = users(None, user("zoe"), user("alice"), {"name": "keyholder", "keys": []})
        assert outcome.changed
        assert outcome.added == ["zoe", "alice"]
        assert [line.split(":")[0] for line in outcome.text.splitlines()] == ["zoe", "alice"]
        assert outcome.text.endswith("\n")

    def test_an_empty_list_makes_an_empty_file_and_stays_at_that(self) -> None:
        assert (users(None).text, users(None).changed) == ("", True)
        assert not users("").changed

    def test_an_unchanged_password_is_not_hashed_again(self) -> None:
        first = users(None, user("alice"), user("bob"))
        second = users(first.text, user("alice"), user("bob"))
        assert (second.text, second.changed, second.unchanged) == (first.text, False, ["alice", "bob"])

    def test_a_changed_password_is_hashed_again_and_others_stay(self) -> None:
        first = users(None, user("alice"), user("bob"))
        second = users(first.text, user("alice", "new"), user("bob"))
        assert (second.updated, second.unchanged) == (["alice"], ["bob"])
        assert HASHER.verify("new", second.text.splitlines()[0].split(":")[1])
        assert "+alice" not in second.before
        assert "alice: sha512_crypt with rounds 1000 (password changed)\n" in second.after

    def test_a_changed_scheme_or_changed_rounds_are_hashed_again(self) -> None:
        first = users(None, user("alice"))
        other = users(first.text, user("alice"), hasher=APR1)
        assert other.updated == ["alice"]
        assert other.after == "alice: apr1 (scheme changed)\n"
        rounds = users(first.text, user("alice"), hasher=Hasher(Scheme("sha512_crypt", 1001)))
        assert rounds.after == "alice: sha512_crypt with rounds 1001 (rounds changed)\n"

    @pytest.mark.parametrize("hashed", ["", "plain", "{SHA}x", "$6$broken"])
    def test_an_unknown_hash_of_a_listed_user_is_replaced(self, hashed: str) -> None:
        for purge in (True, False):
            outcome = users(f"alice:{hashed}\n", user("alice"), purge=purge)
            assert outcome.updated == ["alice"]
            assert outcome.after.endswith("(unknown hash replaced)\n")

    @pytest.mark.parametrize("purge", [True, False])
    def test_a_look_tells_what_a_run_does_and_hashes_nothing(
        self, purge: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old = users(None, user("alice"), user("bob")).text
        listed = clients(user("alice", "new"), user("bob"), user("zoe"))
        real = password_file.update(old.encode(), listed, HASHER, purge)
        monkeypatch.setattr(HASHER, "hash", None)
        look = password_file.update(old.encode(), listed, HASHER, purge, only_look=True)
        assert replace(look, text=real.text) == real
        same = password_file.update(old.encode(), clients(user("alice"), user("bob")), HASHER, purge, only_look=True)
        assert (same.text, same.changed) == (old, False)

    def test_a_thousand_users_each_get_their_own_hash_in_their_order(self) -> None:
        everybody = [user(f"user{number}", f"pw{number}") for number in range(1000)]
        first = users(None, *everybody)
        lines = first.text.splitlines()
        assert [line.split(":")[0] for line in lines] == [one["name"] for one in everybody]
        assert all(HASHER.verify(f"pw{number}", lines[number].split(":")[1]) for number in range(0, 1000, 50))
        everybody[500] = user("user500", "new")
        second = users(first.text, *everybody)
        assert (second.updated, len(second.unchanged)) == (["user500"], 999)
        assert [number for number, line in enumerate(second.text.splitlines()) if line != lines[number]] == [500]

    def test_purge_removes_what_is_not_listed(self) -> None:
        outcome = users(f"# note\n{FOREIGN}\n\nbroken:hash\n", user("alice"))
        assert outcome.removed == ["erin", "broken"]
        assert outcome.text.startswith("alice:")
        assert "erin: another kind of hash (removed)\n" in outcome.before
        assert "line 1: a comment (removed)\n" in outcome.before
        assert "note" not in outcome.before

    def test_without_purge_foreign_lines_and_comments_stay_in_order(self) -> None:
        old = users(None, user("alice"), user("dave")).text.splitlines()
        content = f"# head\n{old[0]}\n\n{FOREIGN}\r\n  # tail\n{old[1]}"
        outcome = users(content, user("zoe"), user("alice", "new"), {"name": "dave", "state": "absent"}, purge=False)
        lines = outcome.text.split("\n")
        assert lines[0] == "# head"
        assert lines[1].startswith("alice:$6$")
        assert lines[1] != old[0]
        assert lines[2:5] == ["", FOREIGN + "\r", "  # tail"]
        assert lines[5].startswith("zoe:$6$")
        assert lines[6:] == [""]
        assert (outcome.added, outcome.updated, outcome.removed) == (["zoe"], ["alice"], ["dave"])
        assert "erin: another kind of hash (foreign, kept)\n" in outcome.before
        assert "erin: another kind of hash (foreign, kept)\n" in outcome.after

    def test_a_missing_newline_at_the_end_is_no_reason_to_write(self) -> None:
        text = users(None, user("alice")).text.rstrip("\n")
        assert not users(text, user("alice")).changed
        assert not users(text, user("alice"), purge=False).changed

    def test_the_diff_holds_neither_hashes_nor_passwords(self) -> None:
        first = users(f"{FOREIGN}\n", user("alice", "planted"), purge=False)
        second = users(first.text, user("alice", "other"), purge=False)
        for outcome in (first, second):
            assert "$" not in outcome.before + outcome.after
            assert "planted" not in outcome.before + outcome.after + repr(outcome)
            assert "$6$" not in repr(outcome)

    @pytest.mark.parametrize(
        ("content", "line"),
        [
            (b"alice:x\nplanted\n", 2),
            (b"alice:x\n\xff\xfe:x\n", 2),
            (b"alice:x\n# c\nalice:y\n", 3),
            (b":planted\n", 1),
            (b"pla nted:x\n", 1),
            (b"\0\0\0\0", 1),
        ],
    )
    @pytest.mark.parametrize("purge", [True, False])
    def test_a_damaged_file_is_an_error_with_the_line_and_without_its_text(
        self, content: bytes, line: int, purge: bool
    ) -> None:
        with pytest.raises(DamagedFile, match=f"^line {line}: ") as caught:
            password_file.update(content, clients(user("bob")), HASHER, purge)
        assert "planted" not in str(caught.value)

    def test_an_unknown_hash_of_an_unlisted_user_is_an_error_only_where_it_would_stay(self) -> None:
        with pytest.raises(DamagedFile, match=r"line 2: .* not a hash"):
            users("# c\nerin:planted\n", user("bob"), purge=False)
        assert users("# c\nerin:planted\n", user("bob")).removed == ["erin"]
        assert users("# c\nerin:planted\n", {"name": "erin", "state": "absent"}, purge=False).removed == ["erin"]

    @given(
        st.lists(
            st.one_of(
                st.from_regex(r"[ \t]*#[^\n\r]{0,10}", fullmatch=True),
                st.sampled_from(["", "  "]),
                st.integers(0, 50).map(lambda number: f"user{number}:$5$salt${number}"),
            ),
            unique=True,
        ),
        st.booleans(),
    )
    def test_without_purge_and_without_clients_every_sound_file_stays_byte_by_byte(
        self, lines: list[str], newline: bool
    ) -> None:
        content = "\n".join(lines) + ("\n" if newline and lines else "")
        outcome = users(content, purge=False)
        assert (outcome.text, outcome.changed) == (content, False)
        assert outcome.before == outcome.after


class TestApiKeys:
    def test_a_new_file_holds_the_keys_in_the_order_of_the_list(self) -> None:
        outcome = keys(None, holder("bob", "k", expires="2027-01-01T00:00:00Z"), holder("alice", "phone", "laptop"))
        assert outcome.text.splitlines() == [
            key_line("bob.k", "2027-01-01T00:00:00Z"),
            key_line("alice.phone"),
            key_line("alice.laptop"),
        ]
        assert outcome.added == ["bob.k", "alice.phone", "alice.laptop"]

    def test_a_second_time_nothing_changes(self) -> None:
        first = keys(None, holder("alice", "laptop"), holder("bob", "k"))
        second = keys(first.text, holder("alice", "laptop"), holder("bob", "k"))
        assert (second.changed, second.unchanged) == (False, ["alice.laptop", "bob.k"])

    def test_a_changed_key_and_a_changed_expiry_are_told_apart(self) -> None:
        old = f"alice.laptop sha256:{'0' * 64}\n{key_line('bob.k', '2027-01-01T00:00:00Z')}\n"
        outcome = keys(old, holder("alice", "laptop"), holder("bob", "k"))
        assert outcome.updated == ["alice.laptop", "bob.k"]
        assert (
            f"(edited: fingerprint was 00000000, will be {key_form.digest(SECRETS['alice.laptop'])[:8]})\n"
            in outcome.after
        )
        assert "(edited: expires was 2027-01-01T00:00:00Z, will be none)\n" in outcome.after

    def test_hexadecimal_digits_and_spacing_of_a_hand_do_not_matter(self) -> None:
        line = "  alice.laptop   sha256:" + key_form.digest(SECRETS["alice.laptop"]).upper() + " \r\n"
        assert not keys(line, holder("alice", "laptop")).changed

    def test_purge_removes_a_key_in_plain_text_and_says_so(self) -> None:
        outcome = keys("plantedplantedplanted\n", holder("alice", "laptop"))
        assert outcome.text == key_line("alice.laptop") + "\n"
        assert outcome.before == "line 1: a plain-text line (removed)\n"
        assert outcome.changed

    def test_without_purge_foreign_lines_stay_in_order(self) -> None:
        foreign = f"# head\nplantedplantedplanted\nerin.x sha256:{'1' * 64}\n{key_line('bob.k')}\n"
        outcome = keys(foreign, holder("alice", "laptop"), purge=False)
        assert outcome.text == foreign + key_line("alice.laptop") + "\n"
        assert "line 2: a plain-text line\n" in outcome.after
        assert "erin.x: fingerprint 11111111 (foreign, kept)\n" in outcome.after

    def test_state_absent_removes_a_key_or_all_keys_of_a_client_and_of_no_other(self) -> None:
        old = f"{key_line('alice.laptop')}\n{key_line('alice.phone')}\nalice.x.phone sha256:{'1' * 64}\n"
        one = keys(old, holder("alice", "phone", state="absent"), purge=False)
        assert one.removed == ["alice.phone"]
        all_of_alice = keys(old, {"name": "alice", "state": "absent"}, purge=False)
        assert all_of_alice.removed == ["alice.laptop", "alice.phone"]
        assert all_of_alice.text == f"alice.x.phone sha256:{'1' * 64}\n"

    def test_a_key_that_is_to_be_generated_is_announced(self) -> None:
        outcome = keys("", holder("carol", "new"))
        assert outcome.changed
        assert outcome.after == "carol.new: to be generated (added)\n"

    def test_a_key_that_a_foreign_line_has_as_well_is_an_error_with_both_places(self) -> None:
        digest = key_form.digest(SECRETS["alice.laptop"])
        for line in (f"erin.x sha256:{digest}", SECRETS["alice.laptop"]):
            with pytest.raises(BadInput, match=r"clients\[0\].keys\[0\] \(alice.laptop\): line 2 .* remove that line"):
                keys(f"# c\n{line}\n", holder("alice", "laptop"), purge=False)
            assert keys(f"# c\n{line}\n", holder("alice", "laptop")).added == ["alice.laptop"]

    def test_the_name_of_a_key_without_its_hash_does_not_stay_as_a_key_in_plain_text(self) -> None:
        with pytest.raises(DamagedFile, match="line 1: it has the name of a key and no hash"):
            keys("alice.laptop\n", holder("alice", "laptop"), purge=False)

    @pytest.mark.parametrize(
        ("content", "line"),
        [
            (b"planted planted\n", 1),
            (b"\nalice.laptop sha256:planted\n", 2),
            (b"alice sha256:" + b"0" * 64, 1),
            (b"alice.laptop sha256:" + b"0" * 63, 1),
            (b"alice.laptop sha256:" + b"0" * 64 + b" expires=planted\n", 1),
            (b"alice.laptop sha256:" + b"0" * 64 + b" planted\n", 1),
            (b"sha256:planted\n", 1),
            (b"a.b sha256:" + b"0" * 64 + b"\na.b sha256:" + b"1" * 64, 2),
            (b"a.b sha256:" + b"0" * 64 + b"\na.c sha256:" + b"0" * 64, 2),
            (b"# c\n\xff\n", 2),
            (b"\0\0\0", 1),
        ],
    )
    @pytest.mark.parametrize("purge", [True, False])
    def test_a_damaged_file_is_an_error_with_the_line_and_without_its_text(
        self, content: bytes, line: int, purge: bool
    ) -> None:
        with pytest.raises(DamagedFile, match=f"^line {line}: ") as caught:
            KeyFile(content).update(clients(holder("alice", "laptop")), {"alice.laptop": Verdict("x")}, purge, NOW)
        assert "planted" not in str(caught.value)

    def test_the_diff_shows_no_more_of_a_hash_than_a_fingerprint(self) -> None:
        outcome = keys(None, holder("alice", "laptop"))
        digest = key_form.digest(SECRETS["alice.laptop"])
        assert outcome.after == f"alice.laptop: fingerprint {digest[:8]} (added)\n"
        assert digest[:9] not in outcome.after + repr(outcome)

    @given(
        st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True),
        st.from_regex(r"[a-z0-9][a-z0-9_-]{0,8}", fullmatch=True),
        st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
        st.none() | st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat() + "Z"),
    )
    def test_what_is_written_is_read_again(self, client: str, key_id: str, digest: str, expires: str | None) -> None:
        entry = Entry(f"{client}.{key_id}", digest, expires)
        assert parse(1, serialise(entry)) == entry

    @given(
        st.lists(
            st.one_of(
                st.from_regex(r"[ \t]*#[^\n\r]{0,10}", fullmatch=True),
                st.sampled_from(["", "  "]),
                st.integers(0, 50).map(lambda number: f"user{number}.k sha256:{number:064x}"),
                st.integers(0, 50).map(lambda number: f"plain-text-{number}"),
            ),
            unique=True,
        ),
    )
    def test_without_purge_and_without_clients_every_sound_file_stays_byte_by_byte(self, lines: list[str]) -> None:
        content = "".join(line + "\n" for line in lines)
        outcome = keys(content, purge=False)
        assert (outcome.text, outcome.changed) == (content, False)
        assert outcome.before == outcome.after

    def test_ten_thousand_keys_each_get_their_own_digest_in_their_order(self) -> None:
        names = [f"user{number // 10}.k{number % 10}" for number in range(10000)]
        secrets = {name: f"secret-of-{name}" for name in names}
        everybody = clients(*(holder(f"user{number}", *(f"k{key}" for key in range(10))) for number in range(1000)))
        verdicts = {name: Verdict(secret) for name, secret in secrets.items()}
        first = KeyFile(None).update(everybody, verdicts, True, NOW)[0]
        there = KeyFile(first.text.encode()).there
        assert [(name, entry.digest) for name, entry in there.items()] == [
            (name, key_form.digest(secrets[name])) for name in names
        ]
        verdicts["user7.k7"] = Verdict("another")
        second = KeyFile(first.text.encode()).update(everybody, verdicts, True, NOW)[0]
        assert (second.updated, len(second.unchanged)) == (["user7.k7"], 9999)
