#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: model_archive
short_description: Carry models from one host to another without a network
version_added: 0.1.0
description:
  - Copies models between the server of this host and a folder, such as a disk that is carried to a host without
    internet.
  - The folder has the layout of Ollama's own (C(manifests) and C(blobs)), so that layers that models share are in it
    once, and a copy that was broken off goes on with the layers that are missing.
  - Every layer is checked against its SHA-256 on the way, in both directions. A model appears once all of it is there.
extends_documentation_fragment:
  - gatehouse.ollama.ollama_place.container
options:
  path:
    description: Absolute path of the folder. With O(state=exported) it is made if it is missing.
    type: path
    required: true
  state:
    description:
      - With V(exported) the models are in the folder afterwards, with V(imported) the server has them.
    type: str
    choices: [exported, imported]
    required: true
  models:
    description:
      - Names of the models, or dictionaries as O(gatehouse.ollama.models#module:models) takes them, of which C(name)
        and C(digest) count here. A digest that is given must be that of the model.
      - All that are there, if it is empty.
    type: list
    elements: raw
    default: []
  only_missing:
    description:
      - With O(state=imported), takes those that the server does not have, or has with another digest than the given
        one, and what they are made from. What the folder does not have is no error, and neither is a folder that is
        not there.
    type: bool
    default: false
  models_variable:
    description: The variable that errors name in the place of O(models).
    type: str
    default: models
  path_variable:
    description: The variable that errors name in the place of O(path).
    type: str
    default: path
attributes:
  check_mode:
    description: Reports what would be copied and changes nothing.
    support: full
  diff_mode:
    description: Shows which models come, with their digests.
    support: full
  idempotent:
    description: What is there is not copied again.
    support: full
seealso:
  - module: gatehouse.ollama.models
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Write two models to a disk
  gatehouse.ollama.model_archive:
    path: /media/disk/models
    state: exported
    models: [llama3.2:1b, nomic-embed-text]

- name: Take in all that is on it
  gatehouse.ollama.model_archive:
    path: /media/disk/models
    state: imported
"""

RETURN = r"""
models:
  description: The models that were asked for, as they are afterwards.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the model.
      type: str
      sample: llama3.2:1b
    digest:
      description: Digest of its manifest, 64 digits.
      type: str
    size:
      description: Bytes of all its layers.
      type: int
added:
  description: Names of those that were not there before.
  returned: success
  type: list
  elements: str
updated:
  description: Names of those that were there with another digest, or not whole.
  returned: success
  type: list
  elements: str
unchanged:
  description: Names of those that were there.
  returned: success
  type: list
  elements: str
"""

import contextlib
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.archive import (
    Folder,
    Model,
    Plan,
    Store,
    plan,
    refuse_if_too_large,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.names import Key, Name
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.options import Wanted, read_models
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.place import (
    CONTAINER_OPTIONS,
    Container,
    NoServer,
    find_container,
)


def lacking(wanted: t.Sequence[Wanted], target: Store | None) -> list[tuple[Name, str]]:
    """The names that the target does not have, of the wanted models and what they are made from, with their digests."""
    pairs = [(one.name, one.digest or "") for one in wanted]
    pairs += [(one.base, "") for one in wanted if one.base is not None]
    found = []
    for name, digest in pairs:
        there = target.find(name) if target else None
        if there is None or not there.digest.startswith(digest):
            found.append((name, digest))
    return found


def take(source: Store, names: t.Sequence[tuple[Name, str]]) -> list[Model]:
    """Those of the names that the source has, with that digest."""
    models: dict[Key, Model] = {}
    for name, digest in names:
        model = source.find(name)
        if model is not None and model.digest.startswith(digest):
            models[name.key] = model
    return list(models.values())


def choose(source: Store, wanted: t.Sequence[Wanted], where: str) -> list[Model]:
    """The wanted models of the source, all if none is named. Raises BadInput with everything that is wrong."""
    if not wanted:
        return source.models()
    found, problems = [], []
    for one in wanted:
        model = source.find(one.name)
        if model is None:
            problems.append(f"{one.place}: {where} has no model {one.name.short}")
        elif one.digest and not model.digest.startswith(one.digest):
            problems.append(
                f"{one.place}.digest: {one.name.short} of {where} has the digest {model.digest}, not {one.digest}"
            )
        else:
            found.append(model)
    if problems:
        raise BadInput(problems)
    return found


def outcome(plans: t.Sequence[Plan]) -> dict[str, t.Any]:
    needed = [one for one in plans if one.needed]
    return dict(
        changed=bool(needed),
        models=[dict(name=one.model.name.short, digest=one.model.digest, size=one.model.size) for one in plans],
        added=[one.model.name.short for one in needed if not one.old],
        updated=[one.model.name.short for one in needed if one.old],
        unchanged=[one.model.name.short for one in plans if not one.needed],
        diff=dict(
            before="".join(f"{one.model.name.short} {one.old[:12]}\n" for one in needed if one.old),
            after="".join(f"{one.model.name.short} {one.model.digest[:12]}\n" for one in needed),
        ),
    )


def copy(plans: t.Sequence[Plan], source: Store, target: Store) -> None:
    refuse_if_too_large(plans, target.folder)
    for one in plans:
        if one.needed:
            target.take(one.model, source)


class Archive:
    def __init__(self, module: AnsibleModule, wanted: t.Sequence[Wanted]) -> None:
        self.module = module
        self.wanted = wanted
        self.path: str = module.params["path"]
        self.shown = f"{module.params['path_variable']}: {self.path}"

    def exported(self, container: Container) -> dict[str, t.Any]:
        with store_of(container, make=False) as source:
            models = choose(source, self.wanted, "the server") if source else []
            if source is None or not models:
                raise GatehouseError(f"The server has no models to write to {self.path}.")
            if self.module.check_mode and not os.path.isdir(self.path):
                return outcome(plan(models, None))
            make_folder(self.path, self.shown)
            with Folder.at(self.path) as there:
                plans = plan(models, Store(there))
                if not self.module.check_mode:
                    copy(plans, source, Store(there))
        return outcome(plans)

    def imported(self, container: Container | None) -> dict[str, t.Any]:
        with contextlib.ExitStack() as opened:
            make = not self.module.check_mode
            target = opened.enter_context(store_of(container, make)) if container else None
            names = lacking(self.wanted, target) if self.module.params["only_missing"] else None
            # The archive may be a disk that is somewhere else by now.
            if names and not os.path.isdir(self.path):
                self.module.warn(f"{self.shown} is not there: nothing is taken from it.")
                names = []
            if names == []:
                return outcome([])
            source = self.open(opened)
            models = choose(source, self.wanted, self.path) if names is None else take(source, names)
            if names is None and not models:
                raise GatehouseError(f"{self.shown} has no models; it must have folders manifests and blobs.")
            plans = plan(models, target)
            if target is not None and not self.module.check_mode:
                copy(plans, source, target)
        return outcome(plans)

    def open(self, opened: contextlib.ExitStack) -> Store:
        try:
            return Store(opened.enter_context(Folder.at(self.path)))
        except GatehouseError as error:
            raise GatehouseError(f"{self.module.params['path_variable']}: {error}") from None


@contextlib.contextmanager
def store_of(container: Container, make: bool) -> t.Iterator[Store | None]:
    """The models of a server, None if it never had any and none are to come.

    Only the mount is trusted to be what it is: what is in it is the server's to write.
    """
    mount = container.models_mount
    if mount is None:
        raise GatehouseError(f"The container {container.name} keeps its models in no volume and no folder of the host.")
    with Folder.at(mount[0]) as outer, outer.within(*mount[1], make=make) as folder:
        yield Store(folder) if folder is not None else None


def make_folder(path: str, shown: str) -> None:
    """A folder for root alone to write to; what is above it must be there, as a disk that is not mounted is not."""
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        pass
    except OSError as error:
        raise GatehouseError(f"{shown}: {error.strerror}") from None


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            **CONTAINER_OPTIONS,
            path=dict(type="path", required=True),
            state=dict(type="str", choices=["exported", "imported"], required=True),
            models=dict(type="list", elements="raw", default=[]),
            only_missing=dict(type="bool", default=False),
            models_variable=dict(type="str", default="models"),
            path_variable=dict(type="str", default="path"),
        ),
        supports_check_mode=True,
    )
    try:
        wanted, problems = read_models(module.params["models"], module.params["models_variable"])
        if not os.path.isabs(module.params["path"]):
            path = f"{module.params['path_variable']}: {module.params['path']}"
            problems.append(f"{path} is no absolute path, such as /media/disk/models")
        if problems:
            raise BadInput(problems)
        archive = Archive(module, [one for one in wanted if one.state != "absent"])
        try:
            container = find_container(module)
        except NoServer as error:
            # A real run would start it first, unless it is to give what it has.
            if not module.check_mode or module.params["state"] == "exported":
                raise
            module.warn(f"There is no server yet: {error}. All is shown as to be done.")
            container = None
        if module.params["state"] == "imported":
            answer = archive.imported(container)
        elif container is not None:
            answer = archive.exported(container)
    except (GatehouseError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
