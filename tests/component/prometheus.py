# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Prometheus on loopback, and promtool, both from the lab's image."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
import yaml

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

    def targets(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("targets")["activeTargets"]
        return found


@contextlib.contextmanager
def prometheus(folder: Path, target: str, key: str, ca_pem: str) -> Iterator[Prometheus]:
    """One that is configured as docs/monitoring says, but for the address, and for how often it looks."""
    configuration = yaml.safe_load((MONITORING / "prometheus.yml").read_text(encoding="utf-8"))
    configuration["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    configuration["scrape_configs"][0]["static_configs"][0]["targets"] = [target]
    files = {
        "prometheus.yml": yaml.safe_dump(configuration),
        "gatehouse.rules.yml": (MONITORING / "gatehouse.rules.yml").read_text(encoding="utf-8"),
        "gatehouse.key": key + "\n",
        "gatehouse-ca.pem": ca_pem,
    }
    folder.mkdir()
    folder.chmod(0o755)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o644)
    client, port = engine.client(), free_port()
    options = [f"--config.file={INSIDE}/prometheus.yml", "--storage.tsdb.path=/tmp/data"]
    container = client.containers.run(
        images.build(client, "prometheus"),
        [*options, f"--web.listen-address=127.0.0.1:{port}"],
        network_mode="host",
        tmpfs={"/tmp": "mode=1777"},
        volumes={str(folder): {"bind": INSIDE, "mode": "ro"}},
        labels={LABEL: "component"},
        detach=True,
    )
    one = Prometheus(f"http://127.0.0.1:{port}")

    def scrapes() -> bool:
        with contextlib.suppress(requests.RequestException, ValueError):
            return any(target["lastScrape"] > "1" for target in one.targets())
        return False

    try:
        assert until(scrapes, 30), container.logs().decode()
        yield one
    finally:
        container.remove(force=True)
