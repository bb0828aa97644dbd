# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody may have meant by a word that is not known. Pure functions."""

from __future__ import annotations

import difflib
import typing as t


def meant(name: object, known: t.Sequence[str]) -> str:
    """A question with the word that is most like it, empty if none is."""
    closest = difflib.get_close_matches(str(name), known, n=1)
    return f"is {closest[0]} meant?" if closest else ""


def unknown(name: object, known: t.Sequence[str]) -> str:
    """What is wrong with an option of this name, where only some are known."""
    hint = meant(name, known) or f"known are {', '.join(known)}"
    return f"'{name}' is unknown here; {hint}"
