# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: state_nodes
short_description: Find the nodes that keep what gateways share
version_added: 0.1.0
description:
  - For each of these hosts C(valkey_bind), or C(ansible_host), or its name, whichever the inventory has first.
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
- name: Show where the state is kept
  ansible.builtin.debug:
    msg: "{{ groups['ollama_state'] | gatehouse.ollama.state_nodes(hostvars) }}"
"""

RETURN = r"""
_value:
  description: Addresses, in the order of the hosts.
  type: list
  elements: str
  sample: [10.0.0.31, 10.0.0.32, 10.0.0.33]
"""

import typing as t


def filtered(names: t.Iterable[str], hostvars: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    hosts = [(name, hostvars[name]) for name in names]
    there = [(name, known) for name, known in hosts if str(known.get("valkey_state", "")) != "absent"]
    return [str(known.get("valkey_bind") or known.get("ansible_host") or name) for name, known in there]


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., list[str]]]:
        return {"state_nodes": filtered}
