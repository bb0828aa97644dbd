# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from ansible.plugins.loader import fragment_loader
from ansible.utils.plugin_docs import get_docstring
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput
from ansible_collections.gatehouse.ollama.plugins.modules import usage_info as module

from tests.unit import ledgers
from tests.unit.conftest import Direct, Playbook
from tests.unit.ledgers import line

TODAY = datetime.date(2026, 11, 30)
SECRET = b"planted-text-of-a-damaged-line"


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    days = {"_2026_11_28": [line()], "_2026_11_29": [line(client="bob"), SECRET + b"\n"], "_2026_11_30": [line(key="")]}
    return ledgers.folder(tmp_path / "usage", **days)


def options(ledger: Path, **others: Any) -> dict[str, Any]:
    defaults = {name: option.get("default") for name, option in module.OPTIONS.items()}
    return {**defaults, "path": str(ledger), **others}


def test_all_that_was_counted_is_returned_by_client_key_model_and_day(ledger: Path) -> None:
    returned, warnings = module.look(options(ledger), TODAY)
    names = [tuple(row[name] for name in ("client", "key", "model", "day")) for row in returned["rows"]]
    assert names == [
        ("alice", "", "tiny:latest", "2026-11-30"),
        ("alice", "laptop", "tiny:latest", "2026-11-28"),
        ("bob", "laptop", "tiny:latest", "2026-11-29"),
    ]
    assert returned["total"] == {
        **{"requests": 3, "prompt_tokens": 27, "completion_tokens": 66, "counted_tokens": 0},
        **{"errors": 0, "seconds": 3.75},
    }
    assert returned["days"] == {"first": "2026-11-28", "last": "2026-11-30"}
    assert returned["damaged"] == {"count": 1, "files": [{"file": "2026-11-29.jsonl", "count": 1, "lines": [2]}]}
    assert returned["table"][-2:] == ["2026-11-28 to 2026-11-30, days of UTC", "1 damaged line left out"]
    assert warnings == ["2026-11-29.jsonl, line 2: damaged, and left out"]
    assert returned["changed"] is False


def test_only_what_is_asked_for_is_returned(ledger: Path) -> None:
    asked = options(ledger, since="2d", by=["client"], client=["alice"])
    returned, _warnings = module.look(asked, TODAY)
    assert [(row["client"], row["requests"]) for row in returned["rows"]] == [("alice", 1)]
    assert "key" not in returned["rows"][0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"path": "/no/such"},
            "path: there is no folder /no/such; a gateway has its ledger in state/usage below its own ",
        ),
        ({"since": "tomorrow"}, "since: it must be a day such as 2026-11-30, "),
        ({"until": "2026-11-31"}, "until: it must be a day such as 2026-11-30, "),
        ({"since": "today", "until": "yesterday"}, "since: 2026-11-30 is after until, which is 2026-11-29; "),
        ({"by": []}, "by: it must be one or more of client, key, model, day, each once"),
    ],
)
def test_options_that_cannot_be_are_errors(wrong: dict[str, Any], message: str, ledger: Path) -> None:
    with pytest.raises(BadInput) as error:
        module.look(options(ledger, **wrong), TODAY)
    assert str(error.value).startswith(message)


def test_a_task_is_told_all_that_is_wrong(ledger: Path, direct: Direct) -> None:
    task = {"gatehouse.ollama.usage_info": {"path": f"{ledger}/none", "since": "x", "until": "x", "by": ["day", "day"]}}
    result = direct.run([task]).only[0]
    assert result["failed"] is True
    assert [text.partition(":")[0] for text in result["msg"].splitlines()] == ["since", "until", "by", "path"]


@pytest.mark.parametrize(("name", "told"), [("2026-11-30.jsonl", "/2026-11-30.jsonl"), (None, "/"), ("/x", "")])
def test_what_cannot_be_read_is_told_with_its_path(
    name: str | None, told: str, ledger: Path, direct: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.ledger, "read", Mock(side_effect=OSError(5, "Input/output error", name)))
    result = direct.run([{"gatehouse.ollama.usage_info": {"path": str(ledger)}}]).only[0]
    path = f"{ledger}{told}" if told else name
    assert (result["failed"], result["msg"]) == (True, f"{path} cannot be read: Input/output error")


def test_a_run_changes_nothing_and_quotes_no_damaged_line_not_even_verbosely(ledger: Path, playbook: Playbook) -> None:
    before = {path: path.read_bytes() for path in ledger.iterdir()}
    run = playbook.run([{"gatehouse.ollama.usage_info": {"path": str(ledger)}}], "--check", "--diff", "-vvv")
    assert (run.only[0]["changed"], run.only[0]["total"]["requests"]) == (False, 3)
    assert "2026-11-29.jsonl, line 2: damaged, and left out" in run.output
    assert SECRET.decode() not in run.output
    assert {path: path.read_bytes() for path in ledger.iterdir()} == before


def test_options_types_and_defaults_are_documented_as_they_are() -> None:
    said = get_docstring(module.__file__, fragment_loader, collection_name="gatehouse.ollama")[0]["options"]
    assert set(said) == set(module.OPTIONS)
    for name, option in module.OPTIONS.items():
        for aspect in ("type", "default", "required", "elements", "choices"):
            assert said[name].get(aspect) == option.get(aspect), (name, aspect)
