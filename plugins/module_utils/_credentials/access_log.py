# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's access log, lines of JSON: when each credential was used last. Read as it comes, never kept."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import signal
import subprocess
import threading
import typing as t
from dataclasses import dataclass, field

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.form import OLD
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

# Nothing that the gateway logs is longer: it refuses larger requests. The rest of a longer line is passed over.
_LONGEST = 65536

# The name of a client and the id of a key; the id is empty for a password.
Credential = t.Tuple[str, str]


class LogError(GatehouseError):
    """Why the log was not read to its end. Half of it would say nothing: the latest uses come last."""


@dataclass
class Uses:
    """When credentials were used last, and when the log begins; None for a log without requests."""

    since: datetime.datetime | None = None
    last: dict[Credential, datetime.datetime] = field(default_factory=dict)


def read(lines: t.Iterable[bytes], created: t.Mapping[Credential, datetime.datetime]) -> Uses:
    """What the lines say of uses. One from before a key was `created` is a use of the key that had its id before."""
    uses = Uses()
    for line in lines:
        found = _request(line)
        if found is None:
            continue
        moment, client, key = found
        uses.since = min(uses.since or moment, moment)
        if not client:
            continue
        if (client, key) in created and moment < created[client, key]:
            key += OLD
        uses.last[client, key] = max(uses.last.get((client, key), moment), moment)
    return uses


def lines_of(command: t.Sequence[str], timeout: float) -> t.Iterator[bytes]:
    """What the command prints, line by line; raises LogError if it fails or takes longer than `timeout` seconds.

    What it prints as errors is not told: it may be what the gateway wrote of a request.
    """
    null = subprocess.DEVNULL
    try:
        process = subprocess.Popen(
            command, stdin=null, stdout=subprocess.PIPE, stderr=null, start_new_session=True, bufsize=_LONGEST
        )
    except OSError as error:
        raise LogError(f"cannot be run: {error.strerror or 'OSError'}") from None
    is_late = threading.Event()

    def end() -> None:
        is_late.set()
        # The whole group: a child of it would hold the pipe open.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(timeout, end)
    timer.start()
    stdout = t.cast(t.BinaryIO, process.stdout)
    try:
        is_begin = True
        for piece in iter(lambda: stdout.readline(_LONGEST), b""):
            if is_begin:
                yield piece.rstrip(b"\n")
            is_begin = piece.endswith(b"\n")
        code = process.wait()
    finally:
        timer.cancel()
        if process.poll() is None:
            end()
            process.wait()
        stdout.close()
    if is_late.is_set():
        raise LogError(f"took longer than {timeout:g} seconds")
    if code != 0:
        raise LogError(f"ended with {code}")


def _request(line: bytes) -> tuple[datetime.datetime, str, str] | None:
    """The time, client and key of a line; None for what is no line of the access log."""
    if not line.startswith(b"{"):
        return None
    try:
        # nginx passes bytes of a path on as they came.
        entry = json.loads(line.decode("utf-8", "replace"))
        moment = datetime.datetime.fromisoformat(entry["time"])
        client, key = entry["client"], entry["key"]
        known = isinstance(client, str) and isinstance(key, str) and moment.tzinfo is not None
        return (moment.astimezone(datetime.timezone.utc), client, key) if known else None
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
