# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes on the host how far a long task is, for the controller to show, and whether its process still lives.

The file has one JSON value a line. It is locked as long as its writer lives: the kernel frees the lock of a process
that was killed, whatever killed it.
"""

from __future__ import annotations

import fcntl
import json
import os
import typing as t

# An event is shown always, of the rest only the newest.
EVENT = "event"
NOW = "now"
# More than one poll should bring.
_MOST_BYTES = 1 << 20


class Notes:
    """Where a task notes what it does; nowhere without a path."""

    def __init__(self, path: str | None = None) -> None:
        self._fd: int | None = None
        self._last = ""
        if path:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            # Nobody else may have prepared it, and nobody sees it before it is locked.
            fresh = path + ".new"
            self._fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            os.rename(fresh, path)

    def event(self, text: str) -> None:
        self._write(EVENT, text)

    def now(self, text: str) -> None:
        """What goes on; noted once if nothing changed."""
        if text != self._last:
            self._last = text
            self._write(NOW, text)

    def _write(self, kind: str, text: str) -> None:
        if self._fd is not None:
            os.write(self._fd, (json.dumps([kind, text]) + "\n").encode("ascii"))


def read(path: str, offset: int) -> t.Dict[str, t.Any]:
    """What a writer noted since then, and its `state`. The notes of one that ended are removed."""
    try:
        with open(path, "rb") as file:
            # First: what was written before it ended is then read for sure.
            alive = _is_locked(file.fileno())
            file.seek(offset)
            data = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return dict(state="missing", events=[], now="", offset=offset)
    whole = data[: data.rfind(b"\n") + 1]
    lines = [json.loads(line) for line in whole.splitlines()]
    if not alive and len(data) < _MOST_BYTES:
        os.unlink(path)
    events = [text for kind, text in lines if kind == EVENT]
    now = next((text for kind, text in reversed(lines) if kind == NOW), "")
    return dict(state="alive" if alive else "ended", events=events, now=now, offset=offset + len(whole))


def _is_locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def size(count: float) -> str:
    """Bytes for people, as Ollama writes them: 1.3 GB."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}" if count < 1000 * factor else "%d %s" % (count / factor, unit)
    return "%d bytes" % count
