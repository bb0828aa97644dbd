# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tasks of a playbook run with which tags."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.unit.conftest import Playbook

ROOT = Path(__file__).resolve().parents[2]
LIST = "List who may come in"


def tasks(playbook: Playbook, name: str, *options: str) -> list[str]:
    """The names of the tasks that would run, but for those that check the arguments of a role."""
    process = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", f"playbooks/{name}.yml", "--list-tasks", *options],
        cwd=ROOT,
        env=playbook.environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    names = [line.partition("\t")[0].strip() for line in process.stdout.splitlines() if line.startswith("      ")]
    return [one for one in names if "Validating arguments against arg spec" not in one]


def test_clients_lists_nobody_unless_asked_to(playbook: Playbook) -> None:
    names = tasks(playbook, "clients")
    assert "gatehouse.ollama.ollama_gateway : credentials | Write the API keys" in names
    assert LIST not in names


def test_clients_writes_nothing_when_it_is_asked_to_list(playbook: Playbook) -> None:
    finding = ["Without an inventory, deploy to this machine"]
    finding += ["Refuse an inventory that names neither a server nor a gateway"]
    assert tasks(playbook, "clients", "--tags", "list") == [*finding, LIST]
