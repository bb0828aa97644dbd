#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: upstream_names
short_description: Ask whether a running gateway can find its servers
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Looks up the names of servers in the gateway's container, where Docker's DNS answers.
  - Fails where a name has no address there and stands in the host's C(/etc/hosts), which the gateway does not read. Any
    other name without an address is a warning, for its container may not have been started yet.
  - Changes nothing. Without a running gateway nothing is looked up.
options:
  upstreams:
    description: The servers as C(host:port).
    type: list
    elements: str
    required: true
  project:
    description: The Compose project of the gateway.
    type: str
    required: true
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Ask whether the gateway can find its servers
  gatehouse.ollama.upstream_names:
    upstreams: ["ollama:11434"]
    project: gatehouse-gateway
"""

RETURN = r"""
unknown:
  description: Names without an address.
  returned: success
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules import upstreams

HOSTS = "/etc/hosts"


def unknown(module: AnsibleModule) -> t.List[str]:
    """Names that have no address in the gateway's container. The dot keeps search domains out, which nginx has not."""
    docker = Docker(module)
    running = docker.ids(module.params["project"], f"--filter=name=^/?{module.params['project']}-gateway-1$")
    names = upstreams.names(module.params["upstreams"]) if running else []
    # 2 is getent's word for a name that is not there; with any other it could not ask.
    return [one for one in names if docker.run("exec", running[0], "getent", "ahostsv4", one + ".").rc == 2]


def hosts_file() -> t.Dict[str, str]:
    try:
        with open(HOSTS, encoding="utf-8", errors="replace") as f:
            return upstreams.hosts_file(f.read())
    except OSError:
        return {}


def look(module: AnsibleModule) -> t.List[str]:
    missing = unknown(module)
    hosts = hosts_file() if missing else {}
    judged = [upstreams.unknown(name, module.params["upstreams"], hosts) for name in missing]
    problems = [text for is_for_good, text in judged if is_for_good]
    if problems:
        raise BadInput(problems)
    for _is_for_good, text in judged:
        module.warn(text)
    return missing


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            upstreams=dict(type="list", elements="str", required=True),
            project=dict(type="str", required=True),
        ),
        supports_check_mode=True,
    )
    try:
        missing = look(module)
    except GatehouseError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, unknown=missing)


if __name__ == "__main__":
    main()
