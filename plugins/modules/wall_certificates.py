#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wall_certificates
short_description: Make certificates to try the doors of servers with
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Makes certificates of clients on the controller, each with a key of its own, that nobody keeps. Those that no door
    may take are of a foreign CA, of another CA by the name of the right one, and of the right one, but expired, for
    servers, for the names of no gateway, or signed by a certificate that is no CA's.
  - The one that doors take for a gateway's is good for ten minutes, and for the controller alone. The key of the CA
    stays there too.
  - Where the controller has no CA, or not its key, there are fewer.
options:
  ca_dir:
    description: Folder on the controller with the C(ca.pem) and the C(ca.key) of the doors' CA.
    type: path
    required: true
  gateways:
    description: The names whose certificates the doors take.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Makes them just the same, as nothing is changed.
    support: full
  diff_mode:
    description: There is nothing to show, as nothing is changed.
    support: N/A
  idempotent:
    description: Changes nothing. It makes others each time.
    support: full
seealso:
  - module: gatehouse.ollama.wall
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Make certificates to try a door with
  gatehouse.ollama.wall_certificates:
    ca_dir: "{{ inventory_dir }}/.gatehouse/door_ca"
    gateways: [gate1, gate2]
  register: made

- name: Try the door of a server from a neighbour
  gatehouse.ollama.wall:
    doors: [192.0.2.10]
    door_ports: [11443]
    door_certificates: "{{ made.worthless }}"
  delegate_to: neighbour

- name: Try it from the controller, also whether it lets gateways in
  gatehouse.ollama.wall:
    doors: [192.0.2.10]
    door_ports: [11443]
    door_certificates: "{{ made.worthless + made.valid }}"
    door_ca: "{{ made.ca }}"
  delegate_to: localhost
"""

RETURN = r"""
worthless:
  description: Those that no door may take, for the option C(door_certificates) of M(gatehouse.ollama.wall).
  returned: success. Ansible does not print this result
  type: list
  elements: dict
valid:
  description: One that doors take for a gateway's, in the same form; none where it cannot be made.
  returned: success
  type: list
  elements: dict
ca:
  description: The certificate of the doors' CA, empty where there is none.
  returned: success
  type: str
missing:
  description: What was not made for want of the CA or its key, in words; empty where all was.
  returned: success
  type: str
"""
