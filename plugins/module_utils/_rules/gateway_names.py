# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and addresses by which clients reach the gateway. Pure functions."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._text.addresses import is_address

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")
_LONGEST = 253


def kind(name: object) -> str | None:
    """What a name is: address, wildcard or dns; None if it is nothing of that."""
    if not isinstance(name, str):
        return None
    if is_address(name):
        # The zone of a link-local address means nothing to others.
        return None if "%" in name else "address"
    wildcard = name.startswith("*.")
    labels = name[2:].split(".") if wildcard else name.split(".")
    if len(name) > _LONGEST or not all(_LABEL.match(label) for label in labels) or labels[-1].isdigit():
        return None
    if wildcard:
        return "wildcard" if len(labels) > 1 else None
    return "dns"


def problem(name: object) -> str | None:
    """What is wrong with the form of a name."""
    if kind(name) is not None:
        return None
    text = str(name)
    if not text.isascii():
        hint = "; write it as DNS has it, with xn--"
    elif ":" in text or "/" in text or "[" in text:
        hint = "; leave out the scheme, the port, the path and brackets"
    elif text.endswith("."):
        hint = "; leave out the dot at its end"
    else:
        hint = ""
    return "%s is neither a DNS name nor an IP address%s" % (text, hint)


def doubles(names: t.Iterable[str]) -> list[str]:
    """Those that are there before, in another spelling maybe."""
    seen = set()
    found = []
    for name in names:
        same = str(ipaddress.ip_address(name)) if kind(name) == "address" else str(name).lower()
        if same in seen:
            found.append(name)
        seen.add(same)
    return found
