# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import re
import sys
import typing as t

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._near_miss import is_near_miss

# Where Ansible looks if nothing names an inventory.
_UNNAMED = ["/etc/ansible/hosts"]
# -i, perhaps behind options without a value, and whatever is short for --inventory.
_OPTION = re.compile(r"-[CDKbhkv]*i|--inv")

Groups = t.Mapping[str, t.Sequence[str]]


def is_named(sources: t.Sequence[str], arguments: t.Sequence[str]) -> bool:
    """Whether somebody named an inventory: on the command line, in the environment or in ansible.cfg."""
    origin = C.config.get_config_value_and_origin("DEFAULT_HOST_LIST")[1]
    return list(sources) != _UNNAMED or origin != "default" or any(map(_OPTION.match, arguments))


def problem(groups: Groups, wanted: t.Sequence[str], sources: t.Sequence[str], named: bool) -> str | None:
    """What makes it unclear whose hosts are meant, if so."""
    if not groups["all"]:
        return _no_host(sources) if named else None
    nobody = not any(groups.get(name) for name in wanted)
    misses = [text for name in sorted(groups) for text in [_near_miss(name, groups, wanted, nobody)] if text]
    if misses:
        return "\n".join(misses)
    if not nobody:
        return None
    return (
        f"No host of this inventory is in the group {' or '.join(wanted)}, so there is nothing to do. "
        "Put the hosts that run Ollama into ollama_servers and those that let clients in into ollama_gateways, "
        "as inventories/single_host/hosts.yml shows."
    )


def _no_host(sources: t.Sequence[str]) -> str:
    missing = [one for one in sources if "," not in one and not os.path.exists(one)]
    what = f"{', '.join(missing)} does not exist" if missing else f"{', '.join(sources)} gives no host"
    return (
        f"The inventory {what}, so nothing is done. Name one with hosts, such as -i my-hosts for a copy of "
        "inventories/single_host. To deploy to this machine, leave -i out (and ANSIBLE_INVENTORY, and inventory in "
        "ansible.cfg)."
    )


def _near_miss(name: str, groups: Groups, wanted: t.Sequence[str], nobody: bool) -> str | None:
    """Only of groups whose hosts would be left out: one whose hosts are in the right group as well does no harm.

    Where nobody is in a right group, the last word of one is a near miss too. Elsewhere, servers may be anything.
    """
    for right in wanted:
        left_out = sorted(set(groups[name]) - set(groups.get(right, ())))
        word = right.rpartition("_")[2]
        alike = is_near_miss(name, right) or (nobody and (name == word or is_near_miss(name, word)))
        if name not in wanted and left_out and alike:
            return f"The group {name} means nothing here; is {right} meant? Only in {name}: {', '.join(left_out)}."
    return None


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        options = {"groups": {"type": "list", "elements": "str", "required": True}}
        arguments = self.validate_argument_spec(options)[1]
        sources = task_vars.get("ansible_inventory_sources") or ()
        wrong = problem(task_vars["groups"], arguments["groups"], sources, is_named(sources, sys.argv))
        if wrong:
            return {**result, "failed": True, "msg": wrong}
        # In the same task: whatever --start-at-task passes by, no mistyped inventory means this machine.
        python = task_vars.get("ansible_playbook_python")
        this = {"ansible_connection": "local", "ansible_python_interpreter": python}
        added = {"host_name": "localhost", "groups": arguments["groups"], "host_vars": this}
        return {**result, "changed": False, **({} if task_vars["groups"]["all"] else {"add_host": added})}
