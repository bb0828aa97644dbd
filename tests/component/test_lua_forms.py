# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Lua reader of forms agrees with Python's python-multipart on any form, in pieces of any size.

That library and not the email package: like Go's reader it takes lines that end with CR and LF only, looks for nothing
within a part and decodes nothing, and servers use it.
"""

from __future__ import annotations

import logging
import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from hypothesis import example, given, settings
from hypothesis import strategies as st
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from tests.component.parsers import Lua

# It would tell of each form that it refuses.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


class Part(NamedTuple):
    """The raw pieces of a part: any may be replaced by one that makes it ambiguous."""

    name: bytes
    rest: bytes
    headers: bytes
    content: bytes

    def text(self) -> bytes:
        line = b"Content-Disposition: form-data; name=%s%s\r\n" % (self.name, self.rest)
        return line + self.headers + b"\r\n" + self.content


MODELS = st.builds(
    Part,
    st.sampled_from([b'"model"', b"model", b'"name"']),
    st.just(b""),
    st.sampled_from([b"", b"Content-Type: text/plain\r\n", b"content-type:Text/Plain; charset=UTF-8\r\n"]),
    st.sampled_from([b"tiny", b"tiny-loop", b"t=69ny", b"--x--", b"x" * 1024, b"\xff", b""]),
)
OTHERS = st.builds(
    Part,
    st.sampled_from([b'"file"', b"prompt", b'"a[]"', b'"_.-"']),
    st.sampled_from([b"", b'; filename="a; name=model"', b";filename=a", b"; filename*=utf-8''a", b'; filename=""']),
    st.sampled_from([b"", b"Content-Type: audio/wav\r\n", b"CONTENT-LENGTH: 4\r\n"]),
    st.sampled_from([b"tiny", b"\r\n", b"a\r\n--", b"\r", b"\n--x\n", b"\r\n--x"]) | st.binary(),
)
ODD = {
    "name": [
        b'"Model"',
        b'" name"',
        b'"\\name"',
        b'""',
        b"",
        b'"model',
        b"model x",
        b'"model"; name="a"',
        b"a; name*=model",
    ],
    "rest": [
        *(
            b'; filename="a"',
            b'; filename=""',
            b"; filename*=utf-8''a",
            b"; a=b",
            b"; name=model",
            b"; name*=utf-8''model",
        ),
        *(b'; filename="C:\\a"', b'; filename="\\"; name=\\"model"', b";", b" ", b"; NAME=model", b"; name*0=model"),
    ],
    "headers": [
        *(b"X: y\r\n", b" folded\r\n", b"Content-Type : a/b\r\n", b"Content-Type:\r\n", b"Content-Type: a\nb: c\r\n"),
        *(b"Content-Transfer-Encoding: quoted-printable\r\n", b'Content-Disposition: form-data; name="name"\r\n'),
        *(b"Content-Type: multipart/mixed; boundary=x\r\n", b"Content-Type: audio/wav\r\n"),
    ],
    "content": [b"x" * 1025, b"tiny\r\n", b"ti\0ny", b"tiny\r\n--x\r\n"],
}
PARTS = st.lists(MODELS | OTHERS, max_size=4, unique_by=lambda part: part.name.strip(b'"'))
# As they should be; with one piece replaced; with a part in it twice.
LISTS = (
    PARTS
    | st.builds(
        lambda parts, place, piece, pick: [
            part._replace(**{piece: ODD[piece][pick % len(ODD[piece])]}) if i == place % len(parts) else part
            for i, part in enumerate(parts)
        ],
        PARTS.filter(bool),
        st.integers(0, 3),
        st.sampled_from(sorted(ODD)),
        st.integers(0, 99),
    )
    | st.builds(lambda parts, twice: [*parts, twice], PARTS, MODELS)
)
BOUNDARIES = st.sampled_from([b"x", b"-", b"x-1", b"--'+_.9", b"----WebKitFormBoundary7MA4YWxkTrZu0gW"])


def form(boundary: bytes, parts: list[Part]) -> bytes:
    return b"".join(b"--%s\r\n%s\r\n" % (boundary, part.text()) for part in parts) + b"--%s--\r\n" % boundary


DISPOSITION = re.compile(rb"""form-data((; *)(name|filename\*?)=("[^"\\]*"|[\w!#$%&'*+.^`|~-]+))*""", re.ASCII)


def parts_of(boundary: bytes, body: bytes) -> list[tuple[list[tuple[bytes, bytes]], bytes]] | None:
    """Headers and content of each part; None if it is no form, or one with more than that."""
    parts: list[tuple[list[tuple[bytes, bytes]], bytes]] = []
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": lambda: parts.append(([], b"")),
            "on_header_begin": lambda: parts[-1][0].append((b"", b"")),
            "on_header_field": lambda data, start, end: header(data[start:end], b""),
            "on_header_value": lambda data, start, end: header(b"", data[start:end]),
            "on_part_data": lambda data, start, end: content(data[start:end]),
        },
    )

    def header(name: bytes, value: bytes) -> None:
        before = parts[-1][0].pop()
        parts[-1][0].append((before[0] + name, before[1] + value))

    def content(data: bytes) -> None:
        parts[-1] = (parts[-1][0], parts[-1][1] + data)

    try:
        parser.write(body)
    except MultipartParseError:
        return None
    mark = b"--" + boundary
    whole = body.startswith(mark) and body.removesuffix(b"\r\n").endswith(mark + b"--")
    # One in the middle of a header's line parts nothing, for Go and Python alike.
    in_headers = sum(value.count(mark) for lines, _content in parts for _name, value in lines)
    return parts if whole and body.count(mark) == len(parts) + 1 + in_headers else None


def reference(boundary: bytes, body: bytes) -> list[bytes] | None:
    """What python-multipart makes of it, with the rules of the gateway."""
    parts = parts_of(boundary, body)
    if parts is None:
        return None
    names: dict[bytes, bytes] = {}
    for lines, content in parts:
        headers = {name.lower(): value for name, value in lines}
        disposition = headers.get(b"content-disposition", b"")
        kind = headers.get(b"content-type", b"text/plain").lower()
        given = re.findall(rb"; *([a-z*]+)=", re.sub(rb'"[^"]*"', b"", disposition))
        name = parse_options_header(disposition)[1].get(b"name", b"")
        if (
            len(headers) != len(lines)
            or not headers.keys() <= {b"content-disposition", b"content-type", b"content-length"}
            or any(re.search(rb"[\x00-\x1f\x7f]", value) or not value for value in headers.values())
            or not DISPOSITION.fullmatch(disposition)
            or len(given) != len(set(given))
            or not re.fullmatch(rb"[\w.\[\]-]+", name, re.ASCII)
            or kind.startswith((b"multipart/", b"message/"))
        ):
            return None
        if name.lower() in (b"model", b"name"):
            text = re.fullmatch(rb"text/plain(; *charset=utf-8)?", kind)
            sound = len(content) <= 1024 and not re.search(rb"[\x00-\x1f\x7f]", content)
            if not name.islower() or name in names or given != [b"name"] or not text or not sound:
                return None
            names[name] = content
    return [name for name in names.values() if name]


@settings(max_examples=600, deadline=None)
@given(boundary=BOUNDARIES, parts=LISTS, quoted=st.booleans(), size=st.integers(1, 40))
def test_a_form_names_the_models_that_python_multipart_finds(
    lua: Lua, boundary: bytes, parts: list[Part], quoted: bool, size: int
) -> None:
    body = form(boundary, parts)
    declared = b"multipart/form-data; boundary=" + (b'"%s"' % boundary if quoted else boundary)
    assert lua.read(size, body, declared, b"") == reference(boundary, body)


@settings(max_examples=600, deadline=None)
@given(
    boundary=BOUNDARIES,
    parts=PARTS,
    cut=st.integers(0, 300),
    lost=st.integers(0, 4),
    sign=st.sampled_from(
        [b"", b"\r", b"\n", b"\r\n", b"-", b'"', b"\\", b";", b":", b" ", b"\0", b"\r\n--x\r\n", b"--x", b"model"]
    ),
    size=st.integers(1, 40),
)
@example(
    boundary=b"x",
    parts=[Part(b'"file"', b'; filename="a; name=model"', b"CONTENT-LENGTH: 4\r\n", b"")],
    cut=60,
    lost=0,
    sign=b"--x",
    size=1,
)
def test_a_damaged_form_is_never_read_otherwise(
    lua: Lua, boundary: bytes, parts: list[Part], cut: int, lost: int, sign: bytes, size: int
) -> None:
    body = form(boundary, parts)
    place = cut % (len(body) + 1)
    damaged = body[:place] + sign + body[place + lost :]
    names = lua.read(size, damaged, b"multipart/form-data; boundary=" + boundary, b"")
    assert names in (None, reference(boundary, damaged))


@given(query=st.text(st.sampled_from("model%6Dd5fF&=; +x")).map(str.encode), size=st.integers(1, 40))
@example(query=b"a=b&%6Dodel=x", size=3)
@example(query=b"mode%6c", size=3)
def test_a_query_that_python_reads_as_naming_a_model_is_refused(lua: Lua, query: bytes, size: int) -> None:
    names = lua.read(size, b"--x--", b"multipart/form-data; boundary=x", query)
    assert (names is None) == bool(re.search(rb"model", unquote_to_bytes(query).lower()))
