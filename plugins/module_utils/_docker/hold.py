# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file by which somebody has requests wait at a gateway, in the folder with its clients.

{"a holder": {"since": 1764547200, "until": 1764547800}}, as hold.lua of the gateway reads it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
import time
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

Dict = t.Dict[str, t.Any]

NAME = "hold.json"
# In seconds: how long others may have it, and between two tries.
PATIENCE, STEP = 5.0, 0.05


def hold(folder: str, holder: str, since: int, until: int) -> None:
    """Have requests wait, in addition to those that others have wait. Raises GatehouseError, OSError."""
    with _changing(folder) as held:
        held[holder] = {"since": since, "until": until}


def release(folder: str, holder: str, now: float) -> bool:
    """Whether this holder had requests wait, which it has no longer. Those that are over go too.

    Raises GatehouseError, OSError.
    """
    if not os.path.lexists(os.path.join(folder, NAME)):
        return False
    with _changing(folder) as held:
        was = holder in held
        for name in [name for name, span in held.items() if name == holder or span["until"] <= now]:
            del held[name]
    return was


def since(folder: str, holder: str) -> t.Optional[float]:
    """Since when this holder has requests wait, or had them; None if it does not."""
    return _read(os.path.join(folder, NAME)).get(holder, {}).get("since")


@contextlib.contextmanager
def _changing(folder: str) -> t.Iterator[Dict]:
    """What the file holds, to be changed while nobody else does. It is gone if that is nothing."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(descriptor, folder)
        path = os.path.join(folder, NAME)
        held = _read(path)
        yield held
        if held:
            _write(folder, path, json.dumps(held) + "\n")
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: str) -> None:
    """Not for ever: the container of the gateway can open this folder, and so lock it."""
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > ends:
                raise GatehouseError("%s is locked by another process" % folder) from None
        time.sleep(STEP)


def _read(path: str) -> Dict:
    """The spans that can be understood. What else is there holds nothing, and is lost."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            said = json.load(file)
    except (OSError, ValueError, RecursionError):
        said = {}
    sound = said.items() if isinstance(said, dict) else ()
    return {name: span for name, span in sound if isinstance(span, dict) and all(map(_is_time, map(span.get, _KEYS)))}


_KEYS = ("since", "until")


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _write(folder: str, path: str, text: str) -> None:
    """Replace the file, readable by the group that the folder belongs to."""
    descriptor, new = tempfile.mkstemp(prefix=".hold.", dir=folder)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchown(file.fileno(), -1, os.stat(folder).st_gid)
            os.fchmod(file.fileno(), 0o640)
        os.replace(new, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
