#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_version
short_description: Refuse images with too old an Ollama
version_added: 0.1.0
description:
  - Asks the program in an image of Ollama for its version, in a short-lived container without a network, and fails if
    it is older than the minimum. For images whose tag does not tell.
  - Changes nothing. An image that is not on the host yet is no error in check mode.
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
options:
  images:
    description: Images on the host.
    type: list
    elements: str
    required: true
  minimum:
    description: The oldest version that is accepted.
    type: str
    required: true
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Refuse an image that is too old
  gatehouse.ollama.image_version:
    images: ["registry.example.com/ollama:ours"]
    minimum: 0.17.1
"""

RETURN = r"""
versions:
  description: The version of Ollama in each image that is on the host.
  type: dict
  returned: success
"""

import re
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._server_image import VARIABLE, version_problem

LIMITS = ("--network=none", "--read-only", "--security-opt=no-new-privileges", "--cap-drop=ALL")
QUIET = ("--rm", "--pull=never", "--env=NVIDIA_VISIBLE_DEVICES=void", "--no-healthcheck", "--entrypoint=ollama")


def read_answer(text: str) -> str:
    """The version in what `ollama --version` says where no server runs; empty if there is none."""
    found = re.search(r"version is v?(\d+\.\d+\S*)", text)
    return found.group(1) if found else ""


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            images=dict(type="list", elements="str", required=True),
            minimum=dict(type="str", required=True),
        ),
        supports_check_mode=True,
    )
    docker = module.get_bin_path("docker", required=True)
    versions: t.Dict[str, str] = {}
    problems: t.List[str] = []
    for image in module.params["images"]:
        rc, stdout, stderr = module.run_command([docker, "run", *QUIET, *LIMITS, image, "--version"])
        answered = read_answer(stdout + stderr)
        if answered:
            versions[image] = answered
            problems += filter(None, [version_problem(image, module.params["minimum"], answered)[1]])
        elif not module.check_mode:
            said = (stderr.strip() or stdout.strip() or "it ends with %d" % rc).splitlines()[-1]
            text = "%s: %s does not tell its version of Ollama (%s). Name an image whose tag is its version"
            problems.append(text % (VARIABLE, image, said))
    if problems:
        module.fail_json(msg="\n".join(problems))
    module.exit_json(changed=False, versions=versions)


if __name__ == "__main__":
    main()
