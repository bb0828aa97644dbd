# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords: what is taken, how they are hashed, and that nginx's own library takes the hashes."""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.passwords.hashing import (
    Hasher,
    Scheme,
    choose_scheme,
    identify,
    password_problem,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, MissingLibrary
from hypothesis import given, settings
from hypothesis import strategies as st

CHEAP = [Scheme("sha512_crypt", 1000), Scheme("apr1"), Scheme("bcrypt", 4)]
HASHERS = [Hasher(scheme) for scheme in CHEAP]
IDS = [scheme.name for scheme in CHEAP]
PASSWORDS = ["simple", "with:colon", "pässwörd ☃", " spaces ", "$6$looks$like", "x" * 72]


def libcrypt(password: str, setting: str) -> str | None:
    """What crypt(3) makes of it, which is what nginx asks."""
    name = ctypes.util.find_library("crypt")
    if name is None:
        pytest.skip("no libcrypt on this machine")
    crypt = ctypes.CDLL(name).crypt
    crypt.restype = ctypes.c_char_p
    found: bytes | None = crypt(password.encode(), setting.encode())
    return None if found is None else found.decode()


@pytest.mark.parametrize("hasher", HASHERS, ids=IDS)
@pytest.mark.parametrize("password", PASSWORDS)
def test_a_hash_is_of_its_password_and_of_no_other(hasher: Hasher, password: str) -> None:
    hashed = hasher.hash(password)
    assert hasher.verify(password, hashed)
    assert not hasher.verify(password[:-1], hashed)
    assert hasher.hash(password) != hashed


@pytest.mark.parametrize("hasher", [HASHERS[0], HASHERS[2]], ids=[IDS[0], IDS[2]])
@pytest.mark.parametrize("password", PASSWORDS)
def test_the_library_that_nginx_uses_agrees(hasher: Hasher, password: str) -> None:
    hashed = hasher.hash(password)
    assert libcrypt(password, hashed) == hashed


@pytest.mark.parametrize("hasher", HASHERS, ids=IDS)
def test_scheme_and_rounds_can_be_told_from_a_hash(hasher: Hasher) -> None:
    assert identify(hasher.hash("x")) == hasher.scheme


def test_5000_rounds_of_sha512_crypt_are_the_same_stated_or_not() -> None:
    hashed = Hasher(choose_scheme("sha512_crypt")).hash("x")
    assert hashed.count("$") == 3
    assert identify(hashed) == Scheme("sha512_crypt", 5000)
    assert identify(hashed.replace("$6$", "$6$rounds=5000$")) == Scheme("sha512_crypt", 5000)


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$"])
def test_bcrypt_is_written_with_2y_and_read_with_its_kin(prefix: str) -> None:
    hashed = HASHERS[2].hash("x")
    assert hashed.startswith("$2y$04$")
    kin = prefix + hashed[4:]
    assert identify(kin) == CHEAP[2]
    assert HASHERS[2].verify("x", kin)


@pytest.mark.parametrize(
    "text", ["", "plain", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "$6$a$b", "$1$abc$def", "$2x$10$" + "a" * 53, "$apr1$$"]
)
def test_an_unknown_hash_is_of_no_scheme(text: str) -> None:
    assert identify(text) is None


@pytest.mark.parametrize("hasher", HASHERS, ids=IDS)
@given(text=st.text())
@settings(deadline=None, max_examples=30)
def test_verifying_against_garbage_is_false_and_no_error(hasher: Hasher, text: str) -> None:
    assert not hasher.verify("x", text)


@pytest.mark.parametrize("password", [None, ""])
def test_an_empty_password_is_refused(password: object) -> None:
    assert "empty" in str(password_problem(password, "sha512_crypt"))


@pytest.mark.parametrize("password", [123456, 0.5, True, ["a"]])
def test_a_password_that_is_no_string_is_refused_and_not_quoted(password: object) -> None:
    problem = str(password_problem(password, "sha512_crypt"))
    assert "put it in quotes" in problem
    assert str(password) not in problem


@pytest.mark.parametrize("sign", ["\0", "\n", "\r", "\t", "\x7f"])
def test_a_control_character_in_a_password_is_refused(sign: str) -> None:
    problem = str(password_problem(f"planted{sign}secret", "sha512_crypt"))
    assert "control character" in problem
    assert "planted" not in problem


def test_a_password_that_utf8_cannot_express_is_refused() -> None:
    assert "UTF-8" in str(password_problem("a\ud800", "sha512_crypt"))


@pytest.mark.parametrize(("scheme", "limit"), [("sha512_crypt", 511), ("apr1", 511), ("bcrypt", 72)])
def test_a_password_longer_than_the_scheme_reads_is_refused_counted_in_bytes(scheme: str, limit: int) -> None:
    assert password_problem("x" * limit, scheme) is None
    assert f"takes {limit}" in str(password_problem("x" * (limit + 1), scheme))
    assert f"takes {limit}" in str(password_problem("ä" * (limit // 2 + 1), scheme))


def test_libcrypt_takes_no_longer_password_than_we_do() -> None:
    setting = "$6$abcdefgh$"
    assert str(libcrypt("x" * 511, setting)).startswith(setting)
    assert not str(libcrypt("x" * 512, setting)).startswith(setting)


@pytest.mark.parametrize(
    ("scheme", "rounds"),
    [("sha512_crypt", 999), ("sha512_crypt", 1000001), ("bcrypt", 3), ("bcrypt", 17), ("apr1", 1000)],
)
def test_rounds_out_of_range_are_refused_with_the_range(scheme: str, rounds: int) -> None:
    with pytest.raises(BadInput, match=r"rounds: .*(from \d+ to \d+|leave rounds out)"):
        choose_scheme(scheme, rounds)


def test_the_defaults_are_what_the_documentation_says() -> None:
    assert choose_scheme("sha512_crypt") == Scheme("sha512_crypt", 5000)
    assert choose_scheme("bcrypt") == Scheme("bcrypt", 10)
    assert choose_scheme("apr1") == Scheme("apr1", None)


def test_the_first_hashes_may_be_computed_by_several_threads_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from passlib.handlers import md5_crypt
    from passlib.utils import binary

    make = binary.Base64Engine.__init__

    def slowly(*arguments: object) -> None:
        time.sleep(0.05)
        make(*arguments)

    monkeypatch.setattr(binary.Base64Engine, "__init__", slowly)
    # As in a process that has not hashed anything yet.
    monkeypatch.setattr(md5_crypt, "h64", binary.LazyBase64Engine(binary.HASH64_CHARS))
    hasher = Hasher(Scheme("apr1"))
    with ThreadPoolExecutor(4) as pool:
        hashes = list(pool.map(hasher.hash, ["x"] * 4))
    assert all(hasher.verify("x", hashed) for hashed in hashes)


def test_a_missing_library_is_an_error_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "passlib", None)
    with pytest.raises(MissingLibrary, match=r"pip install -r requirements\.txt"):
        Hasher(Scheme("apr1"))


def test_a_bcrypt_that_does_not_work_is_an_error_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from passlib import hash as handlers

    def broken(*arguments: object) -> None:
        raise ValueError("password cannot be longer than 72 bytes")

    monkeypatch.setattr(handlers.bcrypt, "set_backend", broken)
    with pytest.raises(MissingLibrary, match=r"bcrypt.*pip install -r requirements\.txt"):
        Hasher(Scheme("bcrypt", 10))
    Hasher(Scheme("sha512_crypt", 5000))
