# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where gateways find the doors of servers; the filter in an inventory of Ansible's own as well."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._doors import doors

BOUND = {"ollama_server_door_bind": "10.0.0.5"}


def found(variables: dict[str, Any]) -> list[tuple[str, str]]:
    """Of a host gpu1 with these variables."""
    return [(door["name"], door["address"]) for door in doors(["gpu1"], {"gpu1": variables})]


def filled_in(path: Path, inventory: str) -> Any:
    """What the filter makes of an inventory, with its templates filled in by Ansible."""
    path.write_text(inventory, encoding="utf-8")
    loader = DataLoader()
    manager = InventoryManager(loader, sources=[str(path)])
    variables = VariableManager(loader, manager)
    known = {"groups": manager.get_groups_dict(), "hostvars": HostVars(manager, variables, loader)}
    expression = "{{ groups['ollama_servers'] | gatehouse.ollama.doors(hostvars) }}"
    return Templar(loader=loader, variables=known).template(trust_as_template(expression))


def test_a_door_has_the_name_of_its_host_and_the_address_that_it_listens_at() -> None:
    assert doors(["gpu1"], {"gpu1": BOUND}) == [{"name": "gpu1", "address": "10.0.0.5:11443"}]


def test_a_host_without_a_door_or_whose_server_goes_is_left_out() -> None:
    assert found({}) == []
    assert found({"ollama_server_door_bind": ""}) == []
    assert found({**BOUND, "ollama_server_state": "absent"}) == []
    assert found({**BOUND, "ollama_server_state": "present"}) == [("gpu1", "10.0.0.5:11443")]


def test_the_doors_of_several_hosts_keep_the_order_of_the_inventory() -> None:
    hosts = ["gpu2", "gpu1"]
    known = {"gpu1": BOUND, "gpu2": {"ollama_server_door_bind": "10.0.0.6"}}
    assert [door["name"] for door in doors(hosts, known)] == hosts


def test_each_instance_has_a_name_and_a_port_of_its_own() -> None:
    several = [{"name": "a", "devices": ["0"]}, {"name": "b"}]
    expected = [("gpu1-a", "10.0.0.5:12000"), ("gpu1-b", "10.0.0.5:12001")]
    assert found({**BOUND, "ollama_server_instances": several, "ollama_server_door_port": 12000}) == expected
    # The second one must not change the name of the first.
    assert found({**BOUND, "ollama_server_instances": several[:1]}) == [("gpu1-a", "10.0.0.5:11443")]


@pytest.mark.parametrize(
    ("bind", "expected"), [("fd00::5", "[fd00::5]:11443"), ("::1", "[::1]:11443"), (" 10.0.0.5 ", "10.0.0.5:11443")]
)
def test_an_address_is_written_as_a_url_has_it(bind: str, expected: str) -> None:
    assert found({"ollama_server_door_bind": bind}) == [("gpu1", expected)]


@pytest.mark.parametrize("instances", ['[{"name": "a"}, {"name": "b"}]', "[{name: a}, {name: b}]"])
def test_values_may_be_text(instances: str) -> None:
    texts = {**BOUND, "ollama_server_door_port": "12000", "ollama_server_instances": instances}
    assert found(texts) == [("gpu1-a", "10.0.0.5:12000"), ("gpu1-b", "10.0.0.5:12001")]
    assert found({**BOUND, "ollama_server_instances": "[]"}) == [("gpu1", "10.0.0.5:11443")]
    assert found({**BOUND, "ollama_server_instances": ""}) == [("gpu1", "10.0.0.5:11443")]


@pytest.mark.parametrize("bind", ["0.0.0.0", "::"])
def test_a_door_at_all_addresses_is_found_where_ansible_finds_its_host(bind: str) -> None:
    everywhere = {"ollama_server_door_bind": bind}
    assert found({**everywhere, "ansible_host": "192.0.2.7"}) == [("gpu1", "192.0.2.7:11443")]
    assert found({**everywhere, "ansible_host": "fd00::7"}) == [("gpu1", "[fd00::7]:11443")]
    # A host may be called by its address.
    assert doors(["192.0.2.7"], {"192.0.2.7": everywhere})[0]["address"] == "192.0.2.7:11443"
    for name in ({"ansible_host": "gpu1.example.com"}, {}):
        with pytest.raises(ValueError, match="set one of the two to an IP address that they reach"):
            found({**everywhere, **name})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ollama_server_door_bind": "secret.example.com"}, "ollama_server_door_bind of gpu1 must be an IP address"),
        ({"ollama_server_door_bind": ["secret"]}, "ollama_server_door_bind of gpu1: it must be text"),
        ({**BOUND, "ollama_server_door_port": "secret"}, "ollama_server_door_port of gpu1: it must be a whole number"),
        ({**BOUND, "ollama_server_instances": "[secret"}, "ollama_server_instances of gpu1: it must be a list"),
        ({**BOUND, "ollama_server_instances": "secret"}, "ollama_server_instances of gpu1: each must be a dictionary"),
        ({**BOUND, "ollama_server_instances": [{"devices": "secret"}]}, "ollama_server_instances of gpu1: each must"),
    ],
)
def test_what_is_wrong_is_said_with_host_and_variable_and_without_its_value(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as e:
        found(wrong)
    assert "secret" not in str(e.value)


def test_two_doors_with_one_name_are_refused() -> None:
    known = {"gpu1": {**BOUND, "ollama_server_instances": [{"name": "a"}]}, "gpu1-a": BOUND}
    with pytest.raises(ValueError, match="two doors would be called gpu1-a"):
        doors(list(known), known)


def test_the_filter_fills_in_what_other_hosts_say_of_themselves(tmp_path: Path) -> None:
    inventory = """\
[ollama_servers]
gpu1 ansible_host=10.0.0.5
gpu2 ansible_host=10.0.0.6 ollama_server_instances='[{"name": "a"}, {"name": "b"}]' ollama_server_door_port=12000
gpu3 ansible_host=10.0.0.7 ollama_server_door_bind=
[ollama_servers:vars]
ollama_server_door_bind="{{ ansible_host }}"
"""
    assert [(door["name"], door["address"]) for door in filled_in(tmp_path / "hosts.ini", inventory)] == [
        ("gpu1", "10.0.0.5:11443"),
        ("gpu2-a", "10.0.0.6:12000"),
        ("gpu2-b", "10.0.0.6:12001"),
    ]


def test_what_the_filter_refuses_is_an_error_of_ansibles(tmp_path: Path) -> None:
    with pytest.raises(AnsibleError, match=re.escape("doors: ollama_server_door_bind of gpu1 must be an IP address")):
        filled_in(tmp_path / "hosts.ini", "[ollama_servers]\ngpu1 ollama_server_door_bind=gpu1.example.com\n")
