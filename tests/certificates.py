# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for tests: a CA, what it issues, and what it revokes. Keys are of the curve P-256, which is fast.

Usage: python -m tests.certificates FOLDER NAME...
"""

from __future__ import annotations

import datetime
import ipaddress
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
CA_USAGE = x509.KeyUsage(False, False, False, False, False, True, True, False, False)


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
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.own.key.public_key())
        builder = builder.add_extension(issuer, critical=False).add_extension(x509.CRLNumber(1), critical=False)
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
        # Strict readers want to know whose keys these are (RFC 5280, section 4.2.1).
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key((signer.key if signer else key).public_key())
        builder = builder.add_extension(own, critical=False).add_extension(issuer, critical=False)
        if is_ca:
            builder = builder.add_extension(CA_USAGE, critical=True)
        if names:
            # Where it could be looked up whether it was revoked, as real ones say; outside judges miss it otherwise.
            place = x509.UniformResourceIdentifier("http://ca.example/revoked.crl")
            point = x509.DistributionPoint([place], None, None, None)
            builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
            builder = builder.add_extension(x509.SubjectAlternativeName([alternative(one) for one in names]), False)
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return Issued(builder.sign(signer.key if signer else key, hashes.SHA256()), key)


def _write(folder: Path, name: str, issued: Issued, *chain: str) -> None:
    (folder / f"{name}.pem").write_text(issued.pem + "".join(chain))
    key = folder / f"{name}.key"
    key.touch(mode=0o600)
    key.write_text(issued.key_pem)


def write(folder: Path, names: Sequence[str]) -> None:
    """What scenarios present, below `folder`: certificates of servers for these names, and of clients; good and bad.

    ca.pem is what signed those of servers, by way of another CA; client_ca.pem signed those of clients.
    """
    folder.mkdir(parents=True)
    root = Authority("Test root")
    between = Authority("Test CA between", issuer=root)
    servers = dict(
        server=between.issue(*names, end=now() + 90 * DAY),
        next=between.issue(*names, end=now() + 91 * DAY),
        expired=between.issue(*names, end=now() - timedelta(hours=1)),
        future=between.issue(*names, begin=now() + DAY),
        other_name=between.issue("other.example"),
    )
    for name, one in servers.items():
        _write(folder, name, one, between.pem)
    (folder / "disorder.pem").write_text(root.pem + between.pem + servers["next"].pem)
    (folder / "ca.pem").write_text(root.pem)
    clients = Authority("Test client CA")
    users = dict(
        alice=clients.issue(subject="CN=alice,O=Example", client=True),
        revoked=clients.issue(subject="CN=alice,O=Example", client=True),
        gone=clients.issue(subject="CN=alice,O=Example", client=True, end=now() - timedelta(hours=1)),
        nobody=clients.issue(subject="CN=nobody,O=Example", client=True),
        foreign=Authority("Test client CA").issue(subject="CN=alice,O=Example", client=True),
    )
    for name, one in users.items():
        _write(folder, name, one)
    clients.revoked.append(users["revoked"].certificate.serial_number)
    (folder / "client_ca.pem").write_text(clients.pem)
    (folder / "client_crl.pem").write_text(clients.crl())


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2:])
