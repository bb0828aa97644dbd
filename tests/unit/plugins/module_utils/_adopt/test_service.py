# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ollama as a service of systemd is found, stopped and started again."""

from __future__ import annotations

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._adopt import service
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError


class Host:
    """Stands for the AnsibleModule on a host whose systemd says this of a unit."""

    def __init__(self, said: dict[str, str], check_mode: bool = False) -> None:
        self.check_mode = check_mode
        self.said = "".join(f"{name}={value}\n" for name, value in said.items())
        self.changes: list[str] = []

    def get_bin_path(self, name: str) -> str:
        return name

    def run_command(self, args: list[str], check_rc: bool = False) -> tuple[int, str, str]:
        if args[1] == "show":
            return 0, self.said, ""
        self.changes.append(" ".join(args[1:]))
        return 0, "", ""


RUNNING = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}


@pytest.mark.parametrize(
    ("user", "environment", "models"),
    [
        ("", "PATH=/bin", ("/root/.ollama", "models")),
        ("nobody-here", "", ("/usr/share/ollama/.ollama", "models")),
        ("root", 'PATH=/bin "OLLAMA_MODELS=/data/my models/" OLLAMA_HOST=0.0.0.0', ("/data/my models", "")),
        ("root", "OLLAMA_MODELS=relative HOME=/srv/llm", ("/srv/llm/.ollama", "models")),
        ("root", "OLLAMA_MODELS='unbalanced", ("/root/.ollama", "models")),
    ],
)
def test_models_are_where_its_unit_says(user: str, environment: str, models: tuple[str, str]) -> None:
    assert service.models_of(user, environment) == models


def test_it_is_stopped_and_kept_from_starting_with_the_host_and_check_mode_says_so() -> None:
    for host in (Host(RUNNING), Host(RUNNING, check_mode=True)):
        found = service.find(host, "ollama.service")
        assert (found.is_active, found.is_enabled) == (True, True)
        assert service.stop(host, found) is True
        assert host.changes == ([] if host.check_mode else ["disable --now ollama.service"])
    host = Host({**RUNNING, "ActiveState": "inactive", "UnitFileState": "disabled"})
    assert service.stop(host, service.find(host, "ollama.service")) is False
    service.start(host, service.find(host, "ollama.service"))
    assert host.changes == ["enable --now ollama.service"]


def test_where_there_is_none_it_is_said() -> None:
    with pytest.raises(GatehouseError, match=r"There is nothing to adopt on this host: .* no ollama\.service"):
        service.find(Host({"LoadState": "not-found"}), "ollama.service")


@pytest.mark.parametrize("name", ["", "ollama", "--version.service", "a b.service", "../x.service"])
def test_what_is_no_name_of_a_unit_is_refused(name: str) -> None:
    with pytest.raises(GatehouseError, match="adopt_service: it must be the name of a unit"):
        service.find(Host(RUNNING), name)
