# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Balancers before the gateway, whose word about a client's address counts."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems

PREFIX = "ollama_gateway_"
_VARIABLE = PREFIX + "trusted_proxies"
# Anything larger is no set of balancers, but the network that their clients come from.
_SHORTEST = {4: 8, 6: 16}


def judge(values: t.Mapping[str, t.Any], problems: Problems) -> None:
    """Whose word counts, and how it is said."""
    for text in values["trusted_proxies"]:
        problems.add(_VARIABLE, _problem(text))
    if not values["proxy_protocol"]:
        return
    variable = PREFIX + "proxy_protocol"
    if not values["trusted_proxies"]:
        text = f"nobody's word about a client's address counts; name the balancers in {_VARIABLE}, or leave it false"
        problems.add(variable, text)
    if values["http3"]:
        problems.add(variable, f"HTTP/3 has none; set {PREFIX}http3 to false, or leave this false")


def _problem(text: t.Any) -> str | None:
    try:
        # An address alone is a network of one.
        network = ipaddress.ip_network(text) if isinstance(text, str) else None
    except ValueError as error:
        # Its text quotes the value only, which is no secret.
        return f"{text} must be the address or network of a balancer, such as 10.0.0.8 or 10.0.1.0/24 ({error})"
    if network is None:
        return f"{text} must be the address or network of a balancer, such as 10.0.0.8 or 10.0.1.0/24"
    if network.prefixlen < _SHORTEST[network.version]:
        return f"{text} is no set of balancers but nearly everybody, who could then name any address as theirs"
    return None
