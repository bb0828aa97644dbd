# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Compose project of servers as the role ollama_server writes it, rendered from the role's own variables."""

from __future__ import annotations

from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from tests.collection import COLLECTIONS, make_known

make_known()

ROLE = COLLECTIONS / "ansible_collections/gatehouse/ollama/roles/ollama_server"


def describe(nodes: list[str], groups: list[int], **variables: Any) -> str:
    """The description; `nodes` and `groups` are what the host has for the servers, `variables` replace defaults."""
    from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
    from ansible_collections.gatehouse.ollama.plugins.module_utils._rules import door, server

    loader = DataLoader()
    defaults = loader.load_from_file(str(ROLE / "defaults/main.yml"), trusted_as_template=True) | variables
    prefix = len(server.PREFIX)
    problems = Problems()
    values = {name[prefix:]: value for name, value in defaults.items()}
    servers = server.read(values, problems)
    assert problems == []
    known = defaults | loader.load_from_file(str(ROLE / "vars/main.yml"), trusted_as_template=True)
    known["ansible_managed"] = "Ansible managed"
    known["role_path"] = str(ROLE)
    # It hashes files that it finds in the folders of the role that runs.
    known["__ollama_server_door_digest"] = "digest"
    known["__ollama_server_plan"] = {"instances": servers.instances, **door.plan(values, servers.instances)}
    found = {"nodes": nodes, "groups": groups}
    known["__ollama_server_accelerators"] = {"servers": {one["service"]: found for one in servers.instances}}
    source = (ROLE / "templates/compose.yaml.j2").read_text(encoding="utf-8")
    return str(Templar(loader=loader, variables=known).template(trust_as_template(source)))
