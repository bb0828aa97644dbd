# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils import _docker_unit

SHOWN = (
    "ExecStart={ path=/usr/bin/dockerd ; argv[]=/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock "
    "; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }\n"
)
JOURNAL = """\
docker.service: Referenced but unset environment variable evaluates to an empty string: DOCKER_OPTS
time="2026-01-01T00:00:00Z" level=info msg="Starting up"
failed to start daemon: invalid CIDR address: 1
time="2026-01-01T00:00:02Z" level=info msg="Starting up"
time="2026-01-01T00:00:02Z" level=warning msg="old kernel"
failed to start daemon: invalid CIDR address: 1
"""


class Host:
    """Stands for the AnsibleModule on a host where commands answer like this, by their second word."""

    def __init__(self, **answers: tuple[int, str, str]) -> None:
        self.answers = answers
        self.called: list[str] = []

    def get_bin_path(self, name: str, **_: Any) -> str:
        return name

    def run_command(self, args: list[str]) -> tuple[int, str, str]:
        name = "journal" if args[0] == "journalctl" else args[1]
        self.called.append(name)
        return self.answers.get(name, (0, "", ""))


@pytest.fixture(autouse=True)
def _no_drop_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_docker_unit, "DROP_INS", str(tmp_path / "*.conf"))


def test_the_command_of_the_unit_decides() -> None:
    command = _docker_unit.command(Host(show=(0, SHOWN, "")))
    assert _docker_unit.flags(command) == {
        "hosts": "-H fd://",
        "containerd": "--containerd=/run/containerd/containerd.sock",
    }


def test_before_docker_is_installed_its_packages_unit_counts() -> None:
    assert _docker_unit.contradictions({"hosts": []}, _docker_unit.command(Host()), "options")


def test_a_drop_in_that_is_there_before_docker_makes_room_for_the_key(tmp_path: Path) -> None:
    (tmp_path / "hosts.conf").write_text("[Service]\nExecStart=\nExecStart=/usr/bin/dockerd\n")
    assert _docker_unit.contradictions({"hosts": []}, _docker_unit.command(Host()), "options") == []


@pytest.mark.parametrize(
    ("flag", "key"),
    [
        ("--host=x", "hosts"),
        ("--add-runtime nvidia=/x", "runtimes"),
        ("--label a=b", "labels"),
        ("--iptables=false", "iptables"),
        ("--debug", "debug"),
        ("-D", "debug"),
    ],
)
def test_a_flag_contradicts_the_key_that_says_the_same(flag: str, key: str) -> None:
    (text,) = _docker_unit.contradictions({key: True, "log-driver": "x"}, f"dockerd {flag} --mtu 1400", "options")
    assert text.startswith(f"options.{key}: ")
    assert flag in text


def test_a_docker_that_starts_has_nothing_to_say() -> None:
    host = Host()
    assert _docker_unit.restart(host, "docker") == ""
    assert host.called == ["reset-failed", "journal", "restart"]


def test_a_docker_that_does_not_start_says_why_once() -> None:
    host = Host(restart=(1, "", "Job for docker.service failed"), journal=(0, JOURNAL, ""))
    assert _docker_unit.restart(host, "docker") == "failed to start daemon: invalid CIDR address: 1"


def test_without_a_journal_systemd_is_asked() -> None:
    assert _docker_unit.restart(Host(restart=(1, "", "Job failed\n")), "docker") == "Job failed"
