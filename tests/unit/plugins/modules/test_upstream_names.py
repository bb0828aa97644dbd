# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the gateway finds its servers is asked where it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput
from ansible_collections.gatehouse.ollama.plugins.modules import upstream_names as module


class Host:
    """Stands for the AnsibleModule on a host whose gateway can look up `known`; without any there is no gateway."""

    def __init__(self, known: set[str] | None, *upstreams: str) -> None:
        self.known = known
        self.params: dict[str, Any] = {"upstreams": list(upstreams), "project": "gatehouse-gateway"}
        self.warnings: list[str] = []

    def get_bin_path(self, name: str) -> str:
        return name

    def run_command(self, args: list[str]) -> tuple[int, str, str]:
        if args[1] == "ps":
            return 0, "" if self.known is None else "c0ffee\n", ""
        assert args[:-1] == ["docker", "exec", "c0ffee", "getent", "ahostsv4"]
        return (0 if args[-1].rstrip(".") in (self.known or ()) else 2), "", ""

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture(autouse=True)
def _hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hosts").write_text("127.0.0.1 localhost ollama\n192.0.2.7 gpu-1\n")
    monkeypatch.setattr(module, "HOSTS", str(tmp_path / "hosts"))


def test_a_name_that_only_the_hosts_file_has_is_refused() -> None:
    with pytest.raises(BadInput, match=r"gpu-1.*/etc/hosts.*192\.0\.2\.7:80"):
        module.look(Host({"ollama"}, "ollama:11434", "gpu-1:80"))


def test_a_name_that_the_gateway_finds_may_be_in_the_hosts_file_too() -> None:
    host = Host({"ollama", "gpu-1"}, "ollama:11434", "gpu-1:80")
    assert module.look(host) == []
    assert host.warnings == []


def test_a_name_that_nobody_knows_yet_is_a_warning() -> None:
    host = Host({"ollama"}, "ollama:11434", "later:80")
    assert module.look(host) == ["later"]
    assert "later" in host.warnings[0]


def test_without_a_gateway_nobody_is_asked() -> None:
    assert module.look(Host(None, "gpu-1:80")) == []
