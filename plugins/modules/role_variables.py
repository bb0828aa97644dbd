# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: role_variables
short_description: Refuse variables of a role that do not exist, or that cannot be read
version_added: 0.1.0
description:
  - Fails if a variable whose name begins with the name of the calling role and an underscore is in none of the role's
    argument specifications, and names the closest one that is. A mistyped variable would otherwise be ignored, and so
    would one whose beginning is mistyped, such as C(ollama_gatway_bind), which is an error too.
  - Fails if a variable cannot be what its argument specification says, such as text in the place of a list that is none
    in JSON or YAML either, and tells how it is written. Values, which may be secret, are not shown.
  - Fails if a variable is none of the choices of its argument specification. Where C(rolespec_validate) is false, so
    that Ansible does not check the specification before, no more is said than this.
  - Meant as the first task of a role. Runs on the controller alone and changes nothing.
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
options:
  role:
    description: Name of the calling role, which its public variables begin with.
    type: str
    required: true
notes:
  - Variables that a play registers or sets must not begin with the name of the role and an underscore.
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Refuse unknown variables
  gatehouse.ollama.role_variables:
    role: ollama_server
"""

RETURN = r"""
# Returns nothing of its own.
"""
