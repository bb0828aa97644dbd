# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server without any published port has the models that are described, whatever came in between."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client import playbook
from tests.component.contract.standins import Registry, registry, testmodels
from tests.lab.base import GATEWAY, REGISTRY_ADDRESS
from tests.lab.standin.registry import Registry as Client
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
HOST = SCENARIO.host("llm")
OWN = SCENARIO.variables("llm")["ollama_server_models"]


def run(models: list[Any], *arguments: str, purge: bool = False) -> tuple[int, str]:
    """The playbook `models` with these; the exit code, and what it printed."""
    variables = {"ollama_server_models": models, "ollama_server_models_purge": purge}
    done = playbook(SCENARIO.inventory, "models", "--extra-vars", json.dumps(variables), *arguments)
    return done.returncode, done.stdout + done.stderr


def changed(output: str) -> int:
    found = re.search(r"^llm +: .*changed=(\d+)", output, re.MULTILINE)
    assert found, output
    return int(found[1])


def succeed(models: list[Any], *arguments: str, purge: bool = False) -> str:
    code, output = run(models, *arguments, purge=purge)
    assert code == 0, output
    return output


def installed() -> dict[str, str]:
    """What the server itself says: short digests by name."""
    rows = HOST.check_output("docker exec gatehouse-ollama-ollama-1 ollama list").splitlines()[1:]
    return {row.split()[0]: row.split()[1] for row in rows}


def with_layer(package: Any, kind: str, data: bytes) -> Any:
    """The same model with another layer of that kind, so that its digest is another one."""
    manifest = json.loads(package.manifest)
    layer = next(one for one in manifest["layers"] if one["mediaType"].endswith("image." + kind))
    layer.update(digest=testmodels.digest_of(data), size=len(data))
    return testmodels.Package(json.dumps(manifest).encode(), {**package.blobs, layer["digest"]: data})


def publish(name: str, number: int) -> str:
    """Put it into the lab's registry; its short digest."""
    url = f"http://{REGISTRY_ADDRESS}:5000"
    repository = Client(url, url).repository("library", name)
    package = with_layer(testmodels.package("tiny"), "system", b"You are tiny, number %d." % number)
    for digest, data in package.blobs.items():
        if not repository.has_blob(digest):
            repository.upload_blob(digest, data)
    repository.put_manifest("latest", package.manifest)
    return str(testmodels.digest_of(package.manifest)).partition(":")[2][:12]


@pytest.fixture
def source() -> Iterator[Registry]:
    """A registry on this machine, which the host reaches at the lab's gateway, with a model that nobody else has."""
    with registry(GATEWAY) as server:
        weights = testmodels.weights("tiny") + server.address.encode()
        server.packages["tiny"] = with_layer(server.packages["tiny"], "model", weights)
        yield server


def test_the_server_has_the_models_and_no_port_leads_to_it() -> None:
    assert set(installed()) >= {"tiny:latest", "clerk:latest"}
    assert HOST.check_output("docker ps --format '{{.Ports}}'").replace("11434/tcp", "").strip() == ""
    assert ":11434" not in HOST.check_output("ss -Hltn")


def test_another_digest_under_a_name_is_shown_and_repaired() -> None:
    name = "models-drift"
    old = publish(name, 1)
    succeed([*OWN, {"name": name, "digest": old}])
    new = publish(name, 2)
    pinned = [*OWN, {"name": name, "digest": new}]
    output = succeed(pinned, "--check", "--diff")
    assert f" {name}:latest\n-  digest: {old}\n+  digest: {new}" in output
    assert installed()[f"{name}:latest"] == old
    assert changed(succeed(pinned)) == 1
    assert installed()[f"{name}:latest"] == new
    assert changed(succeed(pinned)) == 0


def test_one_wrong_name_is_told_and_does_not_hide_the_others() -> None:
    code, output = run([*OWN, "models-nowhere", {"name": "models-here", "source": "tiny"}])
    assert code == 2, output
    assert "models-nowhere:latest: there is no such model at its registry" in output
    assert "models-here:latest" in installed()


def test_what_is_not_in_the_list_goes_when_that_is_wanted() -> None:
    succeed([*OWN, {"name": "models-copy", "source": "tiny"}])
    assert "models-copy:latest" in installed()
    succeed(OWN, purge=True)
    assert set(installed()) == {"tiny:latest", "clerk:latest"}


def test_a_download_that_breaks_twice_ends_well_and_a_person_sees_it(source: Registry) -> None:
    name = f"{source.address}/library/tiny"
    source.cuts = [100_000, *[0] * 5, 200_000, *[0] * 5]
    source.rate = 60_000
    output = succeed([*OWN, {"name": name, "insecure": True}])
    label = re.escape(f"llm: {name}:latest: ")
    assert re.search(label + r"\d+ % of 521 kB", output), output
    assert len(re.findall(label + r"the download broke off at \d+ % of 521 kB: .* \(attempt 1 of 5\)", output)) == 2
    assert re.search(label + r"downloaded, 521 kB in \d+ s", output), output
    assert set(source.ranges) == {"bytes=100000-", "bytes=300000-"}


def test_nothing_is_downloaded_that_does_not_fit_on_the_disk(source: Registry) -> None:
    package = source.packages["tiny"]
    manifest = json.loads(package.manifest)
    manifest["layers"][0]["size"] = 10**15
    source.packages["tiny"] = testmodels.Package(json.dumps(manifest).encode(), package.blobs)
    code, output = run([*OWN, {"name": f"{source.address}/library/tiny", "insecure": True}])
    assert code == 2, output
    assert "1000 TB are still to be downloaded, and" in " ".join(output.split())
    assert set(installed()) >= {"tiny:latest", "clerk:latest"}


def test_fifty_models_that_are_as_they_should_be_are_one_quick_task() -> None:
    names = [f"models-fifty-{number}" for number in range(50)]
    succeed([*OWN, *[{"name": name, "source": "tiny"} for name in names]])
    begun = time.monotonic()
    output = succeed([*OWN, *names])
    seconds = time.monotonic() - begun
    assert changed(output) == 0
    assert output.count("TASK [gatehouse.ollama.ollama_server : deploy | models | Download and make") == 1
    # Of the playbook as a whole, on a busy machine.
    assert seconds < 60
    print(f"50 models unchanged: {seconds:.1f} s for the playbook")
