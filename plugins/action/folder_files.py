# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import Dict


class ActionModule(ActionBase):
    """Reads the folder `src` of the controller, and leaves the rest to the module."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: Dict | None = None) -> Dict:
        result: Dict = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        src = arguments.pop("src", None)
        try:
            taken = _texts(Path(self._find_needle("files", src))) if src else {}
        except (AnsibleError, OSError, UnicodeDecodeError) as error:
            return {**result, "failed": True, "msg": "src: %s cannot be read: %s" % (src, error)}
        files = arguments.get("files", {})
        # The module says what is wrong with anything else.
        if taken and isinstance(files, dict):
            arguments["files"] = {**taken, **files}
        answer: Dict = self._execute_module(
            module_name="gatehouse.ollama.folder_files", module_args=arguments, task_vars=task_vars
        )
        return {**result, **answer}


def _texts(folder: Path) -> dict[str, str]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes().decode("utf-8") for file in files}
