#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_part
short_description: Bring the files of a service, and what the controller keeps for it, into a backup
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Reads the files on the host piece by piece, by no link, and puts them into a private folder of the controller that
    lasts as long as the run. M(gatehouse.ollama.backup_archive) makes the archive of it.
  - Leaves nothing on the host. No content is in its result or in a log.
options:
  pieces:
    description: For the action of this name, what to read.
    type: list
    elements: dict
    suboptions:
      path:
        description: A file below O(folder).
        type: str
        required: true
      offset:
        description: Where the piece begins.
        type: int
        required: true
      length:
        description: How many bytes it has.
        type: int
        required: true
  notes:
    description: What else is noted of the host.
    type: dict
  usage_since:
    description: Of trees that grow, the first day in the backup, such as V(2026-11-30) or V(90d). Empty for all.
    type: str
    default: ''
extends_documentation_fragment:
  - gatehouse.ollama.backup_part
attributes:
  check_mode:
    description: Looks which files there are, and reads none.
    support: full
  diff_mode:
    description: There is nothing to show, as nothing is changed.
    support: N/A
  idempotent:
    description: Changes nothing on the host.
    support: full
seealso:
  - module: gatehouse.ollama.backup_archive
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Bring what the gateway counted into the backup
  gatehouse.ollama.backup_part:
    kind: gateway
    host: "{{ inventory_hostname }}"
    folder: /opt/gatehouse/gateway
    trees:
      - {path: state/usage}
"""

RETURN = r"""
files:
  description: The files with their sizes.
  returned: success
  type: dict
  sample: {"tls/server.pem": 1204}
left_out:
  description: Files that are there and not in the backup, for their names are not such as the service writes.
  returned: success
  type: list
  elements: str
"""

import base64
import os
import zlib

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.below import Below
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.names import PART_OPTIONS, read_trees, tree_of
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError


def main() -> None:
    piece = dict(
        path=dict(type="str", required=True),
        offset=dict(type="int", required=True),
        length=dict(type="int", required=True),
    )
    module = AnsibleModule(
        argument_spec=dict(
            **PART_OPTIONS,
            pieces=dict(type="list", elements="dict", options=piece),
            # These are for the action.
            notes=dict(type="dict"),
            usage_since=dict(type="str", default=""),
        ),
        supports_check_mode=True,
    )
    folder, pieces = module.params["folder"], module.params["pieces"]
    trees = read_trees(module.params["trees"])
    below = Below(folder)
    try:
        if not os.path.isdir(folder):
            raise GatehouseError(f"{folder} is not there on this host, so there is nothing to back up")
        if pieces is None:
            files, left_out = below.files(trees)
            module.exit_json(changed=False, files=files, left_out=left_out)
        wrong = [one["path"] for one in pieces if tree_of(trees, one["path"]) is None]
        if wrong:
            raise GatehouseError(f"{wrong[0]} is in no backup")
        content = b"".join(below.read(one["path"], one["offset"], one["length"]) for one in pieces)
    except GatehouseError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename or folder} cannot be read: {error.strerror}; run again")
    packed = zlib.compress(content, 1)
    module.exit_json(changed=False, content=base64.b64encode(packed).decode("ascii"))


if __name__ == "__main__":
    main()
