# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of a ledger as the gateway writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def entry(**changes: Any) -> dict[str, Any]:
    """What one line says."""
    return {
        "time": "2026-11-30T06:12:18.123Z",
        "request_id": "0123456789abcdef" * 2,
        "client": "alice",
        "key": "laptop",
        "model": "tiny:latest",
        "route": "/api/chat",
        "status": 200,
        "prompt_tokens": 9,
        "completion_tokens": 22,
        "source": "server",
        "end": "complete",
        "seconds": 1.25,
        "first_chunk_seconds": 0.051,
        "server": "172.18.0.2:11434",
        **changes,
    }


def line(**changes: Any) -> bytes:
    return json.dumps(entry(**changes), separators=(",", ":")).encode() + b"\n"


def folder(path: Path, **days: list[bytes]) -> Path:
    """A ledger with these lines, by days such as _2026_11_30."""
    path.mkdir(parents=True)
    for day, lines in days.items():
        (path / f"{day[1:].replace('_', '-')}.jsonl").write_bytes(b"".join(lines))
    return path
