# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CAs of client certificates and their revocation lists, judged as nginx will use them. Pure functions.

nginx has OpenSSL verify up to a self-signed root, and with ssl_crl sets X509_V_FLAG_CRL_CHECK and
X509_V_FLAG_CRL_CHECK_ALL: for each certificate of the chain, the root included, a list of its issuer must be there and
in time. If one is not, nobody with a certificate comes in.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.certificate import (
    describe,
    extension,
    issued_by,
    moment,
    time_problems,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.pem import read_certificates, read_crls

CLIENT_CA = "ollama_gateway_client_ca"
CLIENT_CRL = "ollama_gateway_client_crl"
VALKEY_CA = "ollama_gateway_valkey_ca"


def read_authorities(data: bytes, variable: str, now: datetime.datetime, problems: Problems) -> list[t.Any]:
    """The CAs that a variable gives."""
    found = read_certificates(data, variable, problems)
    for one in found:
        if not _may(one, "key_cert_sign", ca=True):
            problems.add(variable, f"{describe(one)} is not that of a CA")
        elif not any(issued_by(one, other) for other in found):
            # By default OpenSSL trusts no chain that ends before a root.
            text = f"the issuer of {describe(one)}, {one.issuer.rfc4514_string()}, is missing; add it"
            problems.add(variable, text)
        for text in time_problems(one, now):
            problems.add(variable, text)
    return found


def read_client_crl(
    data: bytes, authorities: t.Sequence[t.Any], now: datetime.datetime, problems: Problems
) -> list[t.Any]:
    """The revocation lists."""
    found = read_crls(data, CLIENT_CRL, problems)
    for text in _crl_problems(found, authorities, now):
        problems.add(CLIENT_CRL, text)
    return found


def _crl_problems(found: t.Sequence[t.Any], authorities: t.Sequence[t.Any], now: datetime.datetime) -> t.Iterator[str]:
    for one in found:
        if not any(_signed(one, authority) for authority in authorities):
            yield f"the list of {_issuer(one)} is not signed by any CA of {CLIENT_CA}"
        elif one.last_update_utc > now:
            yield f"the list of {_issuer(one)} is not valid before {moment(one.last_update_utc)}"
        elif one.next_update_utc is not None and one.next_update_utc < now:
            yield (
                f"the list of {_issuer(one)} had to be renewed by {moment(one.next_update_utc)}, and with it nginx "
                "would refuse every client certificate"
            )
    for authority in authorities if found else ():
        if not any(_signed(one, authority) for one in found):
            yield (
                f"there is no list of the CA of {describe(authority)}, and without one nginx would refuse every client "
                "certificate below it"
            )
        elif not _may(authority, "crl_sign"):
            yield f"{describe(authority)} may not sign revocation lists, by its key usage"


def _may(one: t.Any, use: str, ca: bool = False) -> bool:
    """Whether a CA may use its key so; without key usage it may."""
    constraints = extension(one, "BasicConstraints")
    if ca and (constraints is None or not constraints.ca):
        return False
    usage = extension(one, "KeyUsage")
    return usage is None or bool(getattr(usage, use))


def _signed(crl: t.Any, authority: t.Any) -> bool:
    try:
        return bool(crl.issuer == authority.subject and crl.is_signature_valid(authority.public_key()))
    except Exception:  # a kind of key or signature that cryptography does not know
        return False


def _issuer(crl: t.Any) -> str:
    return str(crl.issuer.rfc4514_string())
