#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: client_rights
short_description: Manage what the clients of a gateway may do
version_added: 0.1.0
description:
  - Writes a JSON file of the clients with their scopes, models and limits, the whole list in one task.
    O(clients[].owner), O(clients[].comment) and O(clients[].keys[].comment) stand there too, where they are given.
  - The gateway reads it again when it changed, and goes on with the last good state where it is damaged. A client that
    is not in it may do nothing. With O(purge=false), where people add lines to the files of passwords and keys by hand,
    such a client has the scopes that a client has by default.
extends_documentation_fragment:
  - gatehouse.ollama.clients
  - gatehouse.ollama.clients.file
options:
  default_limits:
    description:
      - The limits of each client that does not say otherwise, in the form of O(clients[].limits). A limit of the
        client takes the place of the one here by its name, and is lifted by null.
      - They are also those of clients that are not in the file, and of keys in plain text.
    type: dict
    default: {}
  engine:
    description:
      - What reads the file. V(nginx) is plain nginx, which reads RV(files) in its place, and cannot keep to a list of
        models or to limits. With O(purge=false), clients with such may stay from the time of another engine; a warning
        names them.
    type: str
    choices: [nginx, openresty]
    default: openresty
seealso:
  - module: gatehouse.ollama.folder_files
  - module: gatehouse.ollama.api_keys
  - module: gatehouse.ollama.htpasswd
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Let alice use models and list them, and bob pull and delete them too
  gatehouse.ollama.client_rights:
    path: /opt/gatehouse/gateway/clients/clients.json
    group: "60880"
    clients:
      - name: alice
        owner: alice@example.com
        comment: pilot group
      - name: bob
        scopes: [inference, models_read, models_write]
        limits:
          tokens_per_day: 5000000
          concurrent_requests: null
    default_limits:
      concurrent_requests: 4
      tokens_per_day: 1000000
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
  sample: [bob]
updated:
  description: Clients whose scopes, models, limits or comments changed.
  returned: success
  type: list
  elements: str
  sample: []
removed:
  description: Clients that are gone from the file.
  returned: success
  type: list
  elements: str
  sample: []
unchanged:
  description: Clients whose entry stayed as it was.
  returned: success
  type: list
  elements: str
  sample: [alice]
files:
  description:
    - An empty file scope/client for each thing that a client may do, for M(gatehouse.ollama.folder_files).
    - nginx without Lua cannot read a list of clients at run time, but it can look whether a file is there. So a change
      counts on the very next request, without a reload.
    - A client that may use some models only has none but that in C(named), and so may do nothing there.
  returned: success
  type: dict
  sample:
    any/alice: ""
    inference/alice: ""
    models_read/alice: ""
"""
