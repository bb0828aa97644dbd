# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils import _upstreams
from ansible_collections.gatehouse.ollama.plugins.module_utils._clients import Rules, present_keys, read_clients
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, MissingLibrary
from ansible_collections.gatehouse.ollama.plugins.module_utils._gateway_rules import (
    PREFIX,
    auth_problems,
    bind_problem,
    body_problem,
    tls_problems,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._key_memory import recall
from ansible_collections.gatehouse.ollama.plugins.module_utils._key_orders import Names, read_orders
from ansible_collections.gatehouse.ollama.plugins.module_utils._passwords import SCHEMES, Hasher, choose_scheme
from ansible_collections.gatehouse.ollama.plugins.module_utils._secret_store import SecretStore
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import (
    CLIENTS_OPTION,
    ORDER_OPTIONS,
    CredentialsAction,
    Dict,
)

NAMES = Names(
    rotate=PREFIX + "rotate_keys",
    revoke=PREFIX + "revoke_keys",
    grace=PREFIX + "rotate_grace",
    secrets_dir=PREFIX + "secrets_dir",
)

TLS_OPTIONS: Dict = {
    # raw: YAML reads an unquoted off as false.
    "tls": {"type": "raw", "default": "off"},
    "server_names": {"type": "list", "elements": "str", "default": []},
    "port": {"type": "int", "default": 8880},
    "http_port": {"type": "int", "default": 0},
    "hsts": {"type": "int", "default": 0},
    "http3": {"type": "bool", "default": False},
    "tls_certificate": {"type": "str", "default": ""},
    "tls_private_key": {"type": "str", "default": ""},
    "acme_terms_agreed": {"type": "bool", "default": False},
    "acme_eab_key_id": {"type": "str", "default": ""},
    "acme_eab_hmac_key": {"type": "str", "default": ""},
    "client_ca": {"type": "str", "default": ""},
    "client_crl": {"type": "str", "default": ""},
    "client_certificates": {"type": "str", "default": "any", "choices": ["any", "all"]},
}


class ActionModule(CredentialsAction):
    TRANSFERS_FILES = False
    _requires_connection = False
    ARGUMENTS: t.ClassVar[Dict] = {
        **CLIENTS_OPTION,
        **ORDER_OPTIONS,
        "auth": {"type": "str", "required": True, "choices": ["basic", "bearer", "both"]},
        "engine": {"type": "str", "default": "openresty", "choices": ["nginx", "openresty"]},
        "password_scheme": {"type": "str", "default": "sha512_crypt", "choices": list(SCHEMES)},
        "secrets_dir": {"type": "path"},
        "allow_weak_secrets": {"type": "bool", "default": False},
        "bind": {"type": "str", "default": "127.0.0.1"},
        "allow_plaintext": {"type": "bool", "default": False},
        "upstreams": {"type": "list", "elements": "str"},
        "max_body_size": {"type": "str", "default": "64m"},
        "memory_limit": {"type": "str", "default": ""},
        **TLS_OPTIONS,
    }

    def apply(self, arguments: Dict, task_vars: Dict) -> Dict:
        auth, scheme = arguments["auth"], arguments["password_scheme"]
        rules = Rules(scheme=scheme, keys=True, allow_weak_secrets=arguments["allow_weak_secrets"])
        clients, problems = read_clients(arguments["clients"], PREFIX + "clients", rules)
        certificates = arguments["client_certificates"] if arguments["client_ca"] else "none"
        problems += auth_problems(clients, auth, arguments["engine"], certificates)
        now = datetime.datetime.now(datetime.timezone.utc)
        orders, more = read_orders(arguments, clients, self.run_id(), now, NAMES)
        problems += more
        if auth != "basic":
            directory = arguments["secrets_dir"]
            store = SecretStore(self.controller_path(directory)) if directory else None
            problems += recall(present_keys(clients), store, orders)[1]
        if auth != "bearer" and any(client.present and client.password is not None for client in clients):
            try:
                Hasher(choose_scheme(scheme))
            except MissingLibrary as error:
                problems.append("%spassword_scheme: %s" % (PREFIX, error))
        problems += tls_problems(arguments)
        bind = bind_problem(arguments["bind"], arguments["allow_plaintext"], arguments["tls"])
        body = body_problem(arguments["max_body_size"], arguments["memory_limit"], arguments["engine"])
        problems += [one for one in (bind, body) if one]
        if arguments["upstreams"] is not None:
            problems += _upstreams.problems(arguments["upstreams"])
        if problems:
            raise BadInput(problems)
        return {"changed": False}
