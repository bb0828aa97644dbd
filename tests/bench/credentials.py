# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What credentials cost: many keys, strong passwords, wrong ones in a flood, and keys that are read anew."""

from __future__ import annotations

import contextlib
import http.client
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from passlib.hash import bcrypt

from tests.bench import load, servers, streams
from tests.bench.summary import Figure, in_turn
from tests.component.gateways import PASSWORDS, Gateway, basic, key_lines, record

KEYS = 100_000
GUIDE_KEYS = 1_000
GUIDE_SECONDS = 3
COST = 12
# Wrong passwords a second, from the address that the client has too. One hash takes a core a quarter of a second.
FLOOD = 200
# Where guesses come from while the client is at 127.0.0.1; failures that are allowed there, and how long is tried.
ELSEWHERE = "127.66.0.1"
LIMIT, GUESSES_SECONDS = 10, 2
# Streams that run while keys are read.
STREAMS, CHUNKS = 20, 40
PATH = "/api/version"


@contextlib.contextmanager
def running(server: Gateway) -> Iterator[Gateway]:
    try:
        server.start()
        yield server
    finally:
        server.stop()


def rate(server: Gateway, headers: dict[str, str], **options: Any) -> Callable[[], float]:
    return lambda: load.requests_per_second(f"http://{server.address}{PATH}", headers, **options)


def many_keys(count: int = KEYS) -> list[str]:
    """Records of as many clients, among them those that ask."""
    times = "expires=2099-01-01T00:00:00Z created=2026-01-01T00:00:00Z last4=abcd"
    lines = [record(f"client-{number}.key", f"the secret of client {number}", times) for number in range(count - 2)]
    return [*lines, *key_lines()]


@contextlib.contextmanager
def with_many_keys(folder: Path, upstream: servers.Upstream) -> Iterator[Gateway]:
    gateway = servers.gateway(folder, "bearer", upstream)
    gateway.write("api_keys", many_keys())
    with running(gateway):
        yield gateway


def keys_vs_open(folder: Path, upstream: servers.Upstream) -> list[Figure]:
    meaning = f"requests/s of GET {PATH} with one of {KEYS} keys; the open proxy logs by the line"
    figure = Figure("bearer_100k_vs_open", "ratio", 0.9, meaning)
    proxy = servers.OpenProxy(folder / "proxy", "bearer", upstream.address)
    with with_many_keys(folder / "gateway", upstream) as gateway, running(proxy):
        in_turn(20, figure, rate(proxy, servers.ALICE), rate(gateway, servers.ALICE))
    return [figure]


def keys_vs_guide(folder: Path, upstream: servers.Upstream) -> list[Figure]:
    """What one worker serves, by the time it computes, and what came of it here, by the clock.

    The guide's worker is never idle. The gateway's waits while its upstream, the load and the engine's reader of logs
    have the cores, which on a machine with two of them is what the clock shows.
    """
    meaning = (
        f"requests of GET {PATH} in a second of the server's CPU time, against the guide's way with {GUIDE_KEYS} keys"
    )
    worker = Figure("bearer_100k_vs_guide_1k", "ratio", 20, meaning)
    clock = Figure("bearer_100k_vs_guide_1k_clock", "ratio", None, "the same in a second of the clock, on this machine")
    guide = servers.Guide(folder / "guide", "bearer", upstream.address)
    guide.write("plain_keys", [f"another-key-{number}" for number in range(GUIDE_KEYS - 1)] + [servers.ALICE_KEY])

    def both(server: Gateway) -> tuple[float, float]:
        begun = load.cpu_seconds(server.processes())
        # Longer than usual: of the guide's few requests, those in flight at the end are many.
        rate_now = rate(server, servers.ALICE, seconds=GUIDE_SECONDS)()
        return rate_now * GUIDE_SECONDS / (load.cpu_seconds(server.processes()) - begun), rate_now

    with with_many_keys(folder / "gateway", upstream) as gateway, running(guide):
        for _ in range(8):
            for figure, *values in zip((worker, clock), both(guide), both(gateway), strict=True):
                figure.add(*values)
    return [worker, clock]


def _strong(gateway: Gateway) -> Gateway:
    """One user, with a strong hash."""
    gateway.write("htpasswd", ["alice:" + bcrypt.using(rounds=COST, ident="2y").hash(PASSWORDS["alice"])])
    return gateway


def _basic_on_openresty(folder: Path, upstream: servers.Upstream, **variables: int) -> Gateway:
    return _strong(servers.gateway(folder, "basic", upstream, ollama_gateway_engine="openresty", **variables))


def bcrypt_vs_open(folder: Path, upstream: servers.Upstream) -> list[Figure]:
    meaning = f"requests/s of GET {PATH} with a password of bcrypt with cost {COST}, after the first; on OpenResty"
    figure = Figure("basic_bcrypt12_vs_open", "ratio", 0.8, meaning)
    proxy = servers.OpenProxy(folder / "proxy", "bearer", upstream.address)
    with running(_basic_on_openresty(folder / "gateway", upstream)) as gateway, running(proxy):
        in_turn(20, figure, rate(proxy, servers.ALICE_BASIC), rate(gateway, servers.ALICE_BASIC))
    return [figure]


def bcrypt_vs_nginx(folder: Path, upstream: servers.Upstream) -> list[Figure]:
    meaning = "the same against plain nginx, which computes the hash for each request"
    figure = Figure("basic_bcrypt12_vs_nginx", "ratio", 1000, meaning)
    nginx = _strong(servers.gateway(folder / "nginx", "basic", upstream))
    with running(_basic_on_openresty(folder / "gateway", upstream)) as gateway, running(nginx):
        # A few requests a second: a short round would see none, and more connections would only wait.
        slow = rate(nginx, servers.ALICE_BASIC, seconds=4, connections=1)
        in_turn(3, figure, slow, rate(gateway, servers.ALICE_BASIC))
    return [figure]


def latency_under_flood(folder: Path, upstream: servers.Upstream) -> list[Figure]:
    meaning = (
        f"median latency of a client with a password of bcrypt with cost {COST} while {FLOOD} wrong passwords a second "
        "come from its own address, against without"
    )
    figure = Figure("latency_under_flood", "ratio", 2, meaning, at_most=True)
    wrong = {"Authorization": basic("alice", "wrong")}
    gateway = _basic_on_openresty(folder / "gateway", upstream, ollama_gateway_auth_failures=10)
    with running(gateway):
        url = f"http://{gateway.address}{PATH}"
        for _ in range(5):
            alone = streams.latency_ms(url, servers.ALICE_BASIC)
            with load.flood(url, wrong, FLOOD):
                figure.add(alone, streams.latency_ms(url, servers.ALICE_BASIC))
    return [figure]


def guess_rate(folder: Path, upstream: servers.Upstream) -> list[Figure]:
    meaning = (
        "guesses a second past the limit whose answer tells right from wrong, at a password and at a weak key, from an "
        "address of its own while the client is logged in"
    )
    figure = Figure("guess_rate_past_limit", "1/s", 0, meaning, at_most=True)
    gateway = _strong(servers.gateway(folder, "both", upstream, ollama_gateway_auth_failures=LIMIT))
    gateway.write("api_keys", [record("bob.ci", "weak-key", "guessable=yes")])
    right = [servers.ALICE_BASIC["Authorization"], "Bearer weak-key"]
    wrong = [basic("alice", "wrong"), "Bearer wrong-key"]
    with running(gateway):
        client = _asking(gateway, "127.0.0.1")
        if {client(one) for one in right} != {200}:
            raise load.LoadError("the client is not logged in")
        guesser = _asking(gateway, ELSEWHERE)
        for number in range(LIMIT + 1):
            guesser(wrong[number % 2])
        begun, told_apart = time.monotonic(), 0
        while (seconds := time.monotonic() - begun) < GUESSES_SECONDS:
            for one, other in zip(right, wrong, strict=True):
                told_apart += guesser(one) != guesser(other)
        figure.add(0, told_apart / seconds)
        if {client(one) for one in right} != {200}:
            raise load.LoadError("the client was shut out")
    return [figure]


def _asking(gateway: Gateway, source: str) -> Callable[[str], int]:
    """A function that returns the status with a credential, from this address, over a connection that is kept alive."""
    connection = http.client.HTTPConnection(gateway.address, timeout=20, source_address=(source, 0))

    def status(credential: str) -> int:
        connection.request("GET", PATH, headers={"Authorization": credential})
        with connection.getresponse() as reply:
            reply.read()
            return reply.status

    return status


def reload_pause(folder: Path, upstream: servers.Upstream) -> list[Figure]:
    meaning = (
        f"longest gap between two chunks of {STREAMS} streams while {KEYS} keys are read anew, three times, beyond the "
        "interval at which they were sent and beyond the longest gap without"
    )
    figure = Figure("reload_100k_pause_ms", "ms", 100, meaning)
    with with_many_keys(folder / "gateway", upstream) as gateway:

        def stall() -> float:
            return streams.longest_stall_ms(gateway.address, servers.BOB, servers.CHAT, STREAMS, CHUNKS)

        def stall_while_reading() -> float:
            with replaced_keys(gateway):
                return stall()

        in_turn(5, figure, stall, stall_while_reading)
    return [figure]


@contextlib.contextmanager
def replaced_keys(gateway: Gateway) -> Iterator[None]:
    """The file is replaced while the block runs, by another process: this one reads the streams.

    Each time another key is missing; a request sees to it that the file is read.
    """
    lines = many_keys()
    for number in range(3):
        gateway.write(f"new-{number}", lines[:number] + lines[number + 1 :])
    folder = gateway.folder / "clients"
    ask = f"curl -sf -o /dev/null -H 'Authorization: {servers.ALICE['Authorization']}' http://{gateway.address}{PATH}"
    script = f"for i in 0 1 2; do sleep 0.7; mv {folder}/new-$i {folder}/api_keys; {ask} || exit 1; done"
    with subprocess.Popen(["bash", "-c", script]) as process:
        yield
    if process.returncode:
        raise load.LoadError("a request was refused while keys were read")
