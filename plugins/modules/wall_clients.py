#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: wall_clients
short_description: Make up short-lived clients for an attack on a gateway
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Makes up a client for each scope, one that may use some models only, one whose keys have expired, and one that is to
    be removed before the attack, with random secrets, and a folder for them. They are meant for a gateway that
    M(gatehouse.ollama.wall_gateway) runs.
  - What it returns holds secrets, so a task with it needs C(no_log).
extends_documentation_fragment:
  - ansible.builtin.files
options:
  path:
    description: The folder on the host that the files of these clients are to be in.
    type: path
    required: true
  auth:
    description: What the gateway accepts.
    type: str
    choices: [basic, bearer, both]
    required: true
  client_certificates:
    description:
      - Whether the gateway lets clients in with a certificate. With V(all) it lets nobody in without one, and none of
        these clients has one, so none of their credentials is valid.
    type: str
    choices: [none, any, all]
    default: none
  limits_models:
    description: Whether the gateway limits clients to lists of models, as OpenResty does. Then one of them has a list.
    type: bool
    default: true
  minutes:
    description: Minutes after which the keys expire. Passwords do not expire.
    type: int
    default: 15
attributes:
  check_mode:
    description: Makes up clients, and no folder.
    support: full
  diff_mode:
    description: There is nothing to show, as nothing is changed.
    support: N/A
  idempotent:
    description: Returns other secrets each time.
    support: none
seealso:
  - module: gatehouse.ollama.wall
  - module: gatehouse.ollama.wall_gateway
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Make up clients
  gatehouse.ollama.wall_clients:
    path: /run/gatehouse-gateway-wall
    mode: "0750"
    auth: bearer
  register: wall_clients
  no_log: true
"""

RETURN = r"""
clients:
  description: The clients, for M(gatehouse.ollama.api_keys), M(gatehouse.ollama.htpasswd) and
    M(gatehouse.ollama.client_rights).
  returned: success
  type: list
  elements: dict
kept:
  description: The same without the client that counts as revoked.
  returned: success
  type: list
  elements: dict
credentials:
  description: The credentials, for M(gatehouse.ollama.wall).
  returned: success
  type: list
  elements: dict
"""

import datetime
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.clients import make_up


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            path=dict(type="path", required=True),
            auth=dict(type="str", choices=["basic", "bearer", "both"], required=True),
            client_certificates=dict(type="str", choices=["none", "any", "all"], default="none"),
            limits_models=dict(type="bool", default=True),
            minutes=dict(type="int", default=15),
        ),
        add_file_common_args=True,
        supports_check_mode=True,
    )
    path = module.params["path"]
    changed = not os.path.isdir(path)
    try:
        if changed and not module.check_mode:
            os.mkdir(path, 0o700)
    except OSError as error:
        module.fail_json(msg="path: %s cannot be made: %s" % (path, error.strerror))
    if os.path.isdir(path):
        changed = module.set_fs_attributes_if_different(module.load_file_common_arguments(module.params), changed)
    now = datetime.datetime.now(datetime.timezone.utc)
    kinds = ["basic", "bearer"] if module.params["auth"] == "both" else [module.params["auth"]]
    life = datetime.timedelta(minutes=module.params["minutes"])
    options = module.params
    made = make_up(kinds, now, life, options["client_certificates"], options["limits_models"])
    module.exit_json(changed=changed, **made)


if __name__ == "__main__":
    main()
