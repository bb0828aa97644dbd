# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a file that `docker save` wrote: names of images, and the ids that engines may show of them.

Source: the image specification of Docker v1.2 (manifest.json), and the OCI image layout (index.json), of which engines
since 25 write both.
"""

from __future__ import annotations

import json
import os
import tarfile
import typing as t
from dataclasses import dataclass

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

# Neither list of an archive comes near.
_MOST_BYTES = 4 << 20


class ArchiveError(GatehouseError):
    """The file is no archive of images."""


@dataclass(frozen=True)
class Archive:
    names: t.FrozenSet[str]
    # Of the image's configuration; of its manifest, where the engine keeps images in containerd's store.
    ids: t.FrozenSet[str]


def familiar(name: str) -> str:
    """The name as Docker shows it: without its own registry, and without the namespace that is the default there."""
    for prefix in ("docker.io/", "index.docker.io/"):
        if name.startswith(prefix):
            name = name[len(prefix) :]
    if name.startswith("library/"):
        name = name[len("library/") :]
    return name


def read(path: str) -> Archive:
    """What an archive holds. Raises ArchiveError; FileNotFoundError if there is none."""
    try:
        with tarfile.open(path) as tar:
            images = _json(tar, "manifest.json")
            index = _json(tar, "index.json") or {}
        ids = ["sha256:" + os.path.basename(one["Config"]).split(".")[0] for one in images]
        ids += [one["digest"] for one in index.get("manifests", [])]
        names = [familiar(name) for one in images for name in one.get("RepoTags") or []]
    except FileNotFoundError:
        raise
    except (OSError, EOFError, tarfile.TarError, ValueError, KeyError, TypeError, AttributeError):
        raise ArchiveError("%s: it is no archive of images, as `docker save` writes it" % path) from None
    return Archive(frozenset(names), frozenset(ids))


def _json(tar: tarfile.TarFile, name: str) -> t.Any:
    try:
        member = tar.getmember(name)
    except KeyError:
        return None
    file = tar.extractfile(member)
    if file is None or member.size > _MOST_BYTES:
        raise ValueError(name)
    return json.loads(file.read())
