# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and keys of another gateway come with their secrets; who cannot come is named, and no secret is."""

from __future__ import annotations

import hashlib

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._adopt import credentials
from ansible_collections.gatehouse.ollama.plugins.module_utils._adopt.credentials import Found
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.file import KeyFile
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

NOW = "2026-11-30T00:00:00Z"
APR1 = "$apr1$72SoQmCZ$yaN4W6eDk6iiP.a5SANLt0"
BCRYPT = "$2y$05$uBDEeH7a4U9JzEorR6ysUebEgMGRw0fKG862hXmOxHT3hEb1b0HuC"
SHA256 = "$5$saltsalt$" + "a" * 43
SHA512 = "$6$rounds=5000$saltsalt$" + "a" * 86
STRONG = "ghk_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"


@pytest.mark.parametrize("hashed", [APR1, BCRYPT, SHA256, SHA512])
def test_a_hash_that_the_gateway_takes_comes_as_it_is(hashed: str) -> None:
    found = credentials.users(f"# comment\n\nmyuser:{hashed}:a comment\r\nAnn.B@example.com:{hashed}\n".encode())
    assert found.lines == {"myuser": f"myuser:{hashed}", "Ann.B@example.com": f"Ann.B@example.com:{hashed}"}
    assert found.unusable == []


@pytest.mark.parametrize(
    ("hashed", "words"),
    [
        ("{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "bob: the gateway takes no {SHA}"),
        ("{SSHA}x", "bob: the gateway takes no {SSHA}"),
        ("{PLAIN}geheim", "a password in plain text"),
        ("$1$salt$qJH7.N4xYta3aEG/dfqo/0", "and not md5_crypt"),
        ("$y$j9T$abc$def", "and not yescrypt"),
        ("rqXexS6ZhobKA", "a hash that is not known, as crypt(3)"),
        ("", "a hash that is not known"),
        ("$apr1$short", "a hash that is not known"),
        (BCRYPT.replace("$05$", "$31$"), "rounds 31, and may have 4 to 16"),
        (SHA512.replace("5000", "99999999"), "rounds 99999999, and may have 1000 to 1000000"),
        (SHA256.replace("$5$", "$5$rounds=99999999$"), "rounds 99999999"),
    ],
)
def test_a_user_whose_hash_it_does_not_take_is_named_without_the_hash(hashed: str, words: str) -> None:
    found = credentials.users(f"bob:{hashed}\nmyuser:{APR1}\n".encode())
    assert list(found.lines) == ["myuser"]
    (said,) = found.unusable
    assert said.startswith("bob: ")
    assert words in said
    assert len(hashed) < 6 or hashed not in said
    assert "geheim" not in said


@pytest.mark.parametrize(
    "line",
    [b"no colon", b":" + APR1.encode(), b"a b:x", b"\x1b[31m:x", b"a\0b:x", b"*:x", b"\xff\xfe:x", b"x" * 101 + b":x"],
)
def test_a_name_that_nobody_can_have_is_told_by_its_line(line: bytes) -> None:
    found = credentials.users(b"# first\n" + line + b"\n")
    assert found.lines == {}
    assert found.unusable == ["line 2: it has no name that a user can have here, followed by a colon"]


def test_the_first_of_two_lines_of_a_user_counts_as_it_does_for_nginx() -> None:
    found = credentials.users(f"bob:{APR1}\nbob:{BCRYPT}\n".encode())
    assert found.lines == {"bob": f"bob:{APR1}"}


def test_a_key_becomes_a_client_with_its_hash_and_one_that_can_be_guessed_says_so() -> None:
    found = credentials.keys(f"  admin-key-abcdef \r\n\n{STRONG}\n# my notes\nadmin-key-abcdef\n".encode(), NOW)
    weak, strong = (hashlib.sha256(key.encode()).hexdigest() for key in ("admin-key-abcdef", STRONG))
    assert list(found.lines) == [f"key-{weak[:8]}.adopted", f"key-{strong[:8]}.adopted"]
    assert found.lines[f"key-{weak[:8]}.adopted"].endswith(f" sha256:{weak} created={NOW} guessable=yes")
    assert found.lines[f"key-{strong[:8]}.adopted"].endswith(f" sha256:{strong} created={NOW} last4={STRONG[-4:]}")
    assert found.unusable == []
    KeyFile("".join(line + "\n" for line in found.lines.values()).encode())


@pytest.mark.parametrize("key", ["two words", "sch\u00f6ner-schluessel", "a\0b-cdefgh", "short", "x" * 5000])
def test_a_key_that_cannot_be_one_is_told_by_its_line_and_not_quoted(key: str) -> None:
    found = credentials.keys(f"{key}\nadmin-key-abcdef\n".encode(), NOW)
    assert len(found.lines) == 1
    assert found.unusable[0].startswith("line 1: its key has ")
    assert key not in found.unusable[0]


def test_a_certificate_or_a_private_key_is_no_file_with_keys() -> None:
    with pytest.raises(GatehouseError, match="it has a certificate or a private key, and no keys of clients"):
        credentials.keys(b"# mine\n-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\n", NOW)


def test_what_was_read_in_once_is_not_read_in_again_even_where_it_was_removed() -> None:
    found = credentials.users(f"bob:{APR1}\n".encode())
    text, new, kept = credentials.merged(b"", found, "/old/.htpasswd")
    assert (new, kept) == (["bob"], [])
    assert text.decode() == f"{credentials.mark('/old/.htpasswd')}\nbob:{APR1}\n"
    removed = credentials.mark("/old/.htpasswd").encode() + b"\n"
    assert credentials.merged(removed, found, "/old/.htpasswd") == (removed, [], [])
    assert credentials.merged(removed, found, "/other/.htpasswd")[1] == ["bob"]


def test_who_is_there_already_stays_as_he_is_and_a_key_is_known_by_its_hash() -> None:
    there = f"bob:{BCRYPT}\n".encode()
    text, new, kept = credentials.merged(there, credentials.users(f"bob:{APR1}\neve:{APR1}\n".encode()), "/old")
    assert (new, kept) == (["eve"], ["bob"])
    assert text.startswith(there)
    found = credentials.keys(b"admin-key-abcdef\n", NOW)
    (line,) = found.lines.values()
    ours = f"alice.laptop {line.split()[1]}\n".encode()
    assert credentials.merged(ours, found, "/old")[1:] == ([], list(found.lines))


def test_nothing_of_a_secret_is_in_what_is_printed_of_it() -> None:
    assert APR1 not in repr(Found({"bob": f"bob:{APR1}"}))
