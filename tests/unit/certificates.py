# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes certificates of any kind for tests, sound ones and others."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
DAY = datetime.timedelta(days=1)
SERVER = [ExtendedKeyUsageOID.SERVER_AUTH]


def name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def alternative(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


@dataclass
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key_as(PrivateFormat.PKCS8)

    def key_as(self, form: PrivateFormat, passphrase: bytes = b"") -> bytes:
        encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        found: bytes = self.key.private_bytes(Encoding.PEM, form, encryption)
        return found


def make(
    subject: Any,
    issuer: Pair | None = None,
    names: tuple[str, ...] = (),
    ca: bool | None = None,
    days: tuple[float, float] = (-1, 90),
    usages: Any = None,
    key: Any = None,
    rsa_bits: int = 0,
    may: set[str] | None = None,
) -> Pair:
    """A certificate that is valid from `days[0]` to `days[1]` from now on; without an issuer it is self-signed."""
    if key is None:
        key = rsa.generate_private_key(65537, rsa_bits) if rsa_bits else ec.generate_private_key(ec.SECP256R1())
    subject = name(subject) if isinstance(subject, str) else subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + days[0] * DAY)
        .not_valid_after(NOW + days[1] * DAY)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([alternative(one) for one in names]), False)
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, None), True)
    if usages is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
    if may is not None:
        uses = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
        uses += ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # type: ignore[assignment]
        builder = builder.add_extension(x509.KeyUsage(**{use: use in may for use in uses}), True)
    return Pair(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def authority(common_name: str, issuer: Pair | None = None, **more: Any) -> Pair:
    return make(common_name, issuer, ca=True, **more)


def crl(issuer: Pair, days: tuple[float, float] = (-1, 30), revoked: tuple[Pair, ...] = ()) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(NOW + days[0] * DAY)
        .next_update(NOW + days[1] * DAY)
    )
    for pair in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(pair.certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(NOW - DAY).build())
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.PEM)
