# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from tests.unit.conftest import Playbook

SECRET = "http://me:a-secret-password@proxy.example.com:3128"
GOOD: dict[str, Any] = {
    "image": "docker.io/ollama/ollama:0.32.15",
    "dir": "/opt/gatehouse/ollama",
    "network": "ollama",
    "egress_hosts": ["registry.ollama.ai"],
    "egress_image": "docker.io/openresty/openresty:1.31.1.1-bookworm",
    "environment": "{{ environment_of_server }}",
}


def task(**changes: Any) -> dict[str, Any]:
    return {"gatehouse.ollama.validate_server": {**GOOD, **changes}}


def test_the_servers_are_returned_and_the_environment_is_shown_nowhere(playbook: Playbook) -> None:
    run = playbook.run([task()], "-vvv", environment_of_server={"HTTPS_PROXY": SECRET, "OLLAMA_KEEP_ALIV": "1m"})
    (result,) = run.only
    assert result["changed"] is False
    assert result["instances"][0]["environment"]["HTTPS_PROXY"] == SECRET
    (accelerator,) = result["accelerators"]
    assert accelerator == {
        "service": "ollama",
        "accelerator": "cpu",
        "devices": [],
        "place": "ollama_server_devices",
    }
    assert result["images"] == [GOOD["image"]]
    assert "a-secret-password" not in run.output
    assert "is OLLAMA_KEEP_ALIVE meant?" in " ".join(run.output.split())


def test_all_problems_are_told_without_any_value_of_the_environment(playbook: Playbook) -> None:
    run = playbook.run([task(accelerator="tpu", cpu_limit="x")], environment_of_server={"OLLAMA_HOST": SECRET})
    (result,) = run.only
    assert result["failed"]
    assert [line.split()[0].rstrip(":") for line in result["msg"].splitlines()] == [
        "ollama_server_environment",
        "ollama_server_cpu_limit",
        "ollama_server_accelerator",
    ]
    assert "a-secret-password" not in run.output


def test_a_server_that_is_removed_need_not_be_right(playbook: Playbook) -> None:
    run = playbook.run([task(present=False, image="x"), task(present=False, dir="/")], environment_of_server={})
    removed, refused = run.only
    assert (removed.get("failed", False), removed["instances"]) == (False, [])
    assert "ollama_server_dir" in refused["msg"]
