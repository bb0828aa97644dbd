# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's own certificate, its chain and its private key. Pure functions; `now` knows its time zone.

Problems begin with their variable. None quotes anything of the private key.
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, field

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.certificate import (
    describe,
    issued_by,
    leaf_problems,
    moment,
    names_of,
    pem,
    public_bytes,
    self_signed,
    time_problems,
    uncovered,
    weak_problems,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.pem import read_certificates, read_private_key

# _tls/pem says what is missing.
try:
    from cryptography.hazmat.primitives import serialization
except ImportError:
    serialization = None  # type: ignore[assignment]

CERTIFICATE = "ollama_gateway_tls_certificate"
PRIVATE_KEY = "ollama_gateway_tls_private_key"
SERVER_NAMES = "ollama_gateway_server_names"
SOON = 30


@dataclass(frozen=True)
class Server:
    """A certificate with its chain, the leaf first, and its key."""

    key: t.Any = field(repr=False)
    chain: t.Tuple[t.Any, ...]

    @property
    def pem(self) -> str:
        """The private key in PKCS #8, then the chain. A secret."""
        encoding, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        key = self.key.private_bytes(encoding, pkcs8, serialization.NoEncryption())
        return str(key.decode()) + pem(self.chain)

    @property
    def names(self) -> list[str]:
        return names_of(self.chain[0])


def read_server(
    certificate: bytes,
    private_key: bytes,
    names: t.Sequence[str],
    now: datetime.datetime,
    problems: Problems,
    warnings: Problems,
) -> Server | None:
    """What the gateway serves; None if there are problems."""
    found = read_certificates(certificate, CERTIFICATE, problems)
    key = read_private_key(private_key, PRIVATE_KEY, problems)
    if not found:
        return None
    leaf = found[0]
    chain = [leaf]
    if key is not None:
        fitting = [one for one in found if public_bytes(one.public_key()) == public_bytes(key.public_key())]
        if fitting:
            # Of several for one key, the one that was renewed last.
            leaf = max(fitting, key=lambda one: one.not_valid_after_utc)
            chain = put_in_order(leaf, found, problems, warnings)
        else:
            which = "the certificate" if len(found) == 1 else f"any of the {len(found)} certificates"
            problems.add(PRIVATE_KEY, f"it does not belong to {which} of {CERTIFICATE}")
    texts = leaf_problems(leaf)
    for one in chain:
        texts += [*time_problems(one, now), *weak_problems(one)]
    for text in texts:
        problems.add(CERTIFICATE, text)
    missing = uncovered(names, leaf)
    if missing and names_of(leaf):
        text = "the certificate is not for %s, but for %s; leave out the name or get a certificate for it"
        problems.add(SERVER_NAMES, text % (", ".join(missing), ", ".join(names_of(leaf))))
    if problems:
        return None
    _warn_soon(chain, now, warnings)
    return Server(key, tuple(chain))


def put_in_order(leaf: t.Any, given: t.Sequence[t.Any], problems: Problems, warnings: Problems) -> list[t.Any]:
    """The chain from the leaf on without its root; what is not of it is a problem, what was put right a warning."""
    rest = [one for one in dict.fromkeys(given) if one != leaf]
    chain, roots = [leaf], []
    while True:
        issuers = [one for one in rest if not self_signed(chain[-1]) and issued_by(chain[-1], one)]
        if not issuers:
            break
        # An issuer may be there twice: as a root, and signed by an older root, for clients that know only that.
        roots += [one for one in issuers if self_signed(one)]
        others = [one for one in issuers if not self_signed(one)]
        rest = [one for one in rest if one not in roots and one not in others[:1]]
        if not others:
            break
        chain.append(others[0])
    for one in rest:
        text = f"{describe(one)} is not part of the chain that begins at the private key's own; remove it"
        problems.add(CERTIFICATE, text)
    if [one for one in given if one not in roots] != chain and not rest:
        warnings.add(CERTIFICATE, "the order of its certificates was repaired: the server's own comes first")
    for root in roots:
        text = f"{describe(root)} is a root, which clients have themselves, and is left out"
        warnings.add(CERTIFICATE, f"the chain was repaired: {text}")
    return chain


def _warn_soon(chain: t.Iterable[t.Any], now: datetime.datetime, warnings: Problems) -> None:
    for one in chain:
        left = one.not_valid_after_utc - now
        if left < datetime.timedelta(days=SOON):
            end = moment(one.not_valid_after_utc)
            warnings.add(CERTIFICATE, f"{describe(one)} expires on {end}, in {left.days} days")
