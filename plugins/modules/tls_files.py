# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tls_files
short_description: Check certificates and make of them what a gateway reads
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Reads a certificate with its private key, and the CAs and revocation lists of client certificates. All problems are
    reported in one message, one a line. Each begins with its variable, such as C(ollama_gateway_tls_certificate).
  - Refused is what nginx could not use and what clients would not trust, such as a key that does not belong to the
    certificate, an expired certificate, one without a needed name, an RSA key of less than 2048 bits, or SHA-1.
  - A chain in the wrong order is put right, and a root at its end is left out, with a warning.
  - Each O(client_ca) must lead to a root that is among them, and with O(client_crl) each must have a list that is in
    time, or nginx would refuse every client certificate.
  - Runs on the controller alone and changes nothing.
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
options:
  certificate:
    description: The certificate and its intermediates, as PEM or as a path on the controller. Needs O(private_key).
    type: str
    default: ""
  private_key:
    description:
      - The private key of O(certificate) without a passphrase, as PEM or as a path on the controller.
      - A file may be encrypted with ansible-vault, as may all others here.
    type: str
    default: ""
  names:
    description: DNS names and IP addresses that O(certificate) must be for.
    type: list
    elements: str
    default: []
  client_ca:
    description: CAs that sign client certificates, up to their roots, as PEM or as a path on the controller.
    type: str
    default: ""
  client_crl:
    description: A revocation list of each O(client_ca), as PEM or as a path on the controller.
    type: str
    default: ""
  required_days:
    description: Warn if a certificate expires in less days than that. Less than 30 days left are always a warning.
    type: int
    default: 0
  check_only:
    description:
      - V(true) leaves out RV(pem), so that nothing returned is a secret and the task needs no C(no_log).
      - C(no_log) hides the messages about what is wrong, so have such a task before the one that takes the secret.
    type: bool
    default: false
notes:
  - Needs the Python library cryptography 42 or newer on the controller.
  - A message never holds anything of a private key.
seealso:
  - module: gatehouse.ollama.check_input
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Check the certificate
  gatehouse.ollama.tls_files:
    certificate: "{{ ollama_gateway_tls_certificate }}"
    private_key: "{{ ollama_gateway_tls_private_key }}"
    names: "{{ ollama_gateway_server_names }}"
    client_ca: "{{ ollama_gateway_client_ca }}"
    client_crl: "{{ ollama_gateway_client_crl }}"
    check_only: true

- name: Read the certificate
  gatehouse.ollama.tls_files:
    certificate: "{{ ollama_gateway_tls_certificate }}"
    private_key: "{{ ollama_gateway_tls_private_key }}"
  register: files
  no_log: true
"""

RETURN = r"""
pem:
  description: The private key in PKCS 8, then the chain from the server's own certificate on. A secret.
  type: str
  returned: if a certificate was given and O(check_only) is V(false)
names:
  description: The given names, or those of the certificate.
  type: list
  elements: str
  returned: success
  sample: [gateway.example.org, 192.0.2.7]
not_after:
  description: When the certificate expires, in UTC. Empty without a certificate.
  type: str
  returned: success
  sample: "2027-01-01T00:00:00Z"
fingerprint:
  description: SHA-256 of the certificate. Empty without one.
  type: str
  returned: success
client_ca:
  description: The CAs of client certificates as PEM. Empty if none were given.
  type: str
  returned: success
client_crl:
  description: The revocation lists as PEM. Empty if none were given.
  type: str
  returned: success
"""
