# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which distribution a host runs, whether the roles support it, and what its package manager has installed."""

from __future__ import annotations

import shlex
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

DEBIAN = ("12", "13")
UBUNTU = ("22.04", "24.04")
ENTERPRISE_LINUX = ("9", "10")


class UnsupportedHost(GatehouseError):
    """A role cannot install packages on this host."""


class Kind(t.NamedTuple):
    """A distribution: its name as Ansible spells it, the supported releases, its package manager."""

    name: str
    releases: tuple[str, ...]
    family: str


# By the ID in os-release.
KINDS = {
    "debian": Kind("Debian", DEBIAN, "apt"),
    "ubuntu": Kind("Ubuntu", UBUNTU, "apt"),
    "almalinux": Kind("AlmaLinux", ENTERPRISE_LINUX, "dnf"),
    "centos": Kind("CentOS", ENTERPRISE_LINUX, "dnf"),
    "ol": Kind("OracleLinux", ENTERPRISE_LINUX, "dnf"),
    "rhel": Kind("RedHat", ENTERPRISE_LINUX, "dnf"),
    "rocky": Kind("Rocky", ENTERPRISE_LINUX, "dnf"),
}


class Platform(t.NamedTuple):
    distribution: str
    release: str
    codename: str
    family: str


# Prints name, upstream version and `installed` for each installed package.
QUERIES = {
    "apt": ["dpkg-query", "--show", "--showformat", "${Package} ${source:Upstream-Version} ${db:Status-Status}\\n"],
    "dnf": ["rpm", "--query", "--all", "--queryformat", "%{NAME} %{VERSION} installed\\n"],
}


def os_release(text: str) -> dict[str, str]:
    """Read what stands in /etc/os-release: assignments as a shell would understand them."""
    values = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            values[name] = "".join(shlex.split(value))
    return values


def platform(text: str, role: str) -> Platform:
    """The platform that os-release describes; an error, in the name of the role, where it is not supported."""
    values = os_release(text)
    version = values.get("VERSION_ID", "")
    kind = KINDS.get(values.get("ID", ""))
    # Debian and Enterprise Linux have minor releases that make no difference.
    release = version if kind and kind.name == "Ubuntu" else version.partition(".")[0]
    if kind is None or release not in kind.releases:
        raise UnsupportedHost(
            f"{role} supports Debian 12 and 13, Ubuntu 22.04 and 24.04, and Enterprise Linux 9 and 10 (RHEL, CentOS "
            f"Stream, Rocky, Alma, Oracle). This host runs {values.get('NAME', 'something unknown')} {version}."
        )
    return Platform(kind.name, release, values.get("VERSION_CODENAME", ""), kind.family)


def installed(lines: str) -> dict[str, str]:
    """Name and upstream version of each installed package, of what QUERIES print."""
    found = {}
    for line in lines.splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == "installed":
            found[words[0]] = words[1]
    return found
