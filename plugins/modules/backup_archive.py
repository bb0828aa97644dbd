# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_archive
short_description: Write the archive of a backup
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Makes one file of what M(gatehouse.ollama.backup_part) brought from the hosts of the play, encrypted by
    ansible-vault with the vault password of the run. Meant to run once for all of them.
  - Runs on the controller alone.
attributes:
  check_mode:
    description: Writes no file, and says that it would.
    support: full
  diff_mode:
    description: The file is the result, not a configuration.
    support: none
  idempotent:
    description: Each run writes an archive of its own.
    support: none
options:
  state:
    description:
      - With V(begun) it judges the file and the vault before a host is asked, with V(written) it writes. Then each host
        of the play must have brought what it has, as a member of C(ollama_gateways) or C(ollama_servers).
    type: str
    choices: [begun, written]
    required: true
  file:
    description:
      - The archive. It must not be there, and a relative path begins where you are. With O(state=begun) the default is
        a file with date and time in its name, in C(.gatehouse/backups) beside the inventory.
    type: str
    default: ''
  plaintext:
    description: Whether it is not encrypted.
    type: bool
    default: false
seealso:
  - module: gatehouse.ollama.backup_part
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Look whether an archive can be written
  gatehouse.ollama.backup_archive:
    state: begun
  register: archive
  run_once: true

- name: Write it
  gatehouse.ollama.backup_archive:
    state: written
    file: "{{ archive.path }}"
  run_once: true
"""

RETURN = r"""
path:
  description: The absolute path of the archive.
  returned: success
  type: str
"""
