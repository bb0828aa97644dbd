# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""API keys: their form, strength, checksum, digest and expiry."""

from __future__ import annotations

import base64
import datetime
import hashlib
import math
import re
import secrets
import string
import zlib

PREFIX = "ghk_"
# `alice.laptop~old` is the key that a rotation of alice.laptop superseded. No id can hold a "~".
OLD = "~old"
BITS = 128
# The fewest characters of a secret, however weak it may be: what is shorter is rather a part of something else.
SHORTEST = 8

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_GENERATED = re.compile(r"(ghk_[A-Za-z0-9_-]{43})([0-9A-Za-z]{6})\Z")
# RFC 6750, section 2.1.
_B64TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*\Z")
# What a path carries as it is: RFC 3986, section 2.3.
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]+\Z")
_LONGEST_IN_PATH = 256
_DISTINCT = 6
_EXPIRES = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.\d+)?[Zz]\Z", re.ASCII)


def checksum(body: str) -> str:
    """Six characters of base 62 (digits, upper case, lower case; padded with 0) of the CRC-32 of `body` in ASCII.

    `body` is everything before the checksum, prefix included. A CRC-32 notices every change of a single character.
    """
    value = zlib.crc32(body.encode("ascii")) & 0xFFFFFFFF
    digits = ""
    while len(digits) < 6:  # 62**6 is more than a CRC-32 can be
        value, digit = divmod(value, 62)
        digits = _ALPHABET[digit] + digits
    return digits


def generate() -> str:
    """A new key: `ghk_`, 32 random bytes in base64url, checksum."""
    body = PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii").rstrip("=")
    return body + checksum(body)


def verify(key: str) -> bool:
    """Whether `key` has the form of a generated key and its checksum is right."""
    found = _GENERATED.match(key)
    return found is not None and checksum(found.group(1)) == found.group(2)


def digest(secret: str) -> str:
    """What a host stores of a key: its SHA-256 in hexadecimal. Enough for a key that nobody can guess."""
    return hashlib.sha256(secret.encode("utf-8")).hexdigest()


def fingerprint(hexdigest: str) -> str:
    """What people see of a key: too little of its digest to search for the key with."""
    return hexdigest[:8]


def is_token(text: str) -> bool:
    """Whether `text` can be sent as a Bearer token."""
    return _B64TOKEN.match(text) is not None


def strength(secret: str) -> int:
    """The bits of randomness that a secret of this length and these characters has at most.

    Characters count by the smallest usual alphabet that holds them all: digits, hexadecimal, letters of one case with
    digits, or everything. Padding and separators count for nothing, and neither does a secret that repeats a few
    characters over and over.
    """
    core = re.sub(r"[=._~-]", "", secret)
    if len(set(core)) < _DISTINCT:
        return 0
    for pattern, size in ((r"\d+", 10), (r"[\da-f]+|[\dA-F]+", 16), (r"[\da-z]+|[\dA-Z]+", 36)):
        if re.fullmatch(pattern, core):
            return int(len(core) * math.log2(size))
    # base64url counts "-" and "_" among its 64 characters, so here they are not separators.
    return int(len(secret.rstrip("=")) * math.log2(64))


def is_guessable(secret: str) -> bool:
    """Whether a secret has less randomness than a key needs."""
    return strength(secret) < BITS


def secret_problem(secret: object, allow_weak: bool) -> str | None:
    """What is wrong with a given secret, without quoting it; None if nothing is."""
    if secret is None or secret == "":
        return "the secret is empty; give one, or leave the secret out to have one generated"
    if not isinstance(secret, str):
        return "the secret must be a string; YAML reads it as something else, so put it in quotes"
    if not is_token(secret):
        return (
            "the secret contains a character that a Bearer token cannot have; allowed are letters, digits and -._~+/, "
            "with = at the end only"
        )
    if secret.startswith(PREFIX) and not verify(secret):
        return "the secret begins like a generated key, but its checksum is wrong; it was cut or mistyped"
    if is_guessable(secret) and not allow_weak:
        return (
            f"the secret is too weak: a key needs {BITS} bits of randomness, which takes 22 characters of base64, 25 "
            "small letters and digits, 32 hexadecimal digits or 39 digits. Leave it out to have one generated, or "
            "allow weak secrets (allow_weak_secrets)"
        )
    if len(secret) < SHORTEST:
        return f"the secret is too short: even where weak secrets are allowed it needs {SHORTEST} characters"
    return None


def path_problem(secret: str) -> str | None:
    """Why a sound secret may not stand in the path of a URL, without quoting it; None if it may."""
    if not _UNRESERVED.match(secret):
        return (
            "with in_path the secret may have letters, digits and -._~ only, for a path carries no others as they are; "
            "leave the secret out to have one generated, or make one with `openssl rand -hex 32`"
        )
    if len(secret) > _LONGEST_IN_PATH:
        return f"with in_path the secret may have {_LONGEST_IN_PATH} characters at most"
    if is_guessable(secret):
        return (
            f"with in_path the secret must have {BITS} bits of randomness, also where weak secrets are allowed; leave "
            "it out to have one generated, or remove in_path"
        )
    return None


def read_expiry(value: object) -> str:
    """The moment in the form 2027-01-01T00:00:00Z; raises ValueError if it is none in UTC.

    YAML turns an unquoted moment into a datetime, so that is taken as well. Fractions of a second are dropped: the key
    then ends a moment early, never late.
    """
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            raise ValueError("no time zone")
        return moment(value.astimezone(datetime.timezone.utc))
    found = _EXPIRES.match(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("not of the form")
    return moment(datetime.datetime.strptime("%sT%s" % found.groups(), "%Y-%m-%dT%H:%M:%S"))


def is_moment(text: str) -> bool:
    """Whether `text` is a moment in the form of read_expiry."""
    try:
        return read_expiry(text) == text
    except ValueError:
        return False


def moment(time: datetime.datetime) -> str:
    """A time in UTC in the form of read_expiry. Two such texts are in the order of their times."""
    # Not strftime: its %Y does not pad years below 1000 everywhere.
    return time.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def last4(secret: str) -> str | None:
    """The end of a secret, to recognise it by; None where that would make the rest easier to guess."""
    return None if is_guessable(secret) else secret[-4:]
