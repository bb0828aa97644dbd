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
import posixpath
import tarfile
import typing as t
from dataclasses import dataclass

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

# Neither list of an archive comes near.
_MOST_BYTES = 4 << 20
# What is read of the two lists.
_KEYS = ("Config", "RepoTags", "Layers", "manifests", "digest", "annotations")
_FOLDED_KEYS = frozenset(key.casefold() for key in _KEYS)
# Where engines that keep images in containerd's store look for the name of an image, in this order.
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


class ArchiveError(GatehouseError):
    """The file is no archive of images."""


@dataclass(frozen=True)
class Archive:
    names: frozenset[str]
    # Whether an image has no name, so that it would come in without anybody having asked for it.
    has_unnamed: bool
    # Of the image's configuration; of its manifest, where the engine keeps images in containerd's store.
    ids: frozenset[str]


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
            members = _members(tar)
            images = _json(tar, members, "manifest.json")
            index = _json(tar, members, "index.json") or {}
        # Which of the two lists counts depends on the engine.
        manifests = index.get("manifests", [])
        ids = ["sha256:" + os.path.basename(one["Config"]).split(".")[0] for one in images]
        ids += [one["digest"] for one in manifests]
        tagged = [one.get("RepoTags") or [] for one in images]
        annotated = [_annotated(one.get("annotations") or {}) for one in manifests]
        names = [familiar(name) for some in tagged + annotated for name in some]
        # Some engines name none in the second list, and all in the first.
        has_unnamed = not all(tagged) or (any(annotated) and not all(annotated))
    except FileNotFoundError:
        raise
    except (OSError, EOFError, tarfile.TarError, ValueError, KeyError, TypeError, AttributeError):
        raise ArchiveError("%s: it is no archive of images, as `docker save` writes it" % path) from None
    return Archive(frozenset(names), has_unnamed, frozenset(ids))


def _annotated(annotations: t.Mapping[str, str]) -> list[str]:
    return [annotations[one] for one in _NAMES if annotations.get(one)][:1]


def _members(tar: tarfile.TarFile) -> dict[str, list[tarfile.TarInfo]]:
    """The members by the path that an engine writes them to, below which no link may lead elsewhere."""
    members: dict[str, list[tarfile.TarInfo]] = {}
    for member in tar:
        # Headers for all members that follow: Python obeys them, the engine does not.
        if tar.pax_headers:
            raise ValueError("pax_headers")
        members.setdefault(posixpath.normpath("/" + member.name).lstrip("/"), []).append(member)
    for path in members:
        above = posixpath.dirname(path)
        while above:
            if any(not one.isdir() for one in members.get(above, [])):
                raise ValueError(path)
            above = posixpath.dirname(above)
    return members


def _json(tar: tarfile.TarFile, members: t.Mapping[str, t.Sequence[tarfile.TarInfo]], name: str) -> t.Any:
    if name not in members:
        return None
    # Of two, or behind a link, an engine could read another than is read here.
    (member,) = members[name]
    file = tar.extractfile(member) if member.isreg() and member.size <= _MOST_BYTES else None
    if file is None:
        raise ValueError(name)
    return json.loads(file.read(), object_pairs_hook=_object)


def _object(pairs: t.Sequence[tuple[str, t.Any]]) -> dict[str, t.Any]:
    """A JSON object as every reader takes it: the engine's takes a key in any spelling, and the last of several."""
    keys = [key for key, _value in pairs]
    if len({key.casefold() for key in keys}) < len(keys) or any(map(_is_other_spelling, keys)):
        raise ValueError("keys")
    return dict(pairs)


def _is_other_spelling(key: str) -> bool:
    return key not in _KEYS and key.casefold() in _FOLDED_KEYS
