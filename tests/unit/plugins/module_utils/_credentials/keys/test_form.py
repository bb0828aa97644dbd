# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""API keys: form, checksum, strength, expiry."""

from __future__ import annotations

import datetime
import string

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from hypothesis import given
from hypothesis import strategies as st

BODY = "ghk_" + "A" * 43
TOKEN = string.ascii_letters + string.digits + "-._~+/"


def test_a_generated_key_is_the_prefix_43_characters_and_a_checksum_of_6() -> None:
    key = key_form.generate()
    assert len(key) == 4 + 43 + 6
    assert key.startswith("ghk_")
    assert key[47:] == key_form.checksum(key[:47])
    assert key_form.verify(key)


def test_generated_keys_differ() -> None:
    assert len({key_form.generate() for _ in range(100)}) == 100


def test_the_checksum_is_what_the_documentation_says() -> None:
    """The CRC-32 of "123456789" is 0xCBF43926, in base 62 with the digits 0-9A-Za-z: 3jZRME."""
    assert key_form.checksum("123456789") == "3jZRME"
    assert key_form.checksum("") == "000000"


@given(st.integers(0, 52), st.sampled_from(TOKEN))
def test_the_checksum_notices_every_change_of_one_character(position: int, character: str) -> None:
    key = BODY + key_form.checksum(BODY)
    changed = key[:position] + character + key[position + 1 :]
    assert key_form.verify(changed) == (changed == key)


@pytest.mark.parametrize(
    "text",
    ["", "ghk_", BODY, BODY + "000000\n", key_form.generate() + "\n", key_form.generate()[:-1]],
    ids=["nothing", "prefix", "no checksum", "wrong checksum and newline", "newline", "shortened"],
)
def test_what_is_no_whole_key_is_not_verified(text: str) -> None:
    assert not key_form.verify(text)


def test_a_digest_is_the_sha256_of_the_secret() -> None:
    assert key_form.digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert key_form.fingerprint(key_form.digest("abc")) == "ba7816bf"


@pytest.mark.parametrize(
    "secret",
    [
        "pXk29vQzLr4TnB8sWm1YcA",  # 22 of base64
        "q3zk8w5vbx7n2mrt9cfd4hj6p",  # 25 small letters and digits
        "0f1e2d3c4b5a69788796a5b4c3d2e1f0",  # 32 hexadecimal digits
        "0F1E2D3C-4B5A6978-8796A5B4-C3D2E1F0",
        "314159265358979323846264338327950288419",  # 39 digits
        "k7/Pq+Zx9s.V2~mNw-Tb_4yG==",
    ],
)
def test_a_secret_with_128_bits_of_randomness_is_taken(secret: str) -> None:
    assert key_form.secret_problem(secret, allow_weak=False) is None


@pytest.mark.parametrize(
    "secret",
    [
        "secret-1",
        "pXk29vQzLr4TnB8sWm1Yc",
        "q3zk8w5vbx7n2mrt9cfd4hj6",
        "0f1e2d3c4b5a69788796a5b4c3d2e1f",
        "31415926535897932384626433832795028841",
        "abababababababababababababababababababababab",
        "aB1" + "." * 40,
        "a" + "=" * 60,
    ],
)
def test_a_weaker_secret_is_refused_unless_allowed_and_not_quoted(secret: str) -> None:
    problem = key_form.secret_problem(secret, allow_weak=False)
    assert problem is not None
    assert "too weak" in problem
    assert f"'{secret}'" not in problem
    assert key_form.secret_problem(secret, allow_weak=True) is None


@pytest.mark.parametrize("secret", ["a", "hunter2"])
def test_a_secret_of_a_few_characters_is_refused_even_where_weak_ones_are_allowed(secret: str) -> None:
    assert "too short" in str(key_form.secret_problem(secret, allow_weak=True))


@given(st.binary(min_size=16, max_size=16))
def test_16_random_bytes_in_base64_are_strong_or_visibly_not_random(data: bytes) -> None:
    import base64

    secret = base64.urlsafe_b64encode(data).decode().rstrip("=")
    core = secret.replace("-", "").replace("_", "")
    mixed = any(c.isupper() for c in core) and any(c.islower() for c in core) and len(set(core)) >= 6
    assert (key_form.strength(secret) >= 128) == mixed


@pytest.mark.parametrize("secret", ["sp ace", "new\nline", "ümlaut", "a=b", "=", "col:on", 'quo"te', "tab\t", "nul\0"])
def test_what_cannot_be_sent_as_a_bearer_token_is_refused_even_where_weak_secrets_are_allowed(secret: str) -> None:
    problem = key_form.secret_problem(secret * 1, allow_weak=True)
    assert problem is not None
    assert "Bearer token" in problem
    assert secret not in problem.split(";")[0] or secret == "="


@pytest.mark.parametrize("secret", [None, "", 12345678901234567890, True, ["x"]])
def test_a_secret_that_is_empty_or_no_string_is_refused(secret: object) -> None:
    problem = key_form.secret_problem(secret, allow_weak=True)
    assert problem is not None
    assert "empty" in problem or "must be a string" in problem


@pytest.mark.parametrize(
    "secret",
    [key_form.generate(), "pXk29vQzLr4TnB8sWm1YcA", "k7Pq-Zx9s.V2~mNw_Tb4yGhR", "pXk29vQzLr4TnB8s" * 16],
    ids=["generated", "letters", "signs", "long"],
)
def test_a_strong_secret_that_a_path_carries_as_it_is_may_stand_there(secret: str) -> None:
    assert key_form.path_problem(secret) is None


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        *((f"pXk29vQzLr4T{sign}B8sWm1YcA", "letters, digits and -._~ only") for sign in "+/=%?#:@ \né"),
        ("pXk29vQzLr4TnB8sWm1YcA\n", "letters, digits and -._~ only"),
        ("", "letters, digits and -._~ only"),
        ("pXk29vQzLr4TnB8s" * 16 + "x", "256 characters at most"),
        ("pXk29vQzLr4TnB8sWm1Yc", "128 bits of randomness, also where weak secrets are allowed"),
        ("." * 30, "128 bits of randomness"),
    ],
)
def test_any_other_is_refused_there_and_not_quoted(secret: str, reason: str) -> None:
    problem = str(key_form.path_problem(secret))
    assert problem.startswith("with in_path the secret ")
    assert reason in problem
    assert not secret or secret not in problem


def test_a_mistyped_generated_key_is_noticed() -> None:
    key = key_form.generate()
    assert key_form.secret_problem(key, allow_weak=False) is None
    assert "checksum" in str(key_form.secret_problem(key[:-1], allow_weak=True))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2027-01-01t00:00:00z", "2027-01-01T00:00:00Z"),
        ("2028-02-29T23:59:59.999Z", "2028-02-29T23:59:59Z"),
        (
            datetime.datetime(2027, 1, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
            "2027-01-01T00:00:00Z",
        ),
        (datetime.datetime(1, 2, 3, tzinfo=datetime.timezone.utc), "0001-02-03T00:00:00Z"),
    ],
)
def test_an_expiry_is_put_into_one_form(value: object, expected: str) -> None:
    assert key_form.read_expiry(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", "tomorrow", 1767225600, "2027-01-01", "2027-01-01T00:00:00", "2027-01-01T00:00:00+02:00"),
        *("2027-02-29T00:00:00Z", "2027-13-01T00:00:00Z", "2027-01-01T24:00:00Z", "2027-01-01T00:00:00Z\n"),
        *(" 2027-01-01T00:00:00Z", "٢٠٢٧-01-01T00:00:00Z", datetime.datetime(2027, 1, 1), datetime.date(2027, 1, 1)),
    ],
)
def test_what_is_no_moment_in_utc_is_no_expiry(value: object) -> None:
    with pytest.raises(ValueError, match=r"not of the form|no time zone|out of range|does not match format"):
        key_form.read_expiry(value)
