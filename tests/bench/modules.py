# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the modules take, as a user runs them: by ansible-playbook, here against files on this machine."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.bench.summary import Figure
from tests.client import ROOT

USERS = 1000
# The loop takes as long for each user, so a part of them is enough.
LOOP_USERS = 50
Task = dict[str, Any]


class PlaybookError(Exception):
    """A task did something else than it was measured for."""


def users_per_second(report: dict[str, Any], changed: bool, name: str, users: int) -> float:
    """How fast a task was, by what the callback ansible.posix.json reports; the start of Ansible is not in it."""
    (task,) = (task for task in report["plays"][0]["tasks"] if task["task"]["name"] == name)
    (result,) = task["hosts"].values()
    if result.get("failed") or result.get("unreachable") or result["changed"] is not changed:
        raise PlaybookError(f"{name}: {result.get('msg', 'changed is not ' + str(changed))}")
    start, end = (datetime.fromisoformat(task["task"]["duration"][side]) for side in ("start", "end"))
    return users / (end - start).total_seconds()


def play(folder: Path, tasks: list[Task], variables: dict[str, Any]) -> dict[str, Any]:
    """Run the tasks on this machine; what the callback reports of them."""
    connection = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    plays = [{"hosts": "all", "gather_facts": False, "vars": connection, "tasks": tasks}]
    (folder / "play.yml").write_text(json.dumps(plays), encoding="utf-8")
    (folder / "variables.json").write_text(json.dumps(variables), encoding="utf-8")
    environment = {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".config" / "collections"),
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "play.yml", "-i", "localhost,", "-e", "@variables.json"],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=600,
        check=False,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def htpasswd_vs_loop(_here: object = None) -> Figure:
    """Both against the same file, in which nothing is to change: that verifies each password, and costs most."""
    meaning = (
        f"users/s of the module htpasswd with {USERS} unchanged users of sha512_crypt with 5000 rounds, against a loop "
        f"over community.general.htpasswd with {LOOP_USERS} users of the same file"
    )
    figure = Figure("htpasswd_1000_vs_loop", "ratio", 50, meaning)
    users = [{"name": f"user{number}", "password": secrets.token_urlsafe(16)} for number in range(USERS)]
    with tempfile.TemporaryDirectory() as name:
        path = str(Path(name) / "htpasswd")
        ours: Task = {"gatehouse.ollama.htpasswd": {"path": path, "clients": "{{ users }}", "scheme": "sha512_crypt"}}
        theirs: Task = {
            "community.general.htpasswd": {
                "path": path,
                "name": "{{ item.name }}",
                "password": "{{ item.password }}",
                "hash_scheme": "sha512_crypt",
                "mode": "0640",
            },
            "loop": f"{{{{ users[:{LOOP_USERS}] }}}}",
            "loop_control": {"label": "{{ item.name }}"},
        }
        tasks = [("write", ours), ("ours 1", ours), ("loop 1", theirs), ("loop 2", theirs), ("ours 2", ours)]
        report = play(Path(name), [{"name": title, **task} for title, task in tasks], {"users": users})
        users_per_second(report, True, "write", USERS)
        for number in (1, 2):
            loop = users_per_second(report, False, f"loop {number}", LOOP_USERS)
            figure.add(loop, users_per_second(report, False, f"ours {number}", USERS))
    return figure
