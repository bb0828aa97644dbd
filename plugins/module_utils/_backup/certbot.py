# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an archive has of certbot, whose timer is root's: its links, and what its renewal would run.

The links are made from the names of its files: an archive has none, for a link may lead anywhere.
`live/NAME/cert.pem` leads to `archive/NAME/cert7.pem`, the last one of which all four parts are there. Pure functions.
"""

from __future__ import annotations

import re
import typing as t

_FILE = re.compile(r"archive/([^/]+)/(cert|chain|fullchain|privkey)([0-9]{1,6})\.pem\Z", re.ASCII)
_PARTS = ("cert", "chain", "fullchain", "privkey")
_RENEWAL = re.compile(r"renewal/[^/]+\.conf\Z", re.ASCII)
# The plugins of certbot that the role uses; others run programs.
_PLUGINS = {"authenticator": {"webroot"}, "installer": {"None", ""}}


def is_renewal(path: str) -> bool:
    """Whether this file below certbot's folder says how a certificate is renewed."""
    return _RENEWAL.match(path) is not None


def strange_option(renewal: bytes) -> str | None:
    """By what a renewal would run more than this collection has it do; None if there is nothing."""
    try:
        text = renewal.decode("utf-8")
    except ValueError:
        return "what is no text"
    if not all(one.isprintable() or one in "\t\r\n" for one in text):
        return "what is no text"
    for line in text.splitlines():
        name, sign, value = (one.strip().strip("\"'").strip() for one in line.partition("="))
        if sign and name.lower().endswith("_hook"):
            return f"the option {name}"
        if sign and value not in _PLUGINS.get(name, {value}):
            return f"the option {name}"
    return None


def links(paths: t.Iterable[str]) -> dict[str, str]:
    """By the paths of the files below certbot's folder, the targets of its links by their paths."""
    found: dict[tuple[str, int], set[str]] = {}
    for path in paths:
        match = _FILE.match(path)
        if match:
            name, part, number = match.groups()
            found.setdefault((name, int(number)), set()).add(part)
    last: dict[str, int] = {}
    for (name, number), parts in found.items():
        if parts == set(_PARTS):
            last[name] = max(number, last.get(name, 0))
    return {
        f"live/{name}/{part}.pem": f"../../archive/{name}/{part}{number}.pem"
        for name, number in sorted(last.items())
        for part in _PARTS
    }
