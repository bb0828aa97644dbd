# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: usage_report
short_description: Show what several gateways counted, in one table
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Adds up what M(gatehouse.ollama.usage_info) returned on the hosts of the play, and prints it or writes it to a file
    of the controller. Meant to run once for all of them.
  - Says which hosts gave no answer, or one that cannot be read.
  - Runs on the controller alone.
attributes:
  check_mode:
    description: Writes no file, and says that it would.
    support: full
  diff_mode:
    description: The file is the result, not a configuration.
    support: none
  idempotent:
    description: Writes what it was given.
    support: full
options:
  variable:
    description: In which variable each host has what the module returned there.
    type: str
    required: true
  by:
    description: What has a row of its own, as the module was told.
    type: list
    elements: str
    choices: [client, key, model, day]
    required: true
  format:
    description: What is made of it.
    type: str
    choices: [table, csv, json]
    default: table
  file:
    description: The file on the controller that gets it, with the mode 0600. A relative path begins where you are.
    type: str
    default: ''
seealso:
  - module: gatehouse.ollama.usage_info
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Look who used how many tokens
  gatehouse.ollama.usage_info:
    path: /opt/gatehouse/gateway/state/usage
    by: [client]
  register: usage

- name: Show it, for all gateways together
  gatehouse.ollama.usage_report:
    variable: usage
    by: [client]
  run_once: true
"""

RETURN = r"""
text:
  description: What was printed or written.
  returned: success
  type: str
missing:
  description: The hosts that gave no answer, or one that cannot be read.
  returned: success
  type: list
  elements: str
"""
