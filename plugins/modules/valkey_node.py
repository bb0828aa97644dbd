#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: valkey_node
short_description: Ask the nodes of a cluster of Valkey who is the primary, and wait for one of them
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Asks over TLS, of nodes that have a certificate of O(ca).
options:
  state:
    description:
      - With V(asked) it says who is the primary. The sentinels are asked first, and where none answers the nodes. It is
        an error if that is none of O(nodes).
      - With V(synced) it waits until O(address) is the primary, or a replica that has all of its data.
    type: str
    choices: [asked, synced]
    required: true
  nodes:
    description: The addresses of all nodes.
    type: list
    elements: str
    required: true
  address:
    description: The node itself.
    type: str
    required: true
  quorum:
    description: With O(state=synced), whether its Sentinel has to reach enough others to replace a primary, too.
    type: bool
    default: false
  port:
    description: Port of Valkey.
    type: int
    required: true
  sentinel_port:
    description: Port of Sentinel, V(0) where there is none.
    type: int
    default: 0
  ca:
    description: Certificate of the CA, as PEM. Without one nobody can be asked, and nobody is known.
    type: str
    required: true
  user:
    description: By whom they are asked.
    type: str
    required: true
  password:
    description: The password of O(user).
    type: str
    default: ""
  timeout:
    description: Seconds to wait.
    type: int
    default: 60
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
attributes:
  check_mode:
    description: Asks the same, and does not wait.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Ask who is the primary
  gatehouse.ollama.valkey_node:
    state: asked
    nodes: [10.0.0.31, 10.0.0.32, 10.0.0.33]
    address: 10.0.0.31
    port: 6379
    sentinel_port: 26379
    ca: "{{ certificate.ca }}"
    user: sentinel
    password: "{{ kept.passwords.sentinel }}"
  register: found
"""

RETURN = r"""
primary:
  description: The address of the primary, empty where nobody knows one.
  type: str
  returned: with O(state=asked)
is_primary:
  description: Whether that is O(address).
  type: bool
  returned: with O(state=asked)
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._valkey.cluster import Cluster, primary, trouble

_PAUSE = 0.5


def wait(cluster: Cluster, address: str, quorum: bool, seconds: float) -> str:
    """What is still wrong with the node when the time is over, empty if nothing is."""
    ends = time.monotonic() + seconds
    while True:
        why = trouble(cluster, address, quorum)
        if not why or time.monotonic() > ends:
            return why
        time.sleep(_PAUSE)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            state=dict(type="str", choices=["asked", "synced"], required=True),
            nodes=dict(type="list", elements="str", required=True),
            address=dict(type="str", required=True),
            quorum=dict(type="bool", default=False),
            port=dict(type="int", required=True),
            sentinel_port=dict(type="int", default=0),
            ca=dict(type="str", required=True),
            user=dict(type="str", required=True),
            password=dict(type="str", default="", no_log=True),
            timeout=dict(type="int", default=60),
        ),
        supports_check_mode=True,
    )
    given: dict[str, t.Any] = module.params
    names = ("nodes", "port", "sentinel_port", "ca", "user", "password")
    cluster = Cluster(**{name: given[name] for name in names})
    if given["state"] == "synced":
        why = "" if module.check_mode else wait(cluster, given["address"], given["quorum"], given["timeout"])
        if why:
            where = "on the host, `docker logs gatehouse-state-valkey-1` says what it did last"
            module.fail_json(msg=f"{given['address']} is not in sync after {given['timeout']} seconds: {why}; {where}")
        module.exit_json(changed=False)
    try:
        found = primary(cluster) if given["ca"] else ""
    except GatehouseError as error:
        module.fail_json(msg=f"valkey_nodes: {error}. Nothing was changed.")
    module.exit_json(changed=False, primary=found, is_primary=found == given["address"])


if __name__ == "__main__":
    main()
