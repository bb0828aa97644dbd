# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is an IP address, and how a URL has one. Pure functions."""

from __future__ import annotations

import ipaddress


def is_address(text: str) -> bool:
    """Whether this is an IPv4 or IPv6 address, without brackets or a port."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def bracketed(host: str) -> str:
    """A name or address as a URL and the header Host have it."""
    return f"[{host}]" if ":" in host else host
