# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes of the host's account at the vendor; this server is signed in nowhere."""

from __future__ import annotations

from .exchange import ApiError, Exchange


async def refuse(exchange: Exchange) -> None:
    await exchange.body.read_all()
    raise ApiError(401, "unauthorized")


async def refuse_cloud(exchange: Exchange) -> None:
    await exchange.body.read_all()
    if exchange.app.settings.cloud_disabled:
        raise ApiError(403, "ollama cloud is disabled")
    raise ApiError(401, "unauthorized")
