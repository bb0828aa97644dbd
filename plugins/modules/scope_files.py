#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: scope_files
short_description: Tell plain nginx what the clients of a gateway may do
version_added: 0.1.0
description:
  - Makes a folder for each scope and in it an empty file for each client that has the scope, and removes all others.
  - nginx without Lua cannot read a list of clients at run time, but it can look whether a file is there. So a change
    counts on the very next request, without a reload.
extends_documentation_fragment:
  - ansible.builtin.files
options:
  path:
    description: Absolute path of the folder on the host. Its parent must exist.
    type: path
    required: true
  scopes:
    description: The clients of each scope, as M(gatehouse.ollama.client_rights) returns them.
    type: dict
    required: true
  mode:
    description: Mode of folders and files, in the symbolic form that tells the two apart, such as V(u=rwX,g=rX,o=).
    type: raw
attributes:
  check_mode:
    description: Reports what would happen and changes nothing.
    support: full
  diff_mode:
    description: Shows the files that come and go.
    support: full
  idempotent:
    description: Does nothing where the files are as asked for.
    support: full
seealso:
  - module: gatehouse.ollama.client_rights
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Write what clients may do
  gatehouse.ollama.client_rights:
    path: /opt/gatehouse/gateway/clients/clients.json
    clients: [{name: alice}]
  register: rights

- name: Tell nginx
  gatehouse.ollama.scope_files:
    path: /opt/gatehouse/gateway/clients/scopes
    scopes: "{{ rights.scopes }}"
    mode: u=rwX,g=rX,o=
"""

RETURN = r"""
added:
  description: Files that were not there, as scope and client.
  returned: success
  type: list
  elements: str
  sample: [inference/alice]
removed:
  description: Files that are gone.
  returned: success
  type: list
  elements: str
  sample: [models_write/bob]
"""

import os
import re
import shutil
import typing as t

from ansible.module_utils.basic import AnsibleModule

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*\Z")


def files_there(path: str) -> set[str]:
    """The files below the folder, as scope/client; a stray one counts with its path."""
    found = set()
    for folder, _folders, files in os.walk(path):
        found |= {os.path.relpath(os.path.join(folder, name), path) for name in files}
    return found


def folders_there(path: str) -> set[str]:
    """The folders right below the folder."""
    if not os.path.isdir(path):
        return set()
    return {entry.name for entry in os.scandir(path) if entry.is_dir(follow_symlinks=False)}


def problem(scopes: dict[str, t.Any]) -> str | None:
    """What makes these scopes no names of files, if so."""
    for scope, names in scopes.items():
        if not isinstance(names, list) or not all(isinstance(n, str) and _NAME.match(n) for n in [scope, *names]):
            return "scopes: it must be a dictionary from scopes to lists of clients' names"
    return None


def apply(path: str, folders: t.Iterable[str], add: t.Iterable[str], remove: t.Iterable[str]) -> None:
    """Take away first: nobody may do more than asked for in between."""
    for name in remove:
        os.unlink(os.path.join(path, name))
    for folder in folders:
        os.makedirs(os.path.join(path, folder), mode=0o750, exist_ok=True)
    for name in add:
        os.close(os.open(os.path.join(path, name), os.O_CREAT | os.O_WRONLY, 0o640))


def main() -> None:
    options = {"path": {"type": "path", "required": True}, "scopes": {"type": "dict", "required": True}}
    module = AnsibleModule(argument_spec=options, add_file_common_args=True, supports_check_mode=True)
    path, scopes = module.params["path"], module.params["scopes"]
    wrong = problem(scopes)
    if wrong:
        module.fail_json(msg=wrong)
    there = files_there(path)
    wanted = {"%s/%s" % (scope, name) for scope, names in scopes.items() for name in names}
    add, remove = sorted(wanted - there), sorted(there - wanted)
    folders = [scope for scope in scopes if not os.path.isdir(os.path.join(path, scope))]
    gone = sorted(folders_there(path) - set(scopes))
    changed = bool(add or remove or folders or gone)
    if not module.check_mode:
        try:
            apply(path, folders, add, remove)
            for folder in gone:
                shutil.rmtree(os.path.join(path, folder))
        except OSError as error:
            module.fail_json(msg="path: %s cannot be written: %s" % (path, error.strerror))
    for name in ["", *scopes, *sorted(wanted)]:
        item = os.path.join(path, name)
        if os.path.exists(item):
            arguments = module.load_file_common_arguments(module.params, path=item)
            changed = module.set_fs_attributes_if_different(arguments, changed)
    lines = {"before": there, "after": wanted}
    diff = {side: "".join("%s\n" % name for name in sorted(names)) for side, names in lines.items()}
    module.exit_json(
        changed=changed, added=add, removed=remove, diff={**diff, "before_header": path, "after_header": path}
    )


if __name__ == "__main__":
    main()
