# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models on their way from one place of a host to another: the server's volume, a folder of the user's, or a server
that is taken over. What is there is copied and checked, nothing is removed, and a copy that was broken off goes on.

A record on the host says which folder has the models, if one has, and what was taken over: models that somebody removes
afterwards must not come back with the next run.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import typing as t
from dataclasses import dataclass

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._models import models_dir
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.archive import Folder, Model, Store, plan

# A volume has them below its top, as Ollama has them in ~/.ollama; a folder of the user's at its top.
IN_VOLUME = ("models",)
# Left on the disk beside what is copied.
_RESERVE = 64 << 20
# Of a disk with less, the user is told.
LITTLE = 2 << 30
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Place:
    """A folder of the host with the pair of keys, what leads from there to the models, and what to call it.

    Others may write above one that is the user's: what is written to it is written by no link.
    """

    path: str
    parts: t.Tuple[str, ...]
    shown: str
    is_users: bool = False


@dataclass(frozen=True)
class Record:
    """`models_dir` is empty where the models are in the volume; `adopted` are folders with models of other servers."""

    models_dir: str = ""
    adopted: t.Tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return json.dumps({"models_dir": self.models_dir, "adopted": list(self.adopted)}, sort_keys=True) + "\n"

    @classmethod
    def read(cls, path: str) -> Record:
        """Raises GatehouseError if it is damaged."""
        try:
            with open(path, encoding="utf-8") as file:
                read = json.loads(file.read(_MOST_BYTES))
            found = cls(read["models_dir"], tuple(read["adopted"]))
            if not all(isinstance(one, str) for one in (found.models_dir, *found.adopted)):
                raise TypeError
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, KeyError, TypeError):
            text = "it should say where the models of this host are, and is damaged. Remove it if they are where the"
            raise GatehouseError(f"{path}: {text} variables say") from None
        return found


@dataclass
class Moved:
    """What comes to the target: names of models, bytes, and what is left out, with its reason."""

    models: t.List[str]
    size: int
    problems: t.List[str]
    # Why the pair of keys stays where it is; empty if it came along, or there is none.
    keys_stay: str = ""


def move(source: Place, target: Place, user_id: int, check: bool) -> Moved:
    """Copy to the target what it lacks, or tell what would be copied. Raises GatehouseError if there is no room.

    What of the source is damaged is left out. With `check` the target may be one that is yet to be made.
    """
    with contextlib.ExitStack() as opened:
        there, here = _open(source, opened), _open(target, opened, follow_links=not target.is_users)
        store = _store(there, source, opened)
        if there is None or store is None:
            return Moved([], 0, [])
        models, problems = store.sound()
        plans = [one for one in plan(models, _store(here, target, opened)) if one.needed]
        size = sum(blob.size for one in plans for blob in one.blobs)
        refuse_if_too_large(size, target)
        names, keys_stay = [one.model.name.short for one in plans], ""
        if not check and here is not None:
            # As root, for they are for their owner alone.
            keys, keys_stay = _keys(source)
            with models_dir.who_may_write(target.path, user_id):
                names = _copy([one.model for one in plans], store, here, target.parts, problems)
                # A server goes on under the name that it has at ollama.com, unless it has another one there already.
                if not any(here.size(name) is not None for name in models_dir.KEYS):
                    for name, content in keys.items():
                        here.write(name, [content], models_dir.KEYS[name])
                else:
                    keys_stay = ""
    return Moved(names, size, problems, keys_stay)


def _copy(
    models: t.Sequence[Model], store: Store, here: Folder, parts: t.Sequence[str], problems: t.List[str]
) -> t.List[str]:
    copied = []
    with here.within(*parts, make=True) as folder:
        for model in models if folder is not None else ():
            try:
                Store(folder).take(model, store)
                copied.append(model.name.short)
            except GatehouseError as error:
                if "is damaged" not in str(error):
                    raise
                problems.append(f"{model.name.short}: {error}")
    return copied


def _keys(source: Place) -> t.Tuple[t.Dict[str, bytes], str]:
    """The pair of keys of a server, if it has both, or why they stay.

    People have keys of the same names, and root has: none is taken that a link leads to, or that is another's than the
    folder.
    """
    if not all(os.path.lexists(os.path.join(source.path, name)) for name in models_dir.KEYS):
        return {}, ""
    try:
        with Folder.at(source.path, follow_links=False) as there:
            if not all(0 < (there.size(name) or 0) < _MOST_BYTES for name in models_dir.KEYS):
                raise GatehouseError(f"{source.path}: they are no files, or empty")
            return {name: b"".join(there.read(name, owner=there.owner)) for name in models_dir.KEYS}, ""
    except GatehouseError as error:
        return {}, str(error)


def _open(place: Place, opened: contextlib.ExitStack, follow_links: bool = True) -> t.Optional[Folder]:
    if not os.path.isdir(place.path):
        return None
    return opened.enter_context(Folder.at(place.path, follow_links))


def _store(folder: t.Optional[Folder], place: Place, opened: contextlib.ExitStack) -> t.Optional[Store]:
    below = opened.enter_context(folder.within(*place.parts)) if folder is not None else None
    return Store(below) if below is not None else None


def free(path: str) -> int:
    """The bytes that are free where a folder is, or will be."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return shutil.disk_usage(path).free


def refuse_if_too_large(size: int, target: Place) -> None:
    left = free(target.path)
    if size and size + _RESERVE > left:
        raise GatehouseError(
            f"{target.shown} has no room: {size / 1e9:.1f} GB of models are to be copied there, and "
            f"{left / 1e9:.1f} GB are free. Make room, or remove models that nobody needs"
        )
