# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file by which somebody has requests wait at a gateway, in the folder with its clients, or drains a door.

{"a holder": {"since": 1764547200, "until": 1764547800}}, as hold.lua of the gateway and the door of a server read it.
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

# That of a gateway.
NAME = "hold.json"
# In seconds: how long others may have it, and between two tries.
PATIENCE, STEP = 5.0, 0.05


def hold(folder: str, holder: str, since: int, until: int, name: str = NAME) -> None:
    """Have requests wait, in addition to those that others have wait. Raises GatehouseError, OSError."""
    with _changing(folder, name) as held:
        held[holder] = {"since": since, "until": until}


def release(folder: str, holder: str, now: float, name: str = NAME) -> bool:
    """Whether this holder had requests wait, which it has no longer. Those that are over go too.

    Raises GatehouseError, OSError.
    """
    if not os.path.lexists(os.path.join(folder, name)):
        return False
    with _changing(folder, name) as held:
        was = holder in held
        for one in [one for one, span in held.items() if one == holder or span["until"] <= now]:
            del held[one]
    return was


def since(folder: str, holder: str) -> t.Optional[float]:
    """Since when this holder has requests wait, or had them; None if it does not."""
    return _read(os.path.join(folder, NAME)).get(holder, {}).get("since")


def spans(folder: str, name: str, now: float) -> Dict:
    """Who holds now: {"a holder": {"since", "until"}}."""
    held = _read(os.path.join(folder, name))
    return {holder: span for holder, span in held.items() if span["since"] <= now < span["until"]}


def wait_until_none(look: t.Callable[[], int | None], seconds: float, notice: float, step: float) -> int:
    """Look until no request is left, and return how many are when the time is up; -1 if that is not known.

    `look` does not know while not all of those who are to hold do. They have `notice` for that, however little time
    there is for requests.
    """
    begun = time.monotonic()
    while True:
        left = look()
        if left == 0:
            return 0
        if time.monotonic() - begun > (max(seconds, notice) if left is None else seconds):
            return -1 if left is None else left
        time.sleep(step)


def mounted(container: Dict, target: str) -> str:
    """The folder of the host that a container has there; empty if it has none."""
    sources = [one.get("Source") for one in container.get("Mounts") or [] if one.get("Destination") == target]
    return str(sources[0] or "") if sources else ""


@contextlib.contextmanager
def _changing(folder: str, name: str) -> t.Iterator[Dict]:
    """What the file holds, to be changed while nobody else does. It is gone if that is nothing."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(descriptor, folder)
        path = os.path.join(folder, name)
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
    """Not for ever: the container of the gateway or door can open this folder, and so lock it."""
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
