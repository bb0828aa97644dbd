# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subjects of certificates, written as nginx does in $ssl_client_s_dn: OpenSSL's XN_FLAG_RFC2253. Pure functions."""

from __future__ import annotations

import re

# What OpenSSL calls an attribute, its number, and other names that people use for it.
_ATTRIBUTES = (
    ("CN", "2.5.4.3", "commonName"),
    ("SN", "2.5.4.4", "surname"),
    ("serialNumber", "2.5.4.5", ""),
    ("C", "2.5.4.6", "countryName"),
    ("L", "2.5.4.7", "localityName"),
    ("ST", "2.5.4.8", "stateOrProvinceName"),
    ("street", "2.5.4.9", "streetAddress"),
    ("O", "2.5.4.10", "organizationName"),
    ("OU", "2.5.4.11", "organizationalUnitName"),
    ("title", "2.5.4.12", ""),
    ("description", "2.5.4.13", ""),
    ("businessCategory", "2.5.4.15", ""),
    ("postalCode", "2.5.4.17", ""),
    ("postOfficeBox", "2.5.4.18", ""),
    ("telephoneNumber", "2.5.4.20", ""),
    ("name", "2.5.4.41", ""),
    ("GN", "2.5.4.42", "givenName"),
    ("initials", "2.5.4.43", ""),
    ("generationQualifier", "2.5.4.44", ""),
    ("dnQualifier", "2.5.4.46", ""),
    ("pseudonym", "2.5.4.65", ""),
    ("role", "2.5.4.72", ""),
    ("organizationIdentifier", "2.5.4.97", ""),
    ("emailAddress", "1.2.840.113549.1.9.1", "E email"),
    ("unstructuredName", "1.2.840.113549.1.9.2", ""),
    ("UID", "0.9.2342.19200300.100.1.1", "userId"),
    ("mail", "0.9.2342.19200300.100.1.3", "rfc822Mailbox"),
    ("DC", "0.9.2342.19200300.100.1.25", "domainComponent"),
    ("jurisdictionL", "1.3.6.1.4.1.311.60.2.1.1", "jurisdictionLocalityName"),
    ("jurisdictionST", "1.3.6.1.4.1.311.60.2.1.2", "jurisdictionStateOrProvinceName"),
    ("jurisdictionC", "1.3.6.1.4.1.311.60.2.1.3", "jurisdictionCountryName"),
)
OIDS = {name: oid for name, oid, _others in _ATTRIBUTES}
_KNOWN = {alias.lower(): name for name, oid, others in _ATTRIBUTES for alias in (name, oid, *others.split())}

_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+\Z")
_HEX = re.compile(r"#([0-9A-Fa-f]{2})+\Z")
# A byte in hexadecimal, a sign behind a backslash, or one that needs none.
_SIGN = re.compile(r'\\([0-9A-Fa-f]{2})|\\([ "#+,;<=>\\])|([^\\";<>\0])', re.DOTALL)
_EXAMPLE = "such as CN=alice,O=Example"


def subject(text: str) -> str:
    """The canonical form of an RFC 4514 subject; raises ValueError with what is wrong."""
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"a subject must be text {_EXAMPLE}")
    if text.lstrip().startswith("/"):
        raise ValueError(f"a subject is written with commas, the most specific part first, {_EXAMPLE}")
    parts = []
    for part in _split(text, ","):
        attributes = [_attribute(one) for one in _split(part, "+")]
        # A certificate has them in the order of their DER, and OpenSSL prints all of it backwards.
        attributes.sort(key=lambda one: one[0], reverse=True)
        parts.append("+".join(shown for _der, shown in attributes))
    return ",".join(parts)


def _split(text: str, sign: str) -> list[str]:
    """Cut at each `sign` that has no backslash before it."""
    parts = [""]
    for piece in re.findall(r"\\.?|[^\\]", text, re.DOTALL):
        if piece == sign:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _attribute(text: str) -> tuple[bytes, str]:
    """The DER that OpenSSL orders it by, and how OpenSSL prints it."""
    name, equals, value = text.partition("=")
    name, value = name.strip(), value.lstrip(" ")
    if not equals or not name:
        raise ValueError(f"each part of a subject must be name=value, {_EXAMPLE}; a comma in a value is written \\,")
    known = _KNOWN.get(name.lower())
    if known is None:
        return _unknown(name, value.strip())
    content = _unescape(value, known)
    if not content:
        raise ValueError(f"{known} has no value in the subject")
    return _der(OIDS[known], b"\x0c" + _length(content) + content), f"{known}={_escape(content)}"


def _unknown(name: str, value: str) -> tuple[bytes, str]:
    """OpenSSL prints the number of what it does not know, and the DER of the value."""
    if not _OID.match(name):
        message = "a subject has an attribute that is unknown; known are %s, and numbers such as 1.2.3.4=#0C0161"
        raise ValueError(message % ", ".join(OIDS))
    if not _HEX.match(value):
        raise ValueError(f"the value of {name} must be # and its DER in hexadecimal, as openssl prints it")
    return _der(name, bytes.fromhex(value[1:])), f"{name}={value.upper()}"


def _unescape(value: str, name: str) -> bytes:
    """The UTF-8 of what the value stands for (RFC 4514, section 2.4)."""
    if value.startswith("#") and value.strip() != "#":
        raise ValueError(f"the value of {name} begins with #; write \\# before a value that does")
    # Behind `kept`, trailing spaces are cut.
    found, at, kept = b"", 0, 0
    while at < len(value):
        sign = _SIGN.match(value, at)
        if not sign:
            raise ValueError(f'the value of {name} has a sign that needs a backslash before it: one of \\ " ; < >')
        byte, escaped, plain = sign.groups()
        try:
            found += bytes.fromhex(byte) if byte else (escaped or plain).encode()
        except UnicodeEncodeError:
            raise ValueError(f"the value of {name} has a sign that UTF-8 cannot express") from None
        at, kept = sign.end(), kept if plain else len(found)
    found = found[:kept] + found[kept:].rstrip(b" ")
    try:
        found.decode()
    except UnicodeDecodeError:
        raise ValueError(f"the value of {name} is no UTF-8 where it has bytes in hexadecimal") from None
    return found


def _escape(content: bytes) -> str:
    shown = ""
    last = len(content) - 1
    for at, byte in enumerate(content):
        sign = chr(byte)
        # OpenSSL looks whether a sign is the first only if it is not the last too.
        first = at == 0 and at != last
        if sign in ',+"\\<>;' or (sign == " " and (first or at == last)) or (sign == "#" and first):
            shown += "\\" + sign
        elif byte < 0x20 or byte > 0x7E:
            shown += f"\\{byte:02X}"
        else:
            shown += sign
    return shown


def _der(oid: str, value: bytes) -> bytes:
    """The DER of an attribute: a sequence of its number and its value."""
    numbers = [int(number) for number in oid.split(".")]
    body = b""
    for number in [numbers[0] * 40 + numbers[1], *numbers[2:]]:
        groups = [number & 0x7F]
        while number > 0x7F:
            number >>= 7
            groups.append(number & 0x7F | 0x80)
        body += bytes(reversed(groups))
    content = b"\x06" + _length(body) + body + value
    return b"\x30" + _length(content) + content


def _length(content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([size])
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets
