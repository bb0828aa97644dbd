# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import os
import tempfile
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._usage import ledger, report
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import CredentialsAction, Dict, plain


class ActionModule(CredentialsAction):
    TRANSFERS_FILES = False
    _requires_connection = False
    ARGUMENTS: t.ClassVar[Dict] = {
        "variable": {"type": "str", "required": True},
        "by": {"type": "list", "elements": "str", "choices": list(ledger.COLUMNS), "required": True},
        "format": {"type": "str", "choices": list(report.FORMATS), "default": "table"},
        "file": {"type": "str", "default": ""},
    }

    def apply(self, arguments: Dict, task_vars: Dict) -> Dict:
        by = [str(name) for name in arguments["by"]]
        found = report.Report()
        missing: list[str] = []
        notes: list[str] = []
        for host in task_vars["ansible_play_hosts_all"]:
            answer = task_vars["hostvars"][host].get(arguments["variable"])
            try:
                one = report.answer(_judged(answer), by)
            except GatehouseError as error:
                missing.append(str(host))
                notes.append(f"{host} is not in it: {error}")
            else:
                found.add(one)
                notes += [f"{host}: {text}" for text in report.left_out(one.damaged)]
        text = _formatted(arguments["format"], found, by, missing, notes)
        result: Dict = {"changed": False, "text": text, "missing": missing}
        if arguments["format"] != "table":
            result["warnings"] = notes
        if arguments["file"]:
            return {**result, **self._written(arguments["file"], text)}
        # By no task of debug: as JSON or YAML, the lines would be folded or quoted.
        self._display.display(f"\n{text}")
        return result

    def _written(self, file: str, text: str) -> Dict:
        path = os.path.abspath(os.path.expanduser(file))
        if self._task.check_mode:
            self._display.display(f"\nWould write {path}\n")
        else:
            _write(path, text)
            self._display.display(f"\nWritten: {path}\n")
        return {"changed": True}


def _judged(answer: t.Any) -> Dict:
    """The answer of a host as plain text and numbers. Raises GatehouseError if there is none."""
    if answer is None or answer.get("unreachable"):
        raise GatehouseError("it could not be asked")
    if answer.get("failed"):
        raise GatehouseError("it could not read its ledger")
    if answer.get("skipped"):
        raise GatehouseError("it counts no tokens")
    judged: Dict = plain(dict(answer))
    return judged


def _formatted(
    kind: str, found: report.Report, by: t.Sequence[str], missing: t.Sequence[str], notes: t.Sequence[str]
) -> str:
    if kind == "csv":
        return report.as_csv(found.sums, by)
    if kind == "json":
        return report.as_json(found, by, missing)
    lines = report.table(found.sums, by, found.days)
    return "\n".join([*lines, *notes]) + "\n"


def _write(path: str, text: str) -> None:
    """Put the text into the file, in place of what was there. It says who does what when: for its owner alone."""
    if os.path.lexists(path) and (os.path.islink(path) or not os.path.isfile(path)):
        raise GatehouseError(f"{path} is no regular file; name another")
    folder, name = os.path.split(path)
    try:
        descriptor, new = tempfile.mkstemp(prefix=f".{name}.", dir=folder)  # mode 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            os.replace(new, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new)
    except OSError as error:
        raise GatehouseError(f"{path} cannot be written: {error.strerror}") from None
