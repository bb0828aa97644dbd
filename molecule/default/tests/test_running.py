# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each command of docs/running.md, and those of docs/connect.md for a host, work on what deploy.yml made."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from shlex import quote

import pytest
import requests
from testinfra.host import Host

from tests.client import ROOT
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])


def commands(page: str) -> list[str]:
    """The lines of the examples in a shell."""
    examples = re.findall(r"^```shell\n(.*?)^```$", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL)
    return [line for example in examples for line in example.splitlines()]


PLAYBOOKS = [line for line in commands("running.md") if line.startswith("ansible-playbook")]
# What is done on the host of Prometheus, which is another one, is proven where tests have a real one.
SHELL = [line for line in commands("running.md") if line not in PLAYBOOKS and "/etc/prometheus" not in line]
SHELL += [line for line in commands("connect.md") if line.startswith("docker ")]


@pytest.fixture(scope="module")
def host() -> Host:
    """With a request of each status in the log that the page looks for."""
    key = (SCENARIO.inventory.parent / ".gatehouse" / "secrets" / "alice.laptop").read_text().strip()
    url = SCENARIO.url("gate") + "/api/delete"
    assert requests.delete(url, headers={"Authorization": f"Bearer {key}"}, timeout=10).status_code == 403
    host = SCENARIO.host("gate")
    logged = "docker logs gatehouse-gateway-gateway-1 | grep -q '\"status\":403'"
    host.run_expect([0], f"timeout 20 bash -c {quote(f'until {logged}; do sleep 0.2; done')}")
    return host


@pytest.mark.parametrize("line", SHELL)
def test_a_command_for_the_host_works(line: str, host: Host) -> None:
    done = host.run_expect([0], "bash -c " + quote(f"set -eo pipefail; {line}"))
    assert done.stdout + done.stderr


# To run them all would take as long as the scenario again: others do. Their names and options are right.
@pytest.mark.parametrize("line", PLAYBOOKS)
def test_a_playbook_is_there_and_takes_the_options(line: str) -> None:
    words = [".venv/bin/ansible-playbook", *line.split()[1:], "--list-tasks"]
    words = [str(SCENARIO.inventory) if word == "my-hosts" else word for word in words]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "TAGS" in done.stdout
