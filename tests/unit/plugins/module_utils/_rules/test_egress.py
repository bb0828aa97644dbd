# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.egress import egress_problems

SOUND: dict[str, Any] = {
    "egress": "registry",
    "egress_hosts": ["registry.ollama.ai"],
    "egress_image": "docker.io/openresty/openresty:1.31.1.1-bookworm",
    "publish": "",
}


def problems(environment: dict[str, str] | None = None, **changes: Any) -> list[str]:
    return egress_problems({**SOUND, **changes}, [environment or {}])


@pytest.mark.parametrize("egress", ["any", "registry", "none"])
def test_each_choice_is_taken(egress: str) -> None:
    assert problems(egress=egress) == []


@pytest.mark.parametrize(
    "host",
    [
        *("https://registry.ollama.ai", "registry.ollama.ai:443", "registry.ollama.ai/v2", "*.ollama.ai", "10.0.0.1"),
        *("Registry.ollama.ai", "registry ollama", "registry.ollama.ai;", "a..b", "-a.example", "a" * 64 + ".example"),
        *("", 7, "{{ host }}", 'a" b;', "registry.ollama.ai\n"),
    ],
    ids=repr,
)
def test_what_is_no_host_name_is_refused_by_its_place(host: object) -> None:
    (problem,) = problems(egress_hosts=["registry.ollama.ai", host])
    assert problem.startswith("ollama_server_egress_hosts[1]: it must be a host name")


def test_a_list_of_hosts_is_needed() -> None:
    assert problems(egress_hosts=[]) == [
        "ollama_server_egress_hosts: it must be a list of host names, such as [registry.ollama.ai]"
    ]


def test_an_image_without_a_pinned_tag_is_refused() -> None:
    (problem,) = problems(egress_image="docker.io/openresty/openresty:latest")
    assert "ollama_server_egress_image" in problem


@pytest.mark.parametrize("egress", ["registry", "none"])
def test_a_published_port_needs_the_network_that_leads_out(egress: str) -> None:
    (problem,) = problems(egress=egress, publish="127.0.0.1:11434")
    assert problem.startswith("ollama_server_publish: it needs ollama_server_egress any")
    assert problems(egress="any", publish="127.0.0.1:11434") == []


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY"])
def test_a_proxy_contradicts_it(name: str) -> None:
    (problem,) = problems({name: "http://user:password@proxy.example:3128"})
    assert name in problem
    assert "password" not in problem
    assert problems({name: "http://proxy.example:3128"}, egress="any") == []
