#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: gateway_smoke
short_description: Try out a gateway before anybody is sent to it
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - The gateway must refuse a request without a credential, let one in with it, reach a server, and pass a stream on to
    its end. Where no server takes connections, or there is no model, what needs one is not tried, and the task warns.
  - The model is one that is loaded. Where none is, it is the smallest, so that no other has to go for it.
  - Where gateways share limits by Valkey, it must reach that.
  - Fails with what was seen and what was expected. Changes nothing.
options:
  url:
    description: Where the gateway answers, without a path.
    type: str
    required: true
  server_name:
    description: The name by which it is asked.
    type: str
  proxy_protocol:
    description: Whether connections to O(url) begin with the PROXY protocol. Those from here name no client.
    type: bool
    default: false
  certificate:
    description: File with the certificate that it must present.
    type: path
  credentials:
    description: Credentials, as M(gatehouse.ollama.wall_gateway) returns them.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: A name for people.
        type: str
        required: true
      kind:
        description: What it is.
        type: str
        choices: [basic, bearer]
        required: true
      value:
        description: The key, or user and password with a colon between.
        type: str
        required: true
      scopes:
        description: What the client may do.
        type: list
        elements: str
        default: []
      valid:
        description: Whether it counts.
        type: bool
        default: true
      models:
        description: The models that the client may use, all without.
        type: list
        elements: str
        default: []
      in_path:
        description: Whether it is a key that may stand in the path.
        type: bool
        default: false
  container:
    description: The container of the gateway, from which is asked whether servers take connections.
    type: str
    required: true
  upstreams:
    description: The servers, as C(ollama_gateway_upstreams).
    type: list
    elements: str
    required: true
  valkey_lost:
    description:
      - What becomes of clients with limits while Valkey is not reached, as C(ollama_gateway_valkey_lost). It has to be
        reached within seconds then, or the task warns with V(local) and fails with V(refuse).
      - Empty where gateways share nothing.
    type: str
    choices: ["", local, refuse]
    default: ""
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Try out the new gateway
  gatehouse.ollama.gateway_smoke:
    url: http://172.18.0.3:8080
    credentials: "{{ thrown_away.credentials }}"
    container: gatehouse-gateway-wall
    upstreams: ["ollama:11434"]
"""

RETURN = r"""
untried:
  description: What could not be tried, and why.
  returned: success
  type: list
  elements: str
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._gateway.smoke import store_problem, try_out
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.credentials import CREDENTIAL_OPTIONS, Credential
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import HOST, read_url
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.link import links

# Of one connection.
PATIENCE = 5
# Where the gateway says whether it reaches Valkey.
STORE = "/tmp/gatehouse_valkey"  # noqa: S108
# In the container, which has bash and may have little else.
CONNECT = 'exec 3<>"/dev/tcp/${1%:*}/${1##*:}"'


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            url=dict(type="str", required=True),
            server_name=dict(type="str"),
            proxy_protocol=dict(type="bool", default=False),
            certificate=dict(type="path"),
            credentials=dict(type="list", elements="dict", required=True, options=CREDENTIAL_OPTIONS, no_log=False),
            container=dict(type="str", required=True),
            upstreams=dict(type="list", elements="str", required=True),
            valkey_lost=dict(type="str", choices=["", "local", "refuse"], default=""),
        ),
        supports_check_mode=True,
    )
    params = module.params

    def reaches() -> bool:
        ask = [str(module.get_bin_path("docker", required=True)), "exec", params["container"]]
        ask += ["timeout", str(PATIENCE), "bash", "-c", CONNECT, "connect"]
        asked = [module.run_command([*ask, one], expand_user_and_vars=False) for one in params["upstreams"]]
        return any(rc == 0 for rc, _stdout, _stderr in asked)

    def said_of_store() -> str:
        ask = [str(module.get_bin_path("docker", required=True)), "exec", params["container"], "cat", STORE]
        rc, stdout, _stderr = module.run_command(ask)
        return str(stdout).strip() if rc == 0 else ""

    host = params["server_name"] or HOST
    known = [Credential(**one) for one in params["credentials"]]
    try:
        address = read_url(params["url"], params["proxy_protocol"])
        link = links(address, host, params["certificate"], None, PATIENCE).usual
        untried = try_out(link, known, host, reaches)
        if params["valkey_lost"]:
            untried += store_problem(said_of_store, params["valkey_lost"] == "refuse", time.sleep)
    except (GatehouseError, ValueError, OSError) as error:
        module.fail_json(msg=str(error))
    for one in untried:
        module.warn(one)
    module.exit_json(changed=False, untried=untried)


if __name__ == "__main__":
    main()
