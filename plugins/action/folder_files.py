# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import Dict, unlogged


class ActionModule(ActionBase):
    """Reads those of `folders` that are on the controller, and leaves the rest to the module."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: Dict | None = None) -> Dict:
        result: Dict = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        folders = arguments.get("folders")
        try:
            if isinstance(folders, dict):
                read = {name: self._taken(one) for name, one in folders.items() if isinstance(one, str)}
                arguments["folders"] = {**folders, **read}
        except ValueError as error:
            return {**result, "failed": True, "msg": str(error)}
        with unlogged(self._connection):
            answer: Dict = self._execute_module(
                module_name="gatehouse.ollama.folder_files", module_args=arguments, task_vars=task_vars
            )
        # The texts of files may be secret, as the environment of a server is.
        answer.pop("invocation", None)
        return {**result, **answer}

    def _taken(self, source: str) -> dict[str, str]:
        """The files of a folder of the controller; raises ValueError where there are none, so that nothing is lost."""
        try:
            folder = Path(self._find_needle("files", source)) if source else None
            taken = _texts(folder) if folder and folder.is_dir() else {}
        except (AnsibleError, OSError, UnicodeDecodeError) as error:
            raise ValueError("folders: %s cannot be read: %s" % (source, error)) from None
        if not taken:
            raise ValueError("folders: %s must be a folder of the controller with files" % (source or "it"))
        return taken


def _texts(folder: Path) -> dict[str, str]:
    def fail(error: OSError) -> None:
        raise error

    found = {}
    for above, _folders, names in os.walk(folder, onerror=fail):
        for name in names:
            file = Path(above, name)
            found[file.relative_to(folder).as_posix()] = file.read_bytes().decode("utf-8")
    return found
