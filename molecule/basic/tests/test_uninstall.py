# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""uninstall.yml removes the gateway and Ollama; the models go only if that is asked for."""

from __future__ import annotations

import re
from pathlib import Path

from tests.client import playbook
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
HOST = SCENARIO.host("gate")
VOLUME = "gatehouse-ollama_ollama"


def run(name: str, *arguments: str) -> int:
    """Run a playbook and return how many tasks changed something; what it removes or leaves, it says."""
    done = playbook(SCENARIO.inventory, name, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    if name == "uninstall":
        assert "Docker and the images stay." in done.stdout
    return sum(int(count) for count in re.findall(r"changed=(\d+)", done.stdout.split("PLAY RECAP")[1]))


def gateway_files() -> set[str]:
    return set(HOST.run("find /opt/gatehouse/gateway -mindepth 1 -maxdepth 1").stdout.splitlines())


def left() -> dict[str, bool]:
    """What of a deployment is on the host."""
    return {
        "containers": HOST.check_output("docker ps --all --quiet") != "",
        "networks": "ollama" in HOST.check_output("docker network ls --format '{{.Name}}'"),
        "models": VOLUME in HOST.check_output("docker volume ls --quiet"),
        # Beside what was counted, which another engine may have done.
        "files": HOST.file("/opt/gatehouse/ollama").exists or gateway_files() - {STATE} != set(),
    }


STATE = "/opt/gatehouse/gateway/state"
LEDGER = f"{STATE}/usage/2026-01-01.jsonl"
ALL = {"containers": True, "networks": True, "models": True, "files": True}
NOTHING = {name: False for name in ALL}
MODELS = {**NOTHING, "models": True}


def test_everything_goes_models_and_what_was_counted_only_if_that_is_asked_for_and_a_deploy_brings_it_back() -> None:
    assert left() == ALL
    HOST.run_expect([0], "rm /opt/gatehouse/gateway/compose.yaml /opt/gatehouse/ollama/compose.yaml")
    assert run("uninstall", "-e", "ollama_server_purge_data=true") > 0
    assert left() == NOTHING
    assert run("deploy", "--skip-tags=verify") > 0
    assert left() == ALL
    HOST.run_expect([0], f"mkdir -p {LEDGER.rpartition('/')[0]} && echo counted > {LEDGER}")
    assert run("uninstall", "--check") > 0
    assert left() == ALL
    assert run("uninstall", "-e", "ollama_server_purge_data=false") > 0
    assert left() == MODELS
    assert gateway_files() == {STATE}
    assert run("uninstall") == 0
    assert run("uninstall", "--check", "-e", "ollama_gateway_purge_data=true") > 0
    assert HOST.file(LEDGER).content_string == "counted\n"
    assert run("uninstall", "-e", "ollama_gateway_purge_data=true") > 0
    assert left() == MODELS
    assert not HOST.file("/opt/gatehouse/gateway").exists
