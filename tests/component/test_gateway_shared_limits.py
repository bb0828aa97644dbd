# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits that two gateways share by a real Valkey: what both let through, and what becomes of it where that fails."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import http.client
import itertools
import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tests.component.contract.replay import Reply
from tests.component.contract.standins import Standin, standin_with, until
from tests.component.gateways import Gateway, status
from tests.component.test_gateway_client_limits import ALICE, BOB, MESSAGES, RIGHTS, TOKENS, chat, streams
from tests.component.valkeys import Sentinel, Valkey, day, present_password, replica_of, valkey, variables

NUMBERS = itertools.count()
WATCHER = [*RIGHTS["scopes"], "metrics"]


class Pair:
    """Two gateways of one store."""

    def __init__(self, store: Valkey, one: Gateway, other: Gateway) -> None:
        self.store, self.both = store, (one, other)
        self.one, self.other = one, other
        self.alice = "alice"

    def limit(self, **limits: Any) -> None:
        """Let the key of alice be that of a client who has used nothing, with these limits."""
        self.alice = f"alice-{next(NUMBERS)}"
        for gateway in self.both:
            keys = (gateway.folder / "clients" / "api_keys").read_text()
            before = keys.partition(".")[0]
            gateway.write("api_keys", keys.replace(f"{before}.", f"{self.alice}.", 1).splitlines())
            gateway.permit({self.alice: {**RIGHTS, "limits": limits}, "bob": {**RIGHTS, "scopes": WATCHER}})
        until(lambda: all(status(gateway.ask("/api/tags", ALICE)) == 200 for gateway in self.both))

    def at_once(self, count: int, **more: Any) -> collections.Counter[int]:
        """Requests in parallel, each second one at the other gateway."""
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            replies = pool.map(lambda i: chat(self.both[i % 2], **more), range(count))
            return collections.Counter(map(status, replies))

    def in_ledgers(self, client: str) -> int:
        """The tokens that both gateways wrote down."""
        lines = [line for gateway in self.both for line in gateway.ledger_lines() if line["client"] == client]
        return sum(int(line["prompt_tokens"]) + int(line["completion_tokens"]) for line in lines)

    def settled(self, client: str) -> int:
        return self.store.value(f"day:{day()}", client)

    def agrees(self, client: str) -> bool:
        return self.settled(client) == self.in_ledgers(client)


@pytest.fixture(scope="module")
def ollama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    folder = tmp_path_factory.mktemp("ollama")
    with standin_with(folder, "tiny", "tiny-loop", STANDIN_TOKEN_DELAY_MS="1") as server:
        yield server


@contextlib.contextmanager
def pair_at(folder: Path, ollama: Standin, **more: Any) -> Iterator[Pair]:
    """Two gateways, their store and a client without anything used."""
    folder.mkdir(exist_ok=True)
    with valkey(folder / "store") as store, gateways_of(store, folder, ollama, **more) as one:
        yield one


@contextlib.contextmanager
def gateways_of(store: Valkey, folder: Path, ollama: Standin, **more: Any) -> Iterator[Pair]:
    """Two gateways of a store that runs, or of its sentinel."""
    with contextlib.ExitStack() as stack:
        gateways = []
        for name in ("gateway-1", "gateway-2"):
            own = variables(store, name, **more)
            gateway = Gateway(folder / name, "both", ollama.address, workers="2", **own)
            present_password(gateway)
            stack.enter_context(gateway.running())
            gateways.append(gateway)
        yield Pair(store, *gateways)


@pytest.fixture(scope="module")
def pair(ollama: Standin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair_at(tmp_path_factory.mktemp("shared"), ollama) as one:
        yield one


@pytest.fixture
def lone(ollama: Standin, tmp_path: Path) -> Iterator[Pair]:
    """One of the test's own, to damage."""
    with pair_at(tmp_path / "lone", ollama) as one:
        yield one


def early_in_a_minute() -> None:
    """Wait for the next minute where this one is about to end, so that what comes now counts within one."""
    passed = time.time() % 60
    if passed > 45:
        time.sleep(60.2 - passed)


def is_up(gateway: Gateway) -> bool:
    """Whether Prometheus is told that there is a store."""
    text = gateway.ask("/metrics", BOB).body.decode()
    return re.findall("^gatehouse_valkey_up (.*)$", text, re.MULTILINE) == ["1"]


def said(gateway: Gateway) -> str:
    """What whoever deploys reads of the store."""
    assert gateway.container is not None
    return str(gateway.container.exec_run(["cat", "/tmp/gatehouse_valkey"]).output.decode())


def headers(reply: Reply) -> dict[str, str]:
    return {name.lower(): value for name, value in reply.headers}


def test_of_200_requests_at_two_gateways_exactly_as_many_pass_as_one_minute_has(pair: Pair) -> None:
    pair.limit(requests_per_minute=50)
    early_in_a_minute()
    assert pair.at_once(200) == {200: 50, 429: 150}
    assert status(chat(pair.one, BOB)) == status(chat(pair.other, BOB)) == 200


def test_of_200_requests_at_two_gateways_none_passes_beyond_those_that_may_run(pair: Pair) -> None:
    pair.limit(concurrent_requests=4)
    with streams(pair.one, 2), streams(pair.other, 2):
        assert pair.at_once(200) == {429: 200}
    assert until(lambda: status(chat(pair.other)) == 200)


def test_who_sends_one_after_the_other_to_either_gateway_is_never_refused(pair: Pair) -> None:
    pair.limit(concurrent_requests=1)
    seen = collections.Counter(status(chat(gateway)) for gateway in itertools.islice(itertools.cycle(pair.both), 100))
    assert seen == {200: 100}


def test_tokens_of_a_minute_and_of_a_day_are_those_of_both_gateways(pair: Pair) -> None:
    for name in ("tokens_per_minute", "tokens_per_day"):
        pair.limit(**{name: 2 * TOKENS})
        early_in_a_minute()
        assert status(chat(pair.one)) == status(chat(pair.other)) == 200
        assert until(lambda: status(chat(pair.one)) == status(chat(pair.other)) == 429), name


def test_what_is_left_is_said_of_both_gateways(pair: Pair) -> None:
    pair.limit(requests_per_minute=10, concurrent_requests=3)
    early_in_a_minute()
    chat(pair.one)
    assert headers(chat(pair.other))["x-ratelimit-remaining-requests"] == "8"
    own = json.loads(pair.one.ask("/gatehouse/usage", ALICE).body)
    assert {one["name"]: one["used"] for one in own["limits"]}["requests_per_minute"] == 2


def test_the_limits_of_models_are_shared_too(pair: Pair) -> None:
    pair.limit(models={"tin*": {"requests_per_minute": 3}})
    early_in_a_minute()
    assert pair.at_once(20) == {200: 3, 429: 17}


def test_who_has_no_limits_is_let_in_without_a_word_to_the_store(pair: Pair) -> None:
    pair.limit(requests_per_minute=1000)

    def calls() -> int:
        lines = pair.store.run("INFO", "commandstats").splitlines()
        evals = [line for line in lines if line.startswith("cmdstat_hmget:")]
        return int(evals[0].partition("calls=")[2].partition(",")[0]) if evals else 0

    chat(pair.one)
    before = calls()
    assert before > 0
    for _ in range(20):
        assert status(chat(pair.one, BOB)) == 200
    assert calls() == before


def test_a_worker_that_is_about_to_end_still_asks_the_store_and_lets_nobody_wait(lone: Pair) -> None:
    lone.limit(requests_per_minute=100, concurrent_requests=1)
    early_in_a_minute()
    connection = http.client.HTTPConnection(lone.one.address, timeout=20)
    body = json.dumps({"model": "tiny", "messages": MESSAGES, "stream": False})
    own = {"Authorization": ALICE.partition(": ")[2], "Content-Type": "application/json"}
    left = []
    for _ in range(3):
        begun = time.monotonic()
        connection.request("POST", "/api/chat", body, own)
        reply = connection.getresponse()
        assert (reply.status, bool(reply.read())) == (200, True)
        assert time.monotonic() - begun < 2
        left.append(reply.headers["x-ratelimit-remaining-requests"])
        if len(left) == 1:
            lone.one.reload()
        # The old worker has nothing to do, and keeps the connection.
        time.sleep(2)
    connection.close()
    assert left == ["99", "98", "97"]
    assert headers(chat(lone.other))["x-ratelimit-remaining-requests"] == "96"


class TestALostStore:
    def test_each_gateway_goes_on_by_what_it_saw_and_no_request_waits_long(self, lone: Pair) -> None:
        lone.limit(requests_per_minute=20)
        early_in_a_minute()
        assert lone.at_once(10) == {200: 10}
        with lone.store.stopped():
            begun = time.monotonic()
            seen = collections.Counter(status(chat(lone.one)) for _ in range(20))
            # It had five of these ten.
            assert seen == {200: 15, 429: 5}
            assert time.monotonic() - begun < 5
            assert not is_up(lone.one)
        assert until(lambda: "there again" in lone.one.logs(), 5)
        assert is_up(lone.one)

    def test_or_refuses_all_that_have_limits_and_nobody_else(self, ollama: Standin, tmp_path: Path) -> None:
        with pair_at(tmp_path, ollama, ollama_gateway_valkey_lost="refuse") as pair:
            pair.limit(requests_per_minute=1000)
            assert status(chat(pair.one)) == 200
            pair.store.kill()
            reply = chat(pair.one)
            assert status(reply) == 503
            assert headers(reply)["retry-after"] == "1"
            assert status(chat(pair.one, BOB)) == 200
            pair.store.restart()
            assert until(lambda: status(chat(pair.one)) == 200, 5)

    def test_what_runs_while_it_is_away_counts_once_it_is_back(self, lone: Pair) -> None:
        lone.limit(concurrent_requests=2)
        assert status(chat(lone.one)) == 200
        with streams(lone.one, 2):
            lone.store.run("FLUSHALL")
            lone.store.kill()
            lone.store.restart()
            # It had forgotten them, and hears of them when they are renewed.
            assert until(lambda: status(chat(lone.other)) == 429, 15)


class TestTheLedger:
    def test_is_in_the_store_to_the_token_after_each_part_was_killed(self, lone: Pair) -> None:
        lone.limit(requests_per_minute=100000)
        for gateway in lone.both:
            assert status(chat(gateway)) == 200
        assert until(lambda: lone.in_ledgers(lone.alice) == 2 * TOKENS)
        assert until(lambda: lone.agrees(lone.alice), 5)
        # The store, in the middle of it.
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            done = [pool.submit(chat, lone.both[i % 2]) for i in range(60)]
            lone.store.kill()
            lone.store.restart()
            assert collections.Counter(status(one.result()) for one in done) == {200: 60}
        assert until(lambda: lone.in_ledgers(lone.alice) == 62 * TOKENS)
        assert until(lambda: lone.agrees(lone.alice), 5), lone.one.logs()
        # A gateway, all at once.
        assert lone.one.container is not None
        lone.one.container.kill()
        lone.one.container.start()
        assert until(lone.one.answers, 20)
        assert status(chat(lone.one)) == 200
        assert until(lambda: lone.in_ledgers(lone.alice) == 63 * TOKENS)
        assert until(lambda: lone.agrees(lone.alice), 5)

    def test_has_what_was_on_its_way_at_a_fast_stop(self, lone: Pair) -> None:
        lone.limit(concurrent_requests=5, tokens_per_minute=10**6)
        with streams(lone.one, 2):
            assert lone.one.container is not None
            lone.one.container.kill("TERM")
            assert until(lambda: len([one for one in lone.one.ledger_lines() if one["client"] == lone.alice]) == 2, 5)
        lone.one.restart()
        assert until(lambda: lone.settled(lone.alice) > 0 and lone.agrees(lone.alice), 5)

    def test_is_there_again_after_the_store_was_emptied_or_did_not_answer(self, lone: Pair) -> None:
        lone.limit(tokens_per_day=100000)
        for _ in range(5):
            assert status(chat(lone.one)) == status(chat(lone.other)) == 200
        assert until(lambda: lone.settled(lone.alice) == 10 * TOKENS, 5)
        lone.store.run("FLUSHALL")
        assert until(lambda: lone.settled(lone.alice) == 10 * TOKENS, 5)
        with lone.store.stopped():
            assert status(chat(lone.one)) == 200
        assert until(lambda: lone.settled(lone.alice) == 11 * TOKENS, 5)
        assert lone.agrees(lone.alice)

    def test_is_whole_after_the_network_was_cut(self, lone: Pair) -> None:
        lone.limit(tokens_per_day=100000)
        assert status(chat(lone.one)) == 200
        rule = ["INPUT", "-i", "lo", "-p", "tcp", "--dport", str(lone.store.port), "-j", "DROP"]
        subprocess.run(["iptables", "-w", "-I", *rule], check=True)
        try:
            for _ in range(5):
                assert status(chat(lone.one)) == status(chat(lone.other)) == 200
            assert until(lambda: all("is lost" in one.logs() for one in lone.both), 5)
        finally:
            subprocess.run(["iptables", "-w", "-D", *rule], check=True)
        assert until(lambda: lone.settled(lone.alice) == 11 * TOKENS, 10), lone.one.logs()
        assert lone.agrees(lone.alice)

    def test_is_whole_after_the_disk_of_the_store_was_full(self, ollama: Standin, tmp_path: Path) -> None:
        disk = tmp_path / "store"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=True)
        try:
            with pair_at(tmp_path, ollama) as pair:
                pair.limit(tokens_per_day=100000)
                assert status(chat(pair.one)) == 200
                assert until(lambda: pair.settled(pair.alice) == TOKENS, 5)
                full = disk / "full"
                with contextlib.suppress(OSError), full.open("wb", buffering=0) as file:
                    while file.write(b"x" * 4096) == 4096:
                        pass
                assert until(lambda: status(chat(pair.one)) == 200 and "MISCONF" in pair.one.logs(), 10)
                full.unlink()
                assert until(lambda: "there again" in pair.one.logs(), 10), pair.one.logs()
                assert until(lambda: pair.agrees(pair.alice), 5)
        finally:
            subprocess.run(["umount", str(disk)], check=True)

    def test_is_told_where_the_store_takes_no_writes(self, lone: Pair) -> None:
        lone.limit(tokens_per_day=100000)
        assert status(chat(lone.one)) == 200
        assert until(lambda: lone.agrees(lone.alice) and lone.settled(lone.alice) > 0, 5)
        lone.store.run("CONFIG", "SET", "min-replicas-to-write", "1")
        assert until(lambda: "NOREPLICAS" in lone.one.logs(), 5)
        assert status(chat(lone.one)) == 200
        lone.store.run("CONFIG", "SET", "min-replicas-to-write", "0")
        assert until(lambda: lone.settled(lone.alice) == 2 * TOKENS, 5)


def test_where_the_master_fails_another_one_is_found_and_nothing_is_lost(ollama: Standin, tmp_path: Path) -> None:
    with valkey(tmp_path / "store") as master, contextlib.ExitStack() as stack:
        replica, sentinel = replica_of(master, tmp_path / "replica"), Sentinel(tmp_path / "sentinel", master)
        for one in (replica, sentinel):
            stack.callback(one.remove)
            one.start()
        pair = stack.enter_context(gateways_of(sentinel, tmp_path, ollama))
        pair.store = master
        pair.limit(tokens_per_day=100000)
        assert pair.at_once(10) == {200: 10}
        assert until(lambda: pair.settled(pair.alice) == 10 * TOKENS, 5)
        assert until(lambda: "slave" in sentinel.run("SENTINEL", "replicas", "gatehouse"), 20)
        master.kill()
        assert pair.at_once(10) == {200: 10}
        pair.store = replica
        assert until(lambda: pair.settled(pair.alice) == 20 * TOKENS, 30), pair.one.logs()
        assert pair.agrees(pair.alice)
        assert pair.at_once(10) == {200: 10}
        assert until(lambda: pair.agrees(pair.alice) and pair.settled(pair.alice) == 30 * TOKENS, 5)


@pytest.mark.parametrize(
    ("what", "reason"), [("password", "WRONGPASS"), ("ca", "certificate"), ("name", "certificate host mismatch")]
)
def test_a_store_that_is_not_known_for_the_right_one_is_none(
    ollama: Standin, tmp_path: Path, pair: Pair, what: str, reason: str
) -> None:
    own = variables(pair.store, "gateway-3", ollama_gateway_valkey_lost="refuse")
    if what == "ca":
        own["__ollama_gateway_door_certificate"] = {"ca": Authority("Gatehouse door CA").pem}
    elif what == "name":
        own["ollama_gateway_valkey_name"] = "somebody-else"
    gateway = Gateway(tmp_path / "gateway", "both", ollama.address, workers="1", **own)
    present_password(gateway, "guessed" if what == "password" else "store-password")
    gateway.permit({"alice": {**RIGHTS, "limits": {"requests_per_minute": 10}}, "bob": RIGHTS})
    with gateway.running():
        assert status(chat(gateway)) == 503
        assert status(chat(gateway, BOB)) == 200
        # What a deploy tells.
        assert until(lambda: reason in said(gateway), 5), said(gateway)
        assert "is lost" in gateway.logs()
        assert "store-password" not in gateway.logs()
