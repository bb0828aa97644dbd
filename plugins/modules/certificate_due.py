#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_due
short_description: Look whether the CA on the controller has to sign a certificate for the host
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Looks at the private key and the certificate that the host has. A new one is due where one of them is missing or
    damaged, or they do not belong together, where it is not the CA of O(ca_file) that signed it, where the names are
    others than O(names), and where it ends soon.
  - A file that is there gets its owner, group and mode.
  - Fails where the CA has ended, and where a certificate is due and the CA has lost its key. It warns where the CA ends
    before a new certificate would. No other CA is made in its place, which nobody would trust.
options:
  path:
    description: File on the host with a private key and its certificate, as PEM.
    type: str
    required: true
  ca_file:
    description: The CA's certificate on the controller, C(ca.pem), with C(ca.key) beside it. It need not be there yet.
    type: path
    required: true
  names:
    description: The DNS names and IP addresses that the certificate is to be for.
    type: list
    elements: str
    required: true
  days:
    description: Days before its end from which a certificate is due.
    type: int
    required: true
  life:
    description: Days for which the CA signs a certificate.
    type: int
    required: true
  owner:
    description: User that owns the file.
    type: str
  group:
    description: Group of the file.
    type: str
  mode:
    description: Mode of the file.
    type: raw
    default: "0600"
attributes:
  check_mode:
    description: Says the same, and changes no owner and no mode.
    support: full
  diff_mode:
    description: Shows owner, group and mode, and nothing of what is in the file.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Look whether the host needs a certificate
  gatehouse.ollama.certificate_due:
    path: /opt/gatehouse/gateway/tls/server.pem
    ca_file: "{{ inventory_dir }}/.gatehouse/ca/ca.pem"
    names: [llm.example.com, 192.0.2.7]
    days: 30
    life: 397
  register: certificate
"""

RETURN = r"""
due:
  description: Whether a certificate has to be signed.
  type: bool
  returned: success
reason:
  description: Why it has to be, else empty.
  type: str
  returned: success
  sample: another CA signed the certificate there
has_ca:
  description: Whether there is a CA.
  type: bool
  returned: success
"""
