#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: models_place
short_description: Bring the models of a host to where its server is to have them
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Models are copied from where they were to where they are to be, which is a Docker volume or a folder of the user's,
    so that none is downloaded again. Those of servers that are taken over come along.
  - Each layer is checked against its SHA-256, and a model appears once all of it is there, so that servers may run
    meanwhile and a copy that was broken off goes on. Room is looked for first. Nothing is removed where they were.
  - What is damaged where they were is left out with a warning.
options:
  path:
    description: The folder of the user's, empty for the volume.
    type: str
    default: ""
  project:
    description: The Compose project of the server.
    type: str
    required: true
  volume:
    description: Name of the volume in it.
    type: str
    required: true
  project_dir:
    description: The folder of that project, in which C(models.json) says where the models are.
    type: path
    required: true
  user_id:
    description: Number of the user and the group that the server runs as.
    type: int
    required: true
  adopt:
    description: Folders with models of servers that are taken over.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: A folder of the host, with a pair of keys where there is one.
        type: path
        required: true
      below:
        description: Folders that lead from there to C(blobs) and C(manifests), parted by slashes.
        type: str
        default: ""
  state:
    description:
      - V(copied) copies. V(settled) copies what came since, and notes that it is done; by then a server runs there.
      - V(emptied) removes from O(path) what Ollama has there, and leaves what is somebody else's.
    type: str
    choices: [copied, settled, emptied]
    default: copied
attributes:
  check_mode:
    description: Can run in check mode and tell what would change. What cannot be is refused there as well.
    support: full
  diff_mode:
    description: Shows the names of the models.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Have the models on a disk
  gatehouse.ollama.models_place:
    path: /srv/ollama-models
    project: gatehouse-ollama
    volume: ollama
    project_dir: /opt/gatehouse/ollama
    user_id: 60881
"""

RETURN = r"""
due:
  description: Whether there are models to be copied from elsewhere, or something to be noted.
  returned: success
  type: bool
copied:
  description: Names of the models that were copied, or would be.
  returned: success
  type: list
  elements: str
stays:
  description: What has these models as well, and stays until somebody removes it.
  returned: success
  type: list
  elements: str
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.volume import Volume
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.replace import replace
from ansible_collections.gatehouse.ollama.plugins.module_utils._models import models_dir, move
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.move import Place, Record

RECORD = "models.json"


class Host:
    """Where the models of a host are, may come from and are to be."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.options: dict[str, t.Any] = module.params
        self.docker = Docker(module)
        self.volume = Volume(self.docker, self.options["project"], self.options["volume"], "")
        self.record_path = os.path.join(self.options["project_dir"], RECORD)
        self.record = Record.read(self.record_path)

    @property
    def target(self) -> Place:
        return self.place(self.options["path"])

    def place(self, path: str) -> Place:
        if path:
            return Place(path, (), f"{models_dir.VARIABLE}: {path}", is_users=True)
        found = self.docker.inspect("volume", self.volume.name) if self.docker.is_installed else []
        mounted = str(found[0].get("Mountpoint") or "") if found else ""
        if not mounted:
            root = self.docker.run("info", "--format={{.DockerRootDir}}").stdout
            mounted = os.path.join(root or "/var/lib/docker", "volumes", self.volume.name, "_data")
        return Place(mounted, move.IN_VOLUME, f"The volume {self.volume.name}")

    def sources(self) -> list[Place]:
        """Where models are to come from: the former place, and servers that are taken over for the first time."""
        found = []
        if self.record.models_dir != self.options["path"]:
            if self.record.models_dir and not os.path.isdir(self.record.models_dir):
                raise GatehouseError(
                    f"{models_dir.VARIABLE}: the models of this host are in {self.record.models_dir}, which is not "
                    f"there; is its disk mounted? To go on without them, remove {self.record_path}"
                )
            found.append(self.place(self.record.models_dir))
        for one in self.options["adopt"]:
            place = Place(one["path"], tuple(filter(None, one["below"].split("/"))), one["path"])
            where = os.path.join(place.path, *place.parts)
            # Models that are where they are to be need no copy.
            if where not in self.record.adopted and os.path.realpath(where) != self._real_target():
                found.append(place)
        return found

    def _real_target(self) -> str:
        return os.path.realpath(os.path.join(self.target.path, *self.target.parts))

    def wanted_record(self) -> Record:
        adopted = [os.path.join(one["path"], *one["below"].split("/")).rstrip("/") for one in self.options["adopt"]]
        return Record(self.options["path"], tuple(sorted({*self.record.adopted, *adopted})))

    def refuse(self) -> None:
        """Raise GatehouseError where the folder cannot be what it is to be."""
        path = self.options["path"]
        if not path:
            return
        models_dir.refuse(path, self.options["project_dir"], self.options["user_id"])
        if self.record.models_dir == path and not os.path.isdir(path):
            raise GatehouseError(
                f"{models_dir.VARIABLE}: {path} has the models of this host and is not there; is its disk mounted? To "
                f"begin with an empty folder, remove {self.record_path}"
            )

    def bring(self, settle: bool) -> dict[str, t.Any]:
        self.refuse()
        path, user_id, target, check = (
            self.options["path"],
            self.options["user_id"],
            self.target,
            self.module.check_mode,
        )
        sources = self.sources()
        moved = [move.move(source, target, user_id, check=True) for source in sources]
        # Before anything is made.
        move.refuse_if_too_large(sum(one.size for one in moved), target)
        made = bool(path) and not os.path.isdir(path)
        if not check:
            self._make(needed=any(one.models for one in moved))
            moved = [move.move(source, self.target, user_id, check=False) for source in sources]
        for source, one in zip(sources, moved):
            for problem in one.problems:
                self.module.warn(f"Left out, for it is not whole in {source.path}: {problem}")
            if one.keys_stay:
                text = "The keys by which a server is known at ollama.com stay where they are, for they may be others'"
                self.module.warn(f"{text}: {one.keys_stay}")
        wanted = self.wanted_record()
        due, copied = wanted != self.record, [name for one in moved for name in one.models]
        if due and settle and not check:
            replace(self.module, self.record_path, wanted.text.encode(), mode=0o640)
        left = move.free(target.path) if path else move.LITTLE
        if left < move.LITTLE:
            little = f"less than the {move.LITTLE / 1e9:.1f} GB of a small model"
            self.module.warn(f"{target.shown} has {left / 1e9:.1f} GB left, {little}.")
        return dict(
            changed=bool(copied) or made or (due and settle),
            due=due,
            copied=copied,
            stays=[os.path.join(one.path, *one.parts) for one in sources if os.path.isdir(one.path)],
            diff=dict(before="", after="".join(f"{name}\n" for name in copied), after_header=target.shown),
        )

    def _make(self, needed: bool) -> None:
        """What the models are to be in: a folder in any case, a volume only if it is to have some now."""
        if self.options["path"]:
            models_dir.make(self.options["path"], self.options["user_id"])
        elif needed and not os.path.isdir(self.target.path):
            self.volume.create()

    def empty(self) -> dict[str, t.Any]:
        path = self.options["path"]
        models_dir.refuse_links(path)
        found = models_dir.belongings(path)
        if found and not self.module.check_mode:
            models_dir.empty(path, self.options["user_id"])
        return dict(changed=bool(found), due=bool(found), copied=[], stays=[])


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            path=dict(type="str", default=""),
            project=dict(type="str", required=True),
            volume=dict(type="str", required=True),
            project_dir=dict(type="path", required=True),
            user_id=dict(type="int", required=True),
            adopt=dict(
                type="list",
                elements="dict",
                default=[],
                options=dict(path=dict(type="path", required=True), below=dict(type="str", default="")),
            ),
            state=dict(type="str", choices=["copied", "settled", "emptied"], default="copied"),
        ),
        supports_check_mode=True,
    )
    try:
        host = Host(module)
        state = module.params["state"]
        answer = host.empty() if state == "emptied" else host.bring(settle=state == "settled")
    except GatehouseError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg="%s: %s" % (error.filename, error.strerror))
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
