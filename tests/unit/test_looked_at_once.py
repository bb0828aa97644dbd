# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that a play before found able to run a role is not looked at again, unless it may have changed since."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from tests.collection import ROOT

CPU, GPU = [{"accelerator": "cpu"}], [{"accelerator": "cpu"}, {"accelerator": "nvidia"}]
PORTS = [{"address": "127.0.0.1", "port": 8880, "variable": "ollama_gateway_port"}]
READY = {"engine": "ready", "ports": PORTS}


def known(role: str, file: str, **variables: Any) -> bool:
    path = ROOT / "roles" / role
    loader = DataLoader()
    values: dict[str, Any] = {}
    for part in ("defaults/main.yml", file):
        values |= loader.load_from_file(str(path / part), trusted_as_template=True)
    values |= variables
    name = f"__{role}_host_is_known"
    return bool(Templar(loader=loader, variables=values).template(values[name]))


@pytest.mark.parametrize(
    ("variables", "is_known"),
    [
        ({}, True),
        ({"__ollama_server_host": {"engine": "down"}}, False),
        # What depends on the network, the engine or a driver, any of which may have come or gone since.
        ({"ollama_server_egress": "none"}, False),
        ({"ollama_server_publish": "127.0.0.1:11434"}, False),
        ({"__ollama_server_plan": {"accelerators": GPU}}, False),
        # The role ran before in this run.
        ({"__ollama_server_compose": {"changed": False}}, False),
    ],
)
def test_a_host_of_a_server_is_looked_at_again_where_something_may_have_changed(
    variables: dict[str, Any], is_known: bool
) -> None:
    there = {"__ollama_server_host": READY, "__ollama_server_plan": {"accelerators": CPU}}
    assert known("ollama_server", "vars/main.yml", **{**there, **variables}) is is_known


@pytest.mark.parametrize(
    ("variables", "is_known"),
    [
        ({}, True),
        ({"__ollama_gateway_host": {"engine": "absent", "ports": PORTS}}, False),
        ({"ollama_gateway_port": 8881}, False),
        ({"ollama_gateway_bind": "0.0.0.0"}, False),
        ({"__ollama_gateway_compose": {"changed": False}}, False),
    ],
)
def test_a_host_of_a_gateway_is_looked_at_again_where_something_may_have_changed(
    variables: dict[str, Any], is_known: bool
) -> None:
    there = {
        "__ollama_gateway_host": READY,
        "__ollama_gateway_http_port": 0,
        "__ollama_gateway_binds_virtual": False,
        "ollama_gateway_state": "present",
    }
    assert known("ollama_gateway", "vars/main/main.yml", **{**there, **variables}) is is_known


@pytest.mark.parametrize("role", ["ollama_server", "ollama_gateway"])
def test_a_host_that_nobody_looked_at_is_looked_at(role: str) -> None:
    file = "vars/main.yml" if role == "ollama_server" else "vars/main/main.yml"
    plan = {"__ollama_server_plan": {"accelerators": CPU}, "__ollama_gateway_http_port": 0}
    plan["__ollama_gateway_binds_virtual"] = False
    assert not known(role, file, **plan)
