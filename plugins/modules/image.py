#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image
short_description: Have an image on the host, from its registry or from a file
version_added: 0.1.0
description:
  - Fetches an image that is missing, from an archive on the host or from its registry; or writes it into an archive,
    which another host takes in without a network.
  - An image that is there stays as it is. Tags are taken for fixed.
options:
  name:
    description: Name of the image, with a tag.
    type: str
    required: true
  archive:
    description:
      - Absolute path of a file as C(docker save) writes it. With O(state=present) the image is taken from it, and its
        registry is not asked.
    type: path
  state:
    description:
      - With V(present) the image is on the host afterwards.
      - With V(archived) it is in O(archive) afterwards. The host must have it.
    type: str
    choices: [present, archived]
    default: present
  name_variable:
    description: The variable that errors name in the place of O(name).
    type: str
    default: name
  archive_variable:
    description: The variable that errors name in the place of O(archive).
    type: str
    default: archive
attributes:
  check_mode:
    description: Reports what would happen and changes nothing.
    support: full
  diff_mode:
    description: Shows the id of the image that an archive had, and of the one that it gets.
    support: full
  idempotent:
    description: An image that is there is not fetched, and an archive that holds this very image is not written.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Fetch the image of Ollama
  gatehouse.ollama.image:
    name: docker.io/ollama/ollama:0.32.15

- name: Write it to a disk that is carried to another host
  gatehouse.ollama.image:
    name: docker.io/ollama/ollama:0.32.15
    archive: /media/disk/ollama.tar
    state: archived

- name: Take it in there
  gatehouse.ollama.image:
    name: docker.io/ollama/ollama:0.32.15
    archive: /media/disk/ollama.tar
"""

RETURN = r"""
id:
  description: Id of the image; empty in check mode if it is not there yet.
  returned: success
  type: str
  sample: sha256:7b3a8f0e5d7c5cf7b4d2d4a8e8d1b9a8c7e6f5d4c3b2a19080706050403020100
"""

import contextlib
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils import _image_archive
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._image_archive import ArchiveError


class ImageError(GatehouseError):
    """The image cannot be had; the text says why and what would be right."""


class Image:
    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.name: str = module.params["name"]
        self.archive: str | None = module.params["archive"]
        self.docker = module.get_bin_path("docker", required=True)

    def run(self, *args: str) -> tuple[int, str, str]:
        rc, stdout, stderr = self.module.run_command([self.docker, *args])
        return rc, stdout.strip(), stderr.strip()

    def id(self) -> str:
        """The id of the image, empty if it is not there."""
        rc, stdout, stderr = self.run("image", "inspect", "--format", "{{.Id}}", self.name)
        if rc != 0 and "no such image" not in stderr.lower():
            raise ImageError("`docker image inspect %s` fails: %s" % (self.name, stderr))
        return stdout if rc == 0 else ""

    def fetch(self) -> str:
        """Have the image, before anything else is touched; its id, in check mode empty."""
        if self.archive:
            held = self.read_archive()
            if _image_archive.familiar(self.name) not in held.names:
                raise self.refusal(
                    "archive", "%s holds %s" % (self.archive, ", ".join(sorted(held.names)) or "no name")
                )
        if self.module.check_mode:
            return ""
        command = ["load", "--quiet", "--input", self.archive] if self.archive else ["pull", "--quiet", self.name]
        rc, stdout, stderr = self.run(*command)
        if rc != 0:
            raise self.refusal("archive" if self.archive else "name", stderr or stdout)
        return self.id()

    def read_archive(self) -> _image_archive.Archive:
        try:
            return _image_archive.read(self.archive or "")
        except FileNotFoundError:
            raise self.refusal("archive", "%s is not there" % self.archive) from None
        except ArchiveError as error:
            raise self.refusal("archive", str(error)) from None

    def refusal(self, option: str, reason: str) -> ImageError:
        variable = self.module.params[option + "_variable"]
        if option == "archive":
            wanted = "Give the path of a file on this host as `docker save %s` writes it, or leave it empty"
            return ImageError("%s: %s. %s. Nothing was changed." % (variable, reason, wanted % self.name))
        wanted = "Name an image that exists, such as docker.io/ollama/ollama:0.32.15"
        return ImageError(
            "%s: %s cannot be pulled: %s. %s. Nothing was changed." % (variable, self.name, reason, wanted)
        )

    def archived(self) -> str:
        """The id of the image in the archive, empty if there is none or another one."""
        held = None
        with contextlib.suppress(FileNotFoundError, ArchiveError):
            held = _image_archive.read(self.archive or "")
        if held is None or _image_archive.familiar(self.name) not in held.names:
            return ""
        own = self.id()
        return own if own in held.ids else ", ".join(sorted(held.ids))

    def write_archive(self) -> None:
        path = self.archive or ""
        new = "%s.%d" % (path, os.getpid())
        try:
            rc, stdout, stderr = self.run("save", "--output", new, self.name)
            if rc != 0:
                variable = self.module.params["archive_variable"]
                raise ImageError("%s: %s cannot be written: %s" % (variable, path, stderr or stdout))
            os.chmod(new, 0o644)
            os.replace(new, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new)


def have(image: Image) -> dict[str, t.Any]:
    there = image.id()
    return dict(changed=not there, id=there or image.fetch())


def put_into_archive(image: Image) -> dict[str, t.Any]:
    there = image.id()
    if not there:
        raise ImageError(
            "%s: this host has no image %s to write; deploy first" % (image.module.params["name_variable"], image.name)
        )
    before = image.archived()
    if before == there:
        return dict(changed=False, id=there)
    if not image.module.check_mode:
        image.write_archive()
    shown = {key: "%s\n" % value if value else "" for key, value in (("before", before), ("after", there))}
    return dict(changed=True, id=there, diff=dict(before_header=image.archive, after_header=image.archive, **shown))


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            name=dict(type="str", required=True),
            archive=dict(type="path"),
            state=dict(type="str", choices=["present", "archived"], default="present"),
            name_variable=dict(type="str", default="name"),
            archive_variable=dict(type="str", default="archive"),
        ),
        required_if=[("state", "archived", ["archive"])],
        supports_check_mode=True,
    )
    try:
        image = Image(module)
        answer = have(image) if module.params["state"] == "present" else put_into_archive(image)
    except (GatehouseError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
