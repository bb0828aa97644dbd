# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subjects, held against the real openssl."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.subject import OIDS, subject
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.certificates import make

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")

# Each as it may be written, and as the certificate has it: the parts in reverse.
ODD = [
    ("CN=alice,O=Example", [[("CN", "alice")], [("O", "Example")]]),
    ("cn = alice , o=Example,  c=DE", [[("CN", "alice")], [("O", "Example")], [("C", "DE")]]),
    ("commonName=alice,organizationName=Example", [[("CN", "alice")], [("O", "Example")]]),
    ("CN=Jürgen Müller,O=Größe €😀", [[("CN", "Jürgen Müller")], [("O", "Größe €😀")]]),
    (r"CN=J\C3\BCrgen", [[("CN", "Jürgen")]]),
    (r"CN=a\,b\+c\"d\\e\<f\>g\;h=i", [[("CN", 'a,b+c"d\\e<f>g;h=i')]]),
    (r"CN=\#x#", [[("CN", "#x#")]]),
    ("CN=#", [[("CN", "#")]]),
    (r"CN=\ x\ ", [[("CN", " x ")]]),
    (r"CN=\ \ x  y\ \ ", [[("CN", "  x  y  ")]]),
    (r"CN=\ ", [[("CN", " ")]]),
    (r"CN=a\0Ab\7F\09", [[("CN", "a\nb\x7f\t")]]),
    ("emailAddress=a@example.org,CN=a", [[("emailAddress", "a@example.org")], [("CN", "a")]]),
    ("E=a@example.org", [[("emailAddress", "a@example.org")]]),
    ("CN=a+UID=b,O=c", [[("CN", "a"), ("UID", "b")], [("O", "c")]]),
    ("UID=b + CN=a,O=c", [[("CN", "a"), ("UID", "b")], [("O", "c")]]),
    ("CN=aaaaaaaaaaaaaaaaa+OU=b+O=cc", [[("CN", "a" * 17), ("OU", "b"), ("O", "cc")]]),
    ("UID=alice,DC=example,DC=org", [[("UID", "alice")], [("DC", "example")], [("DC", "org")]]),
    ("2.5.4.3=alice,2.5.4.17=12345", [[("CN", "alice")], [("postalCode", "12345")]]),
    ("CN=%s,O=x" % ("long" * 16), [[("CN", "long" * 16)], [("O", "x")]]),
    ("street=%s" % ("ö" * 127), [[("street", "ö" * 127)]]),
]


def by_openssl(parts: list[list[tuple[str, str]]]) -> str:
    rdns = [
        x509.RelativeDistinguishedName(
            [x509.NameAttribute(x509.ObjectIdentifier(OIDS[key]), value) for key, value in part]
        )
        for part in reversed(parts)
    ]
    command = ["openssl", "x509", "-noout", "-subject", "-nameopt", "RFC2253"]
    shown = subprocess.run(
        command, input=make(x509.Name(rdns)).pem, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True
    ).stdout.decode()
    return shown.rstrip("\n").removeprefix("subject=")


@needs_openssl
@pytest.mark.parametrize(("written", "parts"), ODD)
def test_the_canonical_form_is_what_openssl_prints(written: str, parts: list[list[tuple[str, str]]]) -> None:
    printed = by_openssl(parts)
    assert subject(written) == printed
    assert subject(printed) == printed


@needs_openssl
@pytest.mark.parametrize("name", [name for name in OIDS if name not in ("C", "jurisdictionC")])
def test_attributes_are_called_as_openssl_calls_them(name: str) -> None:
    assert subject(f"{name.upper()}=x") == by_openssl([[(name, "x")]]) == f"{name}=x"


@needs_openssl
def test_an_attribute_that_openssl_does_not_know_is_its_number_and_der() -> None:
    attribute = x509.NameAttribute(x509.ObjectIdentifier("1.2.3.4.99999"), "aü")
    command = ["openssl", "x509", "-noout", "-subject", "-nameopt", "RFC2253"]
    certificate = make(x509.Name([attribute])).pem
    shown = subprocess.run(command, input=certificate, stdout=subprocess.PIPE, check=True).stdout.decode()
    assert shown == "subject=1.2.3.4.99999=#0C0361C3BC\n"
    assert subject("1.2.3.4.99999=#0c0361c3bc") == "1.2.3.4.99999=#0C0361C3BC"


VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
KEYS = st.sampled_from(["CN", "O", "OU", "L", "UID", "title"])
PARTS = st.lists(
    st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=3, unique_by=lambda one: one[0]), min_size=1, max_size=3
)


def written(parts: list[list[tuple[str, str]]]) -> str:
    """With each byte of each value in hexadecimal, which RFC 4514 allows."""
    return ", ".join(
        " + ".join(key + "=" + "".join(f"\\{byte:02x}" for byte in value.encode()) for key, value in part)
        for part in parts
    )


@needs_openssl
@given(PARTS)
@settings(max_examples=60, deadline=None)
def test_any_subject_is_written_as_openssl_does(parts: list[list[tuple[str, str]]]) -> None:
    assert subject(written(parts)) == by_openssl(parts)


@given(PARTS)
def test_the_canonical_form_is_canonical(parts: list[list[tuple[str, str]]]) -> None:
    once = subject(written(parts))
    assert subject(once) == once
    assert once.isascii()


@given(st.text(max_size=40) | st.text('CNO=,+\\#"; a1ü', max_size=20))
@settings(max_examples=500)
def test_any_text_is_a_subject_or_a_value_error(text: str) -> None:
    try:
        once = subject(text)
    except ValueError:
        return
    assert subject(once) == once


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a subject must be text such as CN=alice,O=Example"),
        ("  ", "a subject must be text"),
        (None, "a subject must be text"),
        (["CN=a"], "a subject must be text"),
        ("/CN=alice/O=Example", "written with commas"),
        ("alice", "each part of a subject must be name=value"),
        ("CN=alice,", "each part of a subject must be name=value"),
        ("CN=alice,,O=x", "each part of a subject must be name=value"),
        ("CN=Smith, John", "a comma in a value is written \\,"),
        ("CN=a+b", "each part of a subject must be name=value"),
        ("=x", "each part of a subject must be name=value"),
        ("CN=", "CN has no value"),
        ("CM=alice", "unknown; known are CN, "),
        ("1.2.3.4=x", "the value of 1.2.3.4 must be # and its DER"),
        ("1.2.3.4=#0", "the value of 1.2.3.4 must be # and its DER"),
        ("CN=#0C0161", "begins with #"),
        ('CN="alice"', "needs a backslash"),
        ("CN=a;O=b", "needs a backslash"),
        ("CN=a\\", "needs a backslash"),
        ("CN=a\\x", "needs a backslash"),
        (r"CN=\FF", "no UTF-8"),
        ("CN=\ud800", "UTF-8 cannot express"),
    ],
)
def test_what_is_no_subject_is_explained(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z") as caught:
        subject(text)
    assert said in str(caught.value)
