# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""models_export.yml writes a disk that deploy.yml and models_import.yml read on a host without any way out."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.client import Gateway, playbook, told
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
OUTSIDE = SCENARIO.host("outside")
INSIDE = SCENARIO.host("inside")
KEY = SCENARIO.variables("inside")["ollama_gateway_clients"][0]["keys"][0]["secret"]
DISK = "/media/disk"
FILES = {
    "ollama_server_archive": f"{DISK}/models",
    "ollama_server_image_archive": f"{DISK}/ollama.tar",
    "ollama_gateway_image_archive": f"{DISK}/gateway.tar",
}


def run(name: str, host: str, *arguments: str, **variables: Any) -> tuple[int, str, int]:
    """Run a playbook on one host: its exit code, what it said, and how many tasks changed something."""
    done = playbook(
        SCENARIO.inventory, name, "--limit", f"localhost,{host}", "--extra-vars", json.dumps(variables), *arguments
    )
    changed = sum(int(count) for count in re.findall(r" changed=(\d+)", done.stdout))
    return done.returncode, told(done), changed


def succeed(name: str, host: str, *arguments: str, **variables: Any) -> tuple[str, int]:
    code, said, changed = run(name, host, *arguments, **variables)
    assert code == 0, said[-5000:]
    return said, changed


def models(host: str) -> dict[str, str]:
    """The models that a client sees through the gateway, with their digests."""
    answer = Gateway(SCENARIO.url(host)).get(headers={"Authorization": f"Bearer {KEY}"})
    assert answer.status_code == 200
    return {one["name"]: one["digest"] for one in answer.json()["models"]}


def blobs_of(model: str) -> set[str]:
    manifest = INSIDE.check_output(f"cat {DISK}/models/manifests/registry.ollama.ai/library/{model}/latest")
    parts = json.loads(manifest)
    return {one["digest"].replace(":", "-") for one in [parts["config"], *parts["layers"]]}


@pytest.fixture(scope="module")
def exported() -> tuple[str, str, int]:
    """What the export said in check mode and for real, and how much a second one changed."""
    would, _ = succeed("models_export", "outside", "--check", "--diff", **FILES)
    assert OUTSIDE.check_output(f"ls {DISK}") == ""
    said, _ = succeed("models_export", "outside", "--diff", **FILES)
    _, again = succeed("models_export", "outside", **FILES)
    return would, said, again


@pytest.fixture(scope="module")
def carried(exported: tuple[str, str, int]) -> None:
    """The disk in the other host."""
    outside, inside = (SCENARIO.variables(name)["ansible_host"] for name in ("outside", "inside"))
    with subprocess.Popen(["docker", "exec", outside, "tar", "-C", DISK, "-c", "."], stdout=subprocess.PIPE) as pack:
        subprocess.run(["docker", "exec", "-i", inside, "tar", "-C", DISK, "-x"], stdin=pack.stdout, check=True)
    assert pack.returncode == 0


@pytest.fixture(scope="module")
def deployed(carried: None) -> str:
    """What the deployment of the host without a way out said."""
    return succeed("deploy", "inside", "--skip-tags=verify", "--diff")[0]


@pytest.fixture
def damaged(deployed: str) -> Iterator[str]:
    """A layer on the disk, of a model that the host does not have yet, in which one byte is another."""
    blob = min(blobs_of("tiny-loop") - blobs_of("tiny"))
    path = f"{DISK}/models/blobs/{blob}"
    INSIDE.check_output(f"cp {path} {DISK}/whole")
    INSIDE.check_output(f"printf X | dd of={path} bs=1 conv=notrunc status=none")
    yield blob
    INSIDE.check_output(f"mv {DISK}/whole {path}")


def test_the_host_has_no_way_out(deployed: str) -> None:
    assert INSIDE.run("timeout 5 bash -c 'exec 3<>/dev/tcp/10.213.0.2/5000'").rc != 0
    assert "default" not in INSIDE.check_output("ip route")
    assert INSIDE.run("docker pull --quiet docker.io/library/nginx:1.30.4").rc != 0


def test_an_export_tells_in_check_mode_what_it_then_writes_and_a_second_one_changes_nothing(
    exported: tuple[str, str, int],
) -> None:
    would, said, again = exported
    for digest in models("outside").values():
        assert digest[:12] in would
        assert digest[:12] in said
    assert again == 0


def test_a_host_without_a_way_out_serves_a_model_of_the_archive(deployed: str) -> None:
    assert models("inside")["tiny:latest"] == models("outside")["tiny:latest"]
    body = {"model": "tiny", "prompt": "hi", "stream": False}
    url = SCENARIO.url("inside") + "/api/generate"
    answer = requests.post(url, json=body, headers={"Authorization": f"Bearer {KEY}"}, timeout=30)
    assert (answer.status_code, answer.json()["done"]) == (200, True)
    assert requests.post(url, json=body, timeout=30).status_code == 401


def test_a_second_deployment_changes_nothing(deployed: str) -> None:
    assert succeed("deploy", "inside", "--skip-tags=verify")[1] == 0


def test_the_servers_user_owns_what_came_in(deployed: str) -> None:
    folder = "/var/lib/docker/volumes/gatehouse-ollama_ollama/_data"
    owner = INSIDE.check_output(f"stat -c %u {folder}")
    assert INSIDE.check_output(f"find {folder} ! -uid {owner}") == ""


def test_a_damaged_layer_is_refused_by_name_and_the_model_does_not_appear(damaged: str) -> None:
    before = models("inside")
    code, said, _ = run("models_import", "inside", ollama_server_archive_models=["tiny-loop"])
    assert code == 2
    assert f"{damaged} is damaged" in said, said[-3000:]
    assert models("inside") == before


def test_an_import_takes_in_the_whole_archive_and_a_second_one_changes_nothing(deployed: str) -> None:
    # Whatever came before.
    INSIDE.run("docker exec gatehouse-ollama-ollama-1 ollama rm tiny-loop")
    would, _ = succeed("models_import", "inside", "--check", "--diff")
    assert models("outside")["tiny-loop:latest"][:12] in would
    succeed("models_import", "inside")
    assert models("inside") == models("outside")
    assert succeed("models_import", "inside")[1] == 0


REFUSED: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "an_archive_without_the_image": (
        "deploy",
        {"ollama_server_image": "docker.io/ollama/ollama:0.99.0"},
        [
            "ollama_server_image_archive",
            "ollama.tar has no docker.io/ollama/ollama:0.99.0",
            "What runs was not touched",
        ],
    ),
    "a_file_that_is_not_there": (
        "deploy",
        {"ollama_server_image": "docker.io/ollama/ollama:0.99.0", "ollama_server_image_archive": f"{DISK}/absent.tar"},
        ["ollama_server_image_archive", "absent.tar is not there"],
    ),
    "a_model_that_is_not_in_it": (
        "models_import",
        {"ollama_server_archive_models": ["tiny", "absent"]},
        ["ollama_server_archive_models[1]", f"{DISK}/models has no model absent:latest"],
    ),
    "another_digest": (
        "models_import",
        {"ollama_server_archive_models": [{"name": "tiny", "digest": "0" * 64}]},
        ["ollama_server_archive_models[0].digest", "tiny:latest", "not " + "0" * 64],
    ),
    "a_disk_that_is_not_there": (
        "models_import",
        {"ollama_server_archive": "/media/absent"},
        ["ollama_server_archive: /media/absent: No such file or directory"],
    ),
    "no_place": ("models_import", {"ollama_server_archive": ""}, ["ollama_server_archive is empty"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_taken_in_is_refused_by_name(case: str, deployed: str) -> None:
    name, variables, words = REFUSED[case]
    arguments = ["--tags=ollama_server", "--skip-tags=verify"] if name == "deploy" else []
    code, said, _ = run(name, "inside", *arguments, **variables)
    assert code == 2, said[-3000:]
    assert [word for word in words if word not in said] == [], said[-3000:]
    assert models("inside")["tiny:latest"]
