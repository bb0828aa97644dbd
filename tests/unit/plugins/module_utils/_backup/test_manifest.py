# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an archive may say of itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup import manifest
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.manifest import (
    Damaged,
    File,
    Foreign,
    Manifest,
    Part,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

DIGEST = "0" * 64
PART = Part("gateway", "gate", "/opt/g", [File("tls/x", 1, DIGEST)], {"ca": "/c"}, {"models": []})


def changed(**changes: Any) -> bytes:
    given = json.loads(Manifest("2026-11-30T00:00:00Z", [PART]).dump())
    given["parts"][0].update(changes)
    return json.dumps(given).encode()


def test_what_was_written_is_read() -> None:
    written = Manifest("2026-11-30T00:00:00Z", [PART])
    assert manifest.read(written.dump()) == written
    assert [name for _part, _file, name in written.members()] == ["0000-gateway/tls/x"]


@pytest.mark.parametrize("content", [b"[]", b"{}", b'{"gatehouse_backup": "1"}', b'{"gatehouse_backup": true}'])
def test_what_has_another_form_is_foreign(content: bytes) -> None:
    with pytest.raises(Foreign):
        manifest.read(content)


def test_a_newer_format_is_told_before_all_else() -> None:
    with pytest.raises(
        GatehouseError, match=r"newer release of this collection \(format 2, and this one reads up to 1\)"
    ):
        manifest.read(b'{"gatehouse_backup": 2, "parts": "of another form"}')


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "other"},
        {"host": 7},
        {"host": "a\x1b[2J"},
        {"host": "a" * 5000},
        {"files": {}},
        {"files": [{"path": "../x", "size": 1, "sha256": DIGEST}]},
        {"files": [{"path": "/x", "size": 1, "sha256": DIGEST}]},
        {"files": [{"path": "x", "size": -1, "sha256": DIGEST}]},
        {"files": [{"path": "x", "size": 1.5, "sha256": DIGEST}]},
        {"files": [{"path": "x", "size": 1, "sha256": "0"}]},
        {"files": [{"path": "x", "size": 1, "sha256": 7}]},
        {"files": [{"path": "x", "size": 1, "sha256": DIGEST}] * 2},
        {"files": [{"path": "x", "size": 1 << 60, "sha256": DIGEST}]},
        {"uses": []},
        {"uses": {"ca": 7}},
        {"notes": []},
    ],
)
def test_what_cannot_be_is_damaged(changes: dict[str, Any]) -> None:
    with pytest.raises(Damaged):
        manifest.read(changed(**changes))


@pytest.mark.parametrize("content", [b"", b"\xff", b"{", b"[" * 100000])
def test_what_is_no_json_is_damaged(content: bytes) -> None:
    with pytest.raises(Damaged):
        manifest.read(content)


def test_a_part_is_there_once() -> None:
    with pytest.raises(Damaged, match="a part twice"):
        manifest.read(Manifest("2026-11-30T00:00:00Z", [PART, PART]).dump())
