# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: inventory_groups
short_description: Refuse an inventory that does not say whose hosts are meant, and without one take this machine
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Fails if an inventory was named, with C(-i) or otherwise, that does not exist or gives no host. Without any, it puts
    the controller into O(groups), as C(localhost).
  - Fails if a group has nearly the name of one of O(groups), and hosts that are not in that. They would be left out.
    Where nobody is in any of O(groups), the last word of a name, such as C(servers), is nearly right as well.
  - Fails if there are hosts, and none of them is in any of O(groups).
  - Runs on the controller alone and changes nothing.
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
options:
  groups:
    description: The groups that the plays of the playbook are for.
    type: list
    elements: str
    required: true
seealso:
  - module: gatehouse.ollama.check_input
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Refuse an inventory that names neither a server nor a gateway, and without one take this machine
  gatehouse.ollama.inventory_groups:
    groups: [ollama_servers, ollama_gateways]
"""

RETURN = r"""
# Returns nothing of its own.
"""
