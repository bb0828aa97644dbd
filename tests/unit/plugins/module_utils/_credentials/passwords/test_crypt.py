# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever computes a hash gives the known answer, and passlib computes what the C library cannot."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.passwords import crypt as _crypt
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.passwords.hashing import (
    Hasher,
    Scheme,
    identify,
)

# From "Unix crypt using SHA-256 and SHA-512" by Ulrich Drepper, those with at least the fewest rounds and a whole salt.
SHA512 = [
    (
        "Hello world!",
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
    ),
    (
        "we have a short salt string but not a short password",
        "$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0",
    ),
    (
        "a very much longer text to encrypt.  This one even stretches over morethan one line.",
        "$6$rounds=1400$anotherlongsalts$"
        "POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1",
    ),
    (
        "the minimum number is still observed",
        "$6$rounds=1000$roundstoolow$"
        "kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX.",
    ),
]
# As `openssl passwd -apr1` says; the first is that of Apache's page "Password Formats".
APR1 = [
    ("myPassword", "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/"),
    ("myPassword", "$apr1$qHDFfhPC$nITSVHgYbDAK1Y0acGRnY0"),
]
# From the tests of Openwall's crypt_blowfish; for ASCII all prefixes are the same.
BCRYPT = [
    ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    ("U*U*U", "$2b$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"),
    ("U*U*", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
]
VECTORS = [*SHA512, *APR1, *BCRYPT]
IMPLEMENTATIONS = ["the C library", "passlib"]


@pytest.fixture(autouse=True)
def search_again() -> Iterator[None]:
    _crypt.sha512_crypt.cache_clear()
    yield
    _crypt.sha512_crypt.cache_clear()


def hasher_of(hashed: str) -> Hasher:
    scheme = identify(hashed)
    assert scheme is not None
    return Hasher(scheme)


def answer_with(monkeypatch: pytest.MonkeyPatch, answer: str | None) -> list[str]:
    """A C library that always gives the same answer; the passwords that it saw."""
    seen = []

    def load(name: str | None) -> _crypt.Crypt:
        def crypt(password: str, setting: str) -> str | None:
            seen.append(password)
            return answer

        return crypt

    monkeypatch.setattr(_crypt, "load", load)
    return seen


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize(("password", "hashed"), VECTORS)
def test_every_scheme_gives_the_known_answers(
    monkeypatch: pytest.MonkeyPatch, implementation: str, password: str, hashed: str
) -> None:
    if implementation == "passlib":
        monkeypatch.setattr(_crypt, "LIBRARIES", ())
    hasher = hasher_of(hashed)
    assert hasher.verify(password, hashed)
    assert not hasher.verify(password + "x", hashed)
    assert not hasher.verify(password, hashed[:-9] + ("x" if hashed[-9] == "y" else "y") + hashed[-8:])


@pytest.mark.parametrize("rounds", [1000, 5000])
def test_what_one_implementation_hashes_the_other_verifies(monkeypatch: pytest.MonkeyPatch, rounds: int) -> None:
    scheme = Scheme("sha512_crypt", rounds)
    fast = Hasher(scheme)
    _crypt.sha512_crypt.cache_clear()
    monkeypatch.setattr(_crypt, "LIBRARIES", ())
    slow = Hasher(scheme)
    for password in ("simple", "pässwörd ☃", "x" * 511):
        assert slow.verify(password, fast.hash(password))
        assert fast.verify(password, slow.hash(password))
        assert identify(fast.hash(password)) == identify(slow.hash(password)) == scheme


def test_the_c_library_of_this_machine_is_used() -> None:
    crypt = _crypt.sha512_crypt()
    assert crypt is not None
    assert [crypt(password, hashed) for password, hashed in SHA512] == [hashed for _, hashed in SHA512]


@pytest.mark.parametrize("names", [(), ("libgatehouse-is-not-there.so.1",), ("libm.so.6",)])
def test_without_the_c_librarys_function_passlib_hashes(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    monkeypatch.setattr(_crypt, "LIBRARIES", names)
    assert _crypt.sha512_crypt() is None
    hasher = Hasher(Scheme("sha512_crypt", 1000))
    assert hasher.verify("x", hasher.hash("x"))


def test_a_python_without_ctypes_has_passlib_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctypes", None)
    assert _crypt.sha512_crypt() is None


@pytest.mark.parametrize("answer", [None, "", SHA512[0][1]])
def test_a_c_library_that_gives_a_wrong_answer_gets_no_password(
    monkeypatch: pytest.MonkeyPatch, answer: str | None
) -> None:
    seen = answer_with(monkeypatch, answer)
    hasher = Hasher(Scheme("sha512_crypt", 1000))
    assert hasher.verify("planted", hasher.hash("planted"))
    assert "planted" not in seen


def test_what_the_c_library_refuses_passlib_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """As musl's does with a password of more than 256 bytes."""
    monkeypatch.setattr(_crypt, "sha512_crypt", lambda: lambda password, setting: None)
    hasher = Hasher(Scheme("sha512_crypt", 1000))
    hashed = hasher.hash("x" * 500)
    assert hashed.startswith("$6$rounds=1000$")
    assert hasher.verify("x" * 500, hashed)
    assert not hasher.verify("x" * 499, hashed)


@pytest.mark.parametrize(
    ("password", "setting"), [("a\0b", "$6$salt$"), ("a", "$6$sält$"), ("a", "$nonsense$"), ("a", "")]
)
def test_the_c_library_is_not_asked_what_it_would_misread(password: str, setting: str) -> None:
    crypt = _crypt.sha512_crypt()
    assert crypt is not None
    assert crypt(password, setting) is None


def test_salts_are_random_as_long_as_can_be_and_of_the_right_characters() -> None:
    settings = {_crypt.sha512_setting(5000) for _ in range(200)}
    assert len(settings) == 200
    salts = "".join(setting[3:-1] for setting in settings)
    assert {(setting[:3], setting[-1], len(setting)) for setting in settings} == {("$6$", "$", 20)}
    assert set(salts) == set("./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    assert _crypt.sha512_setting(1000).startswith("$6$rounds=1000$")
