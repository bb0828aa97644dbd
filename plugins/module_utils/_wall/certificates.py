# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates to try the doors of servers with: those that must not count, and one of a gateway for some minutes.

Made on the controller, each with a key of its own. The key of a CA is in none of them.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._tls import signing
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.certificate import pem

# _tls/pem says what is missing.
try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import NameOID
except ImportError:
    x509 = None  # type: ignore[assignment]

# For which a valid one is good.
LIFE = datetime.timedelta(minutes=10)
# A host whose clock is late by less takes one that was just made.
_EARLIER = datetime.timedelta(hours=1)
_DAY = datetime.timedelta(days=1)
# Nobody is called that (RFC 6761, section 6.4).
NOBODY = "gatehouse-wall.invalid"
_LONGEST_NAME = 64

Entry = t.Dict[str, t.Any]
Attributes = t.Sequence[t.Tuple[str, str]]


class Signer(t.NamedTuple):
    """Who signs: a certificate and its key."""

    certificate: t.Any
    key: t.Any


def worthless(ca: t.Any, key: t.Any, gateways: t.Sequence[str], now: datetime.datetime) -> list[Entry]:
    """Those that no door may take, in the form of the option `door_certificates` of the module wall.

    `ca` is the certificate of the right CA and `key` its key. Without one of them there are fewer.
    """
    name = gateways[0] if gateways else NOBODY
    gateway = [("CN", name)]
    found = [_entry("of a foreign CA", _issue(gateway, _made_up(_name([("CN", NOBODY)]), now), now))]
    if ca is not None:
        found.append(_entry("of another CA of that name", _issue(gateway, _made_up(ca.subject, now), now)))
    if ca is None or key is None:
        return found
    right = Signer(ca, key)
    found.append(_entry("expired", _issue(gateway, right, now - 2 * _DAY)))
    found.append(_entry("for servers", _issue(gateway, right, now, for_clients=False)))
    leaf = _issue([("CN", NOBODY)], right, now)
    found.append(_entry("signed by one that is no CA", _issue(gateway, leaf, now), leaf))
    for what, subject in _other_names(gateways):
        found.append(_entry(what, _issue(subject, right, now)))
    return found


def valid(ca: t.Any, key: t.Any, gateways: t.Sequence[str], now: datetime.datetime) -> list[Entry]:
    """One that doors take for that of a gateway, if there can be one. It is for the controller alone."""
    if ca is None or key is None or not gateways:
        return []
    return [{**_entry("a gateway's", _issue([("CN", gateways[0])], Signer(ca, key), now)), "valid": True}]


def _other_names(gateways: t.Sequence[str]) -> t.Iterator[t.Tuple[str, Attributes]]:
    """Subjects that are those of no gateway, also ones that look like one."""
    yield "of no gateway", [("CN", NOBODY)]
    for name in gateways[:1]:
        # A program that cuts names out of text may be misled by these.
        similar = {"a gateway's name and more": name[:40] + "-" + NOBODY, "a gateway's name in capitals": name.upper()}
        for what, other in similar.items():
            if other not in gateways:
                yield what, [("CN", other)]
        yield "a gateway's name as a unit's", [("OU", name), ("CN", NOBODY)]
        if len(name) <= _LONGEST_NAME - len(NOBODY) - 4:
            yield "a gateway's name behind a comma", [("CN", f"{NOBODY},CN={name}")]


def _entry(name: str, shown: Signer, *chain: Signer) -> Entry:
    certificates = [one.certificate for one in (shown, *chain)]
    return {"name": name, "pem": signing.key_pem(shown.key) + pem(certificates), "valid": False}


def _made_up(name: t.Any, now: datetime.datetime) -> Signer:
    """A CA with this name and a key that nobody keeps."""
    key = signing.new_key()
    builder = _builder(name, name, key, key, now)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return Signer(builder.sign(key, hashes.SHA256()), key)


def _issue(subject: Attributes, issuer: Signer, begin: datetime.datetime, for_clients: bool = True) -> Signer:
    """What is signed for somebody, good for minutes."""
    key = signing.new_key()
    use = x509.ExtendedKeyUsageOID.CLIENT_AUTH if for_clients else x509.ExtendedKeyUsageOID.SERVER_AUTH
    builder = _builder(_name(subject), issuer.certificate.subject, key, issuer.key, begin)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    return Signer(builder.sign(issuer.key, hashes.SHA256()), key)


def _builder(name: t.Any, issuer: t.Any, key: t.Any, issuer_key: t.Any, begin: datetime.datetime) -> t.Any:
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin - _EARLIER)
        .not_valid_after(begin + LIFE)
        .add_extension(own, critical=False)
        .add_extension(signer, critical=False)
    )


def _name(attributes: Attributes) -> t.Any:
    numbers = {"CN": NameOID.COMMON_NAME, "OU": NameOID.ORGANIZATIONAL_UNIT_NAME}
    return x509.Name([x509.NameAttribute(numbers[kind], text) for kind, text in attributes])
