#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: signed_certificate
short_description: Have a CA on the controller sign a certificate for the host
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Sees to a file on the host with a private key and a certificate of it. A new certificate is signed where one of them
    is missing or damaged, or they do not belong together, where another CA signed it, where it is for somebody else or
    for another use, and where it ends soon. A private key of the host stays; the controller has it in memory only.
  - The CA is made where there is none, by the first of several hosts. Its key is of the curve secp384r1, with mode 0600
    in a folder of mode 0700. Beside a folder in one that is called C(.gatehouse) comes a C(.gitignore).
  - Fails where the CA has ended, where its certificate is damaged, and where one has to be signed and the CA has lost
    its key. It warns where the CA ends before a new certificate would. No other CA is made in its place, which nobody
    would trust.
  - No key is in what the task returns or shows.
options:
  path:
    description:
      - Absolute path of the file on the host, the key first, then the certificate, as PEM. Its folder must exist, but
        not in check mode.
    type: str
    required: true
  ca_dir:
    description: Folder on the controller with C(ca.pem) and C(ca.key).
    type: path
    required: true
  ca_name:
    description: Common name of a CA that is made.
    type: str
    required: true
  common_name:
    description: Common name of the certificate, of 1 to 64 characters.
    type: str
    required: true
  names:
    description: The DNS names and IP addresses that the certificate is for.
    type: list
    elements: str
    default: []
  usage:
    description: Whether it is that of a server or that of a client.
    type: str
    choices: [server, client]
    required: true
  days:
    description: Days before its end from which another one is signed.
    type: int
    default: 30
  life:
    description: Days for which one is signed.
    type: int
    default: 397
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
    description: Says whether one would be signed, and changes nothing, neither on the host nor on the controller.
    support: full
  diff_mode:
    description: Shows why one is signed and for whom, and nothing of the key.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Have a certificate for the gateway, by which servers know it
  gatehouse.ollama.signed_certificate:
    path: /opt/gatehouse/gateway/tls/door.pem
    ca_dir: "{{ inventory_dir }}/.gatehouse/door_ca"
    ca_name: Gatehouse door CA
    common_name: "{{ inventory_hostname }}"
    usage: client
    owner: "60880"
    group: "60880"
  register: certificate
"""

RETURN = r"""
reason:
  description: Why a certificate is signed, else empty.
  type: str
  returned: success
  sample: another CA signed the certificate there
ca:
  description: The certificate of the CA as PEM; empty in check mode where there is none yet.
  type: str
  returned: success
"""
