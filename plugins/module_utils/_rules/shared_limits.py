# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where gateways keep what they share of the limits of clients: what the variables of the gateway mean together."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.common import Controller
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.upstreams import address

PREFIX = "ollama_gateway_"
ADDRESSES = PREFIX + "valkey"
# A name of DNS or an address, and a port. An IPv6 address stands in brackets.
_FORM = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})\Z")
# What stands in a file of settings, a command of Valkey or a certificate as it is.
_WORD = re.compile(r"[A-Za-z0-9._-]{1,100}\Z")
# Where the role valkey makes the file, maybe later in the same run.
_MADE = "/.gatehouse/valkey/password"


def judge(values: t.Mapping[str, t.Any], controller: Controller, problems: Problems) -> None:
    """What is wrong with where the store is, and with how the gateway shows who it is."""
    for place, one in enumerate(values["valkey"]):
        problems.add(f"{ADDRESSES}[{place}]", _address_problem(one))
    if not values["valkey"]:
        return
    if values["engine"] != "openresty":
        problems.add(ADDRESSES, f"it needs {PREFIX}engine openresty, since nginx counts nothing")
    elif not values["usage"]:
        problems.add(ADDRESSES, f"it needs {PREFIX}usage true: where nothing is counted there is nothing to share")
    if len(values["valkey"]) > 1 and not values["valkey_master"]:
        text = "several addresses are those of sentinels, and need the name by which these know the master"
        problems.add(PREFIX + "valkey_master", text)
    for name in ("valkey_user", "valkey_name", *(["valkey_master"] if values["valkey_master"] else [])):
        if not _WORD.match(values[name]):
            problems.add(PREFIX + name, "it must be a name of letters, digits, dots, hyphens and underscores")
    problems.add(PREFIX + "valkey_password_file", _password_problem(values["valkey_password_file"], controller))


def _password_problem(path: str, controller: Controller) -> str | None:
    if not path.startswith("/"):
        return "it must be the absolute path of a file on the controller"
    text = controller.read(path)
    if text is None:
        return None if path.endswith(_MADE) else f"there is no file {path} that can be read"
    return None if text.strip() else f"{path} is empty"


def _address_problem(one: t.Any) -> str | None:
    form = _FORM.match(one) if isinstance(one, str) else None
    if not form or not 1 <= int(form.group("port")) <= 65535:
        return "it must be host:port, such as 10.0.0.5:6379, or 10.0.0.5:26379 for a sentinel"
    there = address(form.group("host").strip("[]"))
    if there is not None and (there.is_loopback or there.is_unspecified):
        return f"{there} is, in the gateway's container, the container itself; write an address of the host"
    return None


__all__ = ["judge"]
