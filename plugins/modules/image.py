#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image
short_description: Have images on the host, from their registry or from a file
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Fetches images that are missing, from an archive on the host or from their registry; or writes them into an archive,
    which another host takes in without a network.
  - An image that is there stays as it is, also where an archive has another of that name. Tags are taken for fixed.
  - May ask the program in an image of Ollama for its version, where its tag does not tell, and fails if it is too old.
options:
  names:
    description: Names of the images, with a tag.
    type: list
    elements: str
    required: true
  archive:
    description:
      - Absolute path of a file as C(docker save) writes it. With O(state=present) images are taken from it, and their
        registry is not asked.
      - An archive that holds other images too, or some without a name, is refused before any is taken in. That what
        goes by a name is the image that its makers gave it to, no archive can prove. Take it from where you trust.
    type: path
  archive_names:
    description: Names that O(archive) may hold besides O(names), with O(state=present). They are not asked for.
    type: list
    elements: str
    default: []
  minimum_version:
    description: The oldest version of Ollama that is accepted of O(ask_version_of).
    type: str
  ask_version_of:
    description:
      - Those of O(names) that are asked for their version, each in a short-lived container without a network. One that
        is not on the host yet is no error in check mode.
    type: list
    elements: str
    default: []
  state:
    description:
      - With V(present) the images are on the host afterwards.
      - With V(archived) they are in O(archive) afterwards. The host must have them.
    type: str
    choices: [present, archived]
    default: present
  name_variable:
    description: The variable that errors name in the place of O(names).
    type: str
    default: names
  archive_variable:
    description: The variable that errors name in the place of O(archive).
    type: str
    default: archive
attributes:
  check_mode:
    description: Reports what would happen and changes nothing.
    support: full
  diff_mode:
    description: Shows the ids of the images that come, or that an archive had and gets.
    support: full
  idempotent:
    description: An image that is there is not fetched, and an archive that holds these very images is not written.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Fetch the image of Ollama
  gatehouse.ollama.image:
    names: [docker.io/ollama/ollama:0.32.15]

- name: Write it to a disk that is carried to another host
  gatehouse.ollama.image:
    names: [docker.io/ollama/ollama:0.32.15]
    archive: /media/disk/ollama.tar
    state: archived

- name: Take it in there
  gatehouse.ollama.image:
    names: [docker.io/ollama/ollama:0.32.15]
    archive: /media/disk/ollama.tar
"""

RETURN = r"""
versions:
  description: The version of Ollama in each image that was asked and is on the host.
  type: dict
  returned: success
ids:
  description: Id of each image, in the order of O(names); empty in check mode if it is not there yet.
  returned: success
  type: list
  elements: str
  sample: ["sha256:7b3a8f0e5d7c5cf7b4d2d4a8e8d1b9a8c7e6f5d4c3b2a19080706050403020100"]
digests:
  description: Digest of each image at its registry, in the order of O(names); empty for one that came from an archive.
  returned: success, unless an archive was written
  type: list
  elements: str
"""

import contextlib
import os
import re
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker import image_archive, pull_failure
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.image_archive import (
    Archive,
    ArchiveError,
    familiar,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.image import version_problem


class ImageError(GatehouseError):
    """An image cannot be had; the text says why and what would be right."""


class Images:
    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.names: list[str] = list(dict.fromkeys(module.params["names"]))
        self.allowed: list[str] = list(dict.fromkeys([*self.names, *module.params["archive_names"]]))
        self.archive: str | None = module.params["archive"]
        self.docker = Docker(module)

    def id(self, name: str) -> str:
        """The id of an image, empty if it is not there."""
        found = self.docker.inspect("image", name)
        return str(found[0]["Id"]) if found else ""

    def digest(self, name: str) -> str:
        """The digest by which its registry knows an image, empty where nobody told."""
        found = self.docker.inspect("image", name)
        known = (found[0].get("RepoDigests") or [""]) if found else [""]
        return str(known[0]).partition("@")[2]

    def refuse_digests(self) -> None:
        pinned = [name for name in self.names if "@" in name]
        if pinned:
            right = "Name the image by its tag, or leave the archive empty"
            variable, names = self.module.params["archive_variable"], ", ".join(pinned)
            raise ImageError(f"{variable}: an archive keeps no digests, and {names} has one. {right}")

    def load(self, missing: t.Sequence[str]) -> None:
        self.refuse_digests()
        held = self.read_archive()
        lacking = [name for name in missing if familiar(name) not in held.names]
        if lacking:
            there = ", ".join(sorted(held.names)) or "nothing"
            raise self.archive_refusal("%s has no %s, but %s" % (self.archive, ", ".join(lacking), there))
        strange = sorted(held.names - {familiar(name) for name in self.allowed})
        strange += ["an image without a name"] if held.has_unnamed else []
        if strange:
            raise self.archive_refusal(
                "%s holds besides what is wanted %s, which would come in too" % (self.archive, ", ".join(strange))
            )
        if not self.module.check_mode:
            before = {name: self.id(name) for name in self.allowed}
            answer = self.docker.run("load", "--quiet", "--input", self.archive or "")
            if answer.rc != 0:
                raise self.archive_refusal(answer.error)
            self.give_back(before)
            absent = [name for name in missing if not self.id(name)]
            if absent:
                raise self.archive_refusal("`docker load` brought no %s" % ", ".join(absent))

    def give_back(self, before: t.Mapping[str, str]) -> None:
        """Let each name that was there mean what it did."""
        for name, there in before.items():
            if there and self.id(name) != there:
                self.docker.read("tag", there, name)

    def pull(self, missing: t.Sequence[str]) -> None:
        for name in missing if not self.module.check_mode else ():
            answer = self.docker.run("pull", "--quiet", name)
            if answer.rc != 0:
                said = answer.error.rstrip(".")
                why = pull_failure.explain(name, said, self.module.params["archive_variable"])
                text = "%s: %s cannot be pulled (%s). In other words, %s. What runs was not touched."
                raise ImageError(text % (self.module.params["name_variable"], name, said, why))

    def read_archive(self) -> Archive:
        try:
            return image_archive.read(self.archive or "")
        except FileNotFoundError:
            raise self.archive_refusal("%s is not there" % self.archive) from None
        except ArchiveError as error:
            raise self.archive_refusal(str(error)) from None

    def archive_refusal(self, reason: str) -> ImageError:
        right = "Give a file of this host that `docker save %s` wrote, or leave it empty. What runs was not touched."
        variable = self.module.params["archive_variable"]
        return ImageError("%s: %s. %s" % (variable, reason, right % " ".join(self.allowed)))

    def archived(self) -> Archive:
        """What is in the archive; nothing if it is none yet."""
        with contextlib.suppress(FileNotFoundError, ArchiveError):
            return image_archive.read(self.archive or "")
        return Archive(frozenset(), False, frozenset())

    def save(self) -> None:
        path = self.archive or ""
        new = "%s.%d" % (path, os.getpid())
        try:
            answer = self.docker.run("save", "--output", new, *self.names)
            if answer.rc != 0:
                variable = self.module.params["archive_variable"]
                raise ImageError("%s: %s cannot be written: %s" % (variable, path, answer.error))
            os.chmod(new, 0o644)
            os.replace(new, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new)


def read_version(text: str) -> str:
    """The version in what `ollama --version` says where no server runs; empty if there is none."""
    found = re.search(r"version is v?(\d+\.\d+\S*)", text)
    return found.group(1) if found else ""


def ask_versions(images: Images) -> dict[str, str]:
    """The versions of Ollama in images whose tags do not tell. Raises BadInput."""
    params = images.module.params
    versions: dict[str, str] = {}
    problems: list[str] = []
    for image in params["ask_version_of"]:
        answer = images.docker.throw_away(image, "ollama", "--version")
        version = read_version(answer.stdout + answer.stderr)
        if version:
            versions[image] = version
            problems += filter(None, [version_problem(image, params["minimum_version"], version)[1]])
        elif not images.module.check_mode:
            said = answer.error.splitlines()[-1]
            text = "%s: %s does not tell its version of Ollama (%s). Name an image whose tag is its version"
            problems.append(text % (params["name_variable"], image, said))
    if problems:
        raise BadInput(problems)
    return versions


def have(images: Images) -> dict[str, t.Any]:
    """Fetch what is missing, before anything else is touched."""
    before = [images.id(name) for name in images.names]
    missing = [name for name, there in zip(images.names, before) if not there]
    if missing:
        images.load(missing) if images.archive else images.pull(missing)
    after = [images.id(name) for name in images.names] if missing else before
    digests = [images.digest(name) for name in images.names]
    return dict(changed=bool(missing), ids=after, digests=digests, diff=dict(before="", after=_lines(missing)))


def put_into_archive(images: Images) -> dict[str, t.Any]:
    images.refuse_digests()
    ids = [images.id(name) for name in images.names]
    missing = [name for name, there in zip(images.names, ids) if not there]
    if missing:
        variable = images.module.params["name_variable"]
        raise ImageError("%s: this host has no image %s to write; deploy first" % (variable, ", ".join(missing)))
    held = images.archived()
    changed = {familiar(name) for name in images.names} != held.names or not held.ids >= set(ids)
    if changed and not images.module.check_mode:
        images.save()
    shown = dict(before=_lines(sorted(held.ids)), after=_lines(sorted(set(ids)))) if changed else {}
    return dict(changed=changed, ids=ids, diff=dict(before_header=images.archive, after_header=images.archive, **shown))


def _lines(names: t.Iterable[str]) -> str:
    return "".join("%s\n" % name for name in names)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            names=dict(type="list", elements="str", required=True),
            archive=dict(type="path"),
            archive_names=dict(type="list", elements="str", default=[]),
            minimum_version=dict(type="str"),
            ask_version_of=dict(type="list", elements="str", default=[]),
            state=dict(type="str", choices=["present", "archived"], default="present"),
            name_variable=dict(type="str", default="names"),
            archive_variable=dict(type="str", default="archive"),
        ),
        required_if=[("state", "archived", ["archive"])],
        supports_check_mode=True,
    )
    try:
        images = Images(module)
        answer = have(images) if module.params["state"] == "present" else put_into_archive(images)
        answer["versions"] = ask_versions(images)
    except (GatehouseError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
