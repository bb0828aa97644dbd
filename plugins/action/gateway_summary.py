# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import CLIENTS_OPTION, CredentialsAction, Dict
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._first_request import (
    Gateway,
    Way,
    credential_of,
    first_request,
    url,
)

_OF_GATEWAY = ("scheme", "bind", "port", "shared", "names", "main_name", "ca_file", "needs_certificate")


class ActionModule(CredentialsAction):
    TRANSFERS_FILES = False
    _requires_connection = False
    ARGUMENTS: t.ClassVar[Dict] = {
        **CLIENTS_OPTION,
        "auth": {"type": "str", "choices": ["basic", "bearer", "both"], "required": True},
        "secrets_dir": {"type": "path", "required": True},
        "scheme": {"type": "str", "choices": ["http", "https"], "required": True},
        "bind": {"type": "str", "required": True},
        "port": {"type": "int", "required": True},
        "shared": {"type": "bool", "default": False},
        "names": {"type": "list", "elements": "str", "default": []},
        "main_name": {"type": "str", "required": True},
        "ca_file": {"type": "str", "default": ""},
        "needs_certificate": {"type": "bool", "default": False},
        "page": {"type": "bool", "default": False},
        "image": {"type": "str", "default": ""},
        "connection": {"type": "str", "default": "ssh"},
        "host": {"type": "str", "required": True},
        "user": {"type": "str", "default": ""},
        "ssh_port": {"type": "str", "default": ""},
    }

    def apply(self, arguments: Dict, task_vars: Dict) -> Dict:
        gateway = Gateway(**{name: arguments[name] for name in _OF_GATEWAY})
        way = Way(arguments["connection"], arguments["host"], arguments["user"], arguments["ssh_port"])
        secrets_dir = self.controller_path(arguments["secrets_dir"])
        clients = arguments["clients"] if isinstance(arguments["clients"], list) else []
        names = [str(one.get("name")) for one in clients if isinstance(one, dict) and one.get("state") != "absent"]
        credential = credential_of(clients, arguments["auth"], secrets_dir)
        export = ["KEY=<one of the keys that you gave>"] if "$KEY" in credential else []
        keys = arguments["auth"] != "basic"
        request = first_request(gateway, way, credential)
        others = [name for name in gateway.names if name != gateway.main_name]
        lines = [
            "Gateway: %s" % url(gateway, way),
            *(["It goes by these names, too: %s" % ", ".join(others)] if others else []),
            *(["Page for people: %s/gatehouse/" % url(gateway, way)] if arguments["page"] else []),
            *(["CA for clients, on this controller: %s" % gateway.ca_file] if gateway.ca_file else []),
            *(["Image: %s" % arguments["image"]] if arguments["image"] else []),
            "Clients: %s" % (", ".join(names) or "none yet, list them in ollama_gateway_clients"),
            *(["Generated keys, on this controller: %s/<client>.<key id>" % secrets_dir] if keys else []),
            request[0],
            *export,
            *request[1:],
        ]
        # By no task of debug: as JSON or YAML, what is to be pasted would be broken into lines, or have backslashes.
        self._display.display("\n".join(["", *lines, ""]))
        return {"changed": False, "lines": lines}
