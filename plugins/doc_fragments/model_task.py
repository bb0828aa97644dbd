# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What the modules that change models have in common."""

    DOCUMENTATION = r"""
options:
  retries:
    description:
      - How many times in a row a download that breaks is begun again without having come further. It goes on from where
        it was, and an attempt that comes further counts as the first one.
      - A model that its registry does not have is not asked for again.
    type: int
    default: 5
  progress:
    description: File on the host for notes of the progress, which the action plugin of the same name reads and shows.
    type: path
  made:
    description:
      - File on the host that remembers of which files the server made which layers, for it writes a GGUF anew, with
        another digest. It holds digests alone, and several servers may share it, also of different versions.
      - Without it, or where it is lost or damaged, such a model is made again by the next run, and stays as it is. One
        that cannot be read or written is a warning, and no error.
    type: path
attributes:
  check_mode:
    description: Tells what would change. Whether the state V(latest) would bring something new is told where the host
      can ask the registry, and otherwise said to be unknown.
    support: full
  diff_mode:
    description: Shows digests and, of models that are made, their settings.
    support: full
  idempotent:
    description: Changes nothing where the models are as they should be, by their digests.
    support: full
notes:
  - While models are downloaded the task says every few seconds how far it is. The work is done by a process of its own
    on the host, which goes on if the connection to the host breaks for a while. One that is killed is noticed.
  - Before a layer is downloaded, its size is compared with what is free on the disk of the server's container. With
    O(url) that is not known.
  - In check mode on a host without Docker or without the server, all is shown as to be done.
"""
