# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway whose variables all came as text is the gateway that they mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.component.gateways import gateway, status
from tests.component.upstreams import Echo


@pytest.mark.parametrize(("text", "wanted"), [("false", 404), ("no", 404), ("off", 404), ("true", 200)])
def test_an_admin_reaches_account_routes_only_where_the_text_says_so(
    tmp_path: Path, upstream: Echo, text: str, wanted: int
) -> None:
    variables = {
        "ollama_gateway_allow_account_routes": text,
        "ollama_gateway_http3": "false",
        "ollama_gateway_upstreams": upstream.address,
        "ollama_gateway_cors_origins": '["https://chat.example.com"]',
        "ollama_gateway_server_names": "",
        "ollama_gateway_read_timeout": "600",
    }
    with gateway(tmp_path / "gate", "bearer", **variables) as one:
        authorization = f"Authorization: {one.credential()}"
        assert status(one.ask("/api/me", authorization, method="POST", body=b"{}")) == wanted
        reply = one.ask("/api/tags", authorization, "Origin: https://chat.example.com")
        assert status(reply) == 200
        assert ("Access-Control-Allow-Origin", "https://chat.example.com") in reply.headers
