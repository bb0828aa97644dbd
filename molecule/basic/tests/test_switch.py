# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing ollama_gateway_auth on a running host works both ways, and what was valid before is not any more.

In the end it is as the inventory has it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.client import Gateway, playbook
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
GATEWAY = Gateway(SCENARIO.url("gate"))
NAME, PASSWORD, KEY = "alice", "a password", "a-key-of-alice-with-enough-characters"
CREDENTIALS: dict[str, dict[str, Any]] = {
    "basic": {"password": PASSWORD},
    "bearer": {"keys": [{"id": "laptop", "secret": KEY}]},
    "both": {"password": PASSWORD, "keys": [{"id": "laptop", "secret": KEY}]},
}


def deploy(auth: str, folder: Path, engine: str = "auto") -> int:
    """Deploy with this way to authenticate and return how many tasks changed something."""
    extra = folder / "variables.json"
    clients = [{"name": NAME, **CREDENTIALS[auth]}]
    variables = {"ollama_gateway_auth": auth, "ollama_gateway_engine": engine, "ollama_gateway_clients": clients}
    extra.write_text(json.dumps(variables))
    return run("--extra-vars", f"@{extra}")


def run(*arguments: str) -> int:
    # The rest stays as it is, and other scenarios attack each of these ways.
    parts = ["--tags=ollama_gateway", "--skip-tags=verify"]
    done = playbook(SCENARIO.inventory, "deploy", *parts, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return sum(int(count) for count in re.findall(r"changed=(\d+)", done.stdout.split("PLAY RECAP")[1]))


def test_each_change_of_the_way_to_authenticate_takes_effect_and_settles(tmp_path: Path) -> None:
    # In the end plain nginx has it again, as it had in the beginning.
    changes = [("bearer", "auto"), ("basic", "openresty"), ("both", "auto")]
    for auth, engine in changes:
        assert deploy(auth, tmp_path, engine) > 0
        seen = {
            "none": GATEWAY.status(),
            "wrong password": GATEWAY.status(auth=(NAME, "wrong")),
            "password": GATEWAY.status(auth=(NAME, PASSWORD)),
            "wrong key": GATEWAY.status(key="wrong"),
            "key": GATEWAY.status(key=KEY),
        }
        assert seen == {
            "none": 401,
            "wrong password": 401,
            "password": 401 if auth == "bearer" else 200,
            "wrong key": 401,
            "key": 401 if auth == "basic" else 200,
        }, f"with {auth} on {engine}"
    assert deploy("both", tmp_path) == 0, "a second run changed something"
    assert run() > 0
    assert GATEWAY.status(key=KEY) == 401
    assert GATEWAY.status(auth=(NAME, PASSWORD)) == 401
    assert GATEWAY.status(auth=(NAME, SCENARIO.variables("gate")["ollama_gateway_clients"][0]["password"])) == 200
