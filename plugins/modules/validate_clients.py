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
    can hash passwords, whether credentials would travel unencrypted beyond the host, whether the servers can be
    found, whether the largest body fits into memory, and whether the variables of TLS go together. What is in
    certificates is judged by M(gatehouse.ollama.tls_files).
  - Runs on the controller alone and changes nothing.
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
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
  bind:
    description: Address that the gateway listens on.
    type: str
    default: 127.0.0.1
  allow_plaintext:
    description: V(true) allows an O(bind) beyond loopback without TLS.
    type: bool
    default: false
  upstreams:
    description: The servers as C(host:port). Those that the gateway can never reach are problems.
    type: list
    elements: str
  max_body_size:
    description: Size of the largest body, in bytes or with the suffix C(k), C(m) or C(g).
    type: str
    default: 64m
  memory_limit:
    description: Memory of the gateway's container, such as V(512m). Empty is no limit.
    type: str
    default: ""
  tls:
    description: V(off), V(self_signed), V(provided) or V(acme). V(false) is V(off), as which YAML reads it.
    type: raw
    default: "off"
  server_names:
    description: DNS names and IP addresses by which clients reach the gateway.
    type: list
    elements: str
    default: []
  port:
    description: Port that the gateway listens on.
    type: int
    default: 8880
  http_port:
    description: Port of plain HTTP that leads to HTTPS and proves the names to an ACME server. V(0) is none.
    type: int
    default: 0
  hsts:
    description: Seconds for which browsers shall take nothing but HTTPS. V(0) says nothing to them.
    type: int
    default: 0
  http3:
    description: Whether HTTP/3 is spoken.
    type: bool
    default: false
  tls_certificate:
    description: As O(gatehouse.ollama.tls_files#module:certificate). Looked at is whether it was given.
    type: str
    default: ""
  tls_private_key:
    description: As O(gatehouse.ollama.tls_files#module:private_key). Looked at is whether it was given.
    type: str
    default: ""
  acme_terms_agreed:
    description: Whether you agree to the terms of the ACME server.
    type: bool
    default: false
  acme_eab_key_id:
    description: What the ACME server knows your account by, with O(acme_eab_hmac_key).
    type: str
    default: ""
  acme_eab_hmac_key:
    description: Key that binds the account, in base64url.
    type: str
    default: ""
  client_ca:
    description: As O(gatehouse.ollama.tls_files#module:client_ca). Looked at is whether it was given.
    type: str
    default: ""
  client_crl:
    description: As O(gatehouse.ollama.tls_files#module:client_crl). Looked at is whether it was given.
    type: str
    default: ""
  client_certificates:
    description: Whether a client certificate is one way to be known, or needed beside a key or password.
    type: str
    choices: [any, all]
    default: any
seealso:
  - module: gatehouse.ollama.htpasswd
  - module: gatehouse.ollama.api_keys
  - module: gatehouse.ollama.tls_files
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
    bind: "{{ ollama_gateway_bind }}"
    allow_plaintext: "{{ ollama_gateway_allow_plaintext }}"
    upstreams: "{{ ollama_gateway_upstreams }}"
    tls: "{{ ollama_gateway_tls }}"
    server_names: "{{ ollama_gateway_server_names }}"
    port: "{{ ollama_gateway_port }}"
    http_port: "{{ ollama_gateway_http_port }}"
    hsts: "{{ ollama_gateway_hsts }}"
    http3: "{{ ollama_gateway_http3 }}"
    tls_certificate: "{{ ollama_gateway_tls_certificate }}"
    tls_private_key: "{{ ollama_gateway_tls_private_key }}"
    acme_terms_agreed: "{{ ollama_gateway_acme_terms_agreed }}"
    acme_eab_key_id: "{{ ollama_gateway_acme_eab_key_id }}"
    acme_eab_hmac_key: "{{ ollama_gateway_acme_eab_hmac_key }}"
    client_ca: "{{ ollama_gateway_client_ca }}"
    client_crl: "{{ ollama_gateway_client_crl }}"
    client_certificates: "{{ ollama_gateway_client_certificates }}"
"""

RETURN = r"""
# Returns nothing of its own.
"""
