# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the variables that say where servers may connect to."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._rules import common
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.environment import PREFIX

# An SNI is a host name of letters, digits and hyphens (RFC 6066, section 3), never an address.
_HOST = re.compile(r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def egress_problems(arguments: t.Mapping[str, t.Any], environments: t.Sequence[t.Mapping[str, str]]) -> t.List[str]:
    """`arguments` are the role's variables without their prefix, `environments` those of the servers."""
    egress, hosts = arguments["egress"], arguments["egress_hosts"]
    problems = []
    if not hosts:
        problems.append("%segress_hosts: it must be a list of host names, such as [registry.ollama.ai]" % PREFIX)
    for number, host in enumerate(hosts):
        if not isinstance(host, str) or not _HOST.match(host):
            text = "%segress_hosts[%d]: it must be a host name in small letters, such as registry.ollama.ai"
            problems.append(text % (PREFIX, number))
    image = common.image(arguments["egress_image"], "docker.io/openresty/openresty:1.31.1.1-bookworm")
    problems += common.wrong(PREFIX, {"egress_image": image})
    if egress == "any":
        return problems
    if arguments["publish"]:
        text = "%spublish: it needs %segress any, for a published port comes in through the network that leads out"
        problems.append(text % (PREFIX, PREFIX))
    found = {name for one in environments for name in one if name.upper() in _PROXIES}
    for name in sorted(found):
        text = "%segress: it is %s, and %s in the environment names a proxy that cannot be reached then; leave one out"
        problems.append(text % (PREFIX, egress, name))
    return problems
