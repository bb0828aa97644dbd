# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose word about a client's address may count."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.proxies import judge


def problems(trusted: list[Any], **changes: Any) -> list[str]:
    found = Problems()
    judge({"proxy_protocol": False, "http3": False, **changes, "trusted_proxies": trusted}, found)
    return found


@pytest.mark.parametrize("one", ["10.0.0.8", "10.0.1.0/24", "10.0.0.0/8", "2001:db8::8", "2001:db8::/32"])
def test_addresses_and_networks_of_balancers_are_fine(one: str) -> None:
    assert problems([one]) == []
    assert problems([one], proxy_protocol=True) == []


def test_nobody_is_trusted_by_default() -> None:
    assert problems([], http3=True) == []


@pytest.mark.parametrize(
    "one", ["lb.example.com", "10.0.1.1/24", "10.0.0.8:443", "", "10.0.0.8;", 7, None, ["10.0.0.8"]]
)
def test_anything_else_is_refused_with_an_example(one: Any) -> None:
    (problem,) = problems([one])
    begin = f"ollama_gateway_trusted_proxies: {one} must be the address or network of a balancer, such as 10.0.0.8"
    assert problem.startswith(begin)


@pytest.mark.parametrize("one", ["0.0.0.0/0", "::/0", "0.0.0.0/1", "2000::/3"])
def test_nearly_everybody_is_no_balancer(one: str) -> None:
    (problem,) = problems([one])
    assert problem.startswith(f"ollama_gateway_trusted_proxies: {one} is no set of balancers but nearly everybody")


def test_the_proxy_protocol_needs_somebody_to_believe_and_no_http_3() -> None:
    (nobody,) = problems([], proxy_protocol=True)
    assert "name the balancers in ollama_gateway_trusted_proxies" in nobody
    (http3,) = problems(["10.0.0.8"], proxy_protocol=True, http3=True)
    assert http3 == (
        "ollama_gateway_proxy_protocol: HTTP/3 has none; set ollama_gateway_http3 to false, or leave this false"
    )
