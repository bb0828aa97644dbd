# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a certificate is for, who signed it, and what is wrong with it. Pure functions; `now` knows its time zone."""

from __future__ import annotations

import datetime
import ipaddress
import typing as t

# _tls/pem says what is missing.
try:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
except ImportError:
    x509 = None  # type: ignore[assignment]

SMALLEST_RSA = 2048
# Signatures with MD2, MD5 or SHA-1, by RSA, DSA and ECDSA. By number, since cryptography gives up some of them.
_WEAK = {
    "1.2.840.113549.1.1.2": "MD2",
    "1.2.840.113549.1.1.4": "MD5",
    "1.2.840.113549.1.1.5": "SHA-1",
    "1.3.14.3.2.29": "SHA-1",
    "1.2.840.10040.4.3": "SHA-1",
    "1.2.840.10045.4.1": "SHA-1",
}


def leaf_problems(leaf: t.Any) -> list[str]:
    """Why clients would not take it for a server's certificate."""
    problems = []
    constraints = extension(leaf, "BasicConstraints")
    if constraints is not None and constraints.ca:
        problems.append("it is that of a CA, and clients refuse it as a server's; have it sign one for the gateway")
    usage = extension(leaf, "ExtendedKeyUsage")
    if usage is not None and x509.ExtendedKeyUsageOID.SERVER_AUTH not in usage:
        problems.append("its extended key usage lacks serverAuth, so that clients refuse it as a server's")
    if not names_of(leaf):
        problems.append("it has no subject alternative name, and clients do not look at its common name")
    return problems


def client_problems(leaf: t.Any) -> list[str]:
    """Why servers would not take it for a client's certificate."""
    usage = extension(leaf, "ExtendedKeyUsage")
    if usage is None or x509.ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        return ["its extended key usage lacks clientAuth, so that servers refuse it as a client's"]
    return []


def common_name_of(certificate: t.Any) -> str:
    """The last common name of its subject, empty where it has none."""
    found = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(found[-1].value) if found else ""


def time_problems(one: t.Any, now: datetime.datetime) -> list[str]:
    if one.not_valid_after_utc < now:
        return [f"{describe(one)} expired on {moment(one.not_valid_after_utc)}"]
    if one.not_valid_before_utc > now:
        begins = moment(one.not_valid_before_utc)
        return [f"{describe(one)} is not valid before {begins}, and it is {moment(now)} on the controller"]
    return []


def weak_problems(one: t.Any) -> list[str]:
    """What nginx or clients refuse for its weakness."""
    problems = []
    key = one.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < SMALLEST_RSA:
        problems.append(f"{describe(one)} has an RSA key of {key.key_size} bits, and must have {SMALLEST_RSA} at least")
    weak = _WEAK.get(one.signature_algorithm_oid.dotted_string)
    if weak:
        problems.append(f"{describe(one)} is signed with {weak}, which clients refuse; get one signed with SHA-256")
    return problems


def names_of(certificate: t.Any) -> list[str]:
    """Its DNS names and IP addresses. The common name does not count."""
    names = extension(certificate, "SubjectAlternativeName")
    if names is None:
        return []
    return [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]


def uncovered(names: t.Iterable[str], certificate: t.Any) -> list[str]:
    """Those of `names` that the certificate is not for."""
    own = names_of(certificate)
    return [name for name in names if not any(_covers(one, name) for one in own)]


def same_names(names: t.Iterable[str], certificate: t.Any) -> bool:
    """Whether the certificate is for these names and addresses and no others, however they are written."""
    return _canonical(names) == _canonical(names_of(certificate))


def _canonical(names: t.Iterable[str]) -> set[str]:
    return {str(_address(one) or one.lower()) for one in names}


def _covers(own: str, name: str) -> bool:
    """RFC 6125: a wildcard stands for exactly one label, and is the whole leftmost one. Addresses count by value."""
    address, own_address = _address(name), _address(own)
    if address or own_address:
        return address == own_address
    own, name = own.lower(), name.lower()
    first, dot, parent = name.partition(".")
    return own == name or (bool(first) and "." in parent and own == "*" + dot + parent)


def _address(name: str) -> t.Any:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def self_signed(one: t.Any) -> bool:
    return bool(one.subject == one.issuer) and issued_by(one, one)


def issued_by(one: t.Any, issuer: t.Any) -> bool:
    try:
        one.verify_directly_issued_by(issuer)
    except Exception:  # another name, another key, or a kind of signature that cryptography does not verify
        return False
    return True


def public_bytes(key: t.Any) -> bytes:
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_bytes(serialization.Encoding.DER, info))


def extension(item: t.Any, name: str) -> t.Any:
    """The value of an extension by the name of its class, None if it is not there."""
    try:
        return item.extensions.get_extension_for_class(getattr(x509, name)).value
    except x509.ExtensionNotFound:
        return None


def describe(one: t.Any) -> str:
    subject = one.subject.rfc4514_string()
    return "the certificate %s" % (subject or f"without subject, serial number {one.serial_number:x}")


def moment(value: datetime.datetime) -> str:
    return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def pem(found: t.Iterable[t.Any]) -> str:
    """Certificates or revocation lists as text."""
    return "".join(one.public_bytes(serialization.Encoding.PEM).decode() for one in found)
