#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: known_good
short_description: Keep what a Compose project is made of when it works, and return to it
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - With O(state=kept), the files of the project and the numbers of the images of its containers are written into
    C(good.json) in O(project_src), readable by root alone.
  - With O(state=returned), those files are put back, the names of those images mean them again, O(volume), or
    a folder of the host that the project has in its place, belongs to the user as whom it ran, and the project is
    started. Nothing is fetched from a registry.
options:
  state:
    description: What to do.
    type: str
    choices: [kept, returned]
    required: true
  project:
    description: The Compose project.
    type: str
    required: true
  project_src:
    description: Folder of the project.
    type: path
    required: true
  files:
    description: The files that make it, by their paths below O(project_src).
    type: list
    elements: str
    default: [compose.yaml]
  if_runs:
    description:
      - With O(state=kept), keep nothing where something was kept before, or unless all containers of the project run,
        are healthy and are what the files describe.
    type: bool
    default: false
  volume:
    description: A volume of the project that belongs to the user as whom its containers run, if it has one.
    type: str
  wait_timeout:
    description: Seconds that the project may take until it is healthy.
    type: int
    default: 120
attributes:
  check_mode:
    description: Tells what would change.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: What is kept already is not written again.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Keep what works
  gatehouse.ollama.known_good:
    state: kept
    project: gatehouse-ollama
    project_src: /opt/gatehouse/ollama

- name: Return to it
  gatehouse.ollama.known_good:
    state: returned
    project: gatehouse-ollama
    project_src: /opt/gatehouse/ollama
    volume: ollama
"""

RETURN = r"""
is_good:
  description: Whether the project is made of what is kept now.
  type: bool
  returned: success
images:
  description: The numbers of the images by their names.
  type: dict
  returned: success
"""

import json
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker import known_good
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.volume import Bound, Volume
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.replace import replace

Dict = t.Dict[str, t.Any]


def keep(module: AnsibleModule, docker: Docker) -> Dict:
    """Raises GatehouseError, OSError."""
    folder, project = module.params["project_src"], module.params["project"]
    try:
        before = known_good.read(folder)
    except known_good.NothingKnown:
        before = {}
    if not docker.is_installed:
        return dict(changed=False, images={}, is_good=False)
    now = known_good.seen(docker, project, folder, module.params["files"])
    if module.params["if_runs"] and (before or not known_good.runs(docker, project, folder)):
        return dict(changed=False, images=before.get("images", {}), is_good=now == before)
    changed = now != before
    if changed and not module.check_mode:
        path = os.path.join(folder, known_good.NAME)
        replace(module, path, json.dumps(now, indent=2, sort_keys=True).encode() + b"\n", mode=0o600)
    return dict(changed=changed, images=now["images"], is_good=True)


def hand_over(docker: Docker, params: Dict, image: str, user: int) -> None:
    """Give what has the models to the user as whom the project ran: the volume, or a folder in its place."""
    has_volume, folders = known_good.places(docker, params["project_src"], params["volume"])
    if has_volume:
        Volume(docker, params["project"], params["volume"], image).hand_over(user)
    for folder in folders:
        Bound(docker, folder, image).hand_over(user)


def give_back(module: AnsibleModule, docker: Docker) -> Dict:
    """Raises GatehouseError, OSError."""
    params = module.params
    kept = known_good.read(params["project_src"])
    if known_good.is_there(docker, params["project_src"], kept):
        raise known_good.NothingKnown("nothing else is known to work")
    if not module.check_mode:
        known_good.give_names_back(docker, kept["images"])
        for name, text in kept["files"].items():
            replace(module, os.path.join(params["project_src"], name), text.encode())
        user = known_good.user_id(kept)
        if params["volume"] and user is not None:
            hand_over(docker, params, next(iter(kept["images"].values())), user)
        known_good.start(docker, params["project_src"], params["wait_timeout"])
    return dict(changed=True, images=kept["images"], is_good=True)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            state=dict(type="str", choices=["kept", "returned"], required=True),
            project=dict(type="str", required=True),
            project_src=dict(type="path", required=True),
            files=dict(type="list", elements="str", default=["compose.yaml"]),
            if_runs=dict(type="bool", default=False),
            volume=dict(type="str"),
            wait_timeout=dict(type="int", default=120),
        ),
        supports_check_mode=True,
    )
    try:
        answer = (keep if module.params["state"] == "kept" else give_back)(module, Docker(module))
    except GatehouseError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg="%s: %s" % (error.filename or module.params["project_src"], error.strerror))
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
