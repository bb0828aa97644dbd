# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models and services of the vendor's cloud: never asked, as the recorded server could not reach it."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from .errors import NativeError
from .names import Name
from .proxies import proxy_for
from .registry import problem_of_dialling
from .settings import Settings

HOST = "ollama.com"


def refuse_cloud(settings: Settings, name: Name, path: str) -> None:
    if name.tag == "cloud" or name.tag.endswith("-cloud"):
        shown = path == "/api/show" or path.startswith("/v1/models/")
        refuse(settings, path, "remote model details are unavailable" if shown else "remote model is unavailable")


def refuse(settings: Settings, path: str, disabled: str) -> None:
    if settings.cloud_disabled:
        raise NativeError(403, f"ollama cloud is disabled: {disabled}")
    via = urlsplit(proxy_for("https", HOST, 443, settings.proxies))
    problem = f"dial tcp: lookup {HOST}: no such host"
    if via.hostname:
        problem = "proxyconnect tcp: " + problem_of_dialling(via.hostname, via.port or 80)
    raise NativeError(502, f'Post "https://{HOST}:443{path}?ts={int(time.time())}": {problem}')
