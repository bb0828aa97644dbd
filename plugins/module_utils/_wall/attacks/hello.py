# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first message of a TLS handshake, made by hand: a library would not offer what is old or weak. Pure functions."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Answer

SSL3, TLS10, TLS11, TLS12 = 0x0300, 0x0301, 0x0302, 0x0303

_ALERT = 21

# What a server that speaks TLS 1.1 or older may choose from: ECDHE, DHE and RSA with AES, 3DES and RC4, and SHA-1.
OLD_SUITES = (
    *(0xC009, 0xC00A, 0xC013, 0xC014, 0x0033, 0x0039, 0x0032, 0x0038, 0x002F, 0x0035),
    *(0xC008, 0xC012, 0x0016, 0x0013, 0x000A, 0xC007, 0xC011, 0x0005, 0x0004),
)

# By https://www.iana.org/assignments/tls-parameters.
WEAK_SUITES: t.Mapping[str, t.Sequence[int]] = {
    "without encryption": (0x0000, 0x0001, 0x0002, 0x003B, 0xC001, 0xC006, 0xC00B, 0xC010, 0xC015),
    "for export": (0x0003, 0x0006, 0x0008, 0x000B, 0x000E, 0x0011, 0x0014, 0x0017, 0x0019, 0x0062, 0x0064),
    "with RC4": (0x0004, 0x0005, 0x0018, 0xC002, 0xC007, 0xC00C, 0xC011, 0xC016),
    "with DES or 3DES": (
        *(0x0009, 0x000A, 0x000C, 0x000D, 0x000F, 0x0010, 0x0012, 0x0013, 0x0015, 0x0016, 0x001A, 0x001B),
        *(0xC003, 0xC008, 0xC00D, 0xC012, 0xC017),
    ),
    "without a certificate": (
        *(0x0034, 0x003A, 0x0046, 0x006C, 0x006D, 0x0089, 0x009B, 0x00A6, 0x00A7, 0x00BF, 0x00C5),
        *(0xC015, 0xC016, 0xC017, 0xC018, 0xC019),
    ),
    "without forward secrecy": (
        *(0x0007, 0x002F, 0x0035, 0x003C, 0x003D, 0x0041, 0x0084, 0x0096, 0x009C, 0x009D, 0x00BA, 0x00C0),
        *(0xC004, 0xC005, 0xC00E, 0xC00F, 0xC09C, 0xC09D, 0xC0A0, 0xC0A1),
    ),
}

_GROUPS = (0x001D, 0x0017, 0x0018, 0x0019, 0x0100)
_SIGNATURES = (0x0403, 0x0401, 0x0804, 0x0503, 0x0501, 0x0805, 0x0603, 0x0601, 0x0806, 0x0203, 0x0201, 0x0202)


def client_hello(version: int, suites: t.Sequence[int], name: str | None = None) -> bytes:
    """A ClientHello (RFC 5246, section 7.4.1.2) of at most this version, that asks for `name` if there is one."""
    extensions = b""
    if version > SSL3:
        extensions += _extension(0xFF01, b"\0")  # secure renegotiation
        extensions += _extension(10, _sized(2, _numbers(_GROUPS)))
        extensions += _extension(11, _sized(1, b"\0"))  # points are not compressed
        if name is not None:
            extensions += _extension(0, _sized(2, b"\0" + _sized(2, name.encode("idna"))))
    if version >= TLS12:
        extensions += _extension(13, _sized(2, _numbers(_SIGNATURES)))
    body = _numbers([version]) + os.urandom(32)
    body += _sized(1, b"")  # no session
    body += _sized(2, _numbers(suites))
    body += _sized(1, b"\0")  # no compression
    if extensions:
        body += _sized(2, extensions)
    handshake = b"\x01" + _sized(3, body)
    return b"\x16" + _numbers([min(version, TLS10)]) + _sized(2, handshake)


def is_turned_down(answer: Answer) -> bool:
    """Whether there came an alert and nothing else. No word at all may be a worker that the handshake ended."""
    rest = answer.raw
    if not rest:
        return False
    while rest:
        if rest[0] != _ALERT or rest[1:2] != b"\x03" or len(rest) < 5:
            return False
        rest = rest[5 + int.from_bytes(rest[3:5], "big") :]
    return True


def _numbers(values: t.Iterable[int]) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)


def _sized(width: int, value: bytes) -> bytes:
    return len(value).to_bytes(width, "big") + value


def _extension(number: int, value: bytes) -> bytes:
    return _numbers([number]) + _sized(2, value)
