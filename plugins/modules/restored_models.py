# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: restored_models
short_description: Say which models of a backup are to come back, and what came of them
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Compares the models that an archive lists with those that the server has.
  - Runs on the controller alone.
options:
  models:
    description: The models of the archive, with C(name) and C(digest) of each.
    type: list
    elements: dict
    required: true
  installed:
    description: The models that the server has, as M(gatehouse.ollama.model_info) lists them.
    type: list
    elements: dict
  answer:
    description: What M(gatehouse.ollama.models) returned for those that were to be downloaded.
    type: dict
    default: {}
  listed:
    description: The models of the inventory.
    type: list
    elements: raw
    default: []
  purge:
    description: Whether the server has no models but those of the inventory.
    type: bool
    default: false
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
seealso:
  - module: gatehouse.ollama.restore_part
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Look which models are to come back
  gatehouse.ollama.restored_models:
    models: "{{ restored.notes.models }}"
  register: models
"""

RETURN = r"""
wanted:
  description: Models that no list of the inventory has, with name and digest.
  returned: success
  type: list
  elements: dict
missing:
  description: The names of those of them that the server does not have.
  returned: success
  type: list
  elements: str
lines:
  description: What came of the models of the archive.
  returned: with O(installed)
  type: list
  elements: str
"""
