# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors that become answers."""

from __future__ import annotations


class ApiError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class BadBody(ApiError):
    """The body could not be bound to the request type."""

    def __init__(self, message: str, empty: bool = False) -> None:
        super().__init__(400, message)
        self.empty = empty


class NativeError(ApiError):
    """Answered in the native form whatever the dialect: what happens before the dialect's own code."""
