# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of a scenario know of its hosts: the inventory's variables, a shell, the gateway's URL."""

from __future__ import annotations

import functools
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import testinfra
from testinfra.host import Host

from tests.client import ROOT, playbook, told


@functools.cache
def inventory_variables(inventory: Path, name: str) -> dict[str, Any]:
    command: list[str | Path] = [ROOT / ".venv/bin/ansible-inventory", "-i", inventory, "--host", name]
    variables: dict[str, Any] = json.loads(subprocess.check_output(command, cwd=ROOT, text=True))
    return variables


class Scenario:
    """The scenario in `folder`; `inventory` is its inventory."""

    def __init__(self, folder: Path) -> None:
        self.inventory = folder / "inventory.yml"

    def variables(self, name: str) -> dict[str, Any]:
        """The variables of a host as Ansible sees them in the inventory."""
        return inventory_variables(self.inventory, name)

    def host(self, name: str) -> Host:
        """A shell on a host, as root."""
        return testinfra.get_host("docker://" + self.variables(name)["ansible_host"])

    def address(self, name: str) -> str:
        """The address of a host on the lab's network."""
        return str(self.variables(name)["lab_address"])

    def url(self, name: str) -> str:
        """Where the gateway of a host answers."""
        variables = self.variables(name)
        scheme = "http" if variables.get("ollama_gateway_tls", "off") == "off" else "https"
        return f"{scheme}://{self.address(name)}:{variables.get('ollama_gateway_port', 8880)}"

    def run(self, name: str, tag: str, folder: Path, **variables: Any) -> tuple[int, str]:
        """The exit code of the part `tag` of a playbook with these variables, without the attack, and what it said."""
        extra = folder / "variables.json"
        extra.write_text(json.dumps(variables))
        done = playbook(self.inventory, name, f"--tags={tag}", "--skip-tags=verify", f"--extra-vars=@{extra}")
        return done.returncode, told(done)

    def attack(self) -> str:
        """What the attack of verify.yml says; it fails where anybody gets in who must not, or something is changed."""
        done = playbook(self.inventory, "verify")
        said = told(done)
        assert done.returncode == 0, said
        assert set(re.findall(r"changed=(\d+)", said.partition("PLAY RECAP")[2])) == {"0"}, said
        return said
