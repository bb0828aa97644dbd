# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody may have meant by a name that nobody knows."""

from __future__ import annotations

import difflib
import typing as t

# Two letters of fifteen.
_ALIKE = 0.85
_LONGER = 2
# The rest of a name whose beginning is nearly right may be wrong as well.
_REST = 0.75


def closest(name: str, known: t.Iterable[str]) -> str | None:
    """The name that is most like it, if one is alike at all."""
    found = difflib.get_close_matches(name, sorted(known), n=1)
    return found[0] if found else None


def is_near_miss(name: str, known: str) -> bool:
    """Whether `name` is `known` but for a slip. A name with something put before it or after it is one of its own."""
    plain = name.lower().replace("-", "_")
    if name == known or abs(len(plain) - len(known)) > _LONGER or plain.endswith(f"_{known}"):
        return False
    return difflib.SequenceMatcher(None, plain, known).ratio() >= _ALIKE


def meant(name: str, prefix: str, known: t.Iterable[str]) -> str | None:
    """The known variable that is meant by one whose prefix is nearly `prefix`."""
    rests = [one[len(prefix) + 1 :] for one in known if one.startswith(f"{prefix}_")]
    parts = name.split("_")
    for cut in range(1, len(parts)):
        if is_near_miss("_".join(parts[:cut]), prefix):
            found = difflib.get_close_matches("_".join(parts[cut:]), sorted(rests), n=1, cutoff=_REST)
            if found:
                return f"{prefix}_{found[0]}"
    return None
