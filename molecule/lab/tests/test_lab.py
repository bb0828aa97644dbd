# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's hosts are what the other scenarios take them for."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from testinfra.host import Host

from tests.lab import images, models
from tests.lab.base import REGISTRY_ADDRESS
from tests.lab.standin.registry import MANIFEST_MEDIA
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
ONE = SCENARIO.host("one")
TWO = SCENARIO.host("two")


@pytest.mark.parametrize("host", [ONE, TWO], ids=["one", "two"])
def test_systemd_has_booted_the_host(host: Host) -> None:
    assert host.check_output("cat /proc/1/comm") == "systemd"
    failed = host.check_output("systemctl list-units --failed --plain --no-legend").split("\n")
    # The machine's kernel modules are not for containers to load.
    assert [line.split()[0] for line in failed if line] in ([], ["systemd-modules-load.service"])


@pytest.mark.parametrize("service", images.SERVICES)
def test_the_host_pulls_an_image_by_its_official_name(service: str) -> None:
    name = images.official_name(service)
    assert name in ONE.check_output(f"docker pull --quiet {name}")


def test_a_container_of_the_host_is_reached_from_the_other_host_and_from_this_machine() -> None:
    nginx = images.official_name("nginx")
    ONE.check_output(f"docker run --detach --name web --publish 8080:80 --tmpfs /var/log/nginx {nginx}")
    url = f"http://{SCENARIO.address('one')}:8080/"
    fetch = f"import urllib.request; print(urllib.request.urlopen('{url}', timeout=10).status)"
    assert TWO.check_output(f'python3 -c "{fetch}"') == "200"
    assert requests.get(url, timeout=10).status_code == 200


def test_the_other_host_has_no_docker() -> None:
    assert not TWO.exists("docker")


@pytest.mark.parametrize("model", models.MODELS)
def test_the_registry_serves_the_models(model: str) -> None:
    url = f"http://{REGISTRY_ADDRESS}:5000/v2/library/{model.replace(':', '/manifests/')}"
    answer = requests.get(url, headers={"Accept": MANIFEST_MEDIA}, timeout=10)
    assert answer.status_code == 200
    kinds = {layer["mediaType"] for layer in answer.json()["layers"]}
    assert {f"application/vnd.ollama.image.{kind}" for kind in ("model", "template", "system", "params")} <= kinds
