# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a client may: requests, requests at once, tokens, and what it may say to the server."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import functools
import itertools
import json
import os
import signal
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.component.contract import replay
from tests.component.contract.replay import Reply
from tests.component.contract.standins import Standin, standin_with, until
from tests.component.gateways import KEYS, Gateway, connect, gateway, key_lines, record, status

ALICE, BOB = (f"Authorization: Bearer {KEYS[name]}" for name in ("alice.laptop", "bob.ci"))
MESSAGES = [{"role": "user", "content": "hi"}]
# What a chat with tiny takes: 9 tokens are asked and 22 answered.
TOKENS = 31


@pytest.fixture(scope="module")
def ollama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    folder = tmp_path_factory.mktemp("ollama")
    with standin_with(folder, "tiny", "tiny-loop", STANDIN_TOKEN_DELAY_MS="1") as server:
        yield server


@pytest.fixture(scope="module")
def shared(ollama: Standin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("limits"), "both", ollama.address, workers="2") as one:
        yield one


NUMBERS = itertools.count()
RIGHTS = {"scopes": ["inference", "models_read"], "models": ["*"]}


@pytest.fixture
def server(shared: Gateway) -> Gateway:
    """One that has counted nothing of alice yet."""
    renew(shared)
    return shared


@pytest.fixture
def lone(ollama: Standin, tmp_path: Path) -> Iterator[Gateway]:
    """One of the test's own, to restart or to damage."""
    with gateway(tmp_path / "gateway", "both", ollama.address, workers="2") as one:
        renew(one)
        yield one


def renew(server: Gateway) -> None:
    """Let the key of alice be that of a client who has used nothing."""
    name = f"alice-{next(NUMBERS)}"
    server.write("api_keys", [line.replace("alice.", f"{name}.") for line in key_lines()])


def name_of_alice(server: Gateway) -> str:
    """Whose key the first one is."""
    return (server.folder / "clients" / "api_keys").read_text().partition(".")[0]


def limit(server: Gateway, **limits: Any) -> None:
    """Give alice these limits, and bob none."""
    server.permit({name_of_alice(server): {**RIGHTS, "limits": limits}, "bob": RIGHTS})


def chat(server: Gateway, credential: str = ALICE, **more: Any) -> Reply:
    body = {"model": "tiny", "messages": MESSAGES, "stream": False, **more}
    return server.ask("/api/chat", credential, method="POST", body=json.dumps(body).encode())


def at_once(server: Gateway, count: int, **more: Any) -> collections.Counter[int]:
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return collections.Counter(status(reply) for reply in pool.map(lambda _: chat(server, **more), range(count)))


@contextlib.contextmanager
def streams(server: Gateway, count: int, model: str = "tiny-loop") -> Iterator[list[socket.socket]]:
    """As many answers on their way, of which each has begun; they are left at the end."""
    body = json.dumps({"model": model, "messages": MESSAGES}).encode()
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connect(server.address)) for _ in range(count)]
        for connection in connections:
            connection.sendall(server.wire("/api/chat", ALICE, method="POST", body=body))
        for connection in connections:
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        yield connections


@contextlib.contextmanager
def hostile(*headers: str) -> Iterator[str]:
    """The address of a server that answers with these headers, one request a connection."""
    lines = ["HTTP/1.1 200 OK", "Content-Length: 2", "Connection: close", *headers, "", "{}"]

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.wfile.write("\r\n".join(lines).encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def within_a_minute(test: Callable[..., None]) -> Callable[..., None]:
    """A test whose numbers are right within a minute of the clock: where one ended meanwhile, it is tried once more."""

    @functools.wraps(test)
    def tried(*arguments: Any, **fixtures: Any) -> None:
        minute = time.time() // 60
        try:
            test(*arguments, **fixtures)
        except AssertionError:
            if time.time() // 60 == minute:
                raise
            renew(fixtures.get("server") or fixtures["lone"])
            test(*arguments, **fixtures)

    return tried


@within_a_minute
def test_of_200_requests_at_once_as_many_are_let_through_as_the_limit_says(server: Gateway) -> None:
    limit(server, requests_per_minute=50)
    assert at_once(server, 200) == {200: 50, 429: 150}
    assert status(chat(server, BOB)) == 200


def test_of_200_requests_at_once_no_more_than_the_limit_are_under_way(server: Gateway) -> None:
    limit(server, concurrent_requests=4)
    with streams(server, 4):
        assert at_once(server, 200) == {429: 200}
        assert status(chat(server, BOB)) == 200
    assert until(lambda: status(chat(server)) == 200)


def test_one_request_after_the_other_is_never_refused_for_concurrency(server: Gateway) -> None:
    limit(server, concurrent_requests=1)
    body = json.dumps({"model": "tiny", "messages": MESSAGES, "stream": True, "options": {"num_predict": 2}}).encode()
    request = server.wire("/api/chat", ALICE, method="POST", body=body)
    assert collections.Counter(status(replay.send(server.address, request, "POST")) for _ in range(300)) == {200: 300}


@within_a_minute
def test_a_refusal_for_concurrency_costs_no_request(server: Gateway) -> None:
    limit(server, concurrent_requests=1, requests_per_minute=20)
    with streams(server, 1):
        assert at_once(server, 50) == {429: 50}
    assert until(lambda: status(chat(server)) == 200)
    seen = collections.Counter(status(chat(server)) for _ in range(25))
    # One was the stream, and one the first after it.
    assert seen == {200: 18, 429: 7}


@within_a_minute
def test_a_refused_request_never_reaches_the_server(server: Gateway, ollama: Standin) -> None:
    limit(server, requests_per_minute=1)
    log = Path(ollama.environment["STANDIN_REQUEST_LOG"])
    first, second = chat(server), chat(server)
    assert (status(first), status(second)) == (200, 429)
    assert until(lambda: str(first.header("X-Request-Id")) in log.read_text())
    assert str(second.header("X-Request-Id")) not in log.read_text()


@pytest.mark.parametrize("name", ["tokens_per_minute", "tokens_per_day"])
@within_a_minute
def test_tokens_are_charged_at_the_end_and_stop_the_next_request(server: Gateway, name: str) -> None:
    limit(server, **{name: 2 * TOKENS})
    assert [status(chat(server)) for _ in range(4)] == [200, 200, 429, 429]


@within_a_minute
def test_more_tokens_than_the_limit_are_no_more_than_requests_at_once_can_take(
    server: Gateway, ollama: Standin
) -> None:
    limit(server, tokens_per_minute=3 * TOKENS, concurrent_requests=5)
    for _ in range(5):
        at_once(server, 20)
    lines = [line for line in server.ledger_lines() if line["client"] == name_of_alice(server)]
    used = sum(line["prompt_tokens"] + line["completion_tokens"] for line in lines)
    assert 3 * TOKENS <= used < (3 + 5) * TOKENS


def test_who_goes_away_pays_for_what_was_delivered(server: Gateway) -> None:
    limit(server, tokens_per_day=30)
    with streams(server, 1) as (connection,):
        # A line is a token.
        lines = 0
        while lines < 40:
            lines += connection.recv(65536).count(b"\n")
    assert until(lambda: status(chat(server)) == 429)


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("/api/chat", {"messages": MESSAGES}, ["error"]),
        ("/v1/chat/completions", {"messages": MESSAGES}, ["error", "message"]),
        ("/v1/messages", {"messages": MESSAGES, "max_tokens": 5}, ["error", "message"]),
        ("/v1/responses", {"input": "hi"}, ["error", "message"]),
        ("/api/embed", {"input": "hi"}, ["error"]),
    ],
)
def test_a_refusal_speaks_the_callers_dialect_and_says_when_to_come_back(
    server: Gateway, path: str, body: dict[str, Any], error: list[str]
) -> None:
    limit(server, tokens_per_day=1)
    chat(server)
    reply = server.ask(path, ALICE, method="POST", body=json.dumps({"model": "tiny", **body}).encode())
    assert status(reply) == 429
    said: Any = json.loads(reply.body)
    for part in error:
        said = said[part]
    assert said == "this client may use 1 tokens a day of UTC (tokens_per_day)"
    until_midnight = 86400 - time.time() % 86400
    assert abs(int(reply.header("Retry-After") or 0) - until_midnight) < 5
    assert reply.header("x-should-retry") == "false"


@within_a_minute
def test_the_limits_and_what_is_left_of_them_stand_in_the_headers(server: Gateway) -> None:
    limit(server, requests_per_minute=10, tokens_per_minute=1000)
    chat(server)
    reply = chat(server)
    assert {
        name: reply.header(f"x-ratelimit-{name}")
        for name in ("limit-requests", "remaining-requests", "limit-tokens", "remaining-tokens")
    } == {
        "limit-requests": "10",
        "remaining-requests": "8",
        "limit-tokens": "1000",
        "remaining-tokens": str(1000 - TOKENS),
    }
    assert reply.header("x-ratelimit-reset-requests")
    assert not [name for name, _ in chat(server, BOB).headers if name.lower().startswith("x-ratelimit")]


def test_openais_sdk_does_not_try_again_where_the_day_is_spent(server: Gateway) -> None:
    limit(server, tokens_per_day=1)
    chat(server)
    sent: list[httpx.Request] = []
    watched = httpx.Client(trust_env=False, event_hooks={"request": [sent.append]})
    url, key = f"http://{server.address}/v1", KEYS["alice.laptop"]
    client = openai.OpenAI(base_url=url, api_key=key, max_retries=3, http_client=watched)
    with client, pytest.raises(openai.RateLimitError, match="tokens_per_day"):
        client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "hi"}])
    assert [request.url.path for request in sent] == ["/v1/chat/completions"]


def test_a_limit_of_a_model_stops_that_model_alone(server: Gateway) -> None:
    limit(server, models={"tiny": {"tokens_per_day": 1}})
    assert [status(chat(server)) for _ in range(3)] == [200, 429, 429]
    assert status(chat(server, model="library/tiny:latest")) == 429
    assert status(chat(server, model="tiny-loop", options={"num_predict": 2})) == 200


def test_a_change_counts_on_the_next_request(server: Gateway) -> None:
    limit(server, tokens_per_day=1)
    assert [status(chat(server)) for _ in range(2)] == [200, 429]
    limit(server, tokens_per_day=1000)
    assert status(chat(server)) == 200
    limit(server)
    assert status(chat(server)) == 200


def test_limits_belong_to_the_client_whatever_its_key(server: Gateway) -> None:
    limit(server, tokens_per_day=1)
    assert [status(chat(server)) for _ in range(2)] == [200, 429]
    alice = name_of_alice(server)
    lines = [record(f"{alice}.laptop", "new-key-of-alice"), record(f"{alice}.other", "another-of-alice")]
    server.write("api_keys", lines)
    assert status(chat(server, "Authorization: Bearer new-key-of-alice")) == 429
    assert status(chat(server, "Authorization: Bearer another-of-alice")) == 429


def test_keys_that_were_added_by_hand_have_the_limits_of_those_whom_the_inventory_does_not_name(
    lone: Gateway,
) -> None:
    lone.permit({"*": {**RIGHTS, "limits": {"tokens_per_day": 1}}})
    lone.write("api_keys", ["a-key-in-plain-text", record("zoe.laptop", "a-key-of-zoe-with-more")])
    for key in ("a-key-in-plain-text", "a-key-of-zoe-with-more"):
        assert [status(chat(lone, f"Authorization: Bearer {key}")) for _ in range(2)] == [200, 429]


@within_a_minute
def test_what_was_used_today_is_remembered_over_a_restart(lone: Gateway) -> None:
    limit(lone, tokens_per_day=3 * TOKENS, requests_per_minute=100)
    assert [status(chat(lone)) for _ in range(4)] == [200, 200, 200, 429]
    lone.restart()
    assert status(chat(lone)) == 429
    limit(lone, tokens_per_day=4 * TOKENS, requests_per_minute=4)
    assert [status(chat(lone)) for _ in range(2)] == [200, 429]


def test_what_was_used_is_remembered_when_clients_can_be_read_again_after_a_restart(lone: Gateway) -> None:
    limit(lone, tokens_per_day=3 * TOKENS)
    assert [status(chat(lone)) for _ in range(2)] == [200, 200]
    lone.write("clients.json", ["damaged"])
    lone.restart()
    limit(lone, tokens_per_day=3 * TOKENS)
    assert until(lambda: chat(lone, BOB).status_line.endswith("200 OK"))
    time.sleep(1.5)
    lone.reload()
    time.sleep(1)
    assert chat(lone).header("x-ratelimit-remaining-tokens") == str(TOKENS)


@pytest.mark.parametrize("kind", ["folder", "pipe", "secret"])
def test_a_day_that_cannot_be_read_does_not_keep_the_gateway_from_starting(lone: Gateway, kind: str) -> None:
    limit(lone, tokens_per_day=1000)
    day = lone.ledger / time.strftime("%Y-%m-%d.jsonl", time.gmtime())
    if kind == "folder":
        day.mkdir()
    elif kind == "pipe":
        os.mkfifo(day, 0o666)
    else:
        day.write_text("{}\n")
        day.chmod(0o600)
    lone.restart()
    assert status(chat(lone)) == 200
    assert "it is not known what was used on a day" in lone.logs()


def test_what_a_server_says_of_limits_is_not_passed_on(tmp_path: Path) -> None:
    lies = ("X-RateLimit-Remaining-Tokens: 999999", "x-ratelimit-limit-requests: 7", "X-Should-Retry: true")
    with hostile(*lies) as address, gateway(tmp_path / "gateway", "both", address) as one:
        renew(one)
        limit(one, tokens_per_day=10)
        told = [(name.lower(), value) for name, value in chat(one).headers]
        assert [value for name, value in told if name == "x-ratelimit-remaining-tokens"] == ["10"]
        assert [name for name, _ in told if name in ("x-ratelimit-limit-requests", "x-should-retry")] == []
        assert [name for name, _ in chat(one, BOB).headers if name.lower().startswith("x-")] == ["X-Request-Id"]


def test_no_slot_is_lost_by_1000_requests_that_are_left_and_two_reloads(lone: Gateway) -> None:
    limit(lone, concurrent_requests=20)
    body = json.dumps({"model": "tiny-loop", "messages": MESSAGES}).encode()
    request = lone.wire("/api/chat", ALICE, method="POST", body=body)

    def leave(_: int) -> None:
        with connect(lone.address) as connection:
            connection.sendall(request)
            connection.recv(100)

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        for number in range(10):
            list(pool.map(leave, range(100)))
            if number in (3, 6):
                lone.reload()
    assert until(lambda: len(lone.ledger_lines()) > 500)
    time.sleep(0.5)
    with streams(lone, 20):
        assert status(chat(lone)) == 429
    assert until(lambda: status(chat(lone)) == 200)


def test_slots_of_a_killed_worker_are_free_again(lone: Gateway) -> None:
    limit(lone, concurrent_requests=2)
    with streams(lone, 2):
        assert status(chat(lone)) == 429
        for pid in lone.processes("worker"):
            os.kill(pid, signal.SIGKILL)
        assert until(lone.answers)
        assert until(lambda: status(chat(lone)) == 200, 10)


def test_a_slot_is_free_again_where_no_server_answers(tmp_path: Path) -> None:
    with gateway(tmp_path / "gateway", "both", "127.0.0.1:9") as lonely:
        renew(lonely)
        limit(lonely, concurrent_requests=1)
        assert [status(chat(lonely)) for _ in range(5)] == [502] * 5


@pytest.mark.parametrize(
    ("limits", "more", "answered"),
    [
        ({"max_context": 4096}, {"options": {"num_ctx": 4096}}, 200),
        ({"max_context": 4096}, {"options": {"num_ctx": 4097}}, 400),
        ({"max_context": 4096}, {"options": {"num_predict": 2}}, 200),
        ({"keep_alive": 1800}, {"keep_alive": "30m"}, 200),
        ({"keep_alive": 1800}, {"keep_alive": 1800}, 200),
        ({"keep_alive": 1800}, {"keep_alive": "31m"}, 400),
        ({"keep_alive": 1800}, {"keep_alive": -1}, 400),
        ({"keep_alive": 1800}, {"keep_alive": "-1s"}, 400),
        ({"keep_alive": 1800}, {"KEEP_ALIVE": -1}, 400),
        ({"keep_alive": 1800}, {}, 200),
        ({}, {"keep_alive": -1, "options": {"num_ctx": 8192}}, 200),
    ],
)
def test_what_a_shared_server_should_not_be_told_is_refused(
    server: Gateway, limits: dict[str, int], more: dict[str, Any], answered: int
) -> None:
    limit(server, **limits)
    reply = chat(server, **more)
    assert status(reply) == answered, reply.body
    if answered == 400:
        (name,) = limits
        assert name in json.loads(reply.body)["error"]
