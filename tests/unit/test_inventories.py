# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventories to copy, as Ansible reads them."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from tests.collection import ROOT, make_known

# And what may be said of all hosts at once, of how Ansible gets there.
TO_COPY: dict[str, set[str]] = {"single_host": set(), "cluster": {"ansible_user"}}

make_known()


def variable(host: str, name: str) -> Any:
    """A variable of a host of the cluster, filled in as its plays have it."""
    loader = DataLoader()
    manager = InventoryManager(loader, sources=[str(ROOT / "inventories" / "cluster")])
    variables = VariableManager(loader, manager)
    HostVars(manager, variables, loader)
    known = variables.get_vars(host=manager.get_host(host))
    return Templar(loader=loader, variables=known).template(trust_as_template("{{ " + name + " }}"))


def text_of(name: str) -> str:
    return (ROOT / "inventories" / name / "hosts.yml").read_text(encoding="utf-8")


def read(name: str) -> dict[str, Any]:
    everything: dict[str, Any] = yaml.safe_load(text_of(name))["all"]
    return everything


@pytest.mark.parametrize("name", TO_COPY)
def test_an_inventory_to_copy_says_of_each_host_where_it_is(name: str) -> None:
    """Of the host, and not of all: a second host would be taken for the first."""
    everything = read(name)
    assert [host for host, own in everything["hosts"].items() if "ansible_host" not in own] == []
    assert {name for name in everything["vars"] if name.startswith("ansible_")} == TO_COPY[name]


@pytest.mark.parametrize("name", TO_COPY)
def test_an_inventory_to_copy_shows_a_vault(name: str) -> None:
    assert "ansible-vault create" in text_of(name)


@pytest.mark.parametrize("name", TO_COPY)
def test_what_has_to_be_set_stands_above_a_line(name: str) -> None:
    above, line, below = text_of(name).partition("    # ----")
    assert line
    for variable in ("ansible_host", "ansible_user", "ollama_gateway_clients", "ollama_server_models"):
        assert re.search(rf"^ +{variable}:", above, re.MULTILINE)
        assert not re.search(rf"^ +{variable}:", below, re.MULTILINE)


def test_all_hosts_of_the_cluster_are_in_a_group_of_ours() -> None:
    everything = read("cluster")
    groups = everything["children"]
    grouped = [host for name in ("ollama_servers", "ollama_gateways") for host in groups[name]["hosts"]]
    assert sorted(grouped) == sorted(everything["hosts"])
    assert set(groups) == {"ollama_servers", "ollama_gateways", "ollama_state"}


def test_what_gateways_share_is_kept_by_three_hosts_of_the_cluster_at_their_own_addresses() -> None:
    nodes = variable("gpu3", "groups['ollama_state'] | gatehouse.ollama.state_nodes(hostvars)")
    assert nodes == [variable(host, "valkey_bind") for host in read("cluster")["children"]["ollama_state"]["hosts"]]
    assert len({ipaddress.ip_address(node) for node in nodes}) == 3


@pytest.mark.parametrize("gateway", ["gate1", "gate2"])
def test_each_gateway_of_the_cluster_knows_the_door_of_each_server(gateway: str) -> None:
    doors = variable(gateway, "ollama_gateway_doors")
    addresses = {host: variable(host, "ollama_server_door_bind") for host in ("gpu1", "gpu2", "gpu3")}
    assert {door["name"]: door["address"] for door in doors} == {
        host: f"{address}:11443" for host, address in addresses.items()
    }
    assert len({ipaddress.ip_address(address) for address in addresses.values()}) == 3
