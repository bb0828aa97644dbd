# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback that writes down what each task of a run did, and kills the run in one of them where it is told to."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: killing
type: aggregate
short_description: Kills a run in the middle of a task
description: Writes a line of JSON for each task to E(FAULTS_TASKS), and kills the run in the one of E(FAULTS_KILL).
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "killing"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        self.target = int(os.environ.get("FAULTS_KILL", "0"))
        self.file = Path(os.environ["FAULTS_TASKS"])

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self.number += 1
        if self.number == self.target:
            wait = float(os.environ["FAULTS_WAIT"])
            threading.Timer(wait, os.killpg, (os.getpgrp(), signal.SIGKILL)).start()

    def _write(self, result: Any, state: str) -> None:
        task = result.task
        line = {"number": self.number, "name": task.get_name(), "action": task.action, "state": state}
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        self._write(result, "changed" if result.is_changed() else "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._write(result, "failed")
