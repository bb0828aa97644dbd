# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task that runs in the process of a test is answered as ansible-playbook answers it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.unit.conftest import Direct, Playbook, check_input

# How a result is shown, and what this run of Ansible has to say beside it.
BESIDE = ("invocation", "diff", "exception", "ansible_facts")


def test_a_task_is_answered_alike_here_and_by_ansible_playbook(
    playbook: Playbook, direct: Direct, tmp_path: Path
) -> None:
    """An action with a module and one without, a module alone, a template, a warning and mistakes of each kind."""
    key = {"id": "old", "secret": "pXk29vQzLr4TnB8sWm1YcA", "expires": "2001-01-01T00:00:00Z"}
    keys = {"path": str(tmp_path / "{{ inventory_hostname }}"), "clients": [{"name": "alice", "keys": [key]}]}
    (tmp_path / "host0").write_text("alice.laptop sha256:" + "0" * 64 + "\n")
    tasks: list[dict[str, Any]] = [
        {"gatehouse.ollama.api_keys": keys},
        {"gatehouse.ollama.api_keys": {**keys, "clients": "x"}},
        {"gatehouse.ollama.api_keys": {**keys, "colour": "x"}},
        {"gatehouse.ollama.folder_files": {"path": str(tmp_path / "folder"), "files": {"a": "{{ text }}"}}},
        {"gatehouse.ollama.folder_files": {"path": "/etc", "files": {}}},
        {"gatehouse.ollama.folder_files": {"path": str(tmp_path / "folder"), "files": "x"}},
        {"gatehouse.ollama.clients_info": {"path": str(tmp_path)}},
        {"gatehouse.ollama.clients_info": {"path": "/no/such/folder"}},
        check_input("ollama_server", num_parallel="many"),
        check_input("docker_engine"),
        {"ansible.builtin.stat": {"path": str(tmp_path / "folder")}},
    ]
    there = playbook.run(tasks, "--check", text="text")
    here = direct.run(tasks, "--check", text="text")
    for number, (one, other) in enumerate(zip(here.only, there.only)):
        assert bare(one) == bare(other), f"{number}: {next(iter(tasks[number]))}"
    assert "the key expired on 2001-01-01" in here.output


def bare(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name not in BESIDE}
