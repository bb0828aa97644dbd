# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Where the server is that a module talks to."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - URL of a server or gateway that is used in the place of a container, such as V(https://llm.example.com:8880).
      - Neither proxies of the environment nor redirects are followed.
    type: str
  api_key:
    description: Key that a gateway at O(url) asks for, sent as a Bearer token to that server and to no other.
    type: str
  ca_path:
    description: File on the host with the certificates of the CAs that O(url) is trusted by. By default the system's.
    type: path
  stall_timeout:
    description:
      - Seconds without any progress after which a transfer is given up. A transfer that goes on may take any time.
      - Ollama itself begins a part of a download anew when nothing arrived for 30 seconds; there is time for that.
    type: int
    default: 120
notes:
  - The host needs Python and no library. Nothing of Docker is used but C(docker ps) and C(docker inspect).
"""

    SERVERS = r"""
options:
  project:
    description: Compose project of the servers.
    type: str
    default: gatehouse-ollama
  services:
    description: Services of the Compose project.
    type: list
    elements: str
    default: [ollama]
notes:
  - Talks to the servers from inside their own network, with no published port. That takes root.
"""

    CONTAINER = r"""
options:
  project:
    description:
      - Compose project of the server on this host. The module talks to it from inside the network of its container, so
        that no port needs to be published. That takes root.
    type: str
    default: gatehouse-ollama
  service:
    description:
      - Service of the Compose project. If left out, it is the first container by name whose service is C(ollama) or
        begins with C(ollama-).
    type: str
"""
