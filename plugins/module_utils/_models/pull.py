# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads a model through the server: begun anew where it broke, given up where nothing moves or nothing fits."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import (
    GatehouseError,
    ServerError,
    ServerStalled,
    ServerUnreachable,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._models import progress
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.names import Name

if t.TYPE_CHECKING:
    from ansible_collections.gatehouse.ollama.plugins.module_utils._models.client import Client, Stream

RETRIES = 5
_LONGEST_PAUSE = 15.0
# The server reads all of a model again to verify it, and says nothing meanwhile. No disk is slower than that.
_VERIFIED_BYTES_PER_SECOND = 20e6
# A disk that is full to the last byte hurts more than the model helps.
RESERVE = 256 << 20
# Words of the server after which another attempt would end the same.
_FINAL = (
    "file does not exist",
    "invalid model name",
    "requires a newer version",
    "unauthorized",
    "access denied",
    "no space left",
    "not found",
    "x509",
    "first record does not look like a tls handshake",
)


@dataclass
class Host:
    """What a download needs of the host: its free space in bytes (None if unknown), time, where to note progress."""

    free: t.Callable[[], t.Optional[int]] = lambda: None
    notes: progress.Notes = field(default_factory=progress.Notes)
    sleep: t.Callable[[float], None] = time.sleep
    clock: t.Callable[[], float] = time.monotonic


class Meter:
    """How far the layers of a model are, by the lines of a stream."""

    def __init__(self) -> None:
        self._total: t.Dict[str, int] = {}
        self._completed: t.Dict[str, int] = {}
        self.status = ""

    def take(self, line: t.Mapping[str, t.Any]) -> bool:
        """Whether this line is the first one of a layer."""
        self.status = str(line.get("status", ""))
        digest = line.get("digest")
        if not isinstance(digest, str) or not isinstance(line.get("total"), int):
            return False
        first = digest not in self._total
        self._total[digest] = line["total"]
        if isinstance(line.get("completed"), int):
            self._completed[digest] = line["completed"]
        return first

    @property
    def total(self) -> int:
        return sum(self._total.values())

    @property
    def completed(self) -> int:
        return sum(self._completed.values())

    @property
    def text(self) -> str:
        if not self.total or not self.status.startswith("pulling "):
            return self.status
        return f"{100 * self.completed // self.total} % of {progress.size(self.total)}"


def pull(client: Client, name: Name, host: Host, insecure: bool = False, retries: int = RETRIES) -> None:
    """Download the model. Raises GatehouseError."""
    failed = 0
    furthest = 0
    while True:
        meter = Meter()
        try:
            follow(client.pull(name.full, insecure), meter, name.short, host, client.timeout)
            return
        except ServerError as error:
            # An attempt that came further than all before counts as the first one again.
            failed = 1 if meter.completed > furthest else failed + 1
            furthest = max(furthest, meter.completed)
            if failed > retries or not _worth_it(error):
                raise type(error)(_explained(error, meter, failed), error.status) from None
            pause = min(2.0 ** (failed - 1), _LONGEST_PAUSE)
            message = "%s: the download broke off at %s: %s. It goes on in %d s (attempt %d of %d)."
            host.notes.event(message % (name.short, meter.text or "its start", error, pause, failed, retries))
            host.sleep(pause)


def follow(stream: Stream, meter: Meter, label: str, host: Host, patience: float) -> None:
    """Read all lines, note the progress, and raise ServerStalled where there is none for so many seconds."""
    moved = host.clock()
    last: t.Tuple[str, int] = ("", 0)
    for line in stream:
        first = meter.take(line)
        if first:
            _must_fit(line, host)
        # While nothing arrives the server repeats its lines: they are no progress.
        state = (meter.status, meter.completed)
        if state != last:
            moved, last = host.clock(), state
        elif host.clock() - moved > patience:
            raise ServerStalled(f"nothing arrived for {patience:g} seconds")
        verifying = meter.total / _VERIFIED_BYTES_PER_SECOND if meter.status.startswith("verifying") else 0
        stream.wait(patience + verifying)
        host.notes.now(f"{label}: {meter.text}")


def _must_fit(line: t.Mapping[str, t.Any], host: Host) -> None:
    missing = line["total"] - (line.get("completed") or 0)
    free = host.free() if missing > 0 else None
    if free is not None and missing + RESERVE > free:
        raise GatehouseError(
            f"{progress.size(missing)} are still to be downloaded, and {progress.size(free)} are free where the models "
            f"are ({progress.size(RESERVE)} of it stay free). Remove other models, or give the disk more room"
        )


def _worth_it(error: ServerError) -> bool:
    if isinstance(error, (ServerStalled, ServerUnreachable)):
        return True
    if error.status:
        return error.status >= 500 or error.status == 429
    return not any(words in str(error).lower() for words in _FINAL)


def _explained(error: ServerError, meter: Meter, failed: int) -> str:
    text = str(error)
    if "file does not exist" in text:
        text = f"there is no such model at its registry ({text})"
    if meter.completed:
        text += f"; it had come to {meter.text}, which the next run goes on from"
    return text if failed <= 1 else f"{text}; given up after {failed} attempts in a row"
