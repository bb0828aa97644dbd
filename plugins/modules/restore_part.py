#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_part
short_description: Put back what an archive of a backup has of a host
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Writes the files of a host, and those of the controller that belong to it, from what
    M(gatehouse.ollama.restore_archive) has opened. What is there as the archive has it stays. What is there and
    different is an error that names it, and nothing is changed then.
  - No content is in its result or in a log.
options:
  overwrite:
    description: Whether what is there and different is replaced.
    type: bool
    default: false
  files:
    description: For the action of this name, the files of the archive.
    type: list
    elements: dict
    suboptions:
      path:
        description: A file below O(folder).
        type: str
        required: true
      size:
        description: Its bytes.
        type: int
        required: true
      sha256:
        description: Its checksum.
        type: str
        required: true
  data:
    description:
      - For the action of this name, the file on the host with the contents of O(files). Without it, none of them is
        written.
    type: path
  archive:
    description: For the action of this name, which archive it is.
    type: str
  noted:
    description:
      - For the action of this name, whether the host is to remember O(archive), in the file C(.restoring) of O(folder).
        Whoever ends the restore removes it. Until then, what is different went on since, and is no difference.
    type: bool
    default: false
extends_documentation_fragment:
  - gatehouse.ollama.backup_part
attributes:
  check_mode:
    description: Says what would be written and what is different, and writes nothing.
    support: full
  diff_mode:
    description: Shows the names of the files that come.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
seealso:
  - module: gatehouse.ollama.restore_archive
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Put back what the gateway counted
  gatehouse.ollama.restore_part:
    kind: gateway
    host: "{{ inventory_hostname }}"
    folder: /opt/gatehouse/gateway
    trees:
      - {path: state/usage, grows: true}
"""

RETURN = r"""
restored:
  description: The files that were written, or would be, by their paths.
  returned: success
  type: list
  elements: str
different:
  description: Files that are there with another content than the archive has.
  returned: success
  type: list
  elements: str
resumed:
  description: Whether a restore of this archive was begun there before and has not ended.
  returned: success
  type: bool
notes:
  description: What else the archive has of the host.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.below import Below
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.host import apply, compare, is_noted, note
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.manifest import File
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.names import PART_OPTIONS, read_trees
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError


def main() -> None:
    file = dict(
        path=dict(type="str", required=True),
        size=dict(type="int", required=True),
        sha256=dict(type="str", required=True),
    )
    module = AnsibleModule(
        argument_spec=dict(
            **PART_OPTIONS,
            overwrite=dict(type="bool", default=False),
            files=dict(type="list", elements="dict", options=file),
            data=dict(type="path"),
            archive=dict(type="str"),
            noted=dict(type="bool", default=False),
        ),
        supports_check_mode=True,
    )
    data, archive = module.params["data"], module.params["archive"] or ""
    files = [File(**one) for one in module.params["files"] or []]
    trees = read_trees(module.params["trees"])
    below = Below(module.params["folder"])
    try:
        found = compare(below, files, trees)
        resumed = bool(archive) and is_noted(below, archive)
        taken = found.lacking + (found.different if module.params["overwrite"] else [])
        if data and not module.check_mode:
            apply(below, files, trees, set(taken), data)
        # Last: until then nothing but these files is written, and a file that is there is right.
        if module.params["noted"] and not module.check_mode:
            note(below, archive)
    except GatehouseError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename or below.folder} cannot be read or written: {error.strerror}")
    restored = taken + list(found.links)
    module.exit_json(changed=bool(restored), restored=restored, different=found.different, resumed=resumed)


if __name__ == "__main__":
    main()
