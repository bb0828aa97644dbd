# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes of the host's account at the vendor; this server is signed in nowhere."""

from __future__ import annotations

from .cloud import refuse
from .errors import ApiError
from .exchange import Exchange


async def me(exchange: Exchange) -> None:
    await exchange.body.read_all()
    raise ApiError(503, "account unavailable")


async def sign_out(exchange: Exchange) -> None:
    await exchange.body.read_all()
    raise ApiError(500, "there was an error signing out")


async def web(exchange: Exchange) -> None:
    await exchange.body.read_all()
    what = exchange.request.path.rpartition("/")[2]
    refuse(exchange.app.settings, f"/api/{what}", f"{what.replace('_', ' ')} is unavailable")
