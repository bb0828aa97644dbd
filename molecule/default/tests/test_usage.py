# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook usage says how many tokens a client took as the server said them, and changes nothing."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.client import playbook
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
URL = SCENARIO.url("gate")
MESSAGES = [{"role": "user", "content": "hi"}]


def key() -> str:
    return (SCENARIO.inventory.parent / ".gatehouse" / "secrets" / "alice.laptop").read_text().strip()


def used(folder: Path) -> dict[str, int]:
    """What alice used so far, as the playbook writes it for programs."""
    file = folder / "usage.json"
    extra = json.dumps({"ollama_gateway_usage_format": "json", "ollama_gateway_usage_file": str(file)})
    done = playbook(SCENARIO.inventory, "usage", "-e", extra, "-e", "ollama_gateway_usage_clients=alice")
    assert done.returncode == 0, done.stdout + done.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    total: dict[str, int] = json.loads(file.read_text())["total"]
    return total


def ask(path: str, body: dict[str, Any]) -> requests.Response:
    answer = requests.post(URL + path, json=body, headers={"Authorization": f"Bearer {key()}"}, timeout=30)
    answer.raise_for_status()
    return answer


@pytest.mark.parametrize("stream", [False, True])
def test_the_playbook_says_what_the_server_said(tmp_path: Path, stream: bool) -> None:
    before = used(tmp_path)
    chat = ask("/api/chat", {"model": "tiny", "messages": MESSAGES, "stream": stream})
    said = json.loads(chat.text.splitlines()[-1])
    streamed = ask("/v1/chat/completions", {"model": "tiny", "messages": MESSAGES, "stream": stream})
    assert ('"usage"' in streamed.text) is not stream
    # The lines are written a moment later.
    time.sleep(0.3)
    after = used(tmp_path)
    assert {name: after[name] - before[name] for name in ("requests", "prompt_tokens", "completion_tokens")} == {
        "requests": 2,
        "prompt_tokens": 2 * said["prompt_eval_count"],
        "completion_tokens": 2 * said["eval_count"],
    }
    assert after["counted_tokens"] == before["counted_tokens"]


def test_the_table_names_client_key_model_and_day() -> None:
    ask("/api/generate", {"model": "tiny", "prompt": "hi"})
    time.sleep(0.3)
    done = playbook(SCENARIO.inventory, "usage", "-e", "ollama_gateway_usage_since=today")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split()[:3] for line in done.stdout.splitlines()]
    assert ["client", "key", "model"] in rows
    assert ["alice", "laptop", "tiny:latest"] in rows
    assert ["total", "-", "-"] in rows


def test_only_the_gateway_and_root_may_read_what_was_used() -> None:
    host = SCENARIO.host("gate")
    folder = "/opt/gatehouse/gateway/state"
    assert host.run(f"runuser -u nobody -- ls {folder}").rc != 0
    modes = host.check_output(f"stat -c '%a %u %g' {folder} {folder}/usage {folder}/usage/*.jsonl").splitlines()
    assert modes[:2] == ["750 0 60880", "770 0 60880"]
    assert set(modes[2:]) == {"640 60880 60880"}
