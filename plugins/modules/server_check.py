#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: server_check
short_description: See that Ollama does what it is for, and load what is to stay loaded
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Each server lists its models and generates with the smallest one. Where that fails, up to two more are tried, for a
    model may be broken by itself. A server without a model has to list them only.
  - Then those models are loaded for good that are to be, as far as the server has them.
options:
  only_look:
    description: Whether only RV(loaded_for_good) is asked for. A server that does not tell is no failure then.
    type: bool
    default: false
  models:
    description: What C(ollama_server_models) says. Those with a negative C(keep_alive) are loaded on each server.
    type: list
    elements: raw
    default: []
  load_on:
    description: Names of more models to load, by the server that had them loaded, as RV(loaded_for_good) has them.
    type: dict
    default: {}
extends_documentation_fragment:
  - gatehouse.ollama.ollama_place.servers
attributes:
  check_mode:
    description: In check mode no server is asked to generate.
    details: Models are listed.
    support: partial
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: Changes nothing that lasts, but for what is loaded.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Fail unless the server generates
  gatehouse.ollama.server_check:
    services: [ollama]
    models: [{name: "llama3.2:1b", keep_alive: -1}]
"""

RETURN = r"""
models:
  description: How many models there are, on the server that has the most.
  type: int
  returned: success
used:
  description: By service, the model that it generated with; empty if it has none.
  type: dict
  returned: success
loaded_for_good:
  description: By service, the models that stay loaded.
  type: dict
  returned: success
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._models import smoke
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.keeper import for_good
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.options import read_models
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.place import Place, client_of

if t.TYPE_CHECKING:
    from ansible_collections.gatehouse.ollama.plugins.module_utils._models.client import Client

Dict = t.Dict[str, t.Any]


def client_at(module: AnsibleModule, service: str) -> Client:
    """Raises GatehouseError if there is no such server."""
    place = Place(Docker(module), module.params["project"], service)
    return client_of(place.container, place.dial)


def look(module: AnsibleModule, service: str, answer: Dict) -> None:
    try:
        answer["loaded_for_good"][service] = smoke.loaded_for_good(client_at(module, service))
    except GatehouseError:
        answer["loaded_for_good"][service] = []


def check(module: AnsibleModule, service: str, answer: Dict) -> None:
    """Raises GatehouseError if the server does not do what it is for."""
    client = client_at(module, service)
    answer["used"][service], models = smoke.try_out(client)
    answer["models"] = max(answer["models"], models)
    before = module.params["load_on"].get(service) or []
    wanted, _problems = read_models(module.params["models"], "models")
    for_ever = [one.name.short for one in wanted if one.state != "absent" and for_good(one.keep_alive)]
    smoke.load(client, [*for_ever, *map(str, before)])
    answer["loaded_for_good"][service] = smoke.loaded_for_good(client)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            project=dict(type="str", default="gatehouse-ollama"),
            services=dict(type="list", elements="str", default=["ollama"]),
            only_look=dict(type="bool", default=False),
            models=dict(type="list", elements="raw", default=[]),
            load_on=dict(type="dict", default={}),
        ),
        supports_check_mode=True,
    )
    answer: Dict = dict(models=0, used={}, loaded_for_good={})
    problems = []
    for service in module.params["services"]:
        try:
            (look if module.params["only_look"] or module.check_mode else check)(module, service, answer)
        except GatehouseError as error:
            problems.append("%s: %s" % (service, error))
    if problems:
        module.fail_json(msg="The new server does not do what it is for. %s" % "; ".join(problems))
    module.exit_json(changed=False, **answer)


if __name__ == "__main__":
    main()
