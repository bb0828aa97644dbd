# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role writes for each accelerator is what Docker Compose reads; the lab has hosts for few of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.compose import describe
from tests.scenario import Scenario

HOST = Scenario(Path(__file__).parents[1]).host("gate")
FIRST, SECOND = "GPU-6a7e0000-0000-4000-8000-000000000000", "GPU-6a7e0000-0000-4000-8000-000000000001"
MIG = "MIG-bbbb2222-0000-4000-8000-000000000000"
NVIDIA = ["/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia0"]
AMD = ["/dev/kfd", "/dev/dri"]
LIST = {"test": ["CMD", "ollama", "list"], "interval": "10s"}
SMI = {"test": ["CMD-SHELL", "ollama list && nvidia-smi -L"], "interval": "10s"}


def read(text: str) -> dict[str, Any]:
    """The services as Docker Compose reads them."""
    answer = HOST.check_output("echo %s | docker compose -f - config --format json", text)
    services: dict[str, Any] = json.loads(answer)["services"]
    return services


def seen(service: dict[str, Any]) -> dict[str, Any]:
    """What a service has of GPUs."""
    devices = service.get("devices") or []
    requests = service.get("deploy", {}).get("resources", {}).get("reservations", {}).get("devices", [])
    return {
        "image": service["image"].rpartition(":")[2],
        # Compose writes a node as source and target, older versions as one text.
        "nodes": [one["source"] if isinstance(one, dict) else one.partition(":")[0] for one in devices],
        "groups": service.get("group_add", []),
        "requests": [
            {name: value for name, value in one.items() if name in ("driver", "count", "device_ids", "capabilities")}
            for one in requests
        ],
        "visible": {name: value for name, value in service["environment"].items() if name.endswith("VISIBLE_DEVICES")},
        "health": {name: service["healthcheck"][name] for name in ("test", "interval")},
    }


CASES: dict[str, tuple[dict[str, Any], list[str], list[int], dict[str, Any]]] = {
    "cpu": (
        {},
        [],
        [],
        {
            "image": "0.32.15",
            "nodes": [],
            "groups": [],
            "requests": [],
            "visible": {"NVIDIA_VISIBLE_DEVICES": "void"},
            "health": LIST,
        },
    ),
    "nvidia_all": (
        {"ollama_server_accelerator": "nvidia"},
        NVIDIA,
        [],
        {
            "image": "0.32.15",
            "nodes": NVIDIA,
            "groups": [],
            "requests": [{"driver": "nvidia", "count": -1, "capabilities": ["gpu"]}],
            "visible": {"NVIDIA_VISIBLE_DEVICES": "all"},
            "health": SMI,
        },
    ),
    "nvidia_chosen": (
        {"ollama_server_accelerator": "nvidia", "ollama_server_devices": [FIRST, SECOND, MIG]},
        [*NVIDIA, "/dev/nvidia1"],
        [],
        {
            "image": "0.32.15",
            "nodes": [*NVIDIA, "/dev/nvidia1"],
            "groups": [],
            "requests": [{"driver": "nvidia", "device_ids": [FIRST, SECOND, MIG], "capabilities": ["gpu"]}],
            "visible": {"NVIDIA_VISIBLE_DEVICES": f"{FIRST},{SECOND},{MIG}"},
            "health": SMI,
        },
    ),
    "amd": (
        {"ollama_server_accelerator": "amd", "ollama_server_devices": [0, "GPU-a1b2c3d4"]},
        AMD,
        [44, 992],
        {
            "image": "0.32.15-rocm",
            "nodes": AMD,
            "groups": ["44", "992"],
            "requests": [],
            "visible": {"NVIDIA_VISIBLE_DEVICES": "void", "ROCR_VISIBLE_DEVICES": "0,GPU-a1b2c3d4"},
            "health": LIST,
        },
    ),
    "vulkan": (
        {"ollama_server_accelerator": "vulkan", "ollama_server_devices": ["1"]},
        ["/dev/dri"],
        [992],
        {
            "image": "0.32.15",
            "nodes": ["/dev/dri"],
            "groups": ["992"],
            "requests": [],
            "visible": {"NVIDIA_VISIBLE_DEVICES": "void", "GGML_VK_VISIBLE_DEVICES": "1"},
            "health": LIST,
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_compose_reads_what_an_accelerator_needs(name: str) -> None:
    variables, nodes, groups, expected = CASES[name]
    assert seen(read(describe(nodes, groups, **variables))["ollama"]) == expected


def test_every_server_is_confined_whatever_it_computes_with() -> None:
    instances = [{"name": kind, "accelerator": kind} for kind in ("cpu", "nvidia", "amd", "vulkan")]
    services = read(describe([], [], ollama_server_instances=instances))
    assert sorted(services) == ["ollama-amd", "ollama-cpu", "ollama-nvidia", "ollama-vulkan"]
    for service in services.values():
        assert service["user"] == "60881:60881"
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["environment"]["OLLAMA_NO_CLOUD"] == "1"
        assert "ports" not in service


def test_settings_arrive_as_they_were_written_and_nothing_is_taken_for_a_variable() -> None:
    environment = {"HTTPS_PROXY": "http://me:pa$$word${X}@proxy.example.com:3128", "A": 'quo"te', "B": "false"}
    text = describe([], [], ollama_server_environment=environment, ollama_server_keep_alive="-1")
    # Compose prints a dollar sign twice, as it would have to be written.
    found = {name: value.replace("$$", "$") for name, value in read(text)["ollama"]["environment"].items()}
    assert found | environment | {"OLLAMA_KEEP_ALIVE": "-1"} == found
    assert yaml.safe_load(text)["services"]["ollama"]["environment"]["OLLAMA_KEEP_ALIVE"] == "-1"
