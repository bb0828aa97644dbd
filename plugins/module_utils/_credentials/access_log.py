# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's access log, lines of JSON: when each credential was used last. Read as it comes, never kept."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import os
import signal
import typing as t
from dataclasses import dataclass, field

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.form import OLD
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

# Nothing that the gateway logs is longer: it refuses larger requests. The rest of a longer line is not JSON.
_LONGEST = 65536

T = t.TypeVar("T")

# The name of a client and the id of a key; the id is empty for a password.
Credential = t.Tuple[str, str]


class LogError(GatehouseError):
    """Why the log was not read to its end. Half of it would say nothing: the latest uses come last."""


@dataclass
class Uses:
    """When credentials were used last, and when the log begins; None for a log without requests."""

    since: t.Optional[datetime.datetime] = None
    last: t.Dict[Credential, datetime.datetime] = field(default_factory=dict)


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
    loop = asyncio.new_event_loop()
    rest = b""
    try:
        for piece in _pieces(loop, command, timeout):
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
            rest = rest[:_LONGEST]
    finally:
        loop.close()
    if rest:
        yield rest


def _pieces(loop: asyncio.AbstractEventLoop, command: t.Sequence[str], timeout: float) -> t.Iterator[bytes]:
    deadline = loop.time() + timeout
    null, pipe = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE
    try:
        process = loop.run_until_complete(
            asyncio.create_subprocess_exec(
                *command, stdin=null, stdout=pipe, stderr=null, start_new_session=True, limit=_LONGEST
            )
        )
    except OSError as error:
        raise LogError(f"cannot be run: {error.strerror or 'OSError'}") from None
    stdout = t.cast(asyncio.StreamReader, process.stdout)

    def wait_for(what: t.Coroutine[t.Any, t.Any, T]) -> T:
        return loop.run_until_complete(asyncio.wait_for(what, max(0.0, deadline - loop.time())))

    try:
        yield from iter(lambda: wait_for(stdout.read(_LONGEST)), b"")
        code = wait_for(process.wait())
    except asyncio.TimeoutError:
        raise LogError(f"took longer than {timeout:g} seconds") from None
    finally:
        if process.returncode is None:
            # The whole group: a child of it would hold the pipe open.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            loop.run_until_complete(process.wait())
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
