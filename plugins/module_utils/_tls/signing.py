# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a CA of this collection is, and what it signs. Pure functions but for the keys that are made."""

from __future__ import annotations

import datetime
import ipaddress
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.renewal import Subject

# _tls/pem says what is missing.
try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
except ImportError:
    x509 = None  # type: ignore[assignment]

# Days for which a CA is good.
CA_LIFE = 3650
# RFC 5280, appendix A: ub-common-name.
LONGEST_NAME = 64
# A host whose clock is late by less takes what was just signed.
_EARLIER = datetime.timedelta(hours=1)
_CA_USES = ("key_cert_sign", "crl_sign")


def new_ca_key() -> t.Any:
    return ec.generate_private_key(ec.SECP384R1())


def new_key() -> t.Any:
    return ec.generate_private_key(ec.SECP256R1())


def is_usable(key: t.Any) -> bool:
    """Whether a key that a host has may stay; a host may send anything."""
    return isinstance(key, ec.EllipticCurvePrivateKey)


def check(subject: Subject) -> None:
    """Raise BadInput where nobody could have a certificate like this."""
    _name("common_name", subject.common_name)
    for one in subject.names:
        _alternative(one)


def key_pem(key: t.Any) -> str:
    """A private key as text, without a passphrase."""
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return str(key.private_bytes(serialization.Encoding.PEM, form, none).decode("ascii"))


def ca_certificate(key: t.Any, common_name: str, now: datetime.datetime) -> t.Any:
    """The certificate of a CA by its own key; it may have no other CA below it."""
    name = _name("ca_name", common_name)
    builder = _builder(key, name, name, CA_LIFE, now)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(*_CA_USES), critical=True)
    return builder.sign(key, hashes.SHA384())


def leaf_certificate(
    key: t.Any, subject: Subject, ca: t.Any, ca_key: t.Any, life: int, now: datetime.datetime
) -> t.Any:
    """The certificate of `key` that the CA signs for `life` days."""
    builder = _builder(key, _name("common_name", subject.common_name), ca.subject, life, now)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    use = x509.ExtendedKeyUsageOID.CLIENT_AUTH if subject.is_client else x509.ExtendedKeyUsageOID.SERVER_AUTH
    builder = (
        builder.add_extension(issuer, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    )
    if subject.names:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_alternative, subject.names))), False)
    return builder.sign(ca_key, hashes.SHA256())


def _builder(key: t.Any, name: t.Any, issuer: t.Any, life: int, now: datetime.datetime) -> t.Any:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + datetime.timedelta(days=life))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(option: str, text: str) -> t.Any:
    if not 0 < len(text) <= LONGEST_NAME:
        raise BadInput([f"{option}: it must have 1 to {LONGEST_NAME} characters, and has {len(text)}"])
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _alternative(text: str) -> t.Any:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        pass
    try:
        return x509.DNSName(text)
    except ValueError:
        raise BadInput([f"names: {text} must be in ASCII"]) from None


def _usage(*uses: str) -> t.Any:
    every = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    every += (*_CA_USES, "encipher_only", "decipher_only")  # type: ignore[assignment]
    return x509.KeyUsage(**{use: use in uses for use in every})
