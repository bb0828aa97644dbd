#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: model_progress
short_description: Read the notes of a task that goes on
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Reads what a running M(gatehouse.ollama.models) or M(gatehouse.ollama.model) noted of its progress, and looks
    whether its process still lives. Their action plugins use it, to show the progress.
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
options:
  path:
    description: The file with the notes. It is removed when its writer has ended.
    type: path
    required: true
  offset:
    description: How much of it was read before.
    type: int
    default: 0
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Look how far it is
  gatehouse.ollama.model_progress:
    path: /root/.ansible_async/gatehouse-0123456789abcdef
"""

RETURN = r"""
state:
  description: V(alive), V(ended), or V(missing) if there is no such file.
  type: str
  returned: success
events:
  description: What happened since then, for people.
  type: list
  elements: str
  returned: success
now:
  description: What goes on, for people; empty if nothing new was noted.
  type: str
  returned: success
  sample: "llama3.2:1b: 43 % of 1.3 GB"
offset:
  description: How much was read by now.
  type: int
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.progress import read


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(path=dict(type="path", required=True), offset=dict(type="int", default=0)),
        supports_check_mode=True,
    )
    try:
        reading = read(module.params["path"], module.params["offset"])
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"{module.params['path']}: the notes cannot be read: {error}")
    module.exit_json(changed=False, **reading)


if __name__ == "__main__":
    main()
