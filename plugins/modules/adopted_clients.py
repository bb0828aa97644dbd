#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: adopted_clients
short_description: Read in the users and keys of another gateway
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Users come with the hashes of their passwords as they are. A key becomes a client C(key-<fingerprint>), of which
    the SHA-256 alone is written. Nobody gets a new secret, nothing leaves the host, and none is printed.
  - Who cannot be taken over is named. Unless O(skip_unusable) is true, that fails before anything is written.
  - What is in the gateway's files stays. A comment there says which file was read in, so that what is removed later
    does not come back.
options:
  htpasswd:
    description: A file on the host with users, as nginx reads it. Empty for none.
    type: str
    default: ""
  api_keys:
    description: A file on the host with a key in plain text on each line. Empty for none.
    type: str
    default: ""
  path:
    description: The folder of the gateway's credentials. In check mode it need not be there.
    type: path
    required: true
  accepts_passwords:
    description: Whether the gateway takes user and password.
    type: bool
    required: true
  accepts_keys:
    description: Whether the gateway takes keys.
    type: bool
    required: true
  skip_unusable:
    description: Whether to go on without those who cannot be taken over.
    type: bool
    default: false
extends_documentation_fragment:
  - ansible.builtin.files
attributes:
  check_mode:
    description: Can run in check mode and tell what would change. What cannot be taken over is refused there as well.
    support: full
  diff_mode:
    description: Shows the names of users and clients.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Read in the users of an nginx
  gatehouse.ollama.adopted_clients:
    htpasswd: /root/ollama-nginx-auth/nginx/.htpasswd
    path: /opt/gatehouse/gateway/clients
    accepts_passwords: true
    accepts_keys: false
"""

RETURN = r"""
user_names:
  description: Names of the users that are read in.
  returned: success
  type: list
  elements: str
key_names:
  description: Names of the keys that are read in.
  returned: success
  type: list
  elements: str
kept:
  description: Names that are there already, whose password or key stays what it is there.
  returned: success
  type: list
  elements: str
unusable:
  description: Who cannot be taken over, and why.
  returned: success
  type: list
  elements: str
"""

import datetime
import json
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._adopt import credentials, files
from ansible_collections.gatehouse.ollama.plugins.module_utils._adopt.credentials import Found
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.file import KeyFile
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.form import moment
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, DamagedFile, GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.replace import replace


class Source(t.NamedTuple):
    """A file to be read in, what was found in it, and the file of ours that it goes into."""

    path: str
    target: str
    found: Found


def content(path: str) -> bytes:
    return files.read(path) if os.path.lexists(path) else b""


def listed(folder: str) -> dict[str, bool]:
    """Those whom the inventory names, and whether it wants them gone: these do not come back from elsewhere."""
    try:
        rights = json.loads(content(os.path.join(folder, "clients.json")) or b"{}")
    except ValueError:
        rights = {}
    return {name: bool(entry.get("absent")) for name, entry in rights.items() if isinstance(entry, dict)}


class Reading:
    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.options: dict[str, t.Any] = module.params

    def sources(self) -> list[Source]:
        """Raises BadInput with all that is wrong."""
        now = moment(datetime.datetime.now(datetime.timezone.utc))
        kinds = (
            ("htpasswd", "accepts_passwords", "users", "basic or both", credentials.users),
            ("api_keys", "accepts_keys", "keys", "bearer or both", lambda text: credentials.keys(text, now)),
        )
        found, problems = [], []
        for option, accepted, what, right, read in kinds:
            path = self.options[option]
            if not path:
                continue
            text = files.read(path)
            try:
                source = Source(path, os.path.join(self.options["path"], option), read(text))
            except GatehouseError as error:
                raise GatehouseError(f"{path}: {error}") from None
            if source.found.lines and not self.options[accepted]:
                problems.append(f"ollama_gateway_auth: {path} has {what}, so it must be {right}")
            if not self.options["skip_unusable"]:
                problems += [f"{path}: {one}" for one in source.found.unusable]
            found.append(source)
        if problems:
            end = "To go on without those who cannot be taken over, set adopt_skip_unusable to true."
            raise BadInput([*problems, *([end] if any(one.found.unusable for one in found) else [])])
        return found

    def read_in(self) -> dict[str, t.Any]:
        known, added, kept, writes = listed(self.options["path"]), {}, [], []
        sources = self.sources()
        for source in sources:
            lines = {name: line for name, line in source.found.lines.items() if not known.get(name)}
            before = content(source.target)
            text, new, old = credentials.merged(before, Found(lines), source.path)
            if source.target.endswith("api_keys"):
                self._judge(text, source.target)
            added[os.path.basename(source.target)] = new
            for name in filter(known.__contains__, new):
                why = "is a client of the inventory too: whoever has the password that is read in has its rights"
                self.module.warn(f"{name} {why}.")
            kept += old
            if text != before:
                writes.append((source.target, text))
        for path, text in writes if not self.module.check_mode else []:
            replace(self.module, path, text)
        users, keys = added.get("htpasswd", []), added.get("api_keys", [])
        return dict(
            changed=bool(writes),
            user_names=users,
            key_names=keys,
            kept=kept,
            unusable=[f"{one.path}: {text}" for one in sources for text in one.found.unusable],
            diff=dict(before="", after="".join(f"{name}\n" for name in [*users, *keys]), after_header="clients"),
        )

    def _judge(self, text: bytes, path: str) -> None:
        """Ours must be a file that the gateway takes, or it would go on with the one before."""
        try:
            KeyFile(text)
        except DamagedFile as error:
            raise GatehouseError(f"{path}: {error}") from None


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            htpasswd=dict(type="str", default="", no_log=False),
            api_keys=dict(type="str", default="", no_log=False),
            path=dict(type="path", required=True),
            accepts_passwords=dict(type="bool", required=True),
            accepts_keys=dict(type="bool", required=True, no_log=False),
            skip_unusable=dict(type="bool", default=False),
        ),
        add_file_common_args=True,
        supports_check_mode=True,
    )
    try:
        answer = Reading(module).read_in()
    except GatehouseError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg="%s: %s" % (error.filename, error.strerror))
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
