# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput
from ansible_collections.gatehouse.ollama.plugins.module_utils._server_rules import place_problems, read
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import CredentialsAction, Dict, plain

# raw: these are judged as a whole, and Ansible's own checks of dictionaries quote values, which may be secret.
RAW: Dict = {
    "devices": {"type": "raw", "default": []},
    "egress_hosts": {"type": "raw", "required": True},
    "environment": {"type": "raw", "default": {}},
    "instances": {"type": "raw", "default": []},
    "models": {"type": "raw", "default": []},
}
# raw: a YAML file may have numbers and booleans where others write texts.
SETTINGS: Dict = {
    name: {"type": "raw", "default": default}
    for name, default in {
        "keep_alive": "",
        "num_parallel": 0,
        "max_loaded_models": 0,
        "max_queue": 0,
        "context_length": 0,
        "flash_attention": "",
        "kv_cache_type": "",
        "load_timeout": "",
        "gpu_overhead": 0,
        "memory_limit": "",
        "cpu_limit": "",
    }.items()
}


class ActionModule(CredentialsAction):
    TRANSFERS_FILES = False
    _requires_connection = False
    ARGUMENTS: t.ClassVar[Dict] = {
        "present": {"type": "bool", "default": True},
        "image": {"type": "str", "required": True},
        "minimum_version": {"type": "str", "default": "0.17.1"},
        "dir": {"type": "str", "required": True},
        "network": {"type": "str", "required": True},
        "publish": {"type": "str", "default": ""},
        "user_id": {"type": "int", "default": 60881},
        "accelerator": {"type": "str", "default": "cpu"},
        "require_gpu": {"type": "bool", "default": False},
        "egress": {"type": "str", "default": "any"},
        "egress_image": {"type": "str", "required": True},
        **RAW,
        **SETTINGS,
    }

    def apply(self, arguments: Dict, task_vars: Dict) -> Dict:
        arguments = {**arguments, **plain({name: arguments[name] for name in (*RAW, *SETTINGS)})}
        if not arguments["present"]:
            # What is removed need not be right in itself.
            problems = place_problems(arguments)
            if problems:
                raise BadInput(problems)
            nothing: Dict = {"instances": [], "accelerators": [], "images": [], "unversioned": [], "model_services": []}
            return {"changed": False, **nothing}
        servers, problems = read(arguments)
        for warning in servers.warnings:
            self._display.warning(warning)
        if problems:
            raise BadInput(problems)
        accelerators = [
            {**{name: one[name] for name in ("service", "accelerator", "devices")}, "place": one["devices_place"]}
            for one in servers.instances
        ]
        return {
            "changed": False,
            "instances": servers.instances,
            "accelerators": accelerators,
            "images": list(dict.fromkeys(one["image"] for one in servers.instances)),
            "unversioned": servers.unversioned,
            "model_services": servers.model_services,
            # The environment may hold secrets, such as a proxy's password.
            "_ansible_no_log": True,
        }
