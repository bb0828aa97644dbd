# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._progress import Watch, harmless, is_settled

DONE = {"finished": True, "changed": True}
GOING = {"finished": False}


def watch(looks: list[Any], results: list[Any]) -> tuple[dict[str, Any], list[str], list[float]]:
    """What comes of these answers of the host; an exception among them is raised, and the last one is repeated."""

    def answer(answers: list[Any]) -> Any:
        one = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(one, Exception):
            raise one
        return one

    shown: list[str] = []
    slept: list[float] = []
    done = Watch(lambda _offset: answer(looks), lambda: answer(results), shown.append, slept.append).until_done()
    return done, shown, slept


def notes(state: str, now: str = "", *events: str) -> dict[str, Any]:
    return {"state": state, "now": now, "events": list(events), "offset": 0}


def test_events_and_the_newest_progress_are_shown_once() -> None:
    looks = [
        notes("alive", "1 %"),
        notes("alive", "1 %", "broke off"),
        notes("alive", "2 %"),
        notes("ended", "3 %", "done"),
    ]
    done, shown, _slept = watch(looks, [DONE])
    assert done == DONE
    assert shown == ["1 %", "broke off", "2 %", "done"]


def test_a_killed_process_is_noticed_soon() -> None:
    done, _shown, slept = watch([notes("alive", "1 %"), notes("ended")], [GOING])
    assert done["failed"]
    assert "it was killed" in done["msg"]
    assert sum(slept) < 20


def test_a_process_whose_module_was_killed_says_so_too() -> None:
    wrapper = {"finished": True, "failed": True, "cmd": "x", "data": "", "stderr": "", "msg": "Traceback ..."}
    done, _shown, _slept = watch([notes("ended")], [wrapper])
    assert "it was killed" in done["msg"]


def test_a_connection_that_breaks_for_minutes_is_no_failure() -> None:
    broken = AnsibleConnectionFailure("no route to host")
    done, _shown, _slept = watch([notes("alive", "1 %"), *[broken] * 50, notes("ended")], [*[broken] * 50, DONE])
    assert done == DONE


@pytest.mark.parametrize(
    ("look", "settled"),
    [
        ({"changed": False, "unknown": []}, True),
        ({"changed": True}, False),
        ({"changed": False, "unknown": ["tiny:latest"]}, False),
        ({"changed": False, "change": "unknown"}, False),
        ({"failed": True, "msg": "models[0]: it must be"}, True),
        ({"failed": True, "failed_models": {"nope": "x"}}, False),
    ],
)
def test_only_what_takes_long_gets_a_process_of_its_own(look: dict[str, Any], settled: bool) -> None:
    assert is_settled(look) == settled


def test_what_a_terminal_would_obey_is_not_shown() -> None:
    assert harmless("a\x1b[2Jb\r\nc\x9b0m") == "a?[2Jb??c?0m"
    assert harmless("43 % of 1.3 GB \u2026 \u5bc6") == "43 % of 1.3 GB \u2026 \u5bc6"
