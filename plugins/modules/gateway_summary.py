# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_summary
short_description: Say where a gateway is, and how to send it a first request
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Prints lines for people to read, with one of curl to paste into a shell of the controller. It goes through
    C(ssh -L) where the gateway listens on loopback of another machine, and trusts the CA where there is one.
  - No secret is in it. A generated key is read from its file, and C(curl) asks for a password.
  - Runs on the controller alone and changes nothing.
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
options:
  clients:
    description:
      - The clients, in the form of O(gatehouse.ollama.ollama_gateway#role:main:ollama_gateway_clients).
    type: list
    elements: dict
    required: true
  auth:
    description: What is asked of clients, keys (V(bearer)), passwords (V(basic)) or either.
    type: str
    choices: [basic, bearer, both]
    required: true
  secrets_dir:
    description: The folder on the controller with the generated keys.
    type: path
    required: true
  scheme:
    description: How the gateway is spoken to.
    type: str
    choices: [http, https]
    required: true
  bind:
    description: The address at which it listens.
    type: str
    required: true
  port:
    description: The port at which it listens.
    type: int
    required: true
  shared:
    description: Whether it has an address together with other gateways, which is then its name.
    type: bool
    default: false
  names:
    description: All names by which it goes. Without any, it goes by every name.
    type: list
    elements: str
    default: []
  main_name:
    description: The name by which it is asked, unless it goes by that by which Ansible reaches the host.
    type: str
    required: true
  ca_file:
    description: The CA on the controller that clients have to trust, if there is one.
    type: str
    default: ''
  needs_certificate:
    description: Whether a client needs a certificate of its own.
    type: bool
    default: false
  page:
    description: Whether the gateway has a page for people.
    type: bool
    default: false
  image:
    description: The image of the gateway, with its digest.
    type: str
    default: ""
  connection:
    description: By what Ansible reaches the host.
    type: str
    default: ssh
  host:
    description: By which name or address Ansible reaches the host.
    type: str
    required: true
  user:
    description: As whom Ansible reaches the host.
    type: str
    default: ''
  ssh_port:
    description: The port of SSH, if it is another one than 22.
    type: str
    default: ''
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Say where the gateway is
  gatehouse.ollama.gateway_summary:
    clients: [{name: alice, keys: [{id: laptop}]}]
    auth: bearer
    secrets_dir: "{{ inventory_dir }}/.gatehouse/secrets"
    scheme: http
    bind: 127.0.0.1
    port: 8880
    main_name: 127.0.0.1
    host: "{{ ansible_host }}"
"""

RETURN = r"""
lines:
  description: What was printed.
  returned: success
  type: list
  elements: str
  sample:
    - "Gateway: http://127.0.0.1:8880"
    - "Clients: alice"
    - "Generated keys, on this controller: /home/me/my-hosts/.gatehouse/secrets/<client>.<key id>"
    - "To try it, from here:"
    - ssh -f -N -L 8880:127.0.0.1:8880 admin@llm.example.com
    - curl -i --oauth2-bearer $(cat /home/me/my-hosts/.gatehouse/secrets/alice.laptop) http://127.0.0.1:8880/api/version
"""
