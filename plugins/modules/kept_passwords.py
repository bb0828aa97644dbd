#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kept_passwords
short_description: Keep passwords that hosts share, on the controller
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Reads passwords from files of the controller, and makes those that are missing, of 32 random bytes, in files of mode
    0600. A file that others may read is refused.
options:
  folder:
    description: Absolute path of the folder on the controller. It is made with mode 0700 if it is missing.
    type: path
    required: true
  names:
    description: Names of the files.
    type: list
    elements: str
    required: true
attributes:
  check_mode:
    description: Says whether one would be made, and makes none. What is missing is not in C(passwords) then.
    support: full
  diff_mode:
    description: There is nothing to show of a password.
    support: none
  idempotent:
    description: A second run changes nothing.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Have the passwords of the cluster
  gatehouse.ollama.kept_passwords:
    folder: "{{ inventory_dir }}/.gatehouse/valkey"
    names: [password, replica, sentinel]
  register: kept
"""

RETURN = r"""
passwords:
  description: The passwords by the names of their files.
  type: dict
  returned: success. Ansible does not print this result
"""
