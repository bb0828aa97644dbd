# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests per second, by h2load (nghttp2) over connections that are kept alive."""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

RATE = re.compile(r"^finished in .*?, ([0-9.]+) req/s", re.MULTILINE)
# Whatever else than a 2xx came back, or did not come back.
FAILED = re.compile(r"([1-9][0-9]*) (?:failed|errored|timeout|[345]xx)")


class LoadError(Exception):
    """Not all requests were answered as they should be: a rate would mean nothing."""


def rate_of(output: str) -> float:
    """The requests per second that h2load reports."""
    rate, failed = RATE.search(output), FAILED.search(output)
    if not rate or failed:
        raise LoadError(output)
    return float(rate[1])


@contextlib.contextmanager
def flood(url: str, headers: dict[str, str], rate: int, connections: int = 8) -> Iterator[None]:
    """Requests at this rate a second while the block runs, for a minute at the most, whatever comes back."""
    command = ["h2load", "--h1", f"--clients={connections}", f"--rps={rate / connections}", "--duration=60s"]
    command += [f"--header={name}: {value}" for name, value in headers.items()]
    with subprocess.Popen([*command, url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            time.sleep(1)
            yield
        finally:
            process.kill()


def cpu_seconds(processes: list[int]) -> float:
    """What all threads of these processes have computed so far; proc(5) has it in nanoseconds."""
    threads = [path for process in processes for path in Path(f"/proc/{process}/task").glob("*/schedstat")]
    return sum(int(path.read_text(encoding="ascii").split()[0]) for path in threads) / 1e9


def requests_per_second(
    url: str, headers: dict[str, str], *, body: Path | None = None, seconds: float = 0.8, connections: int = 16
) -> float:
    """The rate at which `url` answers; with a body, it is sent as JSON with POST."""
    command = ["h2load", "--h1", f"--clients={connections}", f"--duration={round(seconds * 1000)}ms"]
    command += [f"--header={name}: {value}" for name, value in headers.items()]
    command += [f"--data={body}", "--header=Content-Type: application/json"] if body else []
    done = subprocess.run([*command, url], capture_output=True, text=True, timeout=60, check=False)
    return rate_of(done.stdout + done.stderr)


def per_cpu_second(
    processes: list[int], url: str, headers: dict[str, str], body: Path, seconds: float
) -> tuple[float, float]:
    """How many requests these processes answer in a second of their time, and in one of the clock."""
    begun = cpu_seconds(processes)
    rate = requests_per_second(url, headers, body=body, seconds=seconds)
    return rate * seconds / (cpu_seconds(processes) - begun), rate


def per_request(processes: list[int], url: str, headers: dict[str, str], body: Path, count: int) -> tuple[float, float]:
    """Seconds for one of `count` requests, 16 at a time: by the clock, and what these processes compute."""
    command = ["h2load", "--h1", "--clients=16", f"--requests={count}", f"--data={body}"]
    command += [f"--header={name}: {value}" for name, value in {**headers, "Content-Type": "application/json"}.items()]
    before, begun = cpu_seconds(processes), time.monotonic()
    done = subprocess.run([*command, url], capture_output=True, text=True, timeout=300, check=False)
    took, computed = time.monotonic() - begun, cpu_seconds(processes) - before
    rate_of(done.stdout + done.stderr)
    return took / count, computed / count
