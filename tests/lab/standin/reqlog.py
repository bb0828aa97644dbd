# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reached the server, one JSON line a request, for tests of what stands in front of it."""

from __future__ import annotations

import json
import os
import time
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from . import wire

# The tokens of the request that is served, whatever its answer says of them.
_TOKENS: ContextVar[dict[str, int]] = ContextVar("tokens")
# The models that were loaded because of it.
_LOADS: ContextVar[list[str]] = ContextVar("loads")


def count(prompt: int = 0, completion: int = 0) -> None:
    """Add to what the request took that is served."""
    tokens = _TOKENS.get()
    tokens["prompt"] += prompt
    tokens["completion"] += completion


def loads(name: str) -> None:
    """Say that the request that is served has a model loaded."""
    _LOADS.get().append(name)


class RequestLog:
    def __init__(self, path: Path | None) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) if path else None

    @staticmethod
    def begin() -> None:
        _TOKENS.set({"prompt": 0, "completion": 0})
        _LOADS.set([])

    def write(self, head: wire.Head, body: wire.Body, response: wire.Response, peer: str, disconnected: bool) -> None:
        if self._descriptor is None:
            return
        entry: dict[str, Any] = {
            "time": time.time(),
            "method": head.method,
            "target": head.target,
            "version": f"{head.version[0]}.{head.version[1]}",
            "headers": [list(header) for header in head.headers],
            "body_sha256": body.sha256,
            "body_length": body.length,
            "peer": peer,
            "status": response.status,
            "disconnected": disconnected,
            "tokens": _TOKENS.get(),
            "loads": _LOADS.get(),
        }
        os.write(self._descriptor, json.dumps(entry).encode() + b"\n")
