# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the gateway and its modules cost: figures against baselines of the same run, into build/bench.json.

The gateway is measured against the same nginx as an open proxy: one worker each, on loopback, in front of an upstream
that is faster than either. Nothing is asserted here: a machine may be busy. Usage: python -m tests.bench
"""

from __future__ import annotations

import contextlib
import json
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.bench import (
    bodies,
    cluster,
    credentials,
    deploys,
    limits,
    load,
    metrics,
    modules,
    pods,
    servers,
    shared_limits,
    streams,
    upgrades,
    usage,
)
from tests.bench.summary import Figure, in_turn, table
from tests.client import ROOT
from tests.component.gateways import Gateway
from tests.lab import engine
from tests.lab.base import run

ANEW = (
    credentials.keys_vs_open,
    credentials.keys_vs_guide,
    credentials.bcrypt_vs_open,
    credentials.bcrypt_vs_nginx,
    credentials.latency_under_flood,
    credentials.guess_rate,
    credentials.reload_pause,
    bodies.small_tokens_stall,
    bodies.long_name,
    usage.streamed,
    usage.chat_cpu,
    usage.ledger_loss,
    limits.limits,
    shared_limits.shared_limits,
    metrics.scrape,
    *cluster.ALL,
)
RESULT = ROOT / "build" / "bench.json"


@dataclass
class Setting:
    """What runs while the figures are measured."""

    folder: Path
    upstream: servers.Upstream
    nginx: Gateway
    openresty: Gateway
    same_log: Gateway
    basic: Gateway
    bearer: Gateway
    body: Path


@contextlib.contextmanager
def setting() -> Iterator[Setting]:
    """The servers, for as long as the block runs."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        body = folder / "chat.json"
        body.write_bytes(servers.CHAT)

        def start(server: Gateway) -> Any:
            stack.callback(server.stop)
            server.start()
            return server

        upstream = start(servers.Upstream(folder / "upstream", "bearer"))
        yield Setting(
            folder=folder,
            upstream=upstream,
            nginx=start(servers.OpenProxy(folder / "nginx", "basic", upstream.address)),
            openresty=start(servers.OpenProxy(folder / "openresty", "bearer", upstream.address)),
            same_log=start(servers.SameLogProxy(folder / "same_log", "bearer", upstream.address)),
            basic=start(servers.gateway(folder / "basic", "basic", upstream)),
            bearer=start(servers.gateway(folder / "bearer", "bearer", upstream)),
            body=body,
        )


def _scopes(figure: Figure, rounds: int, proxy: Gateway, gateway: Gateway) -> Figure:
    rate = load.requests_per_second
    in_turn(
        rounds,
        figure,
        lambda: rate(f"http://{proxy.address}/api/version", servers.ALICE),
        lambda: rate(f"http://{gateway.address}/api/version", servers.ALICE),
    )
    return figure


def scopes(here: Setting) -> Figure:
    meaning = "requests/s of GET /api/version with a Bearer key, routes and scopes; the open proxy logs by the line"
    return _scopes(Figure("scopes_vs_open", "ratio", 0.85, meaning), 20, here.openresty, here.bearer)


def scopes_same_log(here: Setting) -> Figure:
    meaning = "the same, but the open proxy writes the gateway's log, by the block: what the wall alone costs"
    return _scopes(Figure("scopes_vs_open_same_log", "ratio", None, meaning), 20, here.same_log, here.bearer)


def basic_scopes(here: Setting) -> Figure:
    scheme = "sha512_crypt with 5000 rounds, which nginx computes for each request"
    figure = Figure("basic_scopes_vs_open", "ratio", None, f"the same on plain nginx with a password: {scheme}")
    rate = load.requests_per_second
    in_turn(
        4,
        figure,
        lambda: rate(f"http://{here.nginx.address}/api/version", servers.ALICE_BASIC),
        lambda: rate(f"http://{here.basic.address}/api/version", servers.ALICE_BASIC),
    )
    return figure


def model_check(here: Setting) -> Figure:
    meaning = f"requests/s of POST /api/chat with {len(servers.CHAT)} bytes, by a client that may use some models only"
    figure = Figure("model_check_vs_open", "ratio", 0.7, meaning)
    rate = load.requests_per_second
    in_turn(
        28,
        figure,
        lambda: rate(f"http://{here.openresty.address}/api/chat", servers.BOB, body=here.body),
        lambda: rate(f"http://{here.bearer.address}/api/chat", servers.BOB, body=here.body),
    )
    return figure


def first_chunk(here: Setting) -> Figure:
    meaning = "median time to the first chunk of a streamed answer, beyond the open proxy's; with the model check"
    figure = Figure("first_chunk_added_ms", "ms", 1, meaning)
    for _ in range(5):
        addresses = [here.openresty.address, here.bearer.address]
        figure.add(*streams.first_chunk_ms(addresses, servers.BOB, servers.CHAT))
    return figure


def stall(here: Setting) -> Figure:
    meaning = (
        f"of {streams.STREAMS} streams at once: the longest gap between two chunks, beyond the interval at which they "
        "were sent and beyond the open proxy's longest"
    )
    figure = Figure("streams_500_stall_ms", "ms", 50, meaning)
    in_turn(
        5,
        figure,
        lambda: streams.longest_stall_ms(here.openresty.address, servers.BOB, servers.CHAT),
        lambda: streams.longest_stall_ms(here.bearer.address, servers.BOB, servers.CHAT),
    )
    return figure


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    described = {}
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _colon, value = line.partition(":")
        described[name.strip()] = value.strip()
    cores = sum(1 for _ in Path("/sys/devices/system/cpu").glob("cpu[0-9]*"))
    model = described.get("model name") or platform.machine()
    return {"cpu": model, "cores": cores, "kernel": platform.release()}


def versions(here: Setting) -> dict[str, str]:
    """What was measured, and with what."""
    found = {"python": platform.python_version()}
    for server in (here.nginx, here.openresty):
        assert server.container is not None
        told = server.container.exec_run(["nginx", "-v"]).output.decode()
        found[server.image] = told.rpartition("/")[2].strip()
    found["docker"] = engine.client().version()["Version"]
    found["h2load"] = run(["h2load", "--version"], "h2load does not start").split("/")[-1].strip()
    return found | {name: version(name) for name in ("ansible-core", "ansible", "libpass", "aiohttp")}


def main() -> None:
    begun = time.monotonic()
    figures = []
    with setting() as here:
        for measure in (scopes, scopes_same_log, basic_scopes, model_check, first_chunk, stall):
            print(f"bench: {measure.__name__}", flush=True)
            figures.append(measure(here))
        for measure_anew in ANEW:
            print(f"bench: {measure_anew.__name__}", flush=True)
            folder = here.folder / measure_anew.__name__
            folder.mkdir()
            figures += measure_anew(folder, here.upstream)
        print("bench: htpasswd_vs_loop", flush=True)
        figures.append(modules.htpasswd_vs_loop())
        print("bench: noop_deploy", flush=True)
        figures += [*deploys.noop(), *deploys.noop_many()]
        print("bench: upgrades", flush=True)
        figures += [*upgrades.server(), *upgrades.gateway(), *pods.pod()]
        told = {figure.name: figure.report() for figure in figures}
        told |= {"machine": machine(), "versions": versions(here)}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    print(table(figures))
    print(f"bench: {RESULT.relative_to(ROOT)} is written, after {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
