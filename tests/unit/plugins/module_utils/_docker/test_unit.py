# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker import unit as docker_unit

SHOWN = (
    "ExecStart={ path=/usr/bin/dockerd ; argv[]=/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock "
    "; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }\n"
)


class Host:
    """Stands for the AnsibleModule on a host where systemd shows this."""

    def __init__(self, shown: str = "") -> None:
        self.shown = shown

    def get_bin_path(self, name: str, **_: Any) -> str:
        return name

    def run_command(self, args: list[str]) -> tuple[int, str, str]:
        return 0, self.shown, ""


@pytest.fixture(autouse=True)
def _no_drop_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_unit, "DROP_INS", str(tmp_path / "*.conf"))


def test_the_command_of_the_unit_decides() -> None:
    command = docker_unit.command(Host(SHOWN))
    assert docker_unit.flags(command) == {
        "host": "-H fd://",
        "containerd": "--containerd=/run/containerd/containerd.sock",
    }


def test_before_docker_is_installed_its_packages_unit_counts() -> None:
    assert docker_unit.contradictions({"hosts": []}, docker_unit.command(Host()), "options")


def test_a_drop_in_that_is_there_before_docker_makes_room_for_the_key(tmp_path: Path) -> None:
    (tmp_path / "hosts.conf").write_text("[Service]\nExecStart=\nExecStart=/usr/bin/dockerd\n")
    assert docker_unit.contradictions({"hosts": []}, docker_unit.command(Host()), "options") == []


def test_a_command_of_several_lines_in_a_drop_in_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "hosts.conf").write_text("[Service]\nExecStart=\nExecStart=/usr/bin/dockerd \\\n  '--mtu=1400'\n")
    assert docker_unit.contradictions({"mtu": 1500}, docker_unit.command(Host()), "options")


@pytest.mark.parametrize(
    ("flag", "key"),
    [
        ("--host=x", "hosts"),
        ("-Hfd://", "hosts"),
        ("-H=fd://", "hosts"),
        ("-DH fd://", "hosts"),
        ("-DH fd://", "debug"),
        ("-DHfd://", "hosts"),
        ("--label a=b", "labels"),
        ("--dns 1.1.1.1", "dns"),
        ("--dns-opt ndots:1", "dns-opts"),
        ("--dns-search a", "dns-search"),
        ("--insecure-registry a", "insecure-registries"),
        ("--authorization-plugin a", "authorization-plugins"),
        ("--default-address-pool base=10.0.0.0/8,size=24", "default-address-pools"),
        ("--node-generic-resource a=b", "node-generic-resources"),
        ("--host-gateway-ip 10.0.0.1", "host-gateway-ip"),
        ("--host-gateway-ip 10.0.0.1", "host-gateway-ips"),
        ("--iptables=false", "iptables"),
        ("--debug", "debug"),
        ("-D", "debug"),
        ("-l warn", "log-level"),
    ],
)
def test_a_flag_contradicts_the_key_that_says_the_same(flag: str, key: str) -> None:
    (text,) = docker_unit.contradictions({key: True, "log-driver": "x"}, f"dockerd {flag} --mtu 1400", "options")
    assert text.startswith(f"options.{key}: ")
    assert flag in text


@pytest.mark.parametrize(
    ("flag", "options"),
    [
        ("--add-runtime nvidia=/x", {"runtimes": {"nvidia": {"path": "/y"}}}),
        ("--label a=b", {"log-opts": {"labels": "a"}}),
        ("--http-proxy http://a", {"proxies": {"http-proxy": None}}),
        ("-Hfd://", {"debug": True}),
    ],
)
def test_what_docker_takes_from_both_is_no_contradiction(flag: str, options: dict[str, Any]) -> None:
    assert docker_unit.contradictions(options, f"dockerd {flag}", "options") == []


def test_a_key_at_a_depth_contradicts_too_and_no_password_is_shown() -> None:
    command = "dockerd --http-proxy http://me:pass/w@rd@proxy:3128"
    (text,) = docker_unit.contradictions({"proxies": {"http-proxy": "http://x"}}, command, "options")
    assert text.startswith("options.proxies.http-proxy: ")
    assert "--http-proxy http://***@proxy:3128, " in text
    assert "rd@" not in text
