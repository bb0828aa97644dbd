# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for tests: a CA, what it issues, and what it revokes. Keys are of the curve P-256, which is fast."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def name(text: str) -> x509.Name:
    """A subject: an RFC 4514 string, or else a common name."""
    if "=" in text:
        return x509.Name.from_rfc4514_string(text)
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def alternative(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


@dataclass(frozen=True)
class Issued:
    """A certificate with its private key, both in PEM."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()


@dataclass
class Authority:
    """A CA; with `issuer`, one that this one has signed."""

    common_name: str = "Test CA"
    issuer: Authority | None = None
    own: Issued = field(init=False)
    revoked: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.own = self._sign(name(self.common_name), is_ca=True, begin=now() - DAY, end=now() + 30 * DAY)

    @property
    def pem(self) -> str:
        return self.own.pem

    def issue(
        self,
        *names: str,
        subject: str = "",
        client: bool = False,
        begin: datetime.datetime | None = None,
        end: datetime.datetime | None = None,
    ) -> Issued:
        """A certificate for these DNS names and IP addresses, or for a client with that subject."""
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        return self._sign(
            name(subject or (names[0] if names else "nobody")),
            names=names,
            usage=usage,
            signer=self.own,
            begin=begin or now() - DAY,
            end=end or now() + 10 * DAY,
        )

    def crl(self, next_update: datetime.datetime | None = None) -> str:
        """The revocation list, in PEM."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.own.certificate.subject)
        builder = builder.last_update(now() - DAY).next_update(next_update or now() + DAY)
        for serial in self.revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now() - DAY).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self.own.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    def _sign(
        self,
        subject: x509.Name,
        *,
        begin: datetime.datetime,
        end: datetime.datetime,
        names: tuple[str, ...] = (),
        is_ca: bool = False,
        usage: x509.ObjectIdentifier | None = None,
        signer: Issued | None = None,
    ) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        signer = signer or (self.issuer.own if self.issuer else None)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(signer.certificate.subject if signer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([alternative(one) for one in names]), False)
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return Issued(builder.sign(signer.key if signer else key, hashes.SHA256()), key)
