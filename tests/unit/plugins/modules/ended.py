# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How tests of modules see the end of one, without a process that ends."""

from __future__ import annotations

from typing import Any


class Ended(Exception):
    """Stands for the end of the process, with what the module said."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result)
        self.result = result
