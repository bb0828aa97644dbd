# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import dataclass

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._gpu import nvidia

LINES = "0, 550.54.14\n1, 550.54.14\n"


@dataclass
class Host:
    """Stands for the AnsibleModule on a host whose nvidia-smi says this."""

    stdout: str
    rc: int = 0
    stderr: str = ""
    smi: str | None = "/usr/bin/nvidia-smi"

    def get_bin_path(self, name: str) -> str | None:
        assert name == "nvidia-smi"
        return self.smi

    def run_command(self, command: list[str]) -> tuple[int, str, str]:
        assert command[0] == self.smi
        return self.rc, self.stdout, self.stderr


def version(host: Host, minimum: str = "550") -> str:
    return nvidia.driver_version(host, minimum, "nvidia_runtime_minimum_driver")


@pytest.mark.parametrize("minimum", ["0", "531", "550", "550.54", "550.54.14"])
def test_a_driver_that_is_new_enough_will_do(minimum: str) -> None:
    assert version(Host(LINES), minimum) == "550.54.14"


@pytest.mark.parametrize("minimum", ["550.54.15", "550.100", "551", "1000"])
def test_an_old_driver_is_refused_by_variable_and_version(minimum: str) -> None:
    with pytest.raises(
        nvidia.DriverError, match=f"^nvidia_runtime_minimum_driver: .* 550.54.14, and {minimum} or newer"
    ):
        version(Host(LINES), minimum)


def test_a_host_without_driver_is_told_what_would_do() -> None:
    with pytest.raises(nvidia.DriverError, match=r"no NVIDIA driver.* version 550 or newer .*Nothing was changed"):
        version(Host(LINES, smi=None))


@pytest.mark.parametrize(
    ("host", "seen"),
    [
        (
            Host("Failed to initialize NVML: Unknown Error\n", 255),
            "does not work: nvidia-smi says: Failed to initialize",
        ),
        (Host("", 9, "couldn't communicate with\nthe driver"), "says: couldn't communicate with the driver"),
        (Host("", 12), "says: nothing, with exit code 12"),
        (Host("No devices were found\n"), "sees no GPU: nvidia-smi says: No devices were found"),
    ],
    ids=["nvml", "stderr", "silence", "no gpu"],
)
def test_a_broken_driver_is_refused_with_what_it_said(host: Host, seen: str) -> None:
    with pytest.raises(nvidia.DriverError, match=seen):
        version(host)
