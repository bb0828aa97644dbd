#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: volume_owner
short_description: Hand a Docker volume over to a user
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Makes everything in a Docker volume belong to one user and the group with the same number, so that a container that
    runs as this user can write there. A volume that is not there yet is created.
  - A short-lived container without a network does it, which may do nothing but change owners. The volume itself comes
    last, so that a broken run is repeated by the next.
options:
  project:
    description: Compose project of the volume.
    type: str
    required: true
  volume:
    description: Name of the volume in the Compose project.
    type: str
    required: true
  user_id:
    description: Number of the user and of the group.
    type: int
    required: true
  image:
    description: An image on the host that has C(sh), C(find), C(chown) and C(stat).
    type: str
    required: true
attributes:
  check_mode:
    description: Can run in check mode and tell what would change.
    support: full
  diff_mode:
    description: Returns the owner before and after.
    support: full
  idempotent:
    description: A second run changes nothing. Whether all is done is seen at the volume itself.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Hand the models over to the user that Ollama runs as
  gatehouse.ollama.volume_owner:
    project: gatehouse-ollama
    volume: ollama
    user_id: 60881
    image: docker.io/ollama/ollama:0.32.15
"""

RETURN = r"""
owner:
  description: Who owned the volume before, as V(user:group). Empty if there was none.
  type: str
  returned: success
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker, DockerError

LOOK = "stat -c %u:%g /volume"
# The volume itself last: it tells whether all was done.
CHANGE = 'find /volume -mindepth 1 ! -type l -exec chown "$0" {} + && chown "$0" /volume'
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER")


class Volume:
    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.docker = Docker(module)
        self.name = "%s_%s" % (module.params["project"], module.params["volume"])

    def owner(self, wanted: str) -> str:
        """Who owns the volume; empty if it is not there."""
        found = self.docker.inspect("volume", self.name)
        if not found:
            return ""
        outside = owner_of(found[0].get("Mountpoint") or "")
        if outside == wanted:
            return outside
        # Users may have other numbers inside than outside, or the volume is elsewhere: what a container sees counts.
        try:
            return self.contained("ro", LOOK)
        except DockerError:
            if not self.module.check_mode:
                raise
            # The image is not there yet.
            return outside or "unknown"

    def create(self) -> None:
        labels = dict(project=self.module.params["project"], volume=self.module.params["volume"])
        arguments = ["--label=com.docker.compose.%s=%s" % one for one in sorted(labels.items())]
        self.docker.read("volume", "create", *arguments, self.name)

    def contained(self, access: str, script: str, *arguments: str) -> str:
        """What a script says in a container that has the volume and little else."""
        options = ["--user=0:0", "--volume=%s:/volume:%s" % (self.name, access)]
        options += ["--cap-add=%s" % one for one in CAPABILITIES] if access == "rw" else []
        answer = self.docker.throw_away(self.module.params["image"], "sh", "-c", script, *arguments, options=options)
        if answer.rc != 0:
            raise DockerError("%s cannot be handed over: %s" % (self.name, answer.error))
        return answer.stdout


def owner_of(path: str) -> str:
    try:
        found = os.stat(path)
    except OSError:
        return ""
    return "%d:%d" % (found.st_uid, found.st_gid)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            project=dict(type="str", required=True),
            volume=dict(type="str", required=True),
            user_id=dict(type="int", required=True),
            image=dict(type="str", required=True),
        ),
        supports_check_mode=True,
    )
    wanted = "%d:%d" % (module.params["user_id"], module.params["user_id"])
    volume = Volume(module)
    try:
        owner = volume.owner(wanted)
        if owner != wanted and not module.check_mode:
            if not owner:
                volume.create()
            volume.contained("rw", CHANGE, wanted)
    except DockerError as e:
        module.fail_json(msg=str(e))
    diff: t.Dict[str, str] = dict(before_header=volume.name, after_header=volume.name)
    diff.update(before="owner: %s\n" % owner if owner else "", after="owner: %s\n" % wanted)
    module.exit_json(changed=owner != wanted, owner=owner, diff=diff)


if __name__ == "__main__":
    main()
