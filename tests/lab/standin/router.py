# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a path to a handler, with the redirects and refusals of Go's mux and of gin."""

from __future__ import annotations

import html
import posixpath
from dataclasses import dataclass
from typing import Awaitable, Callable
from urllib.parse import quote

from .exchange import Exchange
from .wire import Head, Response

Handler = Callable[[Exchange], Awaitable[None]]
_SAFE = "/$&+,:;=@!'()*~"


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    handler: Handler
    dialect: str = "native"


class Router:
    def __init__(self, routes: list[Route]) -> None:
        self._exact = {(route.method, route.path): route for route in routes if ":" not in route.path}
        self._patterns = [route for route in routes if ":" in route.path]
        self._methods = list(dict.fromkeys(route.method for route in routes))

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        if route := self._exact.get((method, path)):
            return route, {}
        for route in self._patterns:
            prefix, _, parameter = route.path.partition(":")
            value = path[len(prefix) :]
            if route.method == method and path.startswith(prefix) and value and "/" not in value:
                return route, {parameter: value}
        return None

    def redirect(self, request: Head) -> tuple[int, str] | None:
        """Status and path of the redirect that an unclean path gets."""
        clean = _clean(request.raw_path)
        if clean != request.raw_path:
            return 307, clean
        clean = request.path
        if self.find(request.method, clean) or clean == "/":
            return None
        other = clean[:-1] if clean.endswith("/") else clean + "/"
        if self.find(request.method, other):
            return (301 if request.method == "GET" else 307), other
        return None

    def allowed(self, request: Head) -> list[str]:
        return [method for method in self._methods if method != request.method and self.find(method, request.path)]


def _clean(path: str) -> str:
    if not path.startswith("/"):
        path = "/" + path
    clean = "/" + posixpath.normpath(path).lstrip("/")
    return clean + "/" if path.endswith("/") and clean != "/" else clean


async def send_redirect(request: Head, response: Response, status: int, path: str) -> None:
    location = quote(path, safe=_SAFE, errors="surrogateescape") + ("?" + request.query if request.query else "")
    response.set("Location", location)
    if request.method not in ("GET", "HEAD"):
        await response.send(status)
        return
    phrase = "Moved Permanently" if status == 301 else "Temporary Redirect"
    body = f'<a href="{html.escape(location)}">{phrase}</a>.\n\n' if request.method == "GET" else ""
    await response.send(status, body.encode(), "text/html; charset=utf-8")
