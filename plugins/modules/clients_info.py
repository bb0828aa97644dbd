#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: clients_info
short_description: List who may come in through a gateway, with what, and when they last did
version_added: 0.1.0
description:
  - Reads the files of clients on the host of a gateway, and its access log.
  - No key, no password and no hash of one is returned, but for the first eight digits of a key's hash and the last four
    characters of the key, by which people tell keys apart.
  - What is damaged in a file is left out with a warning, which names the line and never quotes it.
  - Whether the gateway accepts keys or passwords at all is not looked at.
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
options:
  path:
    description: The folder with C(api_keys), C(htpasswd) and C(clients.json). Each of them may be missing.
    type: path
    required: true
  log_command:
    description:
      - A command that prints the access log of the gateway. It is run in check mode, too.
      - If it fails, there is a warning, and when credentials were used is unknown.
    type: list
    elements: str
  revoked:
    description:
      - Names of keys, such as V(alice.laptop), that were revoked and are remembered so. The host does not know them any
        more.
    type: list
    elements: str
    default: []
  log_timeout:
    description: Seconds that O(log_command) may take. Longer is a failure of it.
    type: int
    default: 60
seealso:
  - module: gatehouse.ollama.api_keys
  - module: gatehouse.ollama.htpasswd
  - module: gatehouse.ollama.client_rights
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Look who may come in
  gatehouse.ollama.clients_info:
    path: /opt/gatehouse/gateway/clients
    log_command: [docker, logs, gatehouse-gateway-gateway-1]
  register: info

- name: Show it
  ansible.builtin.debug:
    msg: "{{ info.table }}"

- name: Show the keys that expired
  ansible.builtin.debug:
    msg: "{{ item.0.name }}.{{ item.1.id }}"
  loop: "{{ info.clients | subelements('api_keys') }}"
  when: item.1.state == 'expired'
"""

RETURN = r"""
clients:
  description:
    - The clients, by name.
    - Keys in plain text belong to a client that is named V((plain text\)), as in the log of the gateway.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the client.
      type: str
      sample: alice
    by_hand:
      description: Whether C(clients.json) does not name it, so that somebody added its lines to the other files.
      type: bool
      sample: false
    owner:
      description: Whose client it is, null if unknown.
      type: str
    comment:
      description: What was noted about the client, null if nothing.
      type: str
    scopes:
      description: What the client may do. Of one that C(clients.json) does not name, what that file says of others, or
        nothing.
      type: list
      elements: str
      sample: [inference, models_read]
    models:
      description: The models that the client may use.
      type: list
      elements: str
      sample: ["*"]
    limits:
      description:
        - How much the client may use, as O(gatehouse.ollama.client_rights#module:clients[].limits), but with
          C(keep_alive) in seconds. Empty if it has no limits.
        - Of one that C(clients.json) does not name, and of keys in plain text, what that file says of others.
      type: dict
      sample: {requests_per_minute: 60, keep_alive: 1800, models: {"llama3.3*": {tokens_per_day: 200000}}}
    certificates:
      description: The certificates by which the client is known.
      type: list
      elements: dict
      contains:
        subject:
          description: Subject of the certificate, as RFC 4514 writes it.
          type: str
          sample: CN=alice,O=Example
        state:
          description: V(valid). When it expires, or whether it was revoked, is not known here.
          type: str
          sample: valid
    password:
      description: The client's password, null if it has none.
      type: dict
      contains:
        scheme:
          description: How it is hashed.
          type: str
          sample: sha512_crypt with rounds 5000
        last_use:
          description:
            - When a request with it was logged last, null if none was or the log is unknown.
            - One that was let in by a certificate alone counts too, for the log does not tell them apart.
          type: str
          sample: '2026-11-25T13:21:11Z'
    api_keys:
      description: The client's keys, by id.
      type: list
      elements: dict
      contains:
        id:
          description: Id of the key. One that ends with V(~old) was superseded by the key of the same id without it.
          type: str
          sample: laptop
        fingerprint:
          description: The first eight digits of the key's SHA-256.
          type: str
          sample: 1a2b3c4d
        last4:
          description: The last four characters of the key, null if unknown.
          type: str
          sample: Xy12
        created:
          description: When the key was made, null if unknown.
          type: str
          sample: '2026-11-01T00:00:00Z'
        not_before:
          description: When the key begins to count, null if it did from the first.
          type: str
        expires:
          description: When the key ceases to count, null if never.
          type: str
          sample: '2027-01-01T00:00:00Z'
        in_path:
          description: Whether the key may stand in the path of a URL, null if unknown.
          type: bool
          sample: false
        comment:
          description: What was noted about the key, null if nothing.
          type: str
        state:
          description:
            - V(valid), V(expired) or V(not yet valid).
            - V(superseded) is a key that another one took the place of, and that still counts.
          type: str
          sample: valid
        last_use:
          description:
            - When a request with it was logged last, null if none was or the log is unknown.
            - Requests from before the key was created are those of the key that had its id before.
          type: str
          sample: '2026-11-25T13:21:11Z'
    last_use:
      description: When a request of the client was logged last, be it with a credential that is gone.
      type: str
      sample: '2026-11-25T13:21:11Z'
log_since:
  description: The time of the first request in the log, null if there is none or the log is unknown.
  returned: success
  type: str
  sample: '2026-11-20T08:00:00Z'
table:
  description: Lines of a table of credentials, for people to read.
  returned: success
  type: list
  elements: str
"""

import datetime
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials import access_log, report
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.table import table

OPTIONS: dict[str, dict[str, t.Any]] = dict(
    path=dict(type="path", required=True),
    log_command=dict(type="list", elements="str"),
    revoked=dict(type="list", elements="str", default=[]),
    log_timeout=dict(type="int", default=60),
)


def read_file(folder: str, name: str) -> bytes:
    """The content of a file; empty if there is none."""
    try:
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def look(options: dict[str, t.Any], now: datetime.datetime) -> tuple[dict[str, t.Any], list[str]]:
    """What the module returns, and its warnings. Raises OSError if a file cannot be read."""
    files = {name: read_file(options["path"], name) for name in ("api_keys", "htpasswd", "clients.json")}
    damage = {name: report.Damage(name) for name in files}
    keys = report.read_keys(files["api_keys"], damage["api_keys"])
    passwords = report.read_passwords(files["htpasswd"], damage["htpasswd"])
    rights = report.read_rights(files["clients.json"] or b"{}", damage["clients.json"])
    warnings = [text for one in damage.values() for text in one.texts()]
    uses = access_log.Uses()
    if options["log_command"]:
        try:
            lines = access_log.lines_of(options["log_command"], options["log_timeout"])
            uses = access_log.read(lines, report.creations(keys))
        except access_log.LogError as error:
            command = " ".join(options["log_command"])
            warnings.append(f"When credentials were used is unknown: `{command}` {error}.")
    since = report.told(uses.since)
    clients = report.describe(keys, passwords, rights, uses, str(report.told(now)), options["revoked"])
    return dict(changed=False, clients=clients, log_since=since, table=table(clients, since)), warnings


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    options = module.params
    if options["log_timeout"] < 1:
        module.fail_json(msg="log_timeout: it must be 1 or more")
    if not os.path.isdir(options["path"]):
        module.fail_json(msg=f"path: there is no folder {options['path']}")
    try:
        returned, warnings = look(options, datetime.datetime.now(datetime.timezone.utc))
    except OSError as error:
        module.fail_json(msg=f"{error.filename} cannot be read: {error.strerror}")
    for warning in warnings:
        module.warn(warning)
    module.exit_json(**returned)


if __name__ == "__main__":
    main()
