# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's Lua against references in Python, with whatever input hypothesis can think of."""

from __future__ import annotations

import itertools
import re
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.file import KeyFile
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import DamagedFile
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from passlib.hash import apr_md5_crypt, sha512_crypt

from tests.component import rendering
from tests.component.rendering import ROLE

# One luajit serves all examples.
quick = settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
slow = settings(quick, max_examples=40)


class Lua:
    def __init__(self) -> None:
        program = Path(__file__).with_name("lua_server.lua")
        setup = f"package.path = {str(ROLE / 'files' / 'lua' / '?.lua')!r}; dofile({str(program)!r})"
        self.process = subprocess.Popen(
            ["luajit", "-e", setup], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def call(self, name: str, *words: bytes) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(" ".join([name, *(word.hex() for word in words)]) + "\n")
        return self.process.stdout.readline().rstrip("\n")

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(5)


@pytest.fixture(scope="module")
def lua() -> Iterator[Lua]:
    server = Lua()
    yield server
    server.close()


def test_plain_nginx_takes_base64_of_text_and_never_that_of_a_control_character() -> None:
    """Of every byte in every place, and of every group of four characters."""
    pattern = re.compile(rendering.value("__ollama_gateway_base64").encode())
    text = bytes(byte for byte in range(256) if byte > 0x1F and byte != 0x7F)
    for size in range(1, 7):
        for place in range(size):
            for byte in range(256):
                given = b"\xe9" * place + bytes([byte]) + b"x" * (size - place - 1)
                assert bool(pattern.fullmatch(b64encode(given))) == (byte in text), given
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    control = re.compile(rb"[\x00-\x1f\x7f]")
    for pair in itertools.product(alphabet, repeat=2):
        assert bool(pattern.fullmatch(bytes(pair) + b"==")) == (not control.search(b64decode(bytes(pair) + b"==")))
        for third in alphabet:
            three = bytes((*pair, third)) + b"="
            assert bool(pattern.fullmatch(three)) == (not control.search(b64decode(three)))
    # Groups differ in no more than this: the last character says something of the third byte only.
    for group in itertools.product(b"AIf", b"AHBw3o", alphabet, alphabet):
        assert bool(pattern.fullmatch(bytes(group))) == (not control.search(b64decode(bytes(group)))), group


def reference(header: bytes) -> str:
    """RFC 9110, 6750 and 7617 in a few lines of Python."""
    found = re.fullmatch(rb"(?P<scheme>[A-Za-z]+) +(?P<token>[A-Za-z0-9._~+/-]+=*)", header)
    if not found:
        return "refused"
    scheme, token = found["scheme"].lower(), found["token"]
    if scheme == b"bearer":
        return "bearer " + token.hex()
    if scheme != b"basic" or not re.fullmatch(
        rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", token
    ):
        return "refused"
    text = b64decode(token)
    user, colon, password = text.partition(b":")
    if not user or not colon or re.search(rb"[\x00-\x1f\x7f]", text):
        return "refused"
    return f"basic {user.hex()} {password.hex()}"


token = st.text("ABZabz019-._~+/=", max_size=20).map(str.encode)
pair = st.builds(lambda user, word: b64encode(user + b":" + word), st.binary(max_size=12), st.binary(max_size=12))
scheme = st.sampled_from([b"Bearer", b"bearer", b"BASIC", b"Basic", b"Foo", b""])
space = st.sampled_from([b" ", b"  ", b"", b"\t", b", ", b"\n", b"\0"])
header = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda *parts: b"".join(parts), scheme, space, st.one_of(token, pair, st.binary(max_size=12)), st.just(b"")
    ),
    st.builds(lambda *parts: b"".join(parts), scheme, space, pair, space, scheme, space, token),
)


@quick
@given(header=header)
def test_a_header_is_read_as_the_rfcs_say(lua: Lua, header: bytes) -> None:
    assert lua.call("parse", header) == reference(header)


@quick
@given(user=st.text(min_size=1, max_size=20), word=st.text(max_size=20))
def test_whoever_writes_basic_as_rfc_7617_says_is_understood(lua: Lua, user: str, word: str) -> None:
    text = f"{user}:{word}".encode("utf-8", "surrogatepass")
    said = lua.call("parse", b"Basic " + b64encode(text))
    assert said == reference(b"Basic " + b64encode(text))
    if ":" not in user and not re.search(rb"[\x00-\x1f\x7f]", text):
        assert said.startswith("basic ")


@slow
@given(
    word=st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=40),
    salt=st.text("./0aZ", min_size=1, max_size=8),
)
def test_apr1_is_what_apache_makes_of_it(lua: Lua, word: str, salt: str) -> None:
    expected = apr_md5_crypt.using(salt=salt).hash(word)
    assert bytes.fromhex(lua.call("apr1", word.encode(), f"$apr1${salt}$".encode())).decode() == expected


@slow
@given(word=st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=40), other=st.text(max_size=5))
def test_a_password_is_right_exactly_when_it_is_the_same(lua: Lua, word: str, other: str) -> None:
    hashed = sha512_crypt.using(rounds=1000).hash(word).encode()
    assert lua.call("verify", word.encode(), hashed) == "true"
    wrong = (word + other).encode("utf-8", "surrogatepass").replace(b"\0", b"0")
    assert lua.call("verify", wrong, hashed) == str(wrong == word.encode()).lower()


@quick
@given(moment=st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)))
def test_a_time_is_the_second_that_it_says(lua: Lua, moment: datetime) -> None:
    seconds = int(moment.replace(microsecond=0, tzinfo=timezone.utc).timestamp())
    assert lua.call("time", moment.strftime("%4Y-%m-%dT%H:%M:%SZ").encode()) == str(seconds)


@quick
@given(text=st.text("0123456789-:TZ ", max_size=22))
def test_what_is_no_time_is_refused(lua: Lua, text: str) -> None:
    try:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text)
        datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    except (AssertionError, ValueError):
        assert lua.call("time", text.encode()) == "nil"


hashes = st.sampled_from(["a" * 64, "B" * 64, "0" * 64, "a" * 63, "a" * 65, "g" * 64, ""])
names = st.sampled_from(
    ["alice.laptop", "a.b.c", "a.b~old", "a-1._.x-", "alice", "A.b", "a.", ".b", "a.~old", "~old", "a.b~new"]
)
moments = st.sampled_from(["2027-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "2027-02-29T00:00:00Z", "2027-01-01", ""])
attributes = st.one_of(
    st.builds(lambda name, moment: f"{name}={moment}", st.sampled_from(["expires", "not_before", "created"]), moments),
    st.sampled_from(
        ["last4=ab-_", "last4=abc", "last4=abcde", "guessable=yes", "guessable=no", "later=1", "flag", "=", "#"]
    ),
)
records = st.builds(
    lambda name, hashed, words, gap: gap.join([name, "sha256:" + hashed, *words]),
    names,
    hashes,
    st.lists(attributes, max_size=4),
    st.sampled_from([" ", "  ", "\t", ""]),
)
words = st.one_of(names, st.text("ABab01-._~+/=# \t", max_size=12))
lines = st.builds(
    "".join, st.tuples(st.sampled_from(["", " "]), st.one_of(records, words), st.sampled_from(["", " ", "\r"]))
)


@quick
@given(file=st.lists(lines, max_size=4).map("\n".join))
def test_a_file_of_keys_is_taken_by_the_gateway_exactly_if_the_module_would_take_it(lua: Lua, file: str) -> None:
    try:
        KeyFile(file.encode())
        expected = "accepted"
    except DamagedFile as error:
        # Two lines of one name are the module's own business.
        assume("same name" not in str(error))
        expected = "refused"
    assert lua.call("keys", file.encode()) == expected
