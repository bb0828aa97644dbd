# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: htpasswd
short_description: Manage the users of a gateway with their passwords
version_added: 0.1.0
description:
  - Writes a file of user names and password hashes for HTTP Basic authentication, the whole list in one task.
  - Clients without a password have no entry. What a client has else, such as keys, is left to
    M(gatehouse.ollama.api_keys).
  - Passwords are hashed on the controller. A password that has not changed is not hashed again, unless O(scheme) or
    O(rounds) did change.
requirements:
  - libpass or passlib on the controller
  - for O(scheme=bcrypt) also bcrypt on the controller, and with passlib 1.7.4 one older than 5.0
extends_documentation_fragment:
  - gatehouse.ollama.clients
  - gatehouse.ollama.clients.file
options:
  scheme:
    description:
      - How passwords are hashed. nginx verifies the password anew for each request, so a stronger scheme costs more
        time on each.
      - V(apr1) is weak by today's standards, and of use only for readers that know nothing else.
      - Hashes of V(bcrypt) begin with C($2y$), which every libcrypt with bcrypt takes. A hash that is there with
        C($2a$) or C($2b$) counts as well.
    type: str
    choices: [sha512_crypt, apr1, bcrypt]
    default: sha512_crypt
  rounds:
    description:
      - Cost of the scheme. For V(sha512_crypt) from 1000 to 1000000, and 5000 if left out. For V(bcrypt) the logarithm
        from 4 to 16, and 10 if left out.
      - Not for V(apr1), which has a fixed number.
    type: int
notes:
  - V(sha512_crypt) is computed by the C library of the controller, crypt(3), if that gives the known answer of the
    scheme, and by libpass or passlib otherwise, which takes about four times as long. V(bcrypt) is computed by bcrypt.
    Both use all cores.
  - Every password is verified in every run, so the time of a run grows with the number of users and the cost of the
    scheme. A thousand users of V(sha512_crypt) with 5000 rounds take about a second on two cores, of V(bcrypt) with
    rounds 10 more than half a minute.
  - In check mode only the passwords that have a hash are verified, and nothing is hashed.
seealso:
  - module: gatehouse.ollama.api_keys
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Let in alice, and nobody else
  gatehouse.ollama.htpasswd:
    path: /opt/gatehouse/gateway/clients/htpasswd
    group: "60880"
    clients:
      - name: alice
        password: "{{ vault_alice }}"

- name: Add bob and remove carol in a file that others edit by hand
  gatehouse.ollama.htpasswd:
    path: /opt/gatehouse/gateway/clients/htpasswd
    purge: false
    scheme: bcrypt
    clients:
      - name: bob
        password: "{{ vault_bob }}"
      - name: carol
        state: absent
"""

RETURN = r"""
path:
  description: Path of the file.
  returned: success
  type: str
added:
  description: Clients that were not in the file.
  returned: success
  type: list
  elements: str
  sample: [alice]
updated:
  description: Clients whose password, scheme or rounds changed.
  returned: success
  type: list
  elements: str
  sample: []
removed:
  description: Users that are gone from the file.
  returned: success
  type: list
  elements: str
  sample: [carol]
unchanged:
  description: Clients whose entry stayed as it was.
  returned: success
  type: list
  elements: str
  sample: [bob]
"""
