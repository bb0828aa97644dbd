# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible_collections.gatehouse.ollama.plugins.module_utils._gpu.devices import Missing
from ansible_collections.gatehouse.ollama.plugins.modules import accelerators as plugin

from tests.unit.plugins.modules.ended import answer

LIST = "GPU 0: NVIDIA L4 (UUID: GPU-aaaa1111-0000-4000-8000-000000000000)\n"


@dataclass
class Module:
    """What the module sees of Ansible: the programs of the host, and what nvidia-smi says."""

    programs: tuple[str, ...] = ("nvidia-smi", "nvidia-container-runtime-hook")
    said: tuple[int, str, str] = (0, LIST, "")
    check_mode: bool = False
    params: dict[str, Any] = field(default_factory=lambda: {"nodes": []})

    def get_bin_path(self, name: str) -> str | None:
        return f"/usr/bin/{name}" if name in self.programs else None

    def run_command(self, command: list[str]) -> tuple[int, str, str]:
        assert command == ["/usr/bin/nvidia-smi", "-L"]
        return self.said


def host(**changes: Any) -> plugin.Host:
    return plugin.Host(Module(**changes))


def test_a_server_on_the_cpu_asks_for_nothing_and_needs_nothing() -> None:
    assert host(programs=()).nodes("cpu", []) == ([], [])


def test_a_missing_driver_is_told_with_what_would_help() -> None:
    with pytest.raises(Missing, match=r"nvidia-smi is not installed.*driver, version 550"):
        host(programs=()).nodes("nvidia", [])
    said = (9, "", "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\nMore.")
    with pytest.raises(Missing, match=r"nvidia-smi fails: .*communicate with the NVIDIA driver\..*nvidia-modprobe"):
        host(said=said).nodes("nvidia", [])


def test_a_missing_toolkit_is_no_error_where_another_role_may_be_about_to_install_it() -> None:
    with pytest.raises(Missing, match=r"container toolkit.*nvidia_runtime"):
        host(programs=("nvidia-smi",)).nvidia()
    assert len(host(programs=("nvidia-smi",), check_mode=True).nvidia()) == 1


def test_a_node_that_is_not_there_is_named() -> None:
    with pytest.raises(Missing, match=r"/nonexistent/node is no device on this host\. The accelerator amd needs"):
        host(params={"nodes": ["/nonexistent/node"]}).nodes("amd", [])


def test_a_folder_without_a_gpu_is_told(tmp_path: Path) -> None:
    (tmp_path / "by-path").mkdir()
    with pytest.raises(Missing, match=r"holds no GPU\. The accelerator vulkan needs"):
        host(params={"nodes": [str(tmp_path)]}).nodes("vulkan", [])


def test_nodes_that_were_named_are_taken_in_the_place_of_those_that_are_found() -> None:
    paths, found = host(params={"nodes": ["/dev/null"]}).nodes("nvidia", [])
    assert (paths, [node.path for node in found]) == (["/dev/null"], ["/dev/null"])


def result(monkeypatch: pytest.MonkeyPatch, **options: Any) -> dict[str, Any]:
    """What the module says on a host with the driver 550.54.14."""
    monkeypatch.setattr(basic.AnsibleModule, "run_command", lambda self, command: (0, "0, 550.54.14\n", ""))
    monkeypatch.setattr(basic.AnsibleModule, "get_bin_path", lambda self, name: f"/usr/bin/{name}")
    return answer(plugin, {"variable": "oldest", **options})


def test_the_driver_alone_is_looked_at_where_no_server_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert result(monkeypatch, minimum_driver="550") == {"changed": False, "driver_version": "550.54.14"}
    refused = result(monkeypatch, minimum_driver="570")
    assert refused["failed"] is True
    assert refused["msg"].startswith("oldest: the NVIDIA driver of this host is 550.54.14")


def test_a_driver_of_any_version_will_do_where_no_minimum_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    servers = [{"service": "ollama", "accelerator": "cpu"}]
    assert result(monkeypatch, servers=servers)["servers"] == {"ollama": {"nodes": [], "groups": []}}
