# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module that may take hours, and shows how far it is.

The module runs as a process of its own on the host, by Ansible's own async_wrapper, and notes its progress in a file.
So the connection may break meanwhile, and no timeout of it matters. Where nothing takes long, there is no such process.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import time
import typing as t

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import Dict, plain

display = Display()

# A process may take that long, in seconds: a month. What it waits for has timeouts of its own.
_LONGEST = 30 * 86400
# Seconds between two looks; at first the user wants to see that something happens.
_PAUSES = (1, 1, 2, 3)
_PAUSE = 5
# What may add up until a result is no longer hoped for: ten minutes without a connection, one without a process that
# begins, and three looks at one that ended, for its end and its result are some moments apart.
_PATIENCE = 120
_WEIGHTS = {"missing": 10, "ended": 40}
_KILLED = (
    "The process of the module on the host ended without a result: it was killed, perhaps for lack of memory, or the "
    "host was restarted. What it had done stays done, and a download goes on from where it was in the next run."
)
_LOST = (
    "Nothing was heard of the module's process on the host for too long: there is no connection, or it never began. If "
    "it lives, it goes on; the next run shows what it did."
)


class ProgressAction(ActionBase):
    """An action that runs the module of its own name."""

    TRANSFERS_FILES = False
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: Dict | None = None) -> Dict:
        result: Dict = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        arguments = plain(dict(self._task.args))
        if self._task.async_val:
            # The user wants to wait for it, or not, in a way of their own.
            result.update(self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=True))
            return result
        with self._with("check_mode", True):
            look = self._execute_module(module_args=dict(arguments), task_vars=task_vars)
        result.update(look if self._task.check_mode or is_settled(look) else self._watched(arguments, task_vars))
        return result

    @contextlib.contextmanager
    def _with(self, attribute: str, value: t.Any) -> t.Iterator[None]:
        """Let the task have this attribute for a while."""
        before = getattr(self._task, attribute)
        setattr(self._task, attribute, value)
        try:
            yield
        finally:
            setattr(self._task, attribute, before)

    def _watched(self, arguments: Dict, task_vars: Dict) -> Dict:
        folder = self.get_shell_option("async_dir", default="~/.ansible_async")
        path = f"{folder}/gatehouse-{secrets.token_hex(16)}"
        with self._with("async_val", _LONGEST):
            started: Dict = self._execute_module(
                module_args={**arguments, "progress": path}, task_vars=task_vars, wrap_async=True
            )
        if not started.get("ansible_job_id"):
            return started
        job = {"jid": started["ansible_job_id"], "_async_dir": folder}
        watch = Watch(
            look=lambda offset: self._look(path, offset, task_vars),
            result=lambda: self._result(job, task_vars),
            show=self._show,
        )
        answer = watch.until_done()
        with contextlib.suppress(AnsibleConnectionFailure):
            self._result({**job, "mode": "cleanup"}, task_vars)
        for key in ("ansible_job_id", "started", "finished", "results_file"):
            answer.pop(key, None)
        return answer

    def _look(self, path: str, offset: int, task_vars: Dict) -> Dict:
        name = "gatehouse.ollama.model_progress"
        arguments = {"path": path, "offset": offset}
        return dict(self._execute_module(module_name=name, module_args=arguments, task_vars=task_vars))

    def _result(self, job: Dict, task_vars: Dict) -> Dict:
        name = "ansible.legacy.async_status"
        return dict(self._execute_module(module_name=name, module_args=dict(job), task_vars=task_vars))

    def _show(self, text: str) -> None:
        name = self._templar.available_variables.get("inventory_hostname")
        host = name or self._task.delegate_to or self._play_context.remote_addr
        display.display(f"{host}: {harmless(text)}")


def harmless(text: str) -> str:
    """The text without what a terminal would obey: some of it is what a registry or a server says."""
    return "".join(char if char.isprintable() else "?" for char in text)


def is_settled(look: Dict) -> bool:
    """Whether there is nothing to do, or something wrong with the options. One wrong model hides no other."""
    if look.get("failed"):
        return "failed_models" not in look and "change" not in look
    return not look.get("changed") and not look.get("unknown") and look.get("change") != "unknown"


def is_killed(answer: Dict) -> bool:
    """Whether async_wrapper says that the module ended without a word."""
    return bool(answer.get("failed")) and "cmd" in answer and not answer.get("data") and not answer.get("stderr")


class Watch:
    """Looks at the notes of a process until it has ended, and then for its result."""

    def __init__(
        self,
        look: t.Callable[[int], Dict],
        result: t.Callable[[], Dict],
        show: t.Callable[[str], None],
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self._look = look
        self._result = result
        self._show = show
        self._sleep = sleep
        self._shown = ""

    def until_done(self) -> Dict:
        offset = 0
        unseen = 0
        pauses = itertools.chain(_PAUSES, itertools.repeat(_PAUSE))
        while True:
            self._sleep(next(pauses))
            try:
                notes = self._look(offset)
            except AnsibleConnectionFailure:
                notes = {"failed": True}
            offset = notes.get("offset", offset)
            self._tell(notes)
            if notes.get("state") == "alive":
                unseen = 0
                continue
            answer = self._finished()
            if answer is not None:
                return answer
            unseen += _WEIGHTS.get(str(notes.get("state")), 1)
            if unseen >= _PATIENCE:
                return {"failed": True, "changed": True, "msg": _KILLED if notes.get("state") == "ended" else _LOST}

    def _finished(self) -> Dict | None:
        try:
            answer = self._result()
        except AnsibleConnectionFailure:
            return None
        if not answer.get("finished"):
            return None
        return {"failed": True, "changed": True, "msg": _KILLED} if is_killed(answer) else answer

    def _tell(self, notes: Dict) -> None:
        for text in notes.get("events") or []:
            self._show(text)
        now = notes.get("now")
        # What the last thing of one that ended was is told by its result.
        if now and now != self._shown and notes.get("state") == "alive":
            self._shown = now
            self._show(now)
