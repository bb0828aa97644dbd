# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs real playbooks against this machine in a folder, or their tasks alone."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.collection import COLLECTIONS, ROOT
from tests.unit import direct


@dataclass
class Run:
    """A run of ansible-playbook: the exit code, all that it printed, and the results of the tasks by host."""

    returncode: int
    output: str
    results: dict[str, list[dict[str, Any]]] = field(repr=False)

    @property
    def only(self) -> list[dict[str, Any]]:
        """The results of the only host."""
        (results,) = self.results.values()
        return results


@dataclass
class Playbook:
    """Runs tasks on hosts that are all this machine."""

    folder: Path

    def run(self, tasks: list[dict[str, Any]], *options: str, hosts: int = 1, **variables: Any) -> Run:
        """Run `tasks` to the end, failed ones included. Secrets belong into `variables`, as with any playbook."""
        names = [f"host{number}" for number in range(hosts)]
        connection = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        steps = [{**task, "register": f"result_{number}", "ignore_errors": True} for number, task in enumerate(tasks)]
        report = {
            "report": {
                "content": "{{ [" + ", ".join(f"result_{number}" for number in range(len(tasks))) + "] | to_json }}",
                "dest": str(self.folder / "{{ inventory_hostname }}.json"),
            },
        }
        play = {"hosts": "all", "gather_facts": False, "vars": connection, "tasks": [*steps, report]}
        (self.folder / "play.yml").write_text(json.dumps([play], indent=1))
        (self.folder / "variables.json").write_text(json.dumps(variables))
        with self.output.open("w") as output:
            process = subprocess.run(
                [
                    *(sys.executable, "-m", "ansible", "playbook", "play.yml", "-i", ",".join(names) + ","),
                    *("-e", "@variables.json", "-f", str(hosts), *options),
                ],
                cwd=self.folder,
                env=self.environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        printed = self.output.read_text(encoding="utf-8")
        reports = [self.folder / f"{name}.json" for name in names]
        assert all(path.exists() for path in reports), printed
        results = {path.stem: json.loads(path.read_text()) for path in reports}
        return Run(process.returncode, printed, results)

    @property
    def output(self) -> Path:
        """The file with what a run has printed so far."""
        return self.folder / "output"

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        return {
            **kept,
            "HOME": str(self.folder),
            "PWD": str(self.folder),
            "ANSIBLE_ACTION_PLUGINS": str(ROOT / "tests/unit/action_plugins"),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
        }


RUNS = itertools.count()


class Direct(Playbook):
    """Does what the tasks do, without ansible-playbook: the same but for what only that has to do with.

    That is what a user sees (`output` is the warnings here), --diff and -vvv, vaults, and hosts at the same time.
    """

    def run(self, tasks: list[dict[str, Any]], *options: str, hosts: int = 1, **variables: Any) -> Run:
        assert set(options) <= {"--check"}, "these need a Playbook"
        run = f"run{next(RUNS)}"
        results: dict[str, list[dict[str, Any]]] = {f"host{number}": [] for number in range(hosts)}
        for task in tasks:
            for host, done in results.items():
                known = {"inventory_hostname": host, "playbook_dir": str(self.folder), "inventory_dir": None}
                known |= {f"result_{number}": result for number, result in enumerate(done)} | variables
                done.append(direct.answer({"check_mode": "--check" in options, **task}, known, self.folder, run))
        warnings = [text for done in results.values() for one in done for text in one.get("warnings", [])]
        # A failed task is ignored in a Playbook, too.
        return Run(0, "\n".join(warnings), results)


@pytest.fixture
def playbook(tmp_path: Path) -> Playbook:
    folder = tmp_path / "controller"
    folder.mkdir()
    return Playbook(folder)


@pytest.fixture(name="direct")
def _direct(playbook: Playbook, monkeypatch: pytest.MonkeyPatch) -> Direct:
    """In the same folder as `playbook`, where a test needs both."""
    monkeypatch.chdir(playbook.folder)
    for name in ("HOME", "PWD"):
        monkeypatch.setenv(name, str(playbook.folder))
    return Direct(playbook.folder)


def check_input(role: str, **variables: Any) -> dict[str, Any]:
    """The first task of a role, with its defaults and `variables`, which are named without their prefix."""
    path = ROOT / "roles" / role
    defaults = yaml.safe_load((path / "defaults/main.yml").read_text(encoding="utf-8"))
    changes = {f"{role}_{name}": value for name, value in variables.items()}
    return {
        "gatehouse.ollama.check_input": {"role": role},
        "vars": {**defaults, **changes, "role_path": str(path)},
    }
