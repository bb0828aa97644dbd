# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible_collections.gatehouse.ollama.plugins.modules import accelerators as module

from tests.unit.plugins.modules.ended import answer


class Host:
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
        arguments = {"cdi": str(self.file), "variable": "cdi", "_ansible_remote_tmp": str(self.folder), **options}
        return answer(module, arguments)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    made = Host(tmp_path)
    monkeypatch.setattr(basic.AnsibleModule, "run_command", lambda self, command: made.command(self, command))
    monkeypatch.setattr(basic.AnsibleModule, "get_bin_path", lambda self, name: made.where(self, name))
    return made


def test_the_file_says_what_it_was_made_for(host: Host) -> None:
    assert host.run()["changed"]
    first, second = host.file.read_text().splitlines()
    assert first == "# Made by nvidia-ctk 1.18.1 for the driver 550.54.14 and GPU-0a"
    assert second == "kind: nvidia.com/gpu # 1"


def test_a_second_run_changes_nothing_even_if_the_tool_would_say_it_differently(host: Host) -> None:
    host.run()
    assert not host.run()["changed"]
    assert host.generated == 1


@pytest.mark.parametrize(("what", "new"), [("driver", "570.1"), ("toolkit", "1.19.0"), ("uuid", "GPU-0b")])
def test_the_file_is_made_anew_for_another(host: Host, what: str, new: str) -> None:
    host.run()
    setattr(host, what, new)
    assert host.run()["changed"]
    assert new in host.file.read_text().splitlines()[0]


def test_check_mode_shows_the_file_and_writes_none(host: Host) -> None:
    result = host.run(_ansible_check_mode=True)
    assert result["changed"]
    assert "kind: nvidia.com/gpu" in result["diff"]["after"]
    assert not host.file.exists()


def test_check_mode_counts_on_a_toolkit_that_a_real_run_would_install(host: Host) -> None:
    host.toolkit = ""
    assert host.run(_ansible_check_mode=True)["changed"]
    assert "nvidia-ctk is not installed" in host.run()["msg"]
