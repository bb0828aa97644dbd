# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: doors
short_description: Find the doors of the servers in an inventory
version_added: 0.1.0
description:
  - Makes the list of servers that a gateway chooses from, C(ollama_gateway_doors), from what the inventory says of
    their hosts, so that a host more or less is one line.
  - A host without C(ollama_server_door_bind) has no door, and one with C(ollama_server_state=absent) no longer has one.
    Neither is in the list.
  - Variables may be text, as C(-e) and INI inventories give them.
positional: _input
options:
  _input:
    description: Names of hosts, such as C(groups['ollama_servers']).
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts, C(hostvars).
    type: dict
    required: true
notes:
  - Where C(ollama_server_door_bind) is V(0.0.0.0) or V(::), the address is C(ansible_host), which must be an IP address
    then.
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Show where the gateways find the servers
  ansible.builtin.debug:
    msg: "{{ groups['ollama_servers'] | gatehouse.ollama.doors(hostvars) }}"
"""

RETURN = r"""
_value:
  description:
    - Each door with its C(name) and C(address). The name is the host's, or C(<host>-<instance>) for each of
      C(ollama_server_instances). The address has a port, C(ollama_server_door_port) and one more for each instance
      after the first; an IPv6 address is in brackets.
  type: list
  elements: dict
  sample: [{"name": "gpu1", "address": "10.0.0.5:11443"}, {"name": "gpu2-a", "address": "[fd00::6]:11443"}]
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._doors import Variables, doors
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._spelling import as_list


def filtered(hosts: t.Any, hostvars: t.Mapping[str, Variables]) -> list[dict[str, str]]:
    try:
        return doors(as_list(hosts), hostvars)
    except ValueError as error:
        raise AnsibleFilterError("doors: %s" % error) from None


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"doors": filtered}
