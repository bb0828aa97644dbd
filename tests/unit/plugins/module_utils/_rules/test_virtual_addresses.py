# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses gateways can share, and what else has to be so."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.virtual_addresses import judge

PEERS = ["10.0.0.1", "gate2.example.com"]


def judged(addresses: list[Any], **changes: Any) -> tuple[list[str], list[str]]:
    """What is wrong, and what is warned about."""
    values = {"bind": "0.0.0.0", "virtual_interface": "", "virtual_router_id": 0, "peers": PEERS, **changes}
    problems = Problems()
    warnings = judge({**values, "virtual_addresses": addresses}, problems)
    return list(problems), warnings


@pytest.mark.parametrize(
    ("addresses", "bind"),
    [
        (["10.0.0.100/24"], "0.0.0.0"),
        (["10.0.0.100/24"], "10.0.0.100"),
        (["10.0.0.100/32"], "0.0.0.0"),
        (["10.0.0.100/24", "192.0.2.7/28"], "0.0.0.0"),
        (["fd00::100/64"], "::"),
        (["fd00::100/64"], "fd00::100"),
    ],
)
def test_addresses_at_which_the_gateway_listens_can_be_shared(addresses: list[str], bind: str) -> None:
    assert judged(addresses, bind=bind) == ([], [])


def test_who_shares_no_address_is_asked_for_nothing() -> None:
    wrong = {"bind": "127.0.0.1", "peers": [], "virtual_interface": "a b", "virtual_router_id": 999}
    assert judged([], **wrong) == ([], [])


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.100",
        "10.0.0.0/24",
        "10.0.0.255/24",
        "10.0.0.100/33",
        "10.0.0.100/255.255.255.0",
        "127.0.0.2/8",
        "169.254.1.1/16",
        "224.0.0.18/24",
        "fe80::1/64",
        "fe80::1%eth0/64",
        "llm.example.com/24",
        "10.0.0.100/24\n}",
        "",
        7,
        None,
    ],
)
def test_what_no_host_can_have_is_refused_with_an_example(address: Any) -> None:
    (problem,) = judged([address])[0]
    assert problem == (
        f"ollama_gateway_virtual_addresses: {address} must be an address that a host can have, with its network, "
        "such as 10.0.0.100/24 or fd00::100/64"
    )


@pytest.mark.parametrize(
    ("addresses", "bind", "reason"),
    [
        (["10.0.0.100/24", "10.0.0.100/24"], "0.0.0.0", "10.0.0.100/24 is there twice"),
        (["fd00:0::100/64"], "::", "fd00:0::100/64 must be written fd00::100/64"),
        (["10.0.0.100/24", "fd00::100/64"], "0.0.0.0", "all must be of IPv4 or all of IPv6"),
        (["10.0.0.1/24"], "0.0.0.0", "10.0.0.1 is where the gateway of a host is reached"),
    ],
)
def test_what_cannot_be_shared_is_said_with_its_reason(addresses: list[str], bind: str, reason: str) -> None:
    assert judged(addresses, bind=bind)[0][0].startswith(f"ollama_gateway_virtual_addresses: {reason}")


@pytest.mark.parametrize(
    ("addresses", "bind", "right"),
    [
        (["10.0.0.100/24"], "127.0.0.1", "it must be 0.0.0.0 or 10.0.0.100"),
        (["10.0.0.100/24"], "10.0.0.1", "it must be 0.0.0.0 or 10.0.0.100"),
        (["10.0.0.100/24"], "::", "it must be 0.0.0.0 or 10.0.0.100"),
        (["10.0.0.100/24", "10.0.0.101/24"], "10.0.0.100", "it must be 0.0.0.0"),
        (["fd00::100/64"], "0.0.0.0", "it must be :: or fd00::100"),
        (["fd00::100/64"], "fd00:0::100", "it must be written fd00::100, as in ollama_gateway_virtual_addresses"),
    ],
)
def test_a_gateway_that_does_not_listen_there_is_refused_with_what_would(
    addresses: list[str], bind: str, right: str
) -> None:
    (problem,) = judged(addresses, bind=bind)[0]
    assert problem.startswith("ollama_gateway_bind: ")
    assert problem.endswith(right)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("virtual_interface", "eth0 {"),
        ("virtual_interface", "a-name-that-is-too-long"),
        ("virtual_router_id", 256),
        ("virtual_router_id", -1),
        ("peers", ["10.0.0.1", "gate two"]),
        ("peers", ["10.0.0.1", "-x"]),
        ("peers", ["10.0.0.1", ""]),
    ],
)
def test_other_wrong_values_are_refused_by_their_variable(variable: str, value: Any) -> None:
    (problem,) = judged(["10.0.0.100/24"], **{variable: value})[0]
    assert problem.startswith(f"ollama_gateway_{variable}: ")


@pytest.mark.parametrize(
    ("peers", "who"), [([], "no gateway is"), (["10.0.0.1"], "only 10.0.0.1 is"), (["one", "one"], "only one is")]
)
def test_a_gateway_that_shares_with_nobody_is_warned_about(peers: list[str], who: str) -> None:
    problems, (warning,) = judged(["10.0.0.100/24"], peers=peers)
    assert problems == []
    assert f"{who} in ollama_gateway_peers, so that nobody takes an address over" in warning
