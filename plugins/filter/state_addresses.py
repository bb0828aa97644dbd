# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: state_addresses
short_description: Find where gateways reach what they share
version_added: 0.1.0
description:
  - Makes C(ollama_gateway_valkey) from what the inventory says of the hosts on which the role
    C(gatehouse.ollama.valkey) runs. Of one host that is its C(valkey_port), of several the C(valkey_sentinel_port) of
    each.
  - A host with C(valkey_state=absent) is not in the list.
positional: _input
options:
  _input:
    description: Names of hosts of the inventory, such as C(groups['ollama_state']).
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts, C(hostvars).
    type: dict
    required: true
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Show where the gateways find what they share
  ansible.builtin.debug:
    msg: "{{ groups['ollama_state'] | gatehouse.ollama.state_addresses(hostvars) }}"
"""

RETURN = r"""
_value:
  description: Addresses with their ports, in the order of the hosts. An IPv6 address is in brackets.
  type: list
  elements: str
  sample: ["10.0.0.31:26379", "10.0.0.32:26379", "10.0.0.33:26379"]
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.gatehouse.ollama.plugins.filter.state_nodes import filtered as nodes
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.addresses import bracketed
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._spelling import as_list, read

PORTS = {"valkey_port": 6379, "valkey_sentinel_port": 26379}


def filtered(names: t.Any, hostvars: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    hosts = [name for name in as_list(names) if nodes([name], hostvars)]
    variable = "valkey_port" if len(hosts) == 1 else "valkey_sentinel_port"
    found = []
    for name in hosts:
        try:
            port = read(hostvars[name].get(variable, PORTS[variable]), "int")
        except ValueError as error:
            raise AnsibleFilterError("state_addresses: %s of %s: %s" % (variable, name, error)) from None
        found.append("%s:%d" % (bracketed(nodes([name], hostvars)[0]), port))
    return found


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., list[str]]]:
        return {"state_addresses": filtered}
