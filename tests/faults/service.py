# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host like the demo's while something goes wrong on it, and what its users see meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import testinfra
from testinfra.host import Host

from tests.bench import deploys
from tests.client import ROOT, Gateway, Load
from tests.demo import __main__ as demo

HOST = "gatehouse-faults"
# What a host has when nothing is under way.
CONTAINERS = {"gatehouse-gateway-gateway-1", "gatehouse-gateway-pod-1", "gatehouse-ollama-ollama-1"}


@dataclass
class Service:
    address: str
    inventory: Path
    # Each round replaces the server and the gateway of the one before.
    round: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def host(self) -> Host:
        return testinfra.get_host(f"docker://{HOST}")

    @property
    def key(self) -> str:
        return demo.key(self.inventory.parent)

    @property
    def gateway(self) -> Gateway:
        ca = self.inventory.parent / demo.HIDDEN / "ca" / "ca.pem"
        return Gateway(f"https://{self.address}:{demo.PORT}", timeout=90, ca=ca)

    def variables(self) -> dict[str, Any]:
        return {
            "ollama_gateway_memory_limit": f"{600 + self.round}m",
            "ollama_gateway_drain_timeout": 20,
            "ollama_server_environment": {"STANDIN_TOKEN_DELAY_MS": str(1 + self.round % 5)},
        }

    def play(self, name: str, *options: str, **environment: str) -> tuple[int, str]:
        """The exit code of a playbook with this round's variables, and what it said."""
        command: list[str | Path] = [ROOT / ".venv/bin/ansible-playbook", "-i", self.inventory, f"playbooks/{name}.yml"]
        command += [f"--extra-vars={json.dumps(self.variables())}", *options]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            check=False,
        )
        return done.returncode, done.stdout

    def deploy(self) -> tuple[int, str]:
        return self.play("deploy", "--skip-tags=verify")

    @contextmanager
    def used(self) -> Iterator[None]:
        """Users ask while the block runs, on new connections and on one that is kept; a failed request is a problem."""
        loads = [Load(self.gateway, self.key, pause=0.1, keep_alive=kept) for kept in (False, True)]
        with loads[0], loads[1]:
            yield
        answers = [answer for load in loads for answer in load.answers]
        if failed := [answer for answer in answers if answer[1] != 200]:
            self.problems.append(f"{len(failed)} of {len(answers)} requests failed: {failed[:5]}")

    def leftovers(self) -> list[str]:
        """What a run left on the host and a settled one does not have."""
        names = set(self.host.check_output("docker ps --all --format '{{.Names}}'").split())
        found = [f"container {name}" for name in sorted(names ^ CONTAINERS)]
        units = "systemctl list-units --all --plain --no-legend 'gatehouse-gateway-*'"
        found += self.host.check_output(units).splitlines()
        return found + self.host.check_output("find /opt/gatehouse -name '*.new' -o -name 'hold.json'").split()

    def ends_well(self) -> None:
        """The next run ends and leaves nothing, one more changes nothing; the right key is let in and nobody else."""
        code, said = self.deploy()
        if code != 0:
            self.problems.append(f"the next run fails: {said[-2500:]}")
        end = time.monotonic() + 60
        while (found := self.leftovers()) and time.monotonic() < end:
            time.sleep(1)
        if found:
            self.problems.append(f"left behind: {found}")
        code, said = self.deploy()
        if code != 0 or deploys.counted(said)["changed"]:
            changed = [line for line in said.splitlines() if line.startswith("changed: ")]
            self.problems.append(f"once more, with {code}: {changed or said[-2500:]}")
        seen = [self.gateway.status(key=self.key), self.gateway.status()]
        if seen != [200, 401]:
            self.problems.append(f"it does not serve as it should: {seen}")

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """One fault: a round of its own, and a line on how it ended."""
        before = len(self.problems)
        self.round += 1
        yield
        print(f"faults: {name}: {'; '.join(self.problems[before:]) or 'ends well'}", flush=True)


@contextmanager
def deployed(prepare: str = "true") -> Iterator[Service]:
    """A service on a host of its own, where this command of a shell ran before anything was deployed."""
    with deploys.demo_host(HOST, limits=None) as (address, inventory):
        service = Service(address, inventory)
        service.host.run_expect([0], prepare)
        code, said = service.deploy()
        if code != 0:
            raise deploys.RunError(said[-3000:])
        yield service
