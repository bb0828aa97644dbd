# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What deploy.yml says in check mode of a host that has nothing yet: all that would change, on a few screens."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.client import playbook
from tests.scenario import Scenario

NEIGHBOUR = Scenario(Path(__file__).parents[1]).variables("neighbour")


def test_what_a_bare_host_would_get_takes_fewer_than_250_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As the ansible.cfg of a clone has it.
    monkeypatch.setenv("ANSIBLE_DISPLAY_SKIPPED_HOSTS", "false")
    monkeypatch.setenv("ANSIBLE_CALLBACK_RESULT_FORMAT", "yaml")
    variables = {
        **{name: value for name, value in NEIGHBOUR.items() if name.startswith(("ansible_", "docker_", "lab_"))},
        "ollama_gateway_auth": "both",
        "ollama_gateway_bind": "0.0.0.0",
        "ollama_gateway_tls": "self_signed",
        "ollama_gateway_server_names": [NEIGHBOUR["lab_address"]],
        "ollama_gateway_clients": [{"name": "alice", "password": "a password of alice", "keys": [{"id": "laptop"}]}],
        "ollama_server_models": ["tiny"],
    }
    group = {"hosts": {"bare": None}}
    groups = {"ollama_servers": group, "ollama_gateways": group}
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"all": {"vars": variables, "children": groups}}))
    done = playbook(inventory, "deploy", "--check", "--diff")
    assert done.returncode == 0, done.stdout
    assert len(done.stdout.splitlines()) < 250
    for would in ("docker.io", "registry-mirrors", "gateway.lua", "nginx.conf", "alice.laptop", "tiny:latest"):
        assert would in done.stdout
    assert done.stdout.count("Not verified: ") == 2
    assert done.stdout.count("credentials | secrets | Write the API keys") == 1
