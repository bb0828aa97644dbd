# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: validate_clients
short_description: Check the clients and variables of a gateway before anything changes
version_added: 0.1.0
description:
  - Checks what no single variable of the role C(gatehouse.ollama.ollama_gateway) tells, and reports all problems in one
    message, one a line. Each begins with its variable, such as C(ollama_gateway_clients[2] (bob)).
  - Checked are the clients themselves, whether the gateway accepts their credentials, whether it lacks one for a
    client, whether stored keys can be used, whether keys can be rotated and revoked as ordered, whether the controller
    can hash passwords, and whether credentials would travel unencrypted beyond the host.
  - Runs on the controller alone and changes nothing.
extends_documentation_fragment:
  - gatehouse.ollama.clients
  - gatehouse.ollama.clients.orders
options:
  auth:
    description: What the gateway accepts, as in O(gatehouse.ollama.ollama_gateway#role:main:ollama_gateway_auth).
    type: str
    choices: [basic, bearer, both]
    required: true
  engine:
    description: What checks the credentials.
    type: str
    choices: [nginx, openresty]
    default: openresty
  password_scheme:
    description: As O(gatehouse.ollama.htpasswd#module:scheme).
    type: str
    choices: [sha512_crypt, apr1, bcrypt]
    default: sha512_crypt
  secrets_dir:
    description: As O(gatehouse.ollama.api_keys#module:secrets_dir).
    type: path
  allow_weak_secrets:
    description: As O(gatehouse.ollama.api_keys#module:allow_weak_secrets).
    type: bool
    default: false
  client_certificates:
    description:
      - Whether clients may present certificates. With V(none) none has one, with V(any) one is enough, and with V(all)
        each client needs one beside a key or password.
    type: str
    choices: [none, any, all]
    default: none
  bind:
    description: Address that the gateway listens on.
    type: str
    default: 127.0.0.1
  allow_plaintext:
    description: V(true) allows an O(bind) beyond loopback without TLS.
    type: bool
    default: false
attributes:
  check_mode:
    description: Checks the same in check mode.
    support: full
  diff_mode:
    description: There is nothing to show, as nothing is changed.
    support: N/A
  idempotent:
    description: Changes nothing.
    support: full
seealso:
  - module: gatehouse.ollama.htpasswd
  - module: gatehouse.ollama.api_keys
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Check the variables before anything changes
  gatehouse.ollama.validate_clients:
    auth: "{{ ollama_gateway_auth }}"
    engine: openresty
    clients: "{{ ollama_gateway_clients }}"
    password_scheme: "{{ ollama_gateway_password_scheme }}"
    rotate: "{{ ollama_gateway_rotate_keys }}"
    revoke: "{{ ollama_gateway_revoke_keys }}"
    grace: "{{ ollama_gateway_rotate_grace }}"
    secrets_dir: "{{ ollama_gateway_secrets_dir }}"
    allow_weak_secrets: "{{ ollama_gateway_allow_weak_secrets }}"
    client_certificates: "{{ ollama_gateway_client_certificates if ollama_gateway_client_ca else 'none' }}"
    bind: "{{ ollama_gateway_bind }}"
    allow_plaintext: "{{ ollama_gateway_allow_plaintext }}"
"""

RETURN = r"""
# Returns nothing of its own.
"""
