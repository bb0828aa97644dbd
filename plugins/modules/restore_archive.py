# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_archive
short_description: Check an archive of a backup, and open it for the hosts of the play
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Refuses an archive that is damaged, was written by something else or by a newer release, or that no vault password
    of the run opens. Puts what is in it into a private folder of the controller that lasts as long as the run.
  - Meant to run once for all hosts. Runs on the controller alone.
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
options:
  state:
    description: With V(opened) the archive is checked and opened, with V(closed) what was opened is removed.
    type: str
    choices: [opened, closed]
    required: true
  file:
    description: The archive. A relative path begins where you are.
    type: str
    default: ''
seealso:
  - module: gatehouse.ollama.restore_part
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Open an archive
  gatehouse.ollama.restore_archive:
    state: opened
    file: gatehouse-2026-11-30T160000Z.tar.gz.vault
  run_once: true
"""

RETURN = r"""
made_at:
  description: When it was made.
  returned: with O(state=opened)
  type: str
gateways:
  description: The gateways that are in it.
  returned: with O(state=opened)
  type: list
  elements: str
servers:
  description: The servers that are in it.
  returned: with O(state=opened)
  type: list
  elements: str
"""
