# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of one kind, and the two roles that install packages."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules import common, engine, runtime

from tests.component import rendering

KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n"
CONTROLLER = common.Controller({"key.asc": KEY, "other": "x"}.get, lambda kind, path: path, "run")
ENGINE = {
    "source": "docker",
    "version": "",
    "repository_url": "https://download.docker.com",
    "repository_key": "",
}
RUNTIME = {
    "source": "nvidia",
    "version": "",
    "minimum_driver": "550",
    "repository_url": "https://nvidia.github.io/libnvidia-container",
    "repository_key": "",
}
PLAIN = {"repository_url": "http://user:a-secret@mirror.example"}
CHECKS = [(engine, ENGINE), (runtime, RUNTIME)]


@pytest.mark.parametrize(
    ("size", "number"),
    [
        ("1.5g", 3 << 29),
        ("512m", 512 << 20),
        ("512MB", 512 << 20),
        ("1GiB", 1 << 30),
        ("1 g", 1 << 30),
        ("8388608", 8 << 20),
        ("8388608b", 8 << 20),
        (8388608, 8 << 20),
        ("10240k", 10 << 20),
        ("1t", 1 << 40),
    ],
)
def test_a_size_of_memory_is_what_docker_reads_and_half_of_it_is_for_bodies(size: Any, number: int) -> None:
    assert common.memory_bytes(size) == number
    assert common.memory(size) is None
    room = rendering.value("__ollama_gateway_tmpfs", ollama_gateway_memory_limit=size)
    assert room == f"mode=1777,size={number // 2}"


@pytest.mark.parametrize("value", ["1.5", "2", 1.5, 2, ""])
def test_a_number_of_processors_is_taken(value: Any) -> None:
    assert common.cpus(value) is None


@pytest.mark.parametrize("value", ["0", "0.0", 0, "two", "-1", "1.", ".5", "1\n", None, True])
def test_what_is_no_number_of_processors_is_refused(value: Any) -> None:
    assert "1.5" in str(common.cpus(value))


@pytest.mark.parametrize(("rules", "values"), CHECKS)
@pytest.mark.parametrize("changes", [{}, {"version": "1.18.1"}, {**PLAIN, "repository_key": "key.asc"}])
def test_packages_are_taken_from_where_nobody_can_change_them(
    rules: Any, values: dict[str, Any], changes: dict[str, Any]
) -> None:
    found = rules.check({**values, **changes}, CONTROLLER)
    assert found.problems == []
    assert found.result == {"repository_key": KEY if "repository_key" in changes else ""}


@pytest.mark.parametrize(("rules", "values"), CHECKS)
@pytest.mark.parametrize(
    ("changes", "right"),
    [
        (PLAIN, "repository_key: it may be empty only where {}repository_url begins with https: over plain HTTP"),
        ({"repository_key": "other"}, "repository_key: it must be a public key in ASCII armour, or the path of one"),
        ({"repository_key": "missing"}, "repository_key: it must be a public key in ASCII armour, or the path of one"),
        (
            {"repository_key": "-----BEGIN PGP PRIVATE KEY BLOCK-----"},
            "repository_key: it must be a public key in ASCII armour",
        ),
        (
            {"repository_url": "https:///x", "repository_key": KEY},
            "repository_url: it must be an address such as https",
        ),
        ({"version": "latest"}, "version: it must be empty, or three numbers such as "),
        ({"version": "29"}, "version: it must be empty, or three numbers such as "),
        ({"version": "5:29.1.0-1~debian.13~trixie"}, "version: it must be empty, or three numbers such as "),
    ],
    ids=str,
)
def test_packages_that_anybody_could_change_or_that_cannot_be_are_refused(
    rules: Any, values: dict[str, Any], changes: dict[str, Any], right: str
) -> None:
    (problem,) = rules.check({**values, **changes}, CONTROLLER).problems
    assert problem.startswith(rules.PREFIX + right.format(rules.PREFIX))
    assert "a-secret" not in problem


def test_a_distribution_offers_one_version_and_needs_no_key() -> None:
    given = {**ENGINE, **PLAIN, "source": "distribution"}
    assert engine.check(given, CONTROLLER).problems == []
    (problem,) = engine.check({**given, "version": "29.1.0"}, CONTROLLER).problems
    assert problem.startswith("docker_engine_version: it is for docker_engine_source docker")


def test_a_toolkit_of_the_host_needs_no_key_and_a_driver_has_a_version() -> None:
    given = {**RUNTIME, **PLAIN, "source": "host"}
    assert runtime.check(given, CONTROLLER).problems == []
    (problem,) = runtime.check({**given, "minimum_driver": "newest"}, CONTROLLER).problems
    assert problem == "nvidia_runtime_minimum_driver: it must be a version such as 550 or 550.54.14"
