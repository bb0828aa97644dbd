# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import json
import socket
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.modules import host_check as module

VERSION = json.dumps({"Client": {"Version": "29.1.0"}, "Server": {"Version": "29.1.0"}})
NO_SERVER = json.dumps({"Client": {"Version": "29.1.0"}, "Server": None})


class Host:
    """Stands for the AnsibleModule on a host whose docker command answers as told."""

    def __init__(
        self, answers: dict[str, tuple[int, str, str]] | None, check_mode: bool = False, **params: Any
    ) -> None:
        self.answers = answers
        self.check_mode = check_mode
        self.params = {
            "required": True,
            "project": None,
            "address_variable": None,
            "shared_addresses": [],
            **params,
        }
        self.warnings: list[str] = []

    def get_bin_path(self, name: str, **dummy: Any) -> str | None:
        return None if self.answers is None else f"/usr/bin/{name}"

    def run_command(self, args: list[str]) -> tuple[int, str, str]:
        assert self.answers is not None
        return self.answers[args[1]]

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def container(name: str, project: str, ports: str) -> module.Container:
    return module.parse_containers(f"{name}\t{project}\t{ports}")[0]


class TestEngine:
    def test_a_daemon_that_answers_is_ready(self) -> None:
        assert module.HostCheck(Host({"version": (0, VERSION, "")})).engine() == ("ready", "29.1.0")

    def test_a_daemon_that_is_down_is_an_error_that_says_where_to_look(self) -> None:
        host = Host({"version": (1, NO_SERVER, "Cannot connect to the Docker daemon")})
        with pytest.raises(module.HostError, match=r"daemon does not answer.*Cannot connect.*systemctl status docker"):
            module.HostCheck(host).engine()

    def test_a_daemon_that_is_down_is_a_warning_in_check_mode(self) -> None:
        host = Host({"version": (1, NO_SERVER, "Cannot connect")}, check_mode=True)
        assert module.HostCheck(host).engine() == ("down", "")
        assert "Cannot connect" in host.warnings[0]

    def test_a_host_without_docker_is_an_error_that_says_who_installs_it(self) -> None:
        with pytest.raises(module.HostError, match="docker_engine"):
            module.HostCheck(Host(None)).engine()

    @pytest.mark.parametrize("host", [Host(None, check_mode=True), Host(None, required=False)])
    def test_a_host_without_docker_is_no_error_in_check_mode_or_if_not_required(self, host: Host) -> None:
        assert module.HostCheck(host).engine() == ("absent", "")

    def test_docker_without_compose_v2_is_an_error_that_names_the_packages(self) -> None:
        host = Host({"compose": (1, "", "docker: 'compose' is not a docker command.")})
        with pytest.raises(module.HostError, match="docker-compose-plugin"):
            module.HostCheck(host).has_compose()

    def test_a_missing_compose_v2_is_a_warning_in_check_mode(self) -> None:
        host = Host({"compose": (1, "", "docker: 'compose' is not a docker command.")}, check_mode=True)
        assert not module.HostCheck(host).has_compose()
        assert "without Compose v2" in host.warnings[0]

    def test_a_compose_v2_that_is_there_will_do(self) -> None:
        assert module.HostCheck(Host({"compose": (0, "v2.26.1\n", "")})).has_compose()


def test_the_image_of_a_container_is_known_by_its_label() -> None:
    found = module.parse_containers("gate-1\tours\t127.0.0.1:8880->8080/tcp\tsha256:abc\tgateway\tUp 1 s\nplain\t\t\t")
    assert [(one.project, one.image, one.service) for one in found] == [("ours", "sha256:abc", "gateway"), ("", "", "")]


def test_the_folder_of_a_container_is_known_by_its_label() -> None:
    [found] = module.parse_containers("gate-1\tours\t\tsha256:abc\tgateway\tUp 1 s\t/opt/gate")
    assert found.folder == "/opt/gate"


@pytest.mark.parametrize(
    ("status", "is_there"),
    [("Up 1 s", True), ("Restarting (1) 2 s ago", True), ("Exited (0) 1 h ago", False), ("Created", False)],
)
def test_a_container_that_ended_is_known_but_holds_no_port(status: str, is_there: bool) -> None:
    assert module.parse_containers(f"a\tours\t\t\tollama\t{status}")[0].is_there is is_there


@pytest.mark.parametrize(
    ("status", "is_healthy"),
    [
        ("Up 3 hours (healthy)", True),
        ("Up 3 seconds (health: starting)", False),
        ("Up 3 hours (unhealthy)", False),
        ("Up 3 hours (Paused)", False),
        ("Up 3 hours", False),
        ("", False),
    ],
)
def test_a_container_is_healthy_where_docker_says_so(status: str, is_healthy: bool) -> None:
    assert module.parse_containers(f"a\tours\t\t\tollama\t{status}")[0].is_healthy is is_healthy


@pytest.mark.parametrize(
    ("ports", "published"),
    [
        ("127.0.0.1:8880->8080/tcp", [("127.0.0.1", 8880, 8880)]),
        ("0.0.0.0:8880->8080/tcp, :::8880->8080/tcp", [("0.0.0.0", 8880, 8880), ("::", 8880, 8880)]),
        ("[::1]:8880->8080/tcp", [("::1", 8880, 8880)]),
        ("10.0.0.1:8000-8002->8000-8002/tcp", [("10.0.0.1", 8000, 8002)]),
        ("11434/tcp", []),
        ("127.0.0.1:53->53/udp", []),
        ("", []),
    ],
)
def test_published_ports_are_read_as_docker_prints_them(ports: str, published: list[tuple[str, int, int]]) -> None:
    assert container("c", "p", ports).published == published


class TestPort:
    def check(
        self, address: str, port: int, *containers: module.Container, variable: str = "the_port", **params: Any
    ) -> None:
        module.HostCheck(Host({}, project="ours", **params)).port(address, port, variable, list(containers))

    @pytest.fixture
    def taken(self) -> Any:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            yield s.getsockname()[1]

    def test_a_free_port_passes(self, taken: int) -> None:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            free = s.getsockname()[1]
        self.check("127.0.0.1", free)

    def test_a_port_of_another_program_is_an_error_that_names_the_variable(self, taken: int) -> None:
        with pytest.raises(module.HostError, match=f"^the_port: port {taken} .*another program"):
            self.check("127.0.0.1", taken)
        with pytest.raises(module.HostError, match=f"^its_own: port {taken} .*another program"):
            self.check("127.0.0.1", taken, variable="its_own")

    def test_a_port_that_the_project_itself_publishes_passes(self, taken: int) -> None:
        self.check("127.0.0.1", taken, container("ours-1", "ours", f"127.0.0.1:{taken}->8080/tcp"))
        self.check("127.0.0.1", taken, container("ours-1", "ours", f"0.0.0.0:{taken}->8080/tcp"))

    def test_a_port_of_another_container_is_an_error_that_names_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # With Docker's userland proxy off nothing listens, and binding succeeds.
        monkeypatch.setattr(module, "bind_error", lambda address, port: 0)
        with pytest.raises(module.HostError, match=r"the_port: .*the container theirs-1"):
            self.check("127.0.0.1", 8880, container("theirs-1", "theirs", "0.0.0.0:8880->80/tcp"))
        with pytest.raises(module.HostError, match="the container plain"):
            self.check("127.0.0.1", 8880, container("plain", "", "127.0.0.1:8880->80/tcp"))

    def test_the_same_port_on_another_address_is_not_the_projects(self, taken: int) -> None:
        with pytest.raises(module.HostError, match="another program"):
            self.check("127.0.0.1", taken, container("ours-1", "ours", f"127.0.0.2:{taken}->8080/tcp"))

    def test_an_address_that_the_host_lacks_is_an_error_that_names_the_variable(self) -> None:
        with pytest.raises(module.HostError, match=r"^the_address: 192.0.2.1 is not an address of this host"):
            self.check("192.0.2.1", 8880, address_variable="the_address")
        check = module.HostCheck(Host({}, project="ours", address_variable=None))
        with pytest.raises(module.HostError, match=r"^its_address: 192.0.2.1 is not an address of this host"):
            check.port("192.0.2.1", 8880, "the_port", [], "its_address")

    def test_an_address_that_another_host_may_have_is_no_error(self) -> None:
        self.check("192.0.2.1", 8880, shared_addresses=["192.0.2.1"])
        with pytest.raises(module.HostError, match=r"198\.51\.100\.1 is not an address of this host"):
            self.check("198.51.100.1", 8880, shared_addresses=["192.0.2.1"])

    def test_a_port_that_only_root_may_take_is_left_to_root(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "bind_error", lambda address, port: errno.EACCES)
        self.check("127.0.0.1", 80)
