# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker, DockerError, name_of
from ansible_collections.gatehouse.ollama.plugins.module_utils._gateway import containers

TEXT = 'name: g\n\nservices:\n  pod:\n    image: "p"\n\n  gateway-3:\n    image: "a:1"\n    user: "1:1"\n'


def one(service: str, name: str, running: Any = True, network: str = "container:p", **more: Any) -> dict[str, Any]:
    return {
        "Id": service + "0" * 12,
        "Name": "/" + name,
        "Image": "sha256:1",
        "Config": {"User": "1:1", "Labels": {"com.docker.compose.service": service, **more}},
        "HostConfig": {"NetworkMode": network},
        "State": {"Running": running, "Status": "running" if running else "exited", "Pid": 1},
    }


class Host:
    """Stands for the AnsibleModule on a host with these containers."""

    check_mode = False

    def __init__(self, *there: dict[str, Any]) -> None:
        self.there = there

    def get_bin_path(self, name: str) -> str:
        return name

    def run_command(self, args: list[str], **_options: Any) -> tuple[int, str, str]:
        if args[1] == "ps":
            return 0, "\n".join(one["Id"] for one in self.there), ""
        return 0, json.dumps(self.there) if args[1] == "container" else "", ""


def look(folder: Path, *there: dict[str, Any], text: str = TEXT) -> containers.Containers:
    if text:
        (folder / "compose.yaml").write_text(text)
    return containers.Containers(Docker(Host(*there)), "g", str(folder))


def test_the_gateway_that_is_described_is_told_from_those_before_it(tmp_path: Path) -> None:
    pod, live, old = one("pod", "g-pod-1", network="g_default"), one("gateway-3", "g-gateway-1"), one("gateway-2", "x")
    found = look(tmp_path, pod, old, live)
    assert (found.pod, found.live, found.others) == (pod, live, [old])
    assert found.networked() == pod


def test_one_of_a_time_before_pods_has_its_networks_itself(tmp_path: Path) -> None:
    live = one("gateway", "g-gateway-1", network="g_default")
    found = look(tmp_path, live, text="services:\n  gateway:\n")
    assert found.description.number == 0
    assert (found.live, found.networked()) == (live, live)


def test_without_a_description_nothing_is_the_gateway(tmp_path: Path) -> None:
    found = look(tmp_path, one("gateway-1", "g-gateway-1"), text="")
    assert found.live is None
    assert [name_of(other) for other in found.others] == ["g-gateway-1"]


def test_what_somebody_runs_by_hand_is_none_of_them(tmp_path: Path) -> None:
    assert look(tmp_path, one("gateway-3", "x", **{"com.docker.compose.oneoff": "True"})).all == []


@pytest.mark.parametrize("running", [(True, False), (False, True)])
def test_only_a_gateway_that_runs_in_a_pod_that_runs_is_live(tmp_path: Path, running: tuple[bool, bool]) -> None:
    (tmp_path / "compose.yaml").write_text(TEXT)
    there = Host(one("pod", "g-pod-1", running[0]), one("gateway-3", "g-gateway-1", running[1]))
    with pytest.raises(DockerError, match=r"No gateway runs as .*compose\.yaml describes it"):
        containers.only_live(Docker(there), "g", str(tmp_path))


def test_a_new_one_is_tried_in_the_networks_of_the_pod_also_where_the_gateway_is_gone(tmp_path: Path) -> None:
    def found(*there: dict[str, Any]) -> dict[str, Any]:
        return containers.has_networks(Docker(Host(*there)), "g", str(tmp_path))

    networks: dict[str, Any] = {"NetworkSettings": {"Networks": {"g_default": {}}}}
    pod, old = one("pod", "g-pod-1") | networks, one("gateway", "g-gateway-1") | networks
    inside = one("gateway-3", "x") | {"NetworkSettings": {"Networks": {}}}
    assert found(inside, pod) == pod
    assert found(inside, old) == old
    assert found(inside) == {}


def test_a_description_under_another_number_has_the_very_image_and_is_the_same_otherwise() -> None:
    text = containers.as_number(TEXT, 7, "sha256:9")
    assert text == TEXT.replace("gateway-3", "gateway-7").replace('"a:1"', '"sha256:9"')
