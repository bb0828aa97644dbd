# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several servers behind one gateway: where requests go, what the way there costs, and what is lost where one dies.

All on loopback, with stand-ins for Ollama whose loads and answers take a fraction of real time.
Usage: python -m tests.bench.cluster [FIGURES...], for instance placement, hop, killed or routing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from pathlib import Path
from statistics import quantiles
from typing import Any

import aiohttp

from tests.bench import load, servers
from tests.bench.credentials import running
from tests.bench.summary import Figure, in_turn, table
from tests.certificates import Authority
from tests.component import rendering
from tests.component.contract.standins import Standin, free_port, standin, standin_with
from tests.component.doors import NAME, Door, door
from tests.component.gateways import Gateway

SERVERS = 3
# Each asked for less often than the one before, as Zipf has it.
MODELS = [f"chat-{letter}" for letter in "abcd"]
SKEW = 1.2
REQUESTS, RATE = 600, 12.0
# A server has memory for one model, which answers so many at once.
PARALLEL = 4
LOAD, TOKEN_MS = 0.5, 25
TOKENS = (3, 8)

# How many ask at once while servers die, for how long each time, and when one does.
USERS, SECONDS, DIES = 24, 6.0, 2.0

ROUNDS, ASKED = 10, 2000
CHAT = servers.chat(230)
LINES = 200

MANY, EACH, CHOICES = 64, 50, 100_000


@dataclass(frozen=True)
class Arrival:
    """A request: when it is sent, and what it asks for."""

    at: float
    model: str
    tokens: int

    @property
    def body(self) -> dict[str, Any]:
        return {"model": self.model, "prompt": "hi", "options": {"num_predict": self.tokens}}


def arrivals(count: int = REQUESTS, rate: float = RATE, seed: int = 1) -> list[Arrival]:
    """Requests of many people who do not know of each other; always the same ones."""
    chance = random.Random(seed)
    weights = list(accumulate((number + 1) ** -SKEW for number in range(len(MODELS))))
    moments = accumulate(chance.expovariate(rate) for _ in range(count))
    return [
        Arrival(moment, chance.choices(MODELS, cum_weights=weights)[0], chance.randint(*TOKENS)) for moment in moments
    ]


@contextlib.contextmanager
def ollamas(folder: Path, **environment: str) -> Iterator[list[Standin]]:
    """Servers that have all the models, and have loaded none."""
    settings = {
        "OLLAMA_MAX_LOADED_MODELS": "1",
        "OLLAMA_NUM_PARALLEL": str(PARALLEL),
        "STANDIN_LOAD_SECONDS": str(LOAD),
        "STANDIN_TOKEN_DELAY_MS": str(TOKEN_MS),
        **environment,
    }
    folder.mkdir()
    with standin_with(folder, "tiny-loop") as source:
        for name in MODELS:
            source.run("cp", "tiny-loop", name)
    with contextlib.ExitStack() as stack:
        logs = [str(folder / f"requests{number}.jsonl") for number in range(SERVERS)]
        yield [
            stack.enter_context(standin(folder / "models", None, STANDIN_REQUEST_LOG=log, **settings)) for log in logs
        ]


def loads(server: Standin) -> int:
    """How many models it has loaded so far."""
    lines = Path(server.environment["STANDIN_REQUEST_LOG"]).read_text(encoding="utf-8").splitlines()
    return sum(len(json.loads(line)["loads"]) for line in lines)


def served(server: Standin) -> int:
    """How many requests for an answer it has ended."""
    lines = Path(server.environment["STANDIN_REQUEST_LOG"]).read_text(encoding="utf-8").splitlines()
    return sum(json.loads(line)["target"] == "/api/generate" for line in lines)


@contextlib.contextmanager
def behind_doors(
    folder: Path, upstreams: Sequence[str], authority: Authority, capacity: int = PARALLEL
) -> Iterator[tuple[Gateway, list[Door]]]:
    """A gateway of servers behind doors, which it knows already."""
    gateway = Gateway(folder / "gateway", "bearer", "nobody:11434", workers="1")
    with contextlib.ExitStack() as stack:
        doors = [
            stack.enter_context(door(folder / f"door{number}", [one], authority=authority, capacity=capacity))
            for number, one in enumerate(upstreams)
        ]
        gateway.choose_among({f"gpu{number}": one.address for number, one in enumerate(doors)}, authority)
        stack.enter_context(running(gateway))
        # It looks at them once a second.
        time.sleep(2)
        yield gateway, doors


class AnswerError(Exception):
    """A request did not get the answer that it should have got."""


def _session() -> aiohttp.ClientSession:
    timeout, connector = aiohttp.ClientTimeout(total=300), aiohttp.TCPConnector(limit=0)
    return aiohttp.ClientSession(connector=connector, headers=servers.ALICE, timeout=timeout)


async def _wait(session: aiohttp.ClientSession, url: str, arrival: Arrival, begin: float) -> float:
    """Seconds to the first byte of the answer."""
    await asyncio.sleep(max(0.0, begin + arrival.at - time.monotonic()))
    begun = time.monotonic()
    async with session.post(url, json=arrival.body) as answer:
        first = await answer.content.readany()
        waited = time.monotonic() - begun
        if answer.status != 200 or b'"done":true' not in first + await answer.content.read():
            raise AnswerError(f"{arrival}: {answer.status}")
    return waited


async def _waits(url: str, wanted: list[Arrival]) -> list[float]:
    async with _session() as session:
        begin = time.monotonic() + 0.1
        return await asyncio.gather(*(_wait(session, url, arrival, begin) for arrival in wanted))


def p95(waits: list[float]) -> float:
    return quantiles(waits, n=100)[94]


def _asked(gateway: Gateway, ollama: list[Standin]) -> tuple[int, float]:
    """How many loads the requests cost, and how long 95 % of them waited for the first byte."""
    waits = asyncio.run(_waits(f"http://{gateway.address}/api/generate", arrivals()))
    return sum(map(loads, ollama)), p95(waits)


def placement(folder: Path, _upstream: servers.Upstream) -> list[Figure]:
    setting = f"{REQUESTS} requests for {len(MODELS)} models of {SERVERS} servers with memory for one each"
    cold = Figure("cold_loads_vs_least_conn", "ratio", 0.333, f"loads, {setting}, against least_conn", at_most=True)
    wait = Figure("p95_wait_vs_least_conn", "ratio", 0.5, "the time to the first byte of 95 % of them", at_most=True)
    with ollamas(folder / "one") as ollama:
        gateway = Gateway(folder / "plain", "bearer", *(one.address for one in ollama), workers="1")
        with running(gateway):
            baseline = _asked(gateway, ollama)
    with ollamas(folder / "other") as ollama:
        addresses = [one.address for one in ollama]
        with behind_doors(folder, addresses, Authority("Gatehouse doors")) as (gateway, _doors):
            chosen = _asked(gateway, ollama)
    cold.add(baseline[0], chosen[0])
    wait.add(baseline[1], chosen[1])
    return [cold, wait]


@dataclass
class Seen:
    """What came back while a server died: statuses of answers that did not begin or ended well, and those cut."""

    statuses: Counter[int] = field(default_factory=Counter)
    cut: int = 0

    @property
    def failed(self) -> int:
        """Those of which no byte came."""
        return self.statuses.total() - self.statuses[200]


async def _ask(session: aiohttp.ClientSession, url: str, arrival: Arrival, seen: Seen) -> None:
    status = 0
    try:
        async with session.post(url, json=arrival.body) as answer:
            await answer.content.readany()
            status = answer.status
            await answer.read()
    except (aiohttp.ClientError, TimeoutError):
        seen.cut += status == 200
    seen.statuses[status] += 1


async def _while_dying(url: str, kill: Callable[[], object]) -> Seen:
    seen, wanted = Seen(), iter(arrivals(100_000))
    ends = time.monotonic() + SECONDS

    async def user(session: aiohttp.ClientSession) -> None:
        while time.monotonic() < ends:
            await _ask(session, url, next(wanted), seen)

    async with _session() as session:
        users = [asyncio.create_task(user(session)) for _ in range(USERS)]
        await asyncio.sleep(DIES)
        await asyncio.to_thread(kill)
        await asyncio.gather(*users)
    return seen


def killed(folder: Path, _upstream: servers.Upstream) -> list[Figure]:
    meaning = "requests without a first byte that fail when a server's Ollama is killed, then another one's door"
    figure = Figure("server_killed_failed", "requests", 0, meaning, at_most=True)
    # All models are loaded everywhere: the third server can take over at once.
    roomy = {"OLLAMA_MAX_LOADED_MODELS": str(len(MODELS)), "STANDIN_LOAD_SECONDS": "0.1", "OLLAMA_NUM_PARALLEL": "0"}
    with ollamas(folder / "ollama", **roomy) as ollama:
        addresses = [one.address for one in ollama]
        with behind_doors(folder, addresses, Authority("Gatehouse doors"), USERS) as (gateway, doors):
            url, container = f"http://{gateway.address}/api/generate", doors[1].container
            assert container is not None
            failed = 0
            for what, kill in {"Ollama": ollama[0].process.kill, "door": container.kill}.items():
                seen = asyncio.run(_while_dying(url, kill))
                failed += seen.failed
                print(f"bench: a killed {what}: {dict(seen.statuses)}, of which {seen.cut} were cut", flush=True)
            # Or nothing was tried.
            if not all(served(one) for one in ollama):
                raise AnswerError("a server that died had served nobody")
    figure.add(0, failed)
    return [figure]


TLS = """
            proxy_ssl_certificate /etc/gatehouse/tls/door.pem;
            proxy_ssl_certificate_key /etc/gatehouse/tls/door.pem;
            proxy_ssl_trusted_certificate /etc/gatehouse/conf/door_ca.pem;
            proxy_ssl_verify on;
            proxy_ssl_name gatehouse-door;
"""


class Proxy(servers.Upstream):
    """A plain proxy; the certificate is its own where it goes on to a door."""

    configuration = "proxy.conf"
    authority: Authority | None = None

    def configure(self, **variables: Any) -> None:
        super().configure(**variables)
        path = self.folder / "conf" / "nginx.conf"
        text = path.read_text(encoding="utf-8")
        scheme, tls = ("https", TLS) if self.authority else ("http", "")
        self.put(path, text.replace("@scheme@", scheme).replace("@tls@", tls))
        if self.authority:
            self.put(self.folder / "conf" / "door_ca.pem", self.authority.pem)
            self.put_certificate(
                self.folder / "tls" / "door.pem", self.authority.issue(subject="CN=gateway-1", client=True)
            )


def workers(server: Gateway | Door) -> list[int]:
    """The ids of its workers' processes, on this machine."""
    assert server.container is not None
    return [int(row[1]) for row in server.container.top()["Processes"] if "worker" in row[-1]]


def hop(folder: Path, upstream: servers.Upstream) -> list[Figure]:
    """What lies between gateway and Ollama on another host; a plain proxy sends to it, instead of a gateway."""
    meaning = f"requests/s of chats of {len(CHAT)} bytes by way of a door over mutual TLS, against a plain proxy there"
    short = Figure("door_vs_plain", "ratio", 0.85, meaning)
    streamed = Figure("door_vs_plain_streamed", "ratio", None, f"the same of answers of {LINES} lines, each by itself")
    computed = Figure("door_vs_plain_cpu", "ratio", None, "such chats in a second that both proxies of the hop compute")
    body = folder / "chat.json"
    body.write_bytes(CHAT)
    authority = Authority("Gatehouse doors")
    plain = Proxy(folder / "plain", "bearer", upstream.address)
    with door(folder / "door", [upstream.address], authority=authority) as there, running(plain):
        before_plain = Proxy(folder / "before_plain", "bearer", plain.address)
        before_door = Proxy(folder / "before_door", "bearer", there.address)
        before_door.authority = authority
        before_door.configure()
        with running(before_plain), running(before_door):

            def rates(first: Proxy, second: Gateway | Door, path: str, count: int) -> tuple[float, float]:
                processes = first.processes("worker") + workers(second)
                url = f"http://{first.address}{path}"
                took, worked = load.per_request(processes, url, servers.ALICE, body, count)
                return 1 / took, 1 / worked

            sides: list[tuple[Proxy, Gateway | Door]] = [(before_plain, plain), (before_door, there)]
            for path, count, figures in (
                ("/v1/chat/completions", ASKED, (short, computed)),
                (f"/api/chat?lines={LINES}", ASKED // 20, (streamed,)),
            ):
                # Connections are made once, and kept.
                for side in sides:
                    rates(*side, path, count)
                for number in range(ROUNDS):
                    turned = sides[:: -1 if number % 2 else 1]
                    found = {side[0]: rates(*side, path, count) for side in turned}
                    for figure, *values in zip(figures, found[before_plain], found[before_door], strict=False):
                        figure.add(*values)
    return [short, streamed, computed]


class ManyDoors(servers.Upstream):
    """The doors of many servers, with the same models; each is at an address of its own."""

    configuration = "doors.conf"
    HASH = "0123456789abcdef0123456789abcdef"

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.authority = authority
        port = free_port()
        self.addresses = [f"127.0.1.{number}:{port}" for number in range(1, MANY + 1)]
        super().__init__(folder, "bearer", "nobody:11434")
        self.put_certificate(folder / "tls" / "server.pem", authority.issue(NAME))

    def configure(self, **variables: Any) -> None:
        super().configure(**variables)
        conf = self.folder / "conf"
        listens = "\n".join(f"        listen {address} ssl;" for address in self.addresses)
        text = (conf / "nginx.conf").read_text(encoding="utf-8").replace("@doors@", listens)
        first = self.addresses[0].partition(":")[0]
        self.put(conf / "nginx.conf", text.replace("@hash@", self.HASH).replace("@first@", first))
        self.put(conf / "door_ca.pem", self.authority.pem)
        told = {"draining": False, "capacity": PARALLEL, "in_flight": {}, "tags_hash": self.HASH}
        names = [f"model-{number}:latest" for number in range(1, EACH + 1)]
        models = [{"name": name, "model": name, "size": 2019393189, "digest": "a80c4f17acd5" * 5} for name in names]
        for who, loaded in {"first": models[:2], "others": models[1:2]}.items():
            self.put(conf / f"{who}-short.json", json.dumps({**told, "ps": loaded}))
            self.put(conf / f"{who}-all.json", json.dumps({**told, "ps": loaded, "tags": models}))


def decision(count: int) -> float:
    """Microseconds that the choice among so many servers takes, without what it looks up."""
    environment = {"LUA_PATH": f"{rendering.ROLE}/files/lua/?.lua;;", "PATH": "/usr/bin:/bin"}
    command = ["luajit", str(servers.FOLDER / "choice.lua"), str(count), str(EACH), str(CHOICES)]
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def _computes(processes: list[int], seconds: float = 5.0) -> float:
    """The share of their time that these processes compute now."""
    before = load.cpu_seconds(processes)
    time.sleep(seconds)
    return (load.cpu_seconds(processes) - before) / seconds


def routing(folder: Path, _upstream: servers.Upstream) -> list[Figure]:
    meaning = f"microseconds of the gateway's worker for a chat with {MANY} doors of {EACH} models, against one door"
    one = Figure("routing_64_vs_1", "ratio", 1.1, f"{meaning}; one of them has the model loaded", at_most=True)
    spread = Figure("routing_64_spread_vs_1", "ratio", None, "the same with a model that all have loaded", at_most=True)
    alone = Figure("routing_decision_us", "us", None, "microseconds of the choice itself in Lua, with 64 beyond one")
    alone.add(decision(1), decision(MANY))
    figures = (one, spread)
    bodies = [folder / f"{figure.name}.json" for figure in figures]
    for model, body in zip(("model-1", "model-2"), bodies, strict=True):
        body.write_bytes(CHAT.replace(servers.MODEL.encode(), model.encode()))
    authority = Authority("Gatehouse doors")
    doors = ManyDoors(folder / "doors", authority)
    with contextlib.ExitStack() as stack:
        stack.enter_context(running(doors))
        gateways = []
        for count in (1, MANY):
            gateway = Gateway(folder / f"gateway{count}", "bearer", "nobody:11434", workers="1")
            named = {f"gpu{number}": address for number, address in enumerate(doors.addresses[:count], 1)}
            gateway.choose_among(named, authority)
            gateways.append(stack.enter_context(running(gateway)))
        time.sleep(2)
        looks = {gateway.address: _computes(gateway.processes("worker")) for gateway in gateways}
        told = ", ".join(f"{share * 100:.2f} %" for share in looks.values())
        print(f"bench: the looks at one door, and at {MANY}, take a worker {told} of its time", flush=True)

        for figure, body in zip(figures, bodies, strict=True):

            def cost(gateway: Gateway, body: Path = body) -> float:
                url, processes = f"http://{gateway.address}/v1/chat/completions", gateway.processes("worker")
                took, computed = load.per_request(processes, url, servers.ALICE, body, ASKED)
                # The looks cost what they cost, however many requests there are.
                return (computed - looks[gateway.address] * took) * 1e6

            # Connections are made once, and kept.
            for gateway in gateways:
                cost(gateway)
            in_turn(ROUNDS, figure, partial(cost, gateways[0]), partial(cost, gateways[1]))
    return [one, spread, alone]


ALL = (placement, killed, hop, routing)


def main() -> None:
    wanted = [measure for measure in ALL if not sys.argv[1:] or measure.__name__ in sys.argv[1:]]
    figures = []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        upstream = servers.Upstream(root / "upstream", "bearer")
        with running(upstream):
            for measure in wanted:
                print(f"bench: {measure.__name__}", flush=True)
                folder = root / measure.__name__
                folder.mkdir()
                figures += measure(folder, upstream)
    print(table(figures))
    print(json.dumps({figure.name: figure.report() for figure in figures}, indent=2))


if __name__ == "__main__":
    main()
