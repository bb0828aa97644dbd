# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients of a gateway, for people to read. Pure functions.

No cell has a blank: callbacks that print YAML fold long lines at single ones.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.limits import described
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.report import UNKNOWN_SCHEME
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.columns import aligned

HEADER = (
    *("client", "credential", "fingerprint", "last4", "scopes", "models", "limits"),
    *("created", "expires", "last-use", "state"),
)
_LIMITS = HEADER.index("limits")
UNKNOWN = "-"
# A client with more of them than this shall not make every line of the table long.
_SHOWN = 4


def table(clients: t.Sequence[t.Mapping[str, t.Any]], log_since: str | None) -> list[str]:
    """A line for each credential, in the form of what the module returns, then what they are in numbers.

    Where nobody has limits there is no column of them.
    """
    rows = [
        (*row[:-1], row[-1] + ",added-by-hand") if client["by_hand"] else row
        for client in clients
        for row in _rows(client, log_since is not None)
    ]
    keys = sum(len(client["api_keys"]) for client in clients)
    passwords = sum(client["password"] is not None for client in clients)
    certificates = sum(len(client["certificates"]) for client in clients)
    counts = [_count(len(clients), "client"), _count(keys, "key"), _count(passwords, "password")]
    numbers = ", ".join([*counts, _count(certificates, "certificate")] if certificates else counts)
    log = f"the log begins at {_moment(log_since)}" if log_since else "no log tells when they were used"
    if not rows:
        return [numbers]
    lines = [HEADER, *rows]
    if not any(client["limits"] for client in clients):
        lines = [(*line[:_LIMITS], *line[_LIMITS + 1 :]) for line in lines]
    return [*aligned(lines), numbers, log]


def _rows(client: t.Mapping[str, t.Any], logged: bool) -> t.Iterator[tuple[str, ...]]:
    models = "all" if "*" in client["models"] else _some(client["models"])
    rights = (_some(client["scopes"]), models, ",".join(described(client["limits"])) or "none")
    never = "never" if logged else UNKNOWN
    password, name = client["password"], client["name"]

    def row(credential: str, used: str, state: str) -> tuple[str, ...]:
        return (name, credential, UNKNOWN, UNKNOWN, *rights, UNKNOWN, UNKNOWN, used, state)

    if password:
        state = UNKNOWN if password["scheme"] == UNKNOWN_SCHEME else "valid"
        yield row("password", _moment(password["last_use"], never), state)
    for key in client["api_keys"]:
        shown = (key["fingerprint"] or UNKNOWN, key["last4"] or UNKNOWN)
        moments = (_moment(key["created"]), _moment(key["expires"]), _moment(key["last_use"], never))
        state = key["state"].replace(" ", "-") + (",in-path" if key["in_path"] else "")
        yield (name, key["id"], *shown, *rights, *moments, state)
    for certificate in client["certificates"]:
        # The log does not tell which one it was.
        yield row(f"certificate:{_unbroken(certificate['subject'])}", UNKNOWN, certificate["state"])
    if not password and not client["api_keys"] and not client["certificates"]:
        yield row("none", _moment(client["last_use"], never), UNKNOWN)


def _unbroken(subject: str) -> str:
    """The same subject without blanks, as RFC 4514, section 2.4 allows."""
    return re.sub(b"[^!-~]", lambda sign: b"\\%02X" % sign[0][0], subject.encode("utf-8", "replace")).decode()


def _some(items: t.Sequence[str]) -> str:
    more = [f"+{len(items) - _SHOWN}"] if len(items) > _SHOWN else []
    return ",".join([*items[:_SHOWN], *more]) or "none"


def _moment(text: str | None, unknown: str = UNKNOWN) -> str:
    """2027-01-01T00:00:00Z to the minute."""
    return text[:16] + "Z" if text else unknown


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
