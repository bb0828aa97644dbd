#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: shared_address
short_description: Find out how a host can share addresses with others
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Finds the network interface for addresses that several hosts share, the address by which this host speaks with the
    others, and theirs.
  - Fails with a clear error where the host cannot have the addresses, or does not know one of the others.
options:
  addresses:
    description: The addresses that are shared, with their networks.
    type: list
    elements: str
    required: true
  interface:
    description: The interface that gets them. If left out or empty, the one with an address of the same network.
    type: str
    default: ""
  router_id:
    description: The number by which the hosts know each other. V(0) is one made of O(addresses).
    type: int
    default: 0
  peers:
    description: Addresses of all these hosts, or names that this one knows.
    type: list
    elements: str
    default: []
  shared_in:
    description: A file that names the addresses which the host shares already.
    type: path
    required: true
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Look where the shared address goes
  gatehouse.ollama.shared_address:
    addresses: [10.0.0.100/24]
    peers: [gate1.example.com, gate2.example.com]
    shared_in: /opt/gatehouse/gateway/address/keepalived.conf
  register: place
"""

RETURN = r"""
interface:
  description: The interface.
  type: str
  returned: success
source:
  description: The address by which the others know this host.
  type: str
  returned: success
peers:
  description: Addresses of the others.
  type: list
  elements: str
  returned: success
priority:
  description: Which of two hosts that can have the addresses comes first, the one with more.
  type: int
  returned: success
router_id:
  description: The number by which the hosts know each other.
  type: int
  returned: success
python:
  description: What runs a program in Python here.
  type: str
  returned: success
program:
  description: Where keepalived is, empty if it is not installed.
  type: str
  returned: success
family:
  description: The package manager, V(apt) or V(dnf).
  type: str
  returned: success
"""

import ipaddress
import os
import re
import socket
import sys

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._host.shared_address import (
    Address,
    Interface,
    NoPlace,
    place,
    read_own,
    router_id,
)


def look_up(peer: str, wanted: Interface) -> list[Address]:
    """The addresses of a host that it is known by, those of the network best of all; raises NoPlace."""
    family = socket.AF_INET if wanted.version == 4 else socket.AF_INET6
    try:
        found = {str(one[4][0]) for one in socket.getaddrinfo(peer, None, family, socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        found = set()
    addresses = [ipaddress.ip_address(one) for one in found if "%" not in one]
    if not addresses:
        raise NoPlace(
            f"ollama_gateway_peers: {peer} has no address of IPv{wanted.version} for this host. Name the "
            "gateways by addresses at which they reach each other."
        )
    near = [one for one in addresses if one in wanted.network]
    # A host's own name often means loopback.
    return near or [one for one in addresses if not one.is_loopback]


def shares(path: str, address: str) -> bool:
    """Whether the file names the address."""
    try:
        with open(path, encoding="utf-8") as f:
            return re.search(r"(?m)^\s*%s/" % re.escape(address), f.read()) is not None
    except OSError:
        return False


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            addresses=dict(type="list", elements="str", required=True),
            interface=dict(type="str", default=""),
            router_id=dict(type="int", default=0),
            peers=dict(type="list", elements="str", default=[]),
            shared_in=dict(type="path", required=True),
        ),
        supports_check_mode=True,
    )
    params = module.params
    shared = [ipaddress.ip_interface(one) for one in params["addresses"]]
    command = [module.get_bin_path("ip", True), "-json", "address", "show"]
    _rc, listed, _error = module.run_command(command, check_rc=True)
    try:
        peers = [address for peer in params["peers"] for address in look_up(peer, shared[0])]
        ours = {one.ip for one in shared if shares(params["shared_in"], str(one.ip))}
        own = [one for one in read_own(listed) if one.address.ip not in ours]
        found = place(shared, params["interface"], peers, own)
    except (GatehouseError, ValueError) as e:
        module.fail_json(msg=str(e))
    module.exit_json(
        changed=False,
        router_id=params["router_id"] or router_id(params["addresses"]),
        # Not that of one version, which goes with it.
        python="/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable,
        program=module.get_bin_path("keepalived", opt_dirs=["/usr/sbin"]) or "",
        family="apt" if os.path.exists("/usr/bin/apt-get") else "dnf",
        **found._asdict(),
    )


if __name__ == "__main__":
    main()
