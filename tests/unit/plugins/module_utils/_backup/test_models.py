# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of the models of a backup."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.models import (
    Model,
    failures,
    read,
    report,
    wanted,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

A, B = "a" * 64, "b" * 64
MODELS = [Model("tiny:latest", A), Model("clerk:latest", A), Model("mine:latest", A), Model("gone:latest", A)]
LISTED = ["tiny", {"name": "clerk", "from": "tiny", "system": "x"}]


def test_those_of_no_list_come_back_by_restore_unless_none_are_to_stay() -> None:
    assert [one.name for one in wanted(MODELS, LISTED, purge=False)] == ["mine:latest", "gone:latest"]
    assert wanted(MODELS, LISTED, purge=True) == []


def test_each_that_is_another_one_is_told() -> None:
    installed = [{"name": "tiny:latest", "digest": A}, {"name": "clerk:latest", "digest": B}]
    installed += [{"name": "MINE:latest", "digest": B}]
    lines, other = report(MODELS, installed, {"gone:latest": "no such model"}, LISTED, purge=False)
    assert lines == [
        "As before: tiny:latest",
        "clerk:latest: made anew as the inventory says (bbbbbbbbbbbb, was aaaaaaaaaaaa)",
        "mine:latest: its registry has another one under this name now, bbbbbbbbbbbb, and that is what the server has; "
        "aaaaaaaaaaaa is where models_export wrote it",
        "gone:latest (aaaaaaaaaaaa) is not back: no such model",
    ]
    assert other == lines[1:]


def test_one_that_purge_keeps_away_is_no_loss() -> None:
    (line,), _other = report([Model("mine:latest", A)], [], {}, LISTED, purge=True)
    assert line == "mine:latest: left out, for ollama_server_models_purge is true and no list has it"


def test_why_one_is_missing_is_what_the_module_said() -> None:
    assert failures({"failed_models": {"gone:latest": "x"}, "msg": "gone:latest: x"}, MODELS) == {"gone:latest": "x"}
    assert failures({"msg": "no server"}, MODELS[:1]) == {"tiny:latest": "no server"}
    assert failures({"skipped": True}, MODELS) == {}


@pytest.mark.parametrize(
    "given", [7, [7], [{"name": "x"}], [{"name": "a b", "digest": A}], [{"name": "x", "digest": "y"}]]
)
def test_what_no_server_lists_is_refused(given: Any) -> None:
    with pytest.raises(GatehouseError, match="the models in the archive"):
        read(given)
