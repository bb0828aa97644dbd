#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: gateway_deployed
short_description: Check that a gateway is there which takes the credentials of the variables
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Fails where there is no gateway, where it was deployed to authenticate otherwise than the variables say, where
    what it reads keys by is not what the role has, and where it would not keep the limits of the variables.
  - Changes nothing.
options:
  folder:
    description: The folder of the gateway, C(ollama_gateway_dir).
    type: path
    required: true
  accepts:
    description: What the gateway should accept, as the role's C(settings.json) has it.
    type: dict
    required: true
    suboptions:
      basic:
        description: Whether it takes user and password.
        type: bool
        required: true
      bearer:
        description: Whether it takes an API key.
        type: bool
        required: true
  auth:
    description: The same by its name in C(ollama_gateway_auth), for the error.
    type: str
    required: true
  engine:
    description: What the gateway should run, V(nginx) or V(openresty).
    type: str
    required: true
  reader:
    description: SHA-256 of the C(keyfile.lua) that the gateway should have. Without it that is not looked at.
    type: str
  limits:
    description: Names of the limits that clients have.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Check that the gateway takes passwords
  gatehouse.ollama.gateway_deployed:
    folder: /opt/gatehouse/gateway
    accepts: {basic: true, bearer: false}
    auth: basic
    engine: nginx
"""

RETURN = r"""
engine:
  description: What the gateway runs.
  returned: success
  type: str
  sample: openresty
"""

import hashlib
import json
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

NONE = "There is no gateway in ollama_gateway_dir (%s) on this host. The playbook gatehouse.ollama.deploy makes one."
DAMAGED = (
    "%s: it should say how the gateway on this host authenticates, and it %s. The playbook gatehouse.ollama.deploy "
    "writes it anew."
)
OTHERWISE = (
    "ollama_gateway_auth is %s on %s, but the gateway on this host was deployed with another value. Writing "
    "credentials now could lock everybody out. The playbook gatehouse.ollama.deploy makes the change."
)
OUTDATED = (
    "The gateway on this host was deployed by another version of this collection and may not understand the keys that "
    "this one writes. The playbook gatehouse.ollama.deploy brings it up to date."
)
UNLIMITED = (
    "The gateway on this host was deployed by a version of this collection that knows no limits, and would not keep "
    "those of the variables. The playbook gatehouse.ollama.deploy brings it up to date."
)
UNCOUNTED = (
    "Limits of tokens (%s) need that tokens are counted, and the gateway on this host was deployed with "
    "ollama_gateway_usage false. The playbook gatehouse.ollama.deploy makes the change."
)
TOKENS = ("tokens_per_minute", "tokens_per_day")

Dict = t.Dict[str, t.Any]


class NotDeployed(GatehouseError):
    """There is no gateway, or not the one that credentials are to be written for."""


def content(path: str) -> t.Optional[bytes]:
    """None if there is no such file. Raises OSError if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def settings(path: str) -> Dict:
    """How the gateway authenticates. Raises NotDeployed or OSError."""
    text = content(path)
    if text is None:
        raise NotDeployed(DAMAGED % (path, "is missing"))
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotDeployed(DAMAGED % (path, "is no JSON (%s)" % error)) from error
    if not isinstance(read, dict) or "accepts" not in read:
        raise NotDeployed(DAMAGED % (path, "does not say it"))
    return read


def check(options: Dict) -> str:
    """What the gateway runs. Raises NotDeployed where credentials must not be written, and OSError."""
    folder, engine = options["folder"], options["engine"]
    try:
        os.stat(os.path.join(folder, "clients"))
    except FileNotFoundError:
        raise NotDeployed(NONE % folder) from None
    there = settings(os.path.join(folder, "conf", "settings.json"))
    if there["accepts"] != options["accepts"] or there.get("engine") != engine:
        raise NotDeployed(OTHERWISE % (options["auth"], engine))
    if options["reader"]:
        reader = content(os.path.join(folder, "lua", "gatehouse", "keyfile.lua"))
        # It would refuse the whole file, and go on with the keys of before, revoked ones included.
        if reader is None or hashlib.sha256(reader).hexdigest() != options["reader"]:
            raise NotDeployed(OUTDATED)
    check_limits(folder, there, options["limits"])
    return str(engine)


def check_limits(folder: str, there: Dict, limits: t.Sequence[str]) -> None:
    """Raises NotDeployed where the gateway would not keep one of these limits, and OSError."""
    if limits and content(os.path.join(folder, "lua", "gatehouse", "limits", "clients.lua")) is None:
        raise NotDeployed(UNLIMITED)
    tokens = [name for name in TOKENS if name in limits]
    if tokens and not there.get("usage"):
        raise NotDeployed(UNCOUNTED % ", ".join(tokens))


def main() -> None:
    kinds = dict(basic=dict(type="bool", required=True), bearer=dict(type="bool", required=True))
    module = AnsibleModule(
        argument_spec=dict(
            folder=dict(type="path", required=True),
            accepts=dict(type="dict", required=True, options=kinds),
            auth=dict(type="str", required=True),
            engine=dict(type="str", required=True),
            reader=dict(type="str"),
            limits=dict(type="list", elements="str", default=[]),
        ),
        supports_check_mode=True,
    )
    try:
        engine = check(module.params)
    except GatehouseError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg="%s cannot be read: %s" % (error.filename, error.strerror))
    module.exit_json(changed=False, engine=engine)


if __name__ == "__main__":
    main()
