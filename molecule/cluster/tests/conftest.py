# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection of this checkout is there to import for the tests of this scenario."""

from __future__ import annotations

from tests.collection import make_known

make_known()
