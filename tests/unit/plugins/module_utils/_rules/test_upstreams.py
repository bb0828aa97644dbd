# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that a gateway can never reach are refused, with what to write instead."""

from __future__ import annotations

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.upstreams import (
    hosts_file,
    names,
    problems,
    unknown,
)

HOSTS = hosts_file("127.0.0.1 localhost\n127.0.1.1 gate # this host\n192.0.2.7\tGPU-1 gpu-1.lan\n2001:db8::7 gpu-2\n")


@pytest.mark.parametrize(
    "upstream",
    [
        "ollama:11434",
        "my_ollama:11434",
        "gpu-2.example:80",
        "192.0.2.1:11434",
        "[2001:db8::1]:11434",
        "172.17.0.1:65535",
    ],
)
def test_a_container_a_name_in_dns_and_an_address_are_fine(upstream: str) -> None:
    assert problems([upstream]) == []


@pytest.mark.parametrize(
    "upstream",
    [
        *("localhost:11434", "LOCALHOST:11434", "localhost.:11434", "ip6-localhost:11434", "ollama.localhost:11434"),
        *("127.0.0.1:11434", "127.0.1.1:11434", "[::1]:11434", "0.0.0.0:11434", "[::]:11434"),
        *("host.docker.internal:11434", "gateway.docker.internal:11434", "Host.Docker.Internal.:11434"),
        "host-gateway:11434",
    ],
)
def test_a_name_that_only_a_hosts_file_has_is_refused_with_what_to_write(upstream: str) -> None:
    (problem,) = problems([upstream])
    assert problem.startswith("ollama_gateway_upstreams[0]: ")
    assert "192.0.2.10:11434" in problem
    assert "docker0" in problem
    assert "ollama_gateway_network" in problem


@pytest.mark.parametrize(
    "upstream", ["ollama", "ollama:0", "ollama:65536", "http://ollama:11434", "a b:1", "999.1.1.1:80", "[1:2]:80", 7]
)
def test_what_is_no_server_is_refused_with_its_place(upstream: object) -> None:
    (problem,) = problems(["ollama:11434", upstream])
    assert problem.startswith("ollama_gateway_upstreams[1]: ")


def test_no_server_at_all_is_refused() -> None:
    assert "at least one server" in problems([])[0]


def test_only_names_are_looked_up_and_each_once() -> None:
    assert names(["a:1", "192.0.2.1:1", "[::2]:1", "b:1", "a:2"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("gpu-1", "192.0.2.7:11434"),
        ("GPU-1.lan", "192.0.2.7:11434"),
        ("gpu-2", "[2001:db8::7]:11434"),
        ("gate", "192.0.2.10"),
    ],
)
def test_a_name_of_the_hosts_file_that_dns_lacks_is_refused_with_its_address(name: str, instead: str) -> None:
    is_for_good, text = unknown(name, [f"{name}:11434"], HOSTS)
    assert is_for_good
    assert "/etc/hosts" in text
    assert instead in text


def test_a_name_that_nobody_knows_yet_is_no_error() -> None:
    is_for_good, text = unknown("ollama-2", ["ollama-2:11434"], HOSTS)
    assert not is_for_good
    assert "ollama-2" in text
