# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upgrades of a host's first boot, which hold locks for minutes, are waited for; apt says in the end who holds one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parents[2]
APT = ("ansible.builtin.apt", "ansible.builtin.package")
# What ansible-core's modules say, with the words of apt 2.4 and newer.
HOLDER = "/lock. It is held by process 13 (unattended-upgr)"
LOCKED = (
    f"'/usr/bin/apt-get -y install' failed: E: Could not get lock /var/cache/apt/archives{HOLDER}",
    f"Failed to lock apt for exclusive operation: Failed to lock x: E:Could not get lock /var/lib/apt{HOLDER}",
)
OTHER = ("'/usr/bin/apt-get -y install' failed: E: Version '99' for 'x' was not found", "No package matching 'x'")


def installations(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for task in tasks:
        yield from installations(task.get("block", []))
        if set(APT) & set(task):
            yield task


TASKS = {
    f"{path.relative_to(ROOT / 'roles')}: {task['name']}": task
    for path in sorted(ROOT.glob("roles/*/tasks/**/*.yml"))
    for task in installations(yaml.safe_load(path.read_text(encoding="utf-8")))
}


def test_all_installations_are_held_against_this() -> None:
    assert len(TASKS) == 6


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
def test_an_installation_waits_a_quarter_of_an_hour_for_whoever_has_a_lock_and_for_nothing_else(
    task: dict[str, Any],
) -> None:
    (options,) = (task[name] for name in APT if name in task)
    assert options["lock_timeout"] + task["retries"] * task["delay"] == 15 * 60

    def goes_on(**result: Any) -> bool:
        """Whether the task is not tried again after this result."""
        until = trust_as_template(f"{{{{ {task['until']} }}}}")
        return bool(Templar(variables={task["register"]: result}).template(until))

    assert goes_on(failed=False, changed=True)
    assert [text for text in LOCKED if goes_on(failed=True, msg=text)] == []
    assert [text for text in OTHER if not goes_on(failed=True, msg=text)] == []
