# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker comes from either source in the wanted version, and what others wrote into daemon.json survives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

from tests.client import playbook, told
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
DISTRIBUTION = SCENARIO.host("distribution")
VENDOR = SCENARIO.host("vendor")
DAEMON_JSON = "/etc/docker/daemon.json"
both = pytest.mark.parametrize("host", [DISTRIBUTION, VENDOR], ids=["distribution", "vendor"])


def converge(host: str, **variables: Any) -> tuple[int, str]:
    """Run the role on one host with these variables besides its own; return the exit code and what was said."""
    arguments = ["--limit", host, "--extra-vars", json.dumps(variables)]
    done = playbook(SCENARIO.inventory, "../molecule/docker_engine/converge", *arguments)
    return done.returncode, told(done)


def refuse(host: str, words: list[str], **variables: Any) -> None:
    """Expect an error that has these words, before anything is changed."""
    code, said = converge(host, **variables)
    assert code == 2, said
    assert [word for word in words if word not in said] == [], said
    assert "changed=0" in said


def started(host: Host) -> str:
    return host.check_output("systemctl show docker --property ActiveEnterTimestampMonotonic")


def engine_version(host: Host) -> str:
    """The version of the package, without epoch and revision; the lab's vendor repackages another engine."""
    return host.check_output("dpkg-query --show --showformat '${source:Upstream-Version}' docker-ce")


@both
def test_the_service_runs_and_starts_with_the_host(host: Host) -> None:
    service = host.service("docker")
    assert service.is_running
    assert service.is_enabled


@both
def test_compose_is_version_2_or_newer(host: Host) -> None:
    assert int(host.check_output("docker compose version --short").lstrip("v").split(".")[0]) >= 2


def test_what_an_earlier_owner_wrote_counts_beside_what_the_role_adds() -> None:
    information = json.loads(DISTRIBUTION.check_output("docker info --format '{{json .}}'"))
    assert information["Labels"] == ["site=lab"]
    mirrors = [mirror.rstrip("/") for mirror in information["RegistryConfig"]["Mirrors"]]
    assert mirrors == ["http://10.213.0.99:5000", "http://10.213.0.2:5000"]
    assert json.loads(DISTRIBUTION.file(DAEMON_JSON).content)["log-opts"] == {"max-file": "3", "max-size": "10m"}


def test_daemon_json_keeps_its_mode() -> None:
    assert DISTRIBUTION.file(DAEMON_JSON).mode == 0o640


def test_a_new_daemon_json_is_for_everybody_to_read() -> None:
    assert VENDOR.file(DAEMON_JSON).mode == 0o644


def test_the_user_may_use_docker() -> None:
    assert "docker" in DISTRIBUTION.user("alice").groups
    assert DISTRIBUTION.run("su alice -c 'docker version'").rc == 0


def test_the_distribution_source_takes_the_packages_of_the_distribution() -> None:
    assert DISTRIBUTION.package("docker.io").is_installed
    assert not DISTRIBUTION.package("docker-ce").is_installed
    assert not DISTRIBUTION.file("/etc/apt/sources.list.d/docker.sources").exists


def test_the_vendor_source_takes_exactly_the_wanted_version() -> None:
    assert engine_version(VENDOR) == "28.5.2"
    assert not VENDOR.package("docker.io").is_installed


def test_the_repository_is_trusted_by_its_key_alone() -> None:
    update = "apt-get update --error-on=any"
    VENDOR.check_output("mv /etc/apt/keyrings/docker.asc /etc/apt/keyrings/docker.away")
    try:
        assert VENDOR.run(update).rc != 0
    finally:
        VENDOR.check_output("mv /etc/apt/keyrings/docker.away /etc/apt/keyrings/docker.asc")
    assert VENDOR.run(update).rc == 0


def test_the_repository_in_the_file_of_somebody_else_is_used_and_apt_goes_on_working() -> None:
    update = "apt-get update --error-on=any"
    ours, key = "/etc/apt/sources.list.d/docker.sources", "/usr/share/keyrings/other.asc"
    VENDOR.check_output(f"cp {ours} /root/ours && cp /etc/apt/keyrings/docker.asc {key}")
    line = f"deb [signed-by={key}] http://10.213.0.3/linux/debian trixie stable"
    VENDOR.check_output(f"echo '{line}' > /etc/apt/sources.list.d/other.list")
    try:
        assert VENDOR.run(update).rc != 0, "apt takes two keys for one repository"
        code, said = converge("vendor")
        assert code == 0, said
        assert VENDOR.run(update).rc == 0
        assert "changed=0" in converge("vendor")[1]
        assert not VENDOR.file(ours).exists
    finally:
        VENDOR.check_output(f"rm /etc/apt/sources.list.d/other.list {key} && mv /root/ours {ours}")


def test_without_a_wanted_version_the_installed_one_stays() -> None:
    code, said = converge("vendor", docker_engine_version="")
    assert code == 0
    assert "changed=0" in said
    assert engine_version(VENDOR) == "28.5.2"


def test_another_wanted_version_is_installed_in_both_directions() -> None:
    for version in ("29.1.0", "28.5.2"):
        code, said = converge("vendor", docker_engine_version=version)
        assert code == 0, said
        assert engine_version(VENDOR) == version
    assert VENDOR.service("docker").is_running


def test_a_version_that_does_not_exist_is_refused_by_name() -> None:
    refuse("vendor", ["docker_engine_version", "99.0.0"], docker_engine_version="99.0.0")
    assert engine_version(VENDOR) == "28.5.2"


@pytest.mark.parametrize("version", ["latest", "29", "5:29.1.0-1~debian.13~trixie"])
def test_what_is_no_version_is_refused(version: str) -> None:
    refuse("vendor", ["docker_engine_version", "29.1.0"], docker_engine_version=version)


def test_an_address_without_a_repository_is_refused_by_name() -> None:
    source = VENDOR.file("/etc/apt/sources.list.d/docker.sources").content
    refuse("vendor", ["docker_engine_repository_url"], docker_engine_repository_url="http://10.213.0.3/nothing")
    assert VENDOR.file("/etc/apt/sources.list.d/docker.sources").content == source


def test_a_key_that_comes_with_packages_over_plain_http_is_refused() -> None:
    refuse("vendor", ["docker_engine_repository_key", "begins with https"], docker_engine_repository_key="")


def test_what_is_no_key_is_refused() -> None:
    refuse("vendor", ["docker_engine_repository_key", "ASCII armour"], docker_engine_repository_key="/etc/hostname")


def test_the_other_source_is_refused_beside_an_installed_engine() -> None:
    refuse("distribution", ["docker_engine_source", "docker.io"], docker_engine_source="docker")
    refuse(
        "vendor", ["docker_engine_source", "docker-ce"], docker_engine_source="distribution", docker_engine_version=""
    )


def test_a_user_who_does_not_exist_is_refused_by_name() -> None:
    refuse("distribution", ["docker_engine_users", "nobody-of-that-name"], docker_engine_users=["nobody-of-that-name"])


def test_a_mistyped_variable_is_refused_with_the_right_one() -> None:
    refuse("distribution", ["docker_engine_user:", "docker_engine_users"], docker_engine_user="alice")


def test_an_engine_that_does_not_start_with_the_new_options_runs_again_with_the_former() -> None:
    before = DISTRIBUTION.file(DAEMON_JSON).content
    code, said = converge("distribution", docker_engine_daemon_options={"storage-driver": "nosuch"})
    assert code == 2, said
    assert "docker_engine_daemon_options" in said
    assert "driver not supported: nosuch" in said
    assert DISTRIBUTION.file(DAEMON_JSON).content == before
    assert DISTRIBUTION.service("docker").is_running


def test_what_a_killed_run_left_is_taken_back_by_the_next_and_the_third_changes_nothing() -> None:
    before = DISTRIBUTION.file(DAEMON_JSON).content
    DISTRIBUTION.check_output(f"ln {DAEMON_JSON} {DAEMON_JSON}.gatehouse-former")
    bad = json.dumps({"storage-driver": "nosuch"})
    DISTRIBUTION.check_output(f"echo '{bad}' > {DAEMON_JSON}.bad && mv {DAEMON_JSON}.bad {DAEMON_JSON}")
    assert DISTRIBUTION.run("systemctl restart docker").rc != 0
    code, said = converge("distribution")
    assert code == 0, said
    assert "driver not supported: nosuch" in said
    assert DISTRIBUTION.service("docker").is_running
    assert DISTRIBUTION.file(DAEMON_JSON).content == before
    assert "changed=0" in converge("distribution")[1]


class TestDaemonJson:
    """The running daemon and its file survive what cannot be used."""

    @pytest.fixture(autouse=True)
    def _the_daemon_is_not_restarted(self) -> Iterator[None]:
        before = started(DISTRIBUTION), DISTRIBUTION.file(DAEMON_JSON).content
        yield
        assert (started(DISTRIBUTION), DISTRIBUTION.file(DAEMON_JSON).content) == before

    @pytest.fixture
    def damaged(self) -> Iterator[bytes]:
        DISTRIBUTION.check_output(f"cp -p {DAEMON_JSON} {DAEMON_JSON}.whole")
        DISTRIBUTION.check_output(f"printf '{{\\n  \"debug\": tru\\n}}\\n' > {DAEMON_JSON}")
        yield DISTRIBUTION.file(DAEMON_JSON).content
        DISTRIBUTION.check_output(f"mv {DAEMON_JSON}.whole {DAEMON_JSON}")

    def test_invalid_json_is_refused_by_file_and_line_and_left_alone(self, damaged: bytes) -> None:
        refuse("distribution", [DAEMON_JSON, "line 2"])
        assert DISTRIBUTION.file(DAEMON_JSON).content == damaged

    def test_an_option_that_docker_does_not_know_is_refused_by_name(self) -> None:
        refuse("distribution", [DAEMON_JSON, "debgu"], docker_engine_daemon_options={"debgu": True})

    def test_an_option_that_contradicts_the_unit_is_refused_with_the_way_on(self) -> None:
        words = ["docker_engine_daemon_options.hosts", "-H fd://", "drop-in", "ollama_server_publish"]
        refuse("distribution", words, docker_engine_daemon_options={"hosts": ["tcp://127.0.0.1:2375"]})

    def test_options_that_are_there_already_change_nothing(self) -> None:
        code, said = converge("distribution")
        assert code == 0
        assert "changed=0" in said
