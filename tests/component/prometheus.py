# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Prometheus on loopback, promtool and an Alertmanager, from the lab's images."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
import yaml
from docker.models.containers import Container

from tests.component.contract.standins import free_port, until
from tests.lab import engine, images
from tests.lab.base import LABEL, REPOSITORY

MONITORING = REPOSITORY / "docs" / "monitoring"
TESTS = Path(__file__).parent / "monitoring"
# Where a Prometheus has its files, in the configuration that users copy.
INSIDE = "/etc/prometheus"


def promtool(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """The rules and their tests are in /monitoring and /tests."""
    image = images.build(engine.client(), "prometheus")
    mounts = [f"--volume={MONITORING}:/monitoring:ro", f"--volume={TESTS}:/tests:ro"]
    command = ["docker", "run", "--rm", "--interactive", "--network=none", "--entrypoint=promtool", *mounts, image]
    return subprocess.run([*command, *arguments], input=text, capture_output=True, text=True, timeout=60, check=False)


class Prometheus:
    """Scrapes once a second; `url` is where it answers."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **parameters: str) -> Any:
        reply = requests.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=10)
        said = reply.json()
        assert said["status"] == "success", said
        return said["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What an expression is now: for each set of labels `metric` and `value`."""
        result: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return result

    def alert(self, name: str) -> dict[str, Any] | None:
        """The alert of this name that fires, None if it does not."""
        alerts = self.ask("alerts")["alerts"]
        firing = (one for one in alerts if one["labels"]["alertname"] == name and one["state"] == "firing")
        return next(firing, None)

    def targets(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("targets")["activeTargets"]
        return found


def rules() -> str:
    return (MONITORING / "gatehouse.rules.yml").read_text(encoding="utf-8")


def quick_rules() -> str:
    """The same rules, which wait a second where those of users wait minutes."""
    return re.sub(r"\[[0-9]+m\]", "[5s]", re.sub(r"\bfor: [0-9]+m\b", "for: 1s", rules()))


@contextlib.contextmanager
def running(image: str, folder: Path, files: dict[str, str], *options: str) -> Iterator[Container]:
    """A container on the network of this machine with these files in `folder`, which it sees as INSIDE."""
    folder.mkdir()
    folder.chmod(0o755)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o644)
    client = engine.client()
    container = client.containers.run(
        images.build(client, image),
        list(options),
        network_mode="host",
        tmpfs={"/tmp": "mode=1777"},
        volumes={str(folder): {"bind": INSIDE, "mode": "ro"}},
        labels={LABEL: "component"},
        detach=True,
    )
    try:
        yield container
    finally:
        container.remove(force=True)


class Alertmanager:
    """What a Prometheus told it of alerts."""

    def __init__(self, address: str) -> None:
        self.address = address

    def ask(self, path: str) -> Any:
        reply = requests.get(f"http://{self.address}/api/v2/{path}", timeout=10)
        reply.raise_for_status()
        return reply.json()

    def alerts(self) -> set[str]:
        """The names of those that are active."""
        return {one["labels"]["alertname"] for one in self.ask("alerts") if one["status"]["state"] == "active"}

    def answers(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return bool(self.ask("status"))
        return False


@contextlib.contextmanager
def alertmanager(folder: Path) -> Iterator[Alertmanager]:
    """One that tells nobody."""
    configuration = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}
    one = Alertmanager(f"127.0.0.1:{free_port()}")
    options = [f"--config.file={INSIDE}/alertmanager.yml", "--storage.path=/tmp/data", "--cluster.listen-address="]
    files = {"alertmanager.yml": yaml.safe_dump(configuration)}
    with running("alertmanager", folder, files, *options, f"--web.listen-address={one.address}") as container:
        assert until(one.answers, 30), container.logs().decode()
        yield one


@contextlib.contextmanager
def prometheus(
    folder: Path, target: str, key: str, ca_pem: str, rules_text: str = "", alerts_to: str = ""
) -> Iterator[Prometheus]:
    """One that is configured as docs/monitoring says, but for the address, and for how often it looks.

    With other rules, and an Alertmanager, where these are given.
    """
    configuration = yaml.safe_load((MONITORING / "prometheus.yml").read_text(encoding="utf-8"))
    configuration["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    # As somebody has it who sets the label that is left out there.
    configuration["scrape_configs"][0]["static_configs"] = [{"targets": [target], "labels": {"gpu": "required"}}]
    if alerts_to:
        configuration["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alerts_to]}]}]}
    files = {
        "prometheus.yml": yaml.safe_dump(configuration),
        "gatehouse.rules.yml": rules_text or rules(),
        "gatehouse.key": key + "\n",
        "gatehouse-ca.pem": ca_pem,
    }
    address = f"127.0.0.1:{free_port()}"
    one = Prometheus(f"http://{address}")

    def scrapes() -> bool:
        with contextlib.suppress(requests.RequestException, ValueError):
            return any(target["lastScrape"] > "1" for target in one.targets())
        return False

    options = [f"--config.file={INSIDE}/prometheus.yml", "--storage.tsdb.path=/tmp/data"]
    with running("prometheus", folder, files, *options, f"--web.listen-address={address}") as container:
        assert until(scrapes, 30), container.logs().decode()
        yield one
