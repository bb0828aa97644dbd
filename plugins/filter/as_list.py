# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: as_list
short_description: Take a list in each of its spellings
version_added: 0.1.0
description:
  - What is a list in a YAML file comes as text from C(-e name=value), from an INI inventory and from the
    environment. This makes the same of both, so that a role need not know where a variable is from.
  - Other text is an error, which does not quote it.
positional: _input
options:
  _input:
    description: >-
      A list, its text in JSON or YAML such as C(["a", "b"]), or names with commas between them. Empty text is an empty
      list.
    type: raw
    required: true
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Show what the role makes of a variable
  ansible.builtin.debug:
    msg: "{{ ollama_server_models | gatehouse.ollama.as_list }}"
"""

RETURN = r"""
_value:
  description: The list.
  type: list
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._spelling import as_list


def filtered(value: t.Any) -> t.Any:
    try:
        return as_list(value)
    except ValueError as error:
        raise AnsibleFilterError("as_list: %s" % error) from None


class FilterModule:
    def filters(self) -> dict[str, t.Callable[[t.Any], t.Any]]:
        return {"as_list": filtered}
