#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: valkey_wall
short_description: Attack a node of Valkey and its Sentinel
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Tries the node without a password, with wrong ones, without TLS and with old versions of it. With the password of
    the gateways it tries commands of administrators and keys of others, and whether what gateways need is let in.
  - Fails with what got through. Nothing of it would have done harm. It names what is not there, or is not valid.
options:
  title:
    description: What is said of it.
    type: str
    required: true
  address:
    description: Address of the node.
    type: str
    required: true
  port:
    description: Port of Valkey.
    type: int
    required: true
  sentinel_port:
    description: Port of Sentinel, V(0) where there is none.
    type: int
    default: 0
  ca:
    description: Certificate of the CA, as PEM. The node has to have one of it.
    type: str
    required: true
  password:
    description: The password of the gateways, empty where it must not get.
    type: str
    default: ""
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
attributes:
  check_mode:
    description: Does the same, as nothing is changed.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Attack the node from the controller
  gatehouse.ollama.valkey_wall:
    title: "Attacked: the state on gate1, from the controller"
    address: 10.0.0.31
    port: 6379
    ca: "{{ certificate.ca }}"
    password: "{{ kept.passwords.password }}"
  delegate_to: localhost
"""

RETURN = r"""
table:
  description: What withstood, in lines. Where the node was not reached, that.
  type: list
  elements: str
  returned: success
"""

import time
import typing as t
from collections import Counter

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._valkey.attacks import KINDS, attacks, hole, other_ways
from ansible_collections.gatehouse.ollama.plugins.module_utils._valkey.resp import Unreachable


def is_reached(address: str, port: int) -> bool:
    try:
        other_ways(address, port, timeout=1.0)
    except Unreachable:
        return False
    return True


def attack(given: t.Mapping[str, t.Any]) -> tuple[t.Counter[str], list[str]]:
    """How many attacks of each kind there were, and a line for each that got through. Raises GatehouseError."""
    address: str = given["address"]
    counted: t.Counter[str] = Counter()
    holes: list[str] = []
    for port in filter(None, (given["port"], given["sentinel_port"])):
        for way, answer in other_ways(address, port):
            counted[KINDS[1]] += 1
            holes += [f"{way} at port {port}: {answer}"] if answer else []
    for one in attacks(given["port"], given["sentinel_port"], bool(given["password"])):
        counted[one.kind] += 1
        answer = hole(one, address, given["ca"], given["password"])
        holes += [f"{one.kind}: {one.text}: {answer}"] if answer else []
    return counted, holes


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            title=dict(type="str", required=True),
            address=dict(type="str", required=True),
            port=dict(type="int", required=True),
            sentinel_port=dict(type="int", default=0),
            ca=dict(type="str", required=True),
            password=dict(type="str", default="", no_log=True),
        ),
        supports_check_mode=True,
    )
    given, began = module.params, time.monotonic()
    if not is_reached(given["address"], given["port"]):
        module.exit_json(changed=False, table=[f"{given['title']}: not tried, for it is not reached from there"])
    try:
        counted, holes = attack(given)
    except GatehouseError as error:
        module.fail_json(msg=f"{given['title']}: it cannot be attacked to the end: {error}")
    if holes:
        module.fail_json(msg="\n".join([f"{given['title']}: these got through, or should have and did not:", *holes]))
    lines = [f"✓ {kind}: {counted[kind]}" for kind in KINDS if counted[kind]]
    seconds = time.monotonic() - began
    module.exit_json(
        changed=False, table=[given["title"], *lines, f"{sum(counted.values())} attacks in {seconds:.1f} s, no hole"]
    )


if __name__ == "__main__":
    main()
