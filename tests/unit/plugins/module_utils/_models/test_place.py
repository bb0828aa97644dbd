# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import ServerError
from ansible_collections.gatehouse.ollama.plugins.module_utils._models import place

NETWORKS: dict[str, dict[str, Any]] = {
    "gatehouse-ollama_default": {"IPAddress": "172.18.0.3", "Aliases": ["ollama"]},
    "ollama": {"IPAddress": "172.19.0.2", "Aliases": ["ollama", "ollama-listen"]},
}


def container(name: str, service: str, running: bool = True, **environment: str) -> dict[str, Any]:
    return {
        "Id": name,
        "Name": f"/{name}",
        "State": {"Running": running, "Pid": 42},
        "Config": {
            "Image": "ollama/ollama:0.32.15",
            "Env": [f"{key}={value}" for key, value in environment.items()],
            "Labels": {"com.docker.compose.service": service},
        },
        "NetworkSettings": {"Networks": NETWORKS},
        "Mounts": [{"Destination": "/root/.ollama", "Source": "/var/lib/docker/volumes/x/_data"}],
    }


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("ollama-listen:11434", ("172.19.0.2", 11434)),
        ("0.0.0.0:11434", ("127.0.0.1", 11434)),
        ("0.0.0.0", ("127.0.0.1", 11434)),
        ("[::]:8000", ("::1", 8000)),
        ("", ("127.0.0.1", 11434)),
        (":8000", ("127.0.0.1", 8000)),
        ("localhost", ("127.0.0.1", 11434)),
        ("http://172.19.0.2", ("172.19.0.2", 80)),
    ],
)
def test_a_server_listens_where_its_environment_says(host: str, expected: tuple[str, int]) -> None:
    assert place.listens_at({"OLLAMA_HOST": host}, NETWORKS) == expected


def test_a_name_that_no_network_knows_is_an_error() -> None:
    with pytest.raises(ServerError, match="elsewhere, which is no name of it"):
        place.listens_at({"OLLAMA_HOST": "elsewhere"}, NETWORKS)


def test_the_server_is_the_first_by_name_that_runs() -> None:
    inspected = [
        container("p-helper-1", "helper"),
        container("p-ollama-b-1", "ollama-b"),
        container("p-ollama-a-1", "ollama-a", running=False),
        container("p-ollamas-1", "ollamas"),
    ]
    found = place.choose(inspected, None)
    assert found is not None
    assert (found.name, found.pid) == ("p-ollama-b-1", 42)


def test_a_service_can_be_named() -> None:
    inspected = [container("p-a-1", "ollama-a"), container("p-b-1", "ollama-b")]
    found = place.choose(inspected, "ollama-b")
    assert found is not None
    assert found.name == "p-b-1"
    assert place.choose(inspected, "ollama") is None


def test_the_folder_of_the_models_is_found_on_the_host() -> None:
    found = place.choose([container("p-ollama-1", "ollama")], None)
    assert found is not None
    assert found.models_folder == "/var/lib/docker/volumes/x/_data/models"
    elsewhere = place.choose([container("p-ollama-1", "ollama", OLLAMA_MODELS="/models")], None)
    assert elsewhere is not None
    assert elsewhere.models_folder is None
