# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a task in this process, its module included: what an action or a module promises, in a hundredth of the time."""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, patch

from ansible.errors import AnsibleError
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.json import Direction, get_module_decoder
from ansible.module_utils.testing import patch_module_args
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import action_loader
from ansible.template import Templar, trust_as_template

DECODER = get_module_decoder("legacy", Direction.MODULE_TO_CONTROLLER)


def answer(data: dict[str, Any], known: dict[str, Any], folder: Path, run: str) -> dict[str, Any]:
    """The result of a task of a playbook in `folder`, with the variables `known`; `run` tells runs apart."""
    loader = DataLoader()
    loader.set_basedir(str(folder))
    task = Task.load(trusted({name: value for name, value in data.items() if name != "vars"}))
    task._uuid = f"{run}-0"
    variables = trusted(known | data.get("vars", {}))
    templar = Templar(loader=loader, variables=variables)
    task.args = json.loads(json.dumps(templar.template(task.args)))
    parts = {"connection": MagicMock(), "play_context": MagicMock(), "loader": loader, "templar": templar}
    result: dict[str, Any]
    with inside():
        action = action_loader.get(task.action, task=task, shared_loader_obj=None, **parts)
        try:
            result = action.run(task_vars=variables) if action else execute(task)
        except AnsibleError as error:
            result = {"failed": True, "msg": str(error)}
    told = {name: value for name, value in result.items() if not name.startswith("_ansible_")}
    return {"failed": False, "changed": False, **json.loads(json.dumps(told, default=str))}


def trusted(value: Any) -> Any:
    """`value` with texts that Ansible takes for templates, as if they were in a playbook."""
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, dict):
        return {name: trusted(one) for name, one in value.items()}
    return [trusted(one) for one in value] if isinstance(value, list) else value


@contextmanager
def inside() -> Iterator[None]:
    """Modules of actions run in this process."""

    def of_action(action: Any, module_name: str = "", module_args: Any = None, **_: Any) -> dict[str, Any]:
        return execute(action._task, module_name, module_args)

    with patch.multiple(ActionBase, _execute_module=of_action, _remove_tmp_path=lambda *_, **__: None):
        yield


def execute(task: Any, name: str = "", arguments: Any = None) -> dict[str, Any]:
    """What a module answers, called by its name or as the one of the task."""
    name = name or task.action
    package = "ansible_collections.gatehouse.ollama.plugins.modules" if "gatehouse" in name else "ansible.modules"
    module = importlib.import_module(f"{package}.{name.rpartition('.')[2]}")
    given = dict(task.args if arguments is None else arguments)
    given |= {"_ansible_check_mode": bool(task.check_mode), "_ansible_diff": True}
    printed = io.StringIO()
    warnings: list[str] = []
    warn = patch.object(AnsibleModule, "warn", lambda _, text: warnings.append(text))
    with patch_module_args(given), warn, redirect_stdout(printed), suppress(SystemExit):
        module.main()
    result: dict[str, Any] = json.loads(printed.getvalue(), cls=DECODER)
    return result | ({"warnings": warnings} if warnings else {})
