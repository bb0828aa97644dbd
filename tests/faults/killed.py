# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of deploy.yml that replaces server and gateway is killed in each of its tasks, then run again, under load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.bench import deploys
from tests.faults.service import Service, deployed

# Seconds that a task is on its way when its run is killed: its module runs on the host, and may go on there.
WAIT = 0.4
OURS = ("gatehouse.ollama.", "community.docker.", "ansible.builtin.command")
LOOKS = ("inventory_groups", "check_input", "host_check", "host_packages", "upstream_names", "gateway_summary")
PLUGINS = {
    "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "plugins"),
    "ANSIBLE_CALLBACKS_ENABLED": "killing",
}


def _run(service: Service, kill: int = 0) -> tuple[int, str, list[dict[str, Any]]]:
    """The exit code of a run (-9 where it was killed), what it said, and the tasks that ended."""
    tasks = service.inventory.parent / "tasks.jsonl"
    tasks.write_text("")
    told = {"FAULTS_TASKS": str(tasks), "FAULTS_KILL": str(kill), "FAULTS_WAIT": str(WAIT)}
    code, said = service.play("deploy", "--skip-tags=verify", **PLUGINS, **told)
    return code, said, [json.loads(line) for line in tasks.read_text().splitlines()]


def _chosen(service: Service, first: int, last: int) -> dict[int, str]:
    """The tasks that change something or are ours: in one that only looks, a run leaves what the one before did."""
    service.round += 1
    service.deploy()
    service.round += 1
    code, said, tasks = _run(service)
    if code != 0:
        raise deploys.RunError(said[-3000:])
    return {
        task["number"]: task["name"].removeprefix("gatehouse.ollama.")
        for task in tasks
        if first <= task["number"] <= last and (task["state"] == "changed" or task["action"].startswith(OURS))
        if not task["action"].endswith(LOOKS)
    }


def main(first: int = 1, last: int = 10000) -> int:
    with deployed() as service:
        chosen = _chosen(service, first, last)
        print(f"faults: {len(chosen)} tasks: {', '.join(chosen.values())}", flush=True)
        for number, name in chosen.items():
            with service.fault(f"killed in task {number}, {name}"), service.used():
                code, said, _tasks = _run(service, number)
                if code != -9:
                    service.problems.append(f"ended with {code} before it was killed: {said[-500:]}")
                service.ends_well()
    return len(service.problems)
