# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run costs that changes nothing, on a host like the demo's, against 30 bare looks at that host."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests import lab
from tests.bench.summary import Figure
from tests.client import ROOT
from tests.demo import __main__ as demo
from tests.lab import hosts

HOST = "gatehouse-bench"
LOOKS, ROUNDS = 30, 3
MANY = 4


class RunError(Exception):
    """A playbook fails, or changes what it was not to."""


def run(inventory: Path, playbook: str | Path, *options: str) -> tuple[float, str]:
    """How many seconds a playbook takes, the start of Ansible included, and what it says."""
    command: list[str | Path] = [ROOT / ".venv/bin/ansible-playbook", "-i", inventory, playbook, *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    begun = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    took = time.monotonic() - begun
    if done.returncode != 0:
        raise RunError(done.stdout[-2000:])
    return took, done.stdout


def counted(said: str) -> dict[str, int]:
    """The sums of a play's recap over all hosts, such as `ok`."""
    found: dict[str, int] = {}
    for name, number in re.findall(r"(\w+)=(\d+)", said.rpartition("PLAY RECAP")[2]):
        found[name] = found.get(name, 0) + int(number)
    return found


def unchanged(inventory: Path, playbook: str, *options: str) -> tuple[float, dict[str, int]]:
    took, said = run(inventory, playbook, *options)
    count = counted(said)
    if count["changed"]:
        raise RunError(f"{playbook} changes something in a second run: {said[-2000:]}")
    return took, count


def looks(folder: Path) -> Path:
    """A play of bare tasks, and of facts."""
    tasks = [{"ansible.builtin.stat": {"path": "/etc/hostname"}} for _ in range(LOOKS)]
    file = folder / "looks.yml"
    file.write_text(json.dumps([{"hosts": "ollama_gateways", "become": True, "tasks": tasks}]), encoding="utf-8")
    return file


@contextlib.contextmanager
def demo_host(name: str, limits: dict[str, int] | None = demo.LIMITS) -> Iterator[tuple[str, Path]]:
    """The address of a host like the demo's, until the block ends, and an inventory of it."""
    client = lab.up()
    address, _made = hosts.create(client, name)
    try:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            demo.password(folder)
            yield address, demo.write_inventory(address, name, folder, limits)
    finally:
        hosts.destroy(client, name)


def noop() -> list[Figure]:
    ran = Figure("noop_deploy_tasks", "tasks", 60, "tasks that a deploy runs which changes nothing", at_most=True)
    skipped = Figure("noop_deploy_skipped", "tasks", 30, "tasks that it skips", at_most=True)
    deploy = Figure("noop_deploy_vs_stat", "ratio", 2.5, f"its time, by that of {LOOKS} bare stat and facts", True)
    clients = Figure("noop_clients_vs_stat", "ratio", 0.5, "the same of the playbook clients", True)
    with demo_host(HOST) as (_address, inventory):
        run(inventory, "playbooks/deploy.yml")
        for _ in range(ROUNDS):
            baseline, _said = run(inventory, looks(inventory.parent))
            took, count = unchanged(inventory, "playbooks/deploy.yml")
            deploy.add(baseline, took)
            ran.add(0, count["ok"])
            skipped.add(0, count["skipped"])
            clients.add(baseline, unchanged(inventory, "playbooks/clients.yml")[0])
    return [ran, skipped, deploy, clients]


@contextlib.contextmanager
def many_hosts() -> Iterator[Path]:
    """An inventory of hosts that are a server with a door and a gateway to all doors each, until the block ends."""
    client = lab.up()
    names = [f"{HOST}-{number}" for number in range(1, MANY + 1)]
    try:
        addresses = {name: hosts.create(client, name, has_docker=True)[0] for name in names}
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            demo.password(folder)
            file = demo.write_inventory(next(iter(addresses.values())), names[0], folder)
            inventory = yaml.safe_load(file.read_text())
            inventory["all"]["vars"] |= {
                "ansible_host": "{{ inventory_hostname }}",
                "ollama_gateway_server_names": list(addresses.values()),
                "ollama_server_door_bind": "{{ lab_address }}",
                "ollama_gateway_doors": "{{ groups['ollama_servers'] | gatehouse.ollama.doors(hostvars) }}",
            }
            members = {name: {"lab_address": address} for name, address in addresses.items()}
            for group in inventory["all"]["children"].values():
                group["hosts"] = members
            file.write_text(yaml.safe_dump(inventory))
            yield file
    finally:
        for name in names:
            hosts.destroy(client, name)


def noop_many() -> list[Figure]:
    meaning = f"time of a deploy of {MANY} servers and gateways that changes nothing, by that of one of them"
    figure = Figure("noop_deploy_4_vs_1", "ratio", 2, meaning, at_most=True)
    with many_hosts() as inventory:
        run(inventory, "playbooks/deploy.yml")
        for _ in range(ROUNDS):
            one, _count = unchanged(inventory, "playbooks/deploy.yml", f"--limit={HOST}-1,localhost")
            figure.add(one, unchanged(inventory, "playbooks/deploy.yml")[0])
    return [figure]
