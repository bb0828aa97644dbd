# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands before every route: cross-origin rules, and the check of Host on loopback."""

from __future__ import annotations

import ipaddress
import socket

from .settings import Settings
from .wire import Head, Response

_METHODS = "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"
_HEADERS = (
    "Authorization,Content-Type,User-Agent,Accept,X-Requested-With,Openai-Beta,X-Stainless-Arch,X-Stainless-Async,"
    "X-Stainless-Custom-Poll-Interval,X-Stainless-Helper-Method,X-Stainless-Lang,X-Stainless-Os,"
    "X-Stainless-Package-Version,X-Stainless-Poll-Helper,X-Stainless-Retry-Count,X-Stainless-Runtime,"
    "X-Stainless-Runtime-Version,X-Stainless-Timeout"
)
_LOCAL = [
    f"{scheme}://{host}{port}"
    for host in ("localhost", "127.0.0.1", "0.0.0.0")
    for scheme in ("http", "https")
    for port in ("", ":*")
]
_APPS = ["app://*", "file://*", "tauri://*", "vscode-webview://*", "vscode-file://*"]


def _origin_allowed(origin: str, patterns: list[str]) -> bool:
    for pattern in patterns:
        before, star, after = pattern.partition("*")
        if origin == pattern or (star and origin.startswith(before) and origin.endswith(after)):
            return True
    return False


async def cross_origin(request: Head, response: Response, settings: Settings) -> bool:
    """Whether the request goes on; otherwise it was answered."""
    origin = request.get("origin")
    if not origin or origin in (f"http://{request.host}", f"https://{request.host}"):
        return True
    patterns = [*settings.origins, *_LOCAL, *_APPS]
    everybody = "*" in patterns
    if not everybody and not _origin_allowed(origin, patterns):
        await response.send(403)
        return False
    preflight = request.method == "OPTIONS"
    if preflight:
        response.set("Access-Control-Allow-Methods", _METHODS)
        response.set("Access-Control-Allow-Headers", _HEADERS)
        response.set("Access-Control-Max-Age", "43200")
    if not everybody:
        response.add("Vary", "Origin")
        if preflight:
            response.add("Vary", "Access-Control-Request-Method")
            response.add("Vary", "Access-Control-Request-Headers")
    response.set("Access-Control-Allow-Origin", "*" if everybody else origin)
    if preflight:
        await response.send(204)
    return not preflight


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def host_allowed(request: Head, settings: Settings) -> bool:
    """A server that listens on loopback alone takes local names only, against DNS rebinding."""
    if not _is_loopback(settings.host):
        return True
    host = request.host
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        host = host.lower()
        local = host in ("", "localhost", socket.gethostname().lower())
        return local or host.endswith((".localhost", ".local", ".internal"))
    return address.is_loopback or address.is_private or address.is_unspecified
