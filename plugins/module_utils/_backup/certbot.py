# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The links that certbot keeps, made from the names of its files: an archive has none, for a link may lead anywhere.

`live/NAME/cert.pem` leads to `archive/NAME/cert7.pem`, the last one of which all four parts are there. Pure functions.
"""

from __future__ import annotations

import re
import typing as t

_FILE = re.compile(r"archive/([^/]+)/(cert|chain|fullchain|privkey)([0-9]{1,6})\.pem\Z", re.ASCII)
_PARTS = ("cert", "chain", "fullchain", "privkey")


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
