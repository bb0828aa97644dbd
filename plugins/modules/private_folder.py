# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: private_folder
short_description: Take care of a folder with secrets on the controller
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Refuses a folder that Ansible reads as a part of the inventory, for each file in it would become a host whose name
    is a key. Names that begin with a dot are never read.
  - Moves the folders C(secrets) and C(ca) beside the inventory, where they once were, to C(.gatehouse) there, if
    O(path) is that and if the files are those of this collection.
  - Refuses a folder of the CA that belongs to, or can be changed by, somebody else, and a key of the CA that others can
    read. The folder of the keys is judged so by whatever reads it.
  - Runs on the controller alone.
attributes:
  check_mode:
    description: Says what it would move, and returns where that still is.
    support: full
  diff_mode:
    description: There is nothing to show but secrets.
    support: none
  idempotent:
    description: Moves and makes a folder once.
    support: full
options:
  path:
    description: The folder on the controller, an absolute path.
    type: path
    required: true
  kind:
    description: What is in it, V(secrets) that were generated or V(ca), the CA of self-signed certificates.
    type: str
    choices: [ca, secrets]
    required: true
  create:
    description: Whether to make the folder. In C(.gatehouse) a C(.gitignore) is made for all of it.
    type: bool
    default: false
seealso:
  - module: gatehouse.ollama.api_keys
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Look after the folder of the keys
  gatehouse.ollama.private_folder:
    path: "{{ inventory_dir }}/.gatehouse/secrets"
    kind: secrets
  register: folder
"""

RETURN = r"""
path:
  description: The folder to use in this run; in check mode the former one, if that is yet to be moved.
  type: str
  returned: success
  sample: /home/ops/inventory/.gatehouse/secrets
revoked:
  description: Of V(secrets), the names of the keys that are remembered as revoked.
  type: list
  elements: str
  returned: success
  sample: [alice.laptop]
"""
