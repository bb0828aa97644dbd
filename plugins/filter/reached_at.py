# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: reached_at
short_description: Where hosts of the inventory are reached
version_added: 0.1.0
description:
  - For each of these hosts its C(ansible_host), and for one that has none its name.
positional: _input
options:
  _input:
    description: Names of hosts of the inventory.
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
- name: Show where the gateways are
  ansible.builtin.debug:
    msg: "{{ groups['ollama_gateways'] | gatehouse.ollama.reached_at(hostvars) }}"
"""

RETURN = r"""
_value:
  description: Addresses or names, in the order of the hosts.
  type: list
"""

import typing as t


def filtered(names: t.Iterable[str], hostvars: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    return [str(hostvars[name].get("ansible_host") or name) for name in names]


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., list[str]]]:
        return {"reached_at": filtered}
