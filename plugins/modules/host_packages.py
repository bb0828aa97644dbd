#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: host_packages
short_description: Learn which distribution a host runs and what is installed
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Returns the distribution of the host, its package manager, and all installed packages with their versions.
  - Fails on a distribution for which the roles of this collection know no packages.
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
options:
  role:
    description: The role to name in errors.
    type: str
    required: true
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Look what is installed
  gatehouse.ollama.host_packages:
    role: docker_engine
  register: host
"""

RETURN = r"""
distribution:
  description: The distribution, as Ansible spells it.
  type: str
  returned: success
  sample: Debian
release:
  description: Its release, the major one where minor ones make no difference.
  type: str
  returned: success
  sample: "13"
codename:
  description: The name of the release, empty where it has none.
  type: str
  returned: success
  sample: trixie
family:
  description: The package manager, V(apt) or V(dnf).
  type: str
  returned: success
installed:
  description: The upstream version of each installed package, by its name.
  type: dict
  returned: success
  sample: {ca-certificates: "20250419"}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._host.packages import (
    QUERIES,
    UnsupportedHost,
    installed,
    platform,
)

OS_RELEASE = "/etc/os-release"


def main() -> None:
    module = AnsibleModule(argument_spec={"role": {"type": "str", "required": True}}, supports_check_mode=True)
    try:
        with open(OS_RELEASE, encoding="utf-8") as f:
            host = platform(f.read(), module.params["role"])
        rc, stdout, stderr = module.run_command(QUERIES[host.family])
        if rc != 0:
            raise UnsupportedHost(f"The installed packages cannot be listed: {stderr.strip()}")
    except (GatehouseError, OSError) as e:
        module.fail_json(msg=str(e))
    module.exit_json(changed=False, installed=installed(stdout), **host._asdict())


if __name__ == "__main__":
    main()
