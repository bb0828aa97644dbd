# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bodies cost that somebody wrote to be expensive, by a client that may use some models only."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.bench import servers, streams
from tests.bench.credentials import running
from tests.bench.load import LoadError
from tests.bench.summary import Figure, in_turn
from tests.component.gateways import Gateway

MB = 1_000_000
SIZE = 60
PATTERN = "*llama*instruct*q4*"
NAME = 64 * 1024


@contextlib.contextmanager
def limited(folder: Path, upstream: servers.Upstream) -> Iterator[Gateway]:
    """A gateway where bob's list has one pattern: what he sends here is judged, and refused."""
    gateway = servers.gateway(folder, "bearer", upstream)
    gateway.allow({"bob": ["inference"]}, {"bob": [PATTERN]})
    with running(gateway):
        yield gateway


def small_tokens(megabytes: int = SIZE) -> bytes:
    """A body of that size, nearly all of it numbers of one digit."""
    head, tail = b'{"model":"none","x":[', b"0]}"
    return head + b"0," * ((megabytes * MB - len(head) - len(tail)) // 2) + tail


@contextlib.contextmanager
def sent(gateway: Gateway, body: Path) -> Iterator[subprocess.Popen[str]]:
    """The body is sent by another process while the block runs."""
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Expect:", "--data-binary", f"@{body}"]
    command += ["-H", f"Authorization: {servers.BOB['Authorization']}", f"http://{gateway.address}/api/chat"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdout
        if process.stdout.read() != "403":
            raise LoadError("the body was not judged")


def small_tokens_stall(folder: Path, upstream: servers.Upstream) -> list[Figure]:
    meaning = (
        f"longest wait for /healthz of the one worker while it reads a body of {SIZE} MB of [0,0,...], beyond the "
        "longest of an idle one"
    )
    figure = Figure("json_small_tokens_stall_ms", "ms", 20, meaning)
    body = folder / "body.json"
    body.write_bytes(small_tokens())
    with limited(folder / "gateway", upstream) as gateway:
        url = f"http://{gateway.address}/healthz"

        def idle() -> float:
            with subprocess.Popen(["sleep", "1"]) as process:
                return streams.longest_wait_ms(url, process)

        def while_reading() -> float:
            with sent(gateway, body) as process:
                return streams.longest_wait_ms(url, process)

        in_turn(5, figure, idle, while_reading)
    return [figure]


def long_name(folder: Path, upstream: servers.Upstream) -> list[Figure]:
    meaning = (
        f"median latency of a request that is refused for its model's name of {NAME // 1024} KiB, by a client with the "
        f"pattern {PATTERN}, beyond that of a short name in a body of the same size"
    )
    figure = Figure("pattern_64k_ms", "ms", 1, meaning)
    name = ("llamainstruct" * NAME)[:NAME]
    long = json.dumps({"model": name, "prompt": ""}).encode()
    short = json.dumps({"model": "llama", "prompt": name[5:]}).encode()
    with limited(folder, upstream) as gateway:
        url = f"http://{gateway.address}/api/chat"
        in_turn(
            5,
            figure,
            lambda: streams.latency_of_refusal_ms(url, servers.BOB, short),
            lambda: streams.latency_of_refusal_ms(url, servers.BOB, long),
        )
    return [figure]
