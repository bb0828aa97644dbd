# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several gateways counted, as the playbook shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.conftest import Direct

FIGURES = {
    **{"requests": 2, "prompt_tokens": 18, "completion_tokens": 44, "counted_tokens": 31},
    **{"errors": 1, "seconds": 2.5},
}
ANSWER: dict[str, Any] = {
    "rows": [{"client": "alice", **FIGURES}],
    "days": {"first": "2026-11-29", "last": "2026-11-29"},
    "damaged": {"count": 0},
}
OTHER = {
    "rows": [{"client": name, **FIGURES} for name in ("alice", "bob")],
    "days": {"first": "2026-11-01", "last": "2026-11-30"},
    "damaged": {"count": 3},
}
TABLE = """\
client  requests  prompt-tokens  completion-tokens  counted-tokens  errors  seconds
alice          4             36                 88              62       2      5.0
bob            2             18                 44              31       1      2.5
total          6             54                132              93       3      7.5
2026-11-01 to 2026-11-30, days of UTC
two: 3 damaged lines left out
"""


def report(direct: Direct, *run: str, answers: dict[str, Any], **options: Any) -> dict[str, Any]:
    """The result of the task; an answer that is None is one of a host that nobody reached."""
    known = {host: {} if answer is None else {"found": answer} for host, answer in answers.items()}
    task = {"gatehouse.ollama.usage_report": {"variable": "found", "by": ["client"], **options}}
    return direct.run([task], *run, hostvars=known, ansible_play_hosts_all=list(known)).only[0]


def test_what_several_gateways_counted_is_one_table(direct: Direct) -> None:
    result = report(direct, answers={"one": ANSWER, "two": OTHER})
    assert (result["text"], result["missing"], result["changed"]) == (TABLE, [], False)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "it could not be asked"),
        ({"unreachable": True}, "it could not be asked"),
        ({"failed": True, "msg": "x"}, "it could not read its ledger"),
        ({"skipped": True, "changed": False}, "it counts no tokens"),
        ({**ANSWER, "rows": [{"client": "\x1b[2J", **FIGURES}]}, "its answer has names or numbers that cannot be"),
        ({"rows": 1}, "its answer is none of gatehouse.ollama.usage_info"),
    ],
)
def test_a_host_without_figures_is_named_and_the_others_are_shown(answer: Any, why: str, direct: Direct) -> None:
    answers = {"one": ANSWER, "gone": answer, "two": OTHER}
    result = report(direct, answers=answers)
    assert result["text"] == TABLE.replace("two:", f"gone is not in it: {why}\ntwo:")
    assert result["missing"] == ["gone"]
    result = report(direct, answers=answers, format="json")
    assert json.loads(result["text"])["missing"] == ["gone"]
    assert f"gone is not in it: {why}" in result["warnings"]


def test_a_file_is_readable_by_its_owner_alone_and_replaces_the_one_before(direct: Direct) -> None:
    """A relative path begins where the user is."""
    path = direct.folder / "usage.csv"
    path.write_text("before")
    path.chmod(0o644)
    result = report(direct, answers={"one": ANSWER}, format="csv", file="usage.csv")
    assert path.read_text() == result["text"]
    assert result["text"].splitlines()[1] == "alice,2,18,44,31,1,2.5"
    assert (path.stat().st_mode & 0o777, result["changed"]) == (0o600, True)
    assert [one.name for one in direct.folder.iterdir()] == ["usage.csv"]


def test_in_check_mode_no_file_is_written(direct: Direct) -> None:
    result = report(direct, "--check", answers={"one": ANSWER}, file="usage.txt")
    assert (result["changed"], (direct.folder / "usage.txt").exists()) == (True, False)


@pytest.mark.parametrize("file", ["/dev/null", "link", "folder", "none/usage.csv"])
def test_what_is_no_file_is_not_replaced(file: str, direct: Direct) -> None:
    target = direct.folder / "target"
    target.write_text("before")
    (direct.folder / "link").symlink_to(target)
    (direct.folder / "folder").mkdir()
    result = report(direct, answers={"one": ANSWER}, file=file)
    assert result["failed"] is True
    assert file in result["msg"]
    assert target.read_text() == "before"
    assert not Path("/dev/null").is_file()
