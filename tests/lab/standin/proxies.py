# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which proxy a request takes, as a Go program decides it by its environment."""

from __future__ import annotations

import ipaddress
from typing import Mapping


def proxy_for(scheme: str, host: str, port: int, environ: Mapping[str, str]) -> str:
    """The proxy that Go would take; none to this machine itself, and none to what NO_PROXY names."""
    names = (f"{scheme}_proxy".upper(), f"{scheme}_proxy")
    proxy = next((environ[name] for name in names if environ.get(name)), "")
    excepted = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    if not proxy or _is_here(host) or any(_covers(one.strip(), host, port) for one in excepted.split(",")):
        return ""
    return proxy if "://" in proxy else "http://" + proxy


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_here(host: str) -> bool:
    address = _ip(host)
    return address.is_loopback if address else host == "localhost"


def _covers(entry: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY means the host: *, an address or a net of them, a name with all below it."""
    address = _ip(host)
    if entry == "*":
        return True
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name, separator, only = entry.rpartition(":") if entry.count(":") == 1 else (entry, "", "")
    if not name or (separator and only != str(port)):
        return False
    below = name.removeprefix("*") if name.startswith("*.") else name
    if address or _ip(name):
        return _ip(name) == address
    return host.lower().endswith("." + below.lower().lstrip(".")) or host.lower() == below.lower()
