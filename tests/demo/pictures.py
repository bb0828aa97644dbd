# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of the page for people of a gateway: build/page-light.png, page-dark.png and page-narrow.png.

Usage: GATEHOUSE_KEY=... python -m tests.demo.pictures URL [CA_FILE]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from tests.browser import Browser, browser, pin_of
from tests.client import ROOT

LOOKS = {"light": ("light", 1200), "dark": ("dark", 1200), "narrow": ("light", 375)}


def take(one: Browser, folder: Path) -> list[Path]:
    """A picture of each look of a page where somebody has signed in."""
    files = []
    for name, (theme, width) in LOOKS.items():
        one.theme(theme)
        one.size(width, 800, scale=2 if width < 500 else 1, mobile=width < 500)
        height = one.run("return document.documentElement.scrollHeight")
        one.size(width, height, scale=2 if width < 500 else 1, mobile=width < 500)
        files.append(folder / f"page-{name}.png")
        one.picture(files[-1])
    return files


def main(url: str, ca: str = "") -> None:
    address = urlsplit(url)
    trusted = pin_of(address.hostname or "", address.port or 443, Path(ca)) if ca else ""
    folder = ROOT / "build"
    folder.mkdir(exist_ok=True)
    with browser(trusted) as one:
        one.open(url)
        one.sign_in(os.environ["GATEHOUSE_KEY"])
        print(*take(one, folder), sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
