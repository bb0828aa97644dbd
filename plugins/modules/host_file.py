#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: host_file
short_description: Read or replace a file of credentials on the host
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Writes the content to a new file with the right owner and mode, and renames it to O(path). Without a content it says
    what the file holds, and changes nothing.
  - The modules for credentials read and write with it, in one round trip each. M(gatehouse.ollama.folder_files) is no
    way for them, since their file may lie in any folder, by any name and behind a link. The content stands in no log of
    the host. In a playbook, M(ansible.builtin.copy) is the better choice.
extends_documentation_fragment:
  - ansible.builtin.files
options:
  path:
    description: Absolute path of the file. Its folder must exist. A link is followed.
    type: path
    required: true
  content:
    description: The text, in UTF-8. Without it the file is read.
    type: str
attributes:
  check_mode:
    description: Reports what would happen and changes nothing.
    support: full
  diff_mode:
    description: The content may be a secret.
    support: none
  idempotent:
    description: Always writes. Whoever calls it has looked whether the file differs.
    support: none
seealso:
  - module: gatehouse.ollama.api_keys
  - module: gatehouse.ollama.htpasswd
  - module: gatehouse.ollama.client_rights
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Write a file
  gatehouse.ollama.host_file:
    path: /opt/gatehouse/gateway/clients/htpasswd
    content: "{{ text }}"
    owner: root
    group: "60880"
    mode: "0640"
"""

RETURN = r"""
path:
  description: The file, behind links.
  returned: success
  type: str
content:
  description: What the file holds, in base64; null where there is none.
  returned: without O(content)
  type: str
differs:
  description: Whether its owner, group or mode is not as asked for.
  returned: without O(content)
  type: bool
"""

import base64
import os
import stat
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.replace import replace


def read(module: AnsibleModule, path: str) -> t.Dict[str, t.Any]:
    """What the file holds, and whether it is another's. Raises OSError."""
    try:
        # What nobody writes to, such as a named pipe, is not waited for.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                module.fail_json(msg="it is no regular file")
            content = base64.b64encode(file.read()).decode("ascii")
    except FileNotFoundError:
        return {"content": None, "differs": False}
    # Only to look: whoever asks decides first.
    module.check_mode = True
    wanted = module.load_file_common_arguments(module.params, path=path)
    return {"content": content, "differs": module.set_fs_attributes_if_different(wanted, False)}


def main() -> None:
    options = {
        "path": {"type": "path", "required": True},
        # The log of the host is no place for it, and neither is what is returned.
        "content": {"type": "str", "no_log": True},
    }
    module = AnsibleModule(argument_spec=options, add_file_common_args=True, supports_check_mode=True)
    path, content = os.path.realpath(module.params["path"]), module.params["content"]
    result = {}
    try:
        if content is None:
            result = read(module, path)
        elif not module.check_mode:
            replace(module, path, content.encode("utf-8"))
    except OSError as error:
        module.fail_json(msg="it cannot be %s: %s" % ("read" if content is None else "written", error.strerror))
    module.exit_json(changed=content is not None, path=path, **result)


if __name__ == "__main__":
    main()
