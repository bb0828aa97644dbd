# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What shared addresses make of the variables and files of the role, and that without any all is as ever."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.gatehouse.ollama.plugins.filter.reached_at import filtered

from tests.component import rendering

SHARED: dict[str, Any] = {"ollama_gateway_virtual_addresses": ["10.0.0.100/24"], "ollama_gateway_bind": "0.0.0.0"}
HOST = {"inventory_hostname": "gate1", "ansible_host": "10.0.0.1", "ansible_facts": {}}
SIGNED: dict[str, Any] = {"ollama_gateway_tls": "self_signed", **HOST}
PLACE = {
    "interface": "eth0",
    "source": "10.0.0.1",
    "peers": ["10.0.0.2", "10.0.0.3"],
    "priority": 254,
    "router_id": 7,
    "python": "/usr/bin/python3",
    "program": "",
}


def names(**variables: Any) -> tuple[list[str], str]:
    """By which names the gateway goes, and the one that people are told."""
    found: list[str] = rendering.value("__ollama_gateway_names", **variables)
    return found, str(rendering.value("__ollama_gateway_main_name", **variables))


def published(**variables: Any) -> list[str]:
    """The ports of the pod."""
    image: dict[str, Any] = {"__ollama_gateway_running": {}, "__ollama_gateway_image_result": {"ids": ["sha256:0"]}}
    text = rendering.render("compose.yaml.j2", **image, ansible_managed="x", **variables)
    ports: list[str] = yaml.safe_load(text)["services"]["pod"]["ports"]
    return ports


def test_a_host_is_reached_at_its_ansible_host_or_by_its_name() -> None:
    hosts = {"gate1": {"ansible_host": "10.0.0.1"}, "gate2": {}}
    assert filtered(["gate2", "gate1"], hosts) == ["gate2", "10.0.0.1"]


def test_a_shared_address_is_the_first_name_of_a_certificate_of_the_host() -> None:
    found, first = names(**SIGNED, **SHARED)
    assert (found[0], first) == ("10.0.0.100", "10.0.0.100")
    assert {"gate1", "10.0.0.1", "127.0.0.1"} <= set(found)


def test_names_that_were_given_stay_first_and_the_shared_address_is_let_in() -> None:
    for tls in ("self_signed", "off"):
        given = {**HOST, "ollama_gateway_tls": tls, "ollama_gateway_server_names": ["llm.example.com"]}
        assert names(**given, **SHARED) == (["llm.example.com", "10.0.0.100"], "llm.example.com")
        assert names(**given) == (["llm.example.com"], "llm.example.com")


def test_a_certificate_of_somebody_else_has_its_own_names() -> None:
    for tls in ("provided", "acme"):
        given = {**HOST, "ollama_gateway_tls": tls, "ollama_gateway_server_names": ["llm.example.com"]}
        assert names(**given, **SHARED) == (["llm.example.com"], "llm.example.com")


def test_a_gateway_that_answers_to_all_names_goes_on_to_and_is_known_by_the_shared_address() -> None:
    assert names(**HOST, **SHARED) == ([], "10.0.0.100")
    assert names(**HOST, ollama_gateway_bind="0.0.0.0") == ([], "gate1")


@pytest.mark.parametrize(
    ("bind", "addresses", "ports", "asked"),
    [
        ("127.0.0.1", [], ["127.0.0.1:8880:8080"], "127.0.0.1"),
        ("10.0.0.1", [], ["10.0.0.1:8880:8080"], "10.0.0.1"),
        ("0.0.0.0", ["10.0.0.100/24"], ["0.0.0.0:8880:8080"], "127.0.0.1"),
        ("10.0.0.100", ["10.0.0.100/24"], ["10.0.0.100:8880:8080", "127.0.0.1:8880:8080"], "127.0.0.1"),
        ("fd00::100", ["fd00::100/64"], ["[fd00::100]:8880:8080", "127.0.0.1:8880:8080"], "127.0.0.1"),
        ("::", ["fd00::100/64"], ["[::]:8880:8080"], "::1"),
    ],
)
def test_a_gateway_can_always_be_asked_by_its_own_host(
    bind: str, addresses: list[str], ports: list[str], asked: str
) -> None:
    variables: dict[str, Any] = {"ollama_gateway_bind": bind, "ollama_gateway_virtual_addresses": addresses}
    assert published(**variables) == ports
    assert rendering.value("__ollama_gateway_local_address", **variables) == asked
    listening = rendering.value("__ollama_gateway_ports", **variables)
    assert [one["address"] for one in listening] == [one.rpartition(":8880:")[0].strip("[]") for one in ports]


def test_keepalived_speaks_with_the_peers_alone_and_never_takes_an_address_back() -> None:
    text = rendering.render("keepalived.conf.j2", __ollama_gateway_address=PLACE, **SHARED)
    lines = [line.strip() for line in text.splitlines()]
    for line in ("state BACKUP", "nopreempt", "interface eth0", "virtual_router_id 7", "unicast_src_ip 10.0.0.1"):
        assert line in lines
    assert lines[lines.index("unicast_peer {") + 1 :][:3] == ["10.0.0.2", "10.0.0.3", "}"]
    assert lines[lines.index("virtual_ipaddress {") + 1] == "10.0.0.100/24"
    alone = rendering.render("keepalived.conf.j2", __ollama_gateway_address={**PLACE, "peers": []}, **SHARED)
    assert "unicast_peer" not in alone


@pytest.mark.parametrize(
    ("variables", "speaks"),
    [({}, "http"), (SIGNED, "https"), ({"ollama_gateway_proxy_protocol": True, **SIGNED}, "https+proxy")],
)
def test_the_service_asks_as_the_gateway_speaks(variables: dict[str, Any], speaks: str) -> None:
    known: dict[str, Any] = {"__ollama_gateway_address": PLACE, "ansible_managed": "x", **SHARED, **variables}
    text = rendering.render("gatehouse-gateway-address.service.j2", **known)
    (start,) = (line for line in text.splitlines() if line.startswith("ExecStart="))
    assert (
        f"/address/shared_address.py 127.0.0.1 8880 {speaks} /run/gatehouse-gateway-address/gateway /usr/sbin/" in start
    )


def test_challenges_are_passed_on_where_several_gateways_may_be_asked() -> None:
    peers = ["10.0.0.1", "fd00::2", "gate3"]
    text = rendering.render("tls.conf.j2", **SIGNED, ollama_gateway_http_port=80, ollama_gateway_peers=peers)
    assert [line.split()[1] for line in text.splitlines() if " resolve " in line] == [
        "10.0.0.1:80",
        "[fd00::2]:80",
        "gate3:80",
    ]
    for others in ({"ollama_gateway_peers": ["gate1"]}, {"ollama_gateway_tls": "provided"}):
        variables: dict[str, Any] = {**SIGNED, "ollama_gateway_http_port": 80, "ollama_gateway_peers": peers, **others}
        assert "@gateways" not in rendering.render("tls.conf.j2", **variables)
