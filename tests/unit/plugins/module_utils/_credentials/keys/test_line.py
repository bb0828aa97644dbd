# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A line of the file of keys: what may stand in it, in which order, and what is damage."""

from __future__ import annotations

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import line as key_line
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import DamagedFile
from hypothesis import given
from hypothesis import strategies as st

DIGEST = "0" * 64
MOMENTS = st.none() | st.datetimes().map(key_form.moment)


@given(
    st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}\.[a-z0-9][a-z0-9_-]{0,8}(~old)?", fullmatch=True),
    st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    *(MOMENTS, MOMENTS, MOMENTS),
    st.none() | st.from_regex(r"[A-Za-z0-9._~+/=-]{4}", fullmatch=True),
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
) -> None:
    entry = key_line.Entry(name, digest, expires, not_before, created, last4, guessable)
    assert key_line.parse(1, key_line.serialise(entry)) == entry


@given(st.permutations(["not_before=2026-01-01T00:00:00Z", "expires=2027-01-01T00:00:00Z", "last4=Xy12"]))
def test_attributes_are_read_in_any_order_and_written_in_one(words: list[str]) -> None:
    entry = key_line.parse(1, " ".join([f"alice.laptop sha256:{DIGEST}", *words]))
    assert key_line.serialise(entry) == (
        f"alice.laptop sha256:{DIGEST} not_before=2026-01-01T00:00:00Z expires=2027-01-01T00:00:00Z last4=Xy12"
    )


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
        ("last4=plant", "what follows last4= must be four characters"),
        ("last4=ab\u00e4c", "what follows last4= must be four characters"),
    ],
)
def test_anything_else_is_damage_with_the_line_and_without_its_text(rest: str, reason: str) -> None:
    with pytest.raises(DamagedFile, match=f"^line 7: {reason}") as caught:
        key_line.parse(7, f"alice.laptop sha256:{DIGEST} {rest}")
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
        key_line.parse(1, line)
    assert key_line.parse(1, "12345678").digest == key_form.digest("12345678")


@pytest.mark.parametrize("name", ["alice~old", "alice.laptop~", "alice.laptop~new", "alice~old.laptop", "a.b~old~old"])
def test_only_the_old_key_of_a_rotation_has_a_tilde(name: str) -> None:
    with pytest.raises(DamagedFile):
        key_line.parse(1, f"{name} sha256:{DIGEST}")


@pytest.mark.parametrize(
    ("secret", "shown"), [("pXk29vQzLr4TnB8sWm1YcA", "1YcA"), ("short", None), ("correct-horse-battery", None)]
)
def test_the_end_of_a_secret_is_shown_only_if_the_rest_is_beyond_guessing(secret: str, shown: str | None) -> None:
    assert key_form.last4(secret) == shown


def test_a_last_line_without_its_newline_is_damage_behind_whatever_it_was_cut() -> None:
    line = f"alice.laptop sha256:{DIGEST} expires=2027-01-01T00:00:00Z last4=Xy12"
    for length in range(1, len(line) + 1):
        with pytest.raises(DamagedFile, match="line 2: the newline at its end is missing"):
            key_line.read(f"a-plain-text-key\n{line[:length]}".encode())
    assert key_line.read(b"a-plain-text-key\n# a comment")[1]
