# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doors of servers, as the inventory says where they are. The messages name the host and quote no value."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._text.addresses import bracketed, is_address
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._spelling import read

Variables = t.Mapping[str, t.Any]

PORT = 11443
BIND = "ollama_server_door_bind"


def doors(hosts: t.Sequence[str], hostvars: t.Mapping[str, Variables]) -> list[dict[str, str]]:
    """Name and address of each door of these hosts; ValueError says whose variable is wrong."""
    found = [door for host in hosts for door in _of_host(host, hostvars[host])]
    names = [door["name"] for door in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError("two doors would be called %s: names of hosts and instances must not meet" % twice[0])
    return found


def _of_host(host: str, variables: Variables) -> list[dict[str, str]]:
    """The doors of a host: one for each of its servers, or none."""
    bind = _value(host, variables, BIND, "str", "").strip()
    if not bind or _value(host, variables, "ollama_server_state", "str", "present") == "absent":
        return []
    address = bracketed(_address(host, variables, bind))
    first = _value(host, variables, "ollama_server_door_port", "int", PORT)
    names = [host + suffix for suffix in _suffixes(host, variables)]
    return [{"name": name, "address": "%s:%d" % (address, first + place)} for place, name in enumerate(names)]


def _suffixes(host: str, variables: Variables) -> list[str]:
    """What each server of a host adds to its name; nothing where there is one without a name."""
    instances = _value(host, variables, "ollama_server_instances", "list", [])
    if not all(isinstance(one, dict) and one.get("name") for one in instances):
        raise ValueError("ollama_server_instances of %s: each must be a dictionary with a name" % host)
    return ["-%s" % one["name"] for one in instances] or [""]


def _address(host: str, variables: Variables, bind: str) -> str:
    """Where others find what listens there."""
    if not is_address(bind):
        raise ValueError("%s of %s must be an IP address of the host, or empty" % (BIND, host))
    if not ipaddress.ip_address(bind).is_unspecified:
        return bind
    known = _value(host, variables, "ansible_host", "str", host)
    if not is_address(known):
        raise ValueError(
            "%s of %s means all its addresses, and ansible_host is none that gateways could use: "
            "set one of the two to an IP address that they reach" % (BIND, host)
        )
    return known


def _value(host: str, variables: Variables, name: str, kind: str, default: t.Any) -> t.Any:
    """A variable of a host in the type that it has in YAML."""
    try:
        return read(variables.get(name, default), kind)
    except ValueError as error:
        raise ValueError("%s of %s: %s" % (name, host, error)) from None
