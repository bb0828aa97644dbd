# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What of a host, and of the controller for it, is in a backup."""

    DOCUMENTATION = r"""
options:
  folder:
    description: The folder of the service on the host.
    type: path
    required: true
  trees:
    description: The files and folders below O(folder) that are in a backup.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: A file or a folder, below O(folder).
        type: str
        required: true
      files:
        description: A regular expression for the names of files below it. Without one, all.
        type: str
        default: ''
      grows:
        description: Whether a file of it may have become longer since the backup, and is right then.
        type: bool
        default: false
      certbot:
        description: Whether it is the folder of certbot, whose links are made anew.
        type: bool
        default: false
      owner:
        description: Number of the user who owns its files.
        type: int
        default: 0
      group:
        description: Number of the group of its files and folders.
        type: int
        default: 0
      mode:
        description: Mode of its files.
        type: str
        default: "0600"
      folder_mode:
        description: Mode of its folders.
        type: str
        default: "0750"
  kind:
    description: What the host is.
    type: str
    choices: [gateway, server]
  host:
    description: The name of the host in the archive.
    type: str
  secrets_dir:
    description: The folder of the generated keys on the controller.
    type: path
  ca_dir:
    description: The folder of the CA on the controller.
    type: path
"""
