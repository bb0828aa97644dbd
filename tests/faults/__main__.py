# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong on a host, one after the other; too long for every change. What has to hold is told for each.

Usage: python -m tests.faults killed [first task [last task]] | full [run...] | broken
"""

from __future__ import annotations

import sys

from tests.faults import broken, full, killed


def main(name: str, *arguments: str) -> int:
    problems = {
        "killed": lambda: killed.main(*map(int, arguments)),
        "full": lambda: full.main(*arguments),
        "broken": broken.main,
    }[name]()
    print(f"faults: {problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
