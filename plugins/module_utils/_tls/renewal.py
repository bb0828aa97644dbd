# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a certificate that the CA on the controller signed has to be signed anew. Pure functions."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.certificate import (
    client_problems,
    common_name_of,
    issued_by,
    leaf_problems,
    moment,
    names_of,
    public_bytes,
    same_names,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.pem import read_certificates, read_private_key

_ANOTHER = "remove the folder to have another CA made, which all clients then have to trust"
_ENDED = "ended on %s, so that nobody trusts what it signed; " + _ANOTHER
_ENDS = "ends on %s, before what it signs now would; in time, " + _ANOTHER
_NO_KEY = "has no ca.key beside its ca.pem any more, and a certificate has to be signed; put it back, or " + _ANOTHER


class Subject(t.NamedTuple):
    """Whom a certificate is to be for, as a server or as a client; without a common name, whatever that is."""

    names: t.Sequence[str]
    common_name: str = ""
    is_client: bool = False


def why_due(there: bytes | None, ca: t.Any, subject: Subject, days: int, now: datetime.datetime) -> str | None:
    """Why the host needs another certificate than is there; None if it does not.

    `there` is its private key with the certificate in PEM, `ca` the certificate of the CA; None where there is none.
    """
    if ca is None:
        return "there is no CA yet"
    if there is None:
        return "there is no certificate yet"
    problems = Problems()
    key, found = read_private_key(there, "", problems), read_certificates(there, "", problems)
    if problems:
        return "what is there cannot be read"
    leaf = found[0]
    if len(found) > 1 or public_bytes(key.public_key()) != public_bytes(leaf.public_key()):
        return "the certificate there is not that of its key alone"
    if not issued_by(leaf, ca):
        return "another CA signed the certificate there"
    if _is_for_another(leaf, subject):
        return f"the certificate there is for {', '.join(names_of(leaf)) or common_name_of(leaf) or 'nobody'}"
    if (client_problems if subject.is_client else leaf_problems)(leaf):
        return f"the certificate there is not that of a {'client' if subject.is_client else 'server'}"
    if leaf.not_valid_before_utc > now or leaf.not_valid_after_utc < now + datetime.timedelta(days=days):
        good = f"{moment(leaf.not_valid_before_utc)} until {moment(leaf.not_valid_after_utc)}"
        return f"the certificate there is good from {good}"
    return None


def _is_for_another(leaf: t.Any, subject: Subject) -> bool:
    return not same_names(subject.names, leaf) or subject.common_name not in ("", common_name_of(leaf))


def judge_ca(ca: t.Any, is_due: bool, key_is_there: bool, life: int, now: datetime.datetime) -> tuple[str, str]:
    """What is wrong with a CA, and what will be soon. Each is empty if nothing is.

    `life` is for how many days it signs a certificate.
    Another CA is never made by itself: all clients would have to be told to trust it.
    """
    end = ca.not_valid_after_utc
    if end < now:
        return _ENDED % moment(end), ""
    if is_due and not key_is_there:
        return _NO_KEY, ""
    soon = end < now + datetime.timedelta(days=life)
    return "", _ENDS % moment(end) if soon else ""
