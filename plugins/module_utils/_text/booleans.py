# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Booleans, be they text: so they come from the command line, an INI inventory and the environment."""

from __future__ import annotations

# What the filter `bool` knows. Ansible's check of arguments takes more, such as y, which the filter makes false.
_MEANINGS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def read_boolean(value: object) -> bool | None:
    """What a value means; None if it is no boolean."""
    return _MEANINGS.get(str(value).lower())
