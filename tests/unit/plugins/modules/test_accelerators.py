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


class Machine:
    """What the programs of a host answer, by their first word and the last."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "cdi/nvidia.yaml"
        self.driver, self.toolkit, self.uuid, self.generated = "550.54.14", "1.18.1", "GPU-0a", 0

    def where(self, _module: Any, name: str, *_rest: Any, **_options: Any) -> str | None:
        return None if name == "nvidia-ctk" and not self.toolkit else f"/usr/bin/{name}"

    def command(self, _module: Any, command: list[str], **_options: Any) -> tuple[int, str, str]:
        program, last = Path(command[0]).name, command[-1]
        if (program, last) == ("nvidia-smi", "-L"):
            return 0, f"GPU 0: NVIDIA L4 (UUID: {self.uuid})\n", ""
        if program == "nvidia-smi":
            return 0, f"0, {self.driver}\n", ""
        if last == "--version":
            return 0, f"NVIDIA Container Toolkit CLI version {self.toolkit}\ncommit: 0\n", ""
        self.generated += 1
        return 0, f"kind: nvidia.com/gpu # {self.generated}\n", "level=info"

    def run(self, **options: Any) -> dict[str, Any]:
        return answer(plugin, {"variable": "oldest", "_ansible_remote_tmp": str(self.folder), **options})

    def describe(self, **options: Any) -> dict[str, Any]:
        return self.run(cdi=str(self.file), **options)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setattr(basic.AnsibleModule, "run_command", lambda self, command: made.command(self, command))
    monkeypatch.setattr(basic.AnsibleModule, "get_bin_path", lambda self, name: made.where(self, name))
    return made


def test_the_driver_alone_is_looked_at_where_no_server_is_named(machine: Machine) -> None:
    assert machine.run(minimum_driver="550") == {"changed": False, "driver_version": "550.54.14"}
    refused = machine.run(minimum_driver="570")
    assert refused["failed"] is True
    assert refused["msg"].startswith("oldest: the NVIDIA driver of this host is 550.54.14")


def test_a_driver_of_any_version_will_do_where_no_minimum_is_named(machine: Machine) -> None:
    servers = [{"service": "ollama", "accelerator": "cpu"}]
    assert machine.run(servers=servers)["servers"] == {"ollama": {"nodes": [], "groups": []}}


def test_the_file_says_what_it_was_made_for(machine: Machine) -> None:
    assert machine.describe()["changed"]
    first, second = machine.file.read_text().splitlines()
    assert first == "# Made by nvidia-ctk 1.18.1 for the driver 550.54.14 and GPU-0a"
    assert second == "kind: nvidia.com/gpu # 1"


def test_a_second_run_changes_nothing_even_if_the_tool_would_say_it_differently(machine: Machine) -> None:
    machine.describe()
    assert not machine.describe()["changed"]
    assert machine.generated == 1


@pytest.mark.parametrize(("what", "new"), [("driver", "570.1"), ("toolkit", "1.19.0"), ("uuid", "GPU-0b")])
def test_the_file_is_made_anew_for_another(machine: Machine, what: str, new: str) -> None:
    machine.describe()
    setattr(machine, what, new)
    assert machine.describe()["changed"]
    assert new in machine.file.read_text().splitlines()[0]


def test_check_mode_shows_the_file_and_writes_none(machine: Machine) -> None:
    result = machine.describe(_ansible_check_mode=True)
    assert result["changed"]
    assert "kind: nvidia.com/gpu" in result["diff"]["after"]
    assert not machine.file.exists()


def test_check_mode_counts_on_a_toolkit_that_a_real_run_would_install(machine: Machine) -> None:
    machine.toolkit = ""
    assert machine.describe(_ansible_check_mode=True)["changed"]
    assert "nvidia-ctk is not installed" in machine.describe()["msg"]
