# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._host import packages

DEBIAN = '# PRETTY_NAME="Debian"\nNAME="Debian GNU/Linux"\nVERSION_ID="13"\nVERSION_CODENAME=trixie\nID=debian\n'
UBUNTU = 'NAME="Ubuntu"\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\nID=ubuntu\nID_LIKE=debian\n'
ROCKY = 'NAME=\'Rocky Linux\'\n# a remark = none\n\nID="rocky"\nVERSION_ID="9.6"\n'


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        (DEBIAN, ("Debian", "13", "trixie", "apt")),
        (UBUNTU, ("Ubuntu", "24.04", "noble", "apt")),
        (ROCKY, ("Rocky", "9", "", "dnf")),
        (ROCKY.replace('"rocky"', "ol"), ("OracleLinux", "9", "", "dnf")),
        (ROCKY.replace('"rocky"', "rhel").replace("9.6", "10.0"), ("RedHat", "10", "", "dnf")),
    ],
    ids=["debian", "ubuntu", "rocky", "oracle", "redhat"],
)
def test_a_supported_distribution_is_known(text: str, platform: tuple[str, ...]) -> None:
    assert packages.platform(text, "docker_engine") == platform


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (DEBIAN.replace("13", "11"), "Debian GNU/Linux 11"),
        (UBUNTU.replace("24.04", "24.10"), "Ubuntu 24.10"),
        ("NAME=Arch\nID=arch\n", "Arch"),
        ("", "something unknown"),
    ],
    ids=["debian 11", "ubuntu 24.10", "arch", "nothing"],
)
def test_another_one_is_refused_in_the_name_of_the_role(text: str, seen: str) -> None:
    with pytest.raises(packages.UnsupportedHost, match=f"^docker_engine supports Debian 12 .*This host runs {seen} ?"):
        packages.platform(text, "docker_engine")


def test_packages_that_were_removed_are_not_installed() -> None:
    lines = "docker.io 26.1.5+dfsg1 installed\nrunc 1.1.15 config-files\n\nca-certificates 20250419 installed\n"
    assert packages.installed(lines) == {"docker.io": "26.1.5+dfsg1", "ca-certificates": "20250419"}
