# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import Dict, plain
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._progress import harmless

display = Display()


class ActionModule(ActionBase):
    """Runs the module, and says before it waits for whom."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: Dict | None = None) -> Dict:
        result: Dict = super().run(tmp, task_vars)
        arguments = plain(dict(self._task.args))
        look = self._execute_module(module_args={**arguments, "timeout": 0}, task_vars=task_vars)
        result.update(look)
        if look.get("holder") and not self._task.check_mode:
            host = (task_vars or {}).get("inventory_hostname", "")
            display.display("%s: waits for %s, which installs packages" % (host, harmless(look["holder"])))
            result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        return result
