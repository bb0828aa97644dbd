# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the ledger says of each request, held against what the server counted itself."""

from __future__ import annotations

import collections
import concurrent.futures
import json
import os
import random
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.component.contract import replay
from tests.component.contract.replay import Reply
from tests.component.contract.standins import Standin, standin_with, until
from tests.component.gateways import KEYS, USER, Gateway, basic, gateway, record, status
from tests.component.upstreams import Echo

ALICE = f"Authorization: Bearer {KEYS['alice.laptop']}"
MESSAGES = [{"role": "user", "content": "say something"}]
MODELS = ("tiny", "tiny-loop", "tiny-embed", "tiny-tools", "tiny-think", "tiny-ctx", "tiny-repeat")
# Of each way to ask a model: the route, and what its body has besides the model.
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "generate": ("/api/generate", {"prompt": "hi", "stream": False}),
    "generate, streamed": ("/api/generate", {"prompt": "hi there"}),
    "generate, as it is": ("/api/generate", {"prompt": "hi", "raw": True, "options": {"num_predict": 3}}),
    "chat": ("/api/chat", {"messages": MESSAGES, "stream": False}),
    "chat, streamed": ("/api/chat", {"messages": MESSAGES}),
    "OpenAI's chat": ("/v1/chat/completions", {"messages": MESSAGES}),
    "OpenAI's chat, streamed": ("/v1/chat/completions", {"messages": MESSAGES, "stream": True}),
    "OpenAI's chat, streamed with usage": (
        "/v1/chat/completions",
        {"messages": MESSAGES, "stream": True, "stream_options": {"include_usage": True}},
    ),
    "OpenAI's chat, streamed without usage": (
        "/v1/chat/completions",
        {"stream_options": {"include_usage": False}, "messages": MESSAGES, "stream": True},
    ),
    "OpenAI's completion": ("/v1/completions", {"prompt": "hi"}),
    "responses": ("/v1/responses", {"input": "hi"}),
    "responses, streamed": ("/v1/responses", {"input": "hi", "stream": True}),
    "messages": ("/v1/messages", {"max_tokens": 100, "messages": MESSAGES}),
    "messages, streamed": ("/v1/messages", {"max_tokens": 100, "messages": MESSAGES, "stream": True}),
}
EMBEDDINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "embed": ("/api/embed", {"input": ["hi", "a longer text"]}),
    "OpenAI's embeddings": ("/v1/embeddings", {"input": "hi"}),
}
STREAMS = [way for way in WAYS if "streamed" in way]
TEXT = "hi there " * 30_000


@pytest.fixture(scope="module")
def ollama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    """A stand-in of Ollama with models, that writes down what each request took."""
    with standin_with(tmp_path_factory.mktemp("ollama"), *MODELS, STANDIN_TOKEN_DELAY_MS="2") as server:
        yield server


@pytest.fixture(scope="module")
def server(ollama: Standin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("usage"), "both", ollama.address) as one:
        yield one


def body_of(model: str, more: dict[str, Any]) -> bytes:
    return json.dumps({"model": model, **more}).encode()


def post(server: Gateway, path: str, body: bytes, *headers: str) -> Reply:
    return server.ask(path, *(headers or (ALICE,)), method="POST", body=body)


def counted_by(ollama: Standin) -> dict[str, dict[str, Any]]:
    """What the server wrote down, by the id of the request."""
    lines = Path(ollama.environment["STANDIN_REQUEST_LOG"]).read_text().splitlines()
    entries = map(json.loads, lines)
    return {dict(map(tuple, entry["headers"])).get("X-Request-Id", ""): entry for entry in entries}


def truth(ollama: Standin, request_id: str | None) -> dict[str, int]:
    assert until(lambda: request_id in counted_by(ollama))
    return dict(counted_by(ollama)[str(request_id)]["tokens"])


def tokens(line: dict[str, Any]) -> dict[str, int]:
    return {"prompt": line["prompt_tokens"], "completion": line["completion_tokens"]}


@pytest.mark.parametrize("way", [*WAYS, *EMBEDDINGS])
def test_the_tokens_of_a_whole_answer_are_those_that_the_server_counted(
    server: Gateway, ollama: Standin, way: str
) -> None:
    path, more = {**WAYS, **EMBEDDINGS}[way]
    model = "tiny-embed" if way in EMBEDDINGS else "tiny"
    reply = post(server, path, body_of(model, more))
    assert status(reply) == 200
    line = server.used(reply.header("X-Request-Id"))
    assert tokens(line) == truth(ollama, line["request_id"])
    assert line["prompt_tokens"] > 0
    told = {name: line[name] for name in ("client", "key", "model", "route", "status", "source", "end", "server")}
    assert told == {
        "client": "alice",
        "key": "laptop",
        "model": f"{model}:latest",
        "route": path,
        "status": 200,
        "source": "server",
        "end": "complete",
        "server": ollama.address,
    }
    assert 0 <= line["first_chunk_seconds"] <= line["seconds"] < 5


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", ["tiny-tools", "tiny-think", "tiny-ctx"])
def test_calls_thoughts_and_cut_prompts_are_counted_as_the_server_does(
    server: Gateway, ollama: Standin, way: str, model: str
) -> None:
    path, more = WAYS[way]
    if "messages" in more:
        more = {**more, "messages": [{"role": "user", "content": "hi " * 400}]}
    if model == "tiny-tools" and "messages" in more and "messages" not in path:
        function = {"name": "get_weather", "description": "", "parameters": {"type": "object", "properties": {}}}
        more = {**more, "tools": [{"type": "function", "function": function}]}
    line = server.used(post(server, path, body_of(model, more)).header("X-Request-Id"))
    assert (tokens(line), line["source"]) == (truth(ollama, line["request_id"]), "server")


def plain(body: bytes) -> bytes:
    """An answer without what differs from one to the next: ids and times."""
    body = re.sub(rb'"(id|created|created_at|item_id|response_id|completed_at)":("[^"]*"|[0-9]+)', rb'"\1":0', body)
    return re.sub(rb'"([a-z_]*duration)":[0-9]+', rb'"\1":0', body)


@pytest.mark.parametrize("way", STREAMS)
def test_a_client_gets_byte_for_byte_what_the_server_would_have_sent(
    server: Gateway, ollama: Standin, way: str
) -> None:
    path, more = WAYS[way]
    body = body_of("tiny", more)
    direct = replay.send(ollama.address, server.wire(path, method="POST", body=body))
    through = post(server, path, body)
    assert plain(through.body) == plain(direct.body)
    assert ("Content-Type", direct.header("Content-Type")) in through.headers


BODIES = {
    "in memory": body_of("tiny", {"messages": MESSAGES, "stream": True}),
    "in a file": body_of("tiny", {"messages": [{"role": "user", "content": TEXT}], "stream": True}),
    "in a file, with space behind it": body_of(
        "tiny", {"stream": True, "messages": [{"content": TEXT, "role": "user"}]}
    )
    + b" \r\n\t" * 500,
    "with the key in capitals": b'{"MESSAGES":[{"role":"user","content":"hi"}],"Stream":true,"model":"tiny"}',
    "with the key twice": b'{"messages":[{"role":"user","content":"hi"}],"stream":false,"model":"tiny","stream":true}',
    "with space": b'{ "model" : "tiny", "stream" : true, "messages" : [ {"role":"user","content":"hi"} ] }',
    "with null": b'{"model":"tiny","stream":true,"stream_options":null,"messages":[{"role":"user","content":"hi"}]}\n',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_the_server_is_asked_for_tokens_however_the_body_comes(
    server: Gateway, ollama: Standin, body: bytes, framing: str
) -> None:
    path = "/v1/chat/completions"
    if framing == "length":
        reply = post(server, path, body)
    else:
        chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        head = server.wire(path, ALICE, "Transfer-Encoding: chunked", method="POST")
        reply = replay.send(server.address, head + chunks, "POST")
    assert status(reply) == 200, reply.body
    line = server.used(reply.header("X-Request-Id"))
    direct = replay.send(ollama.address, server.wire(path, method="POST", body=body))
    assert plain(reply.body) == plain(direct.body)
    assert tokens(line) == truth(ollama, line["request_id"])
    assert line["source"] == "server"


def request_ids(server: Gateway) -> set[str]:
    return {line["request_id"] for line in server.ledger_lines()}


def next_request(server: Gateway, before: set[str]) -> str:
    """The id of the only request that was written down since."""
    assert until(lambda: request_ids(server) - before)
    (found,) = request_ids(server) - before
    return found


def test_nothing_is_left_of_a_body_in_a_file(server: Gateway) -> None:
    assert server.container is not None
    post(server, "/v1/chat/completions", BODIES["in a file"])
    left = server.container.exec_run(["find", "/tmp", "-type", "f", "-path", "*client_body*"]).output
    assert left == b""


def test_a_stream_of_completions_is_counted_by_its_pieces(server: Gateway, ollama: Standin) -> None:
    """To ask for its tokens would change each piece."""
    body = body_of("tiny", {"prompt": "hi", "stream": True})
    line = server.used(post(server, "/v1/completions", body).header("X-Request-Id"))
    assert (line["source"], line["end"]) == ("counted", "complete")
    # The end of the text is a token without a piece.
    assert abs(line["completion_tokens"] - truth(ollama, line["request_id"])["completion"]) <= 1


def test_compressed_bodies_are_counted_by_their_pieces(server: Gateway, ollama: Standin) -> None:
    plain_body = body_of("tiny", {"messages": MESSAGES, "stream": True})
    body = subprocess.run(["zstd", "-q", "-c"], input=plain_body, capture_output=True, check=True).stdout
    reply = post(server, "/v1/chat/completions", body, ALICE, "Content-Encoding: zstd")
    line = server.used(reply.header("X-Request-Id"))
    assert (line["source"], line["end"], line["model"]) == ("counted", "complete", "tiny:latest")
    assert abs(line["completion_tokens"] - truth(ollama, line["request_id"])["completion"]) <= 1


@pytest.mark.parametrize("way", [*STREAMS, "completions, streamed"])
def test_an_answer_whose_client_goes_away_counts_what_was_delivered(server: Gateway, ollama: Standin, way: str) -> None:
    path, more = {**WAYS, "completions, streamed": ("/v1/completions", {"prompt": "hi", "stream": True})}[way]
    if path == "/v1/messages":
        more = {**more, "max_tokens": 4000}
    before = request_ids(server)
    request = server.wire(path, ALICE, method="POST", body=body_of("tiny-loop", more))
    replay.send_and_act(server.address, request, 40, lambda: replay.LEAVE)
    line = server.used(next_request(server, before))
    assert (line["source"], line["end"], line["status"]) == ("counted", "broken", 200)
    made = truth(ollama, line["request_id"])
    assert line["prompt_tokens"] > 0
    # One more may be on its way.
    assert 5 < made["completion"] - 4 <= line["completion_tokens"] <= made["completion"] + 1


def test_a_client_that_goes_away_before_the_first_byte_counts_its_prompt(server: Gateway) -> None:
    before = request_ids(server)
    body = body_of("tiny-loop", {"prompt": "hi " * 400, "stream": False})
    replay.send_and_act(
        server.address, server.wire("/api/generate", ALICE, method="POST", body=body), 0, lambda: replay.LEAVE
    )
    line = server.used(next_request(server, before))
    assert (line["source"], line["end"], line["completion_tokens"]) == ("counted", "broken", 0)
    assert line["first_chunk_seconds"] is None
    assert 300 <= line["prompt_tokens"] <= 500


def test_pictures_are_not_counted_as_text(server: Gateway) -> None:
    before = request_ids(server)
    picture = "iVBORw0KGgo" * 100_000
    body = body_of("tiny-loop", {"prompt": "hi", "stream": False, "images": [picture]})
    request = server.wire("/api/generate", ALICE, method="POST", body=body)
    replay.send_and_act(server.address, request, 0, lambda: replay.LEAVE)
    line = server.used(next_request(server, before))
    assert line["prompt_tokens"] < 100


@pytest.mark.parametrize("way", [way for way in STREAMS if "messages" not in way])
def test_a_model_that_dies_in_mid_stream_is_an_error_that_is_counted(
    server: Gateway, ollama: Standin, way: str
) -> None:
    path, more = WAYS[way]
    before = request_ids(server)
    request = server.wire(path, ALICE, method="POST", body=body_of("tiny-loop", more))
    replay.send_and_act(server.address, request, 40, lambda: ollama.process.send_signal(signal.SIGUSR1))
    line = server.used(next_request(server, before))
    assert (line["source"], line["end"], line["status"]) == ("counted", "error", 200)
    made = truth(ollama, line["request_id"])["completion"]
    assert 5 < made - 4 <= line["completion_tokens"] <= made + 2


@pytest.mark.parametrize("way", STREAMS)
def test_an_answer_that_the_server_gives_up_is_an_error_that_is_counted(
    server: Gateway, ollama: Standin, way: str
) -> None:
    path, more = WAYS[way]
    line = server.used(post(server, path, body_of("tiny-repeat", more)).header("X-Request-Id"))
    assert (line["source"], line["end"], line["status"]) == ("counted", "error", 200)
    assert truth(ollama, line["request_id"])["completion"] - 2 <= line["completion_tokens"] <= 32


@pytest.mark.parametrize(
    ("path", "more", "answered"),
    [
        ("/api/generate", {"model": "nope", "prompt": "hi"}, 404),
        ("/v1/chat/completions", {"model": "nope", "messages": MESSAGES, "stream": True}, 404),
        ("/v1/messages", {"messages": MESSAGES}, 400),
        ("/api/generate", {"prompt": "", "keep_alive": 0}, 200),
        ("/api/chat", {"messages": []}, 200),
        ("/v1/completions", {"prompt": ""}, 200),
    ],
)
def test_where_no_model_runs_nothing_is_counted(
    server: Gateway, path: str, more: dict[str, Any], answered: int
) -> None:
    reply = post(server, path, json.dumps({"model": "tiny", **more}).encode())
    line = server.used(reply.header("X-Request-Id"))
    assert (status(reply), line["status"]) == (answered, answered)
    assert (line["prompt_tokens"], line["completion_tokens"], line["source"]) == (0, 0, "none")


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        ("/api/tags", [ALICE], b""),
        ("/api/generate", ["Authorization: Bearer wrong"], b"{}"),
        ("/api/generate", [], b"{}"),
        ("/nowhere", [ALICE], b"{}"),
        ("/api/show", [ALICE], b'{"model":"tiny"}'),
    ],
)
def test_what_reaches_no_model_is_not_in_the_ledger(
    server: Gateway, path: str, headers: list[str], body: bytes
) -> None:
    reply = server.ask(path, *headers, method="GET" if path == "/api/tags" else "POST", body=body or None)
    refused = reply.header("X-Request-Id")
    reply = post(server, "/api/generate", body_of("tiny", {"prompt": "hi"}))
    server.used(reply.header("X-Request-Id"))
    assert refused not in request_ids(server)


def test_a_superseded_key_counts_as_the_one_that_took_its_place(server: Gateway) -> None:
    server.write("api_keys", [record("alice.laptop", "new"), record("alice.laptop~old", KEYS["alice.laptop"])])
    try:
        line = server.used(post(server, "/api/chat", body_of("tiny", {"messages": MESSAGES})).header("X-Request-Id"))
    finally:
        server.write("api_keys", [record(name, secret) for name, secret in KEYS.items()])
    assert (line["client"], line["key"]) == ("alice", "laptop")


def test_a_password_has_no_key(server: Gateway) -> None:
    header = f"Authorization: {basic('alice', 'wonderland')}"
    reply = post(server, "/api/chat", body_of("tiny", {"messages": MESSAGES}), header)
    line = server.used(reply.header("X-Request-Id"))
    assert (line["client"], line["key"]) == ("alice", "")


def test_the_ledger_holds_nothing_of_what_was_said_and_no_secret(server: Gateway) -> None:
    secret = "the-moon-is-made-of-cheese"
    for way in WAYS:
        path, more = WAYS[way]
        said = {"prompt": secret, "input": secret, "messages": [{"role": "user", "content": secret}]}
        body = body_of("tiny", {**more, **{name: said[name] for name in said if name in more}})
        server.used(post(server, f"{path}?x={secret}", body).header("X-Request-Id"))
    text = "".join(path.read_text() for path in server.ledger.iterdir())
    for word in (secret, KEYS["alice.laptop"], "Hello", "tiny test model"):
        assert word not in text


def test_only_the_gateway_may_read_the_ledger(server: Gateway) -> None:
    post(server, "/api/chat", body_of("tiny", {"messages": MESSAGES}))
    assert {oct(path.stat().st_mode & 0o777) for path in server.ledger.iterdir()} == {"0o640"}


def test_a_server_that_is_not_there_leaves_a_line(tmp_path: Path) -> None:
    with gateway(tmp_path / "gateway", "both", "127.0.0.1:9") as lonely:
        reply = post(lonely, "/api/chat", body_of("tiny", {"messages": MESSAGES}))
        line = lonely.used(reply.header("X-Request-Id"))
    assert (status(reply), line["status"], line["source"], line["prompt_tokens"]) == (502, 502, "none", 0)
    assert (line["client"], line["model"], line["server"]) == ("alice", "tiny:latest", "127.0.0.1:9")


def ask_many(server: Gateway, count: int, seed: int) -> collections.Counter[int]:
    """Requests of all ways to a model, mixed, twelve at once."""
    chosen = random.Random(seed)
    jobs = [chosen.choice([*WAYS.values()]) for _ in range(count)]

    def one(job: tuple[str, dict[str, Any]]) -> int:
        return status(post(server, job[0], body_of("tiny", job[1])))

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        return collections.Counter(pool.map(one, jobs))


def test_2000_mixed_requests_are_counted_exactly(server: Gateway, ollama: Standin) -> None:
    before = request_ids(server)
    assert ask_many(server, 2000, 16) == {200: 2000}
    assert until(lambda: len(request_ids(server) - before) == 2000)
    written = counted_by(ollama)
    lines = [line for line in server.ledger_lines() if line["request_id"] not in before]
    wrong = [line for line in lines if tokens(line) != written[line["request_id"]]["tokens"]]
    assert (len(lines), wrong, {line["source"] for line in lines}) == (2000, [], {"server"})


def test_no_line_is_lost_or_written_twice_by_reloads(server: Gateway) -> None:
    before = request_ids(server)
    ended = threading.Event()

    def reload() -> None:
        while not ended.wait(0.4):
            server.reload()

    thread = threading.Thread(target=reload)
    thread.start()
    try:
        assert ask_many(server, 300, 17) == {200: 300}
    finally:
        ended.set()
        thread.join()
    assert until(lambda: len(request_ids(server) - before) == 300)
    lines = [line["request_id"] for line in server.ledger_lines()]
    assert len(lines) == len(set(lines))


def test_a_stream_that_outlives_a_reload_is_written_when_it_ends(server: Gateway, ollama: Standin) -> None:
    body = body_of("tiny-loop", {"prompt": "hi", "options": {"num_predict": 300}})
    request = server.wire("/api/generate", ALICE, method="POST", body=body)
    before = request_ids(server)
    reply, whole = replay.send_and_act(server.address, request, 10, server.reload)
    assert whole
    assert b'"done":true' in reply.body
    line = server.used(next_request(server, before))
    assert (tokens(line), line["end"]) == (truth(ollama, line["request_id"]), "complete")


def test_what_ended_100_ms_before_a_kill_is_in_the_ledger(ollama: Standin, tmp_path: Path) -> None:
    with gateway(tmp_path / "gateway", "both", ollama.address) as doomed:
        ids = [
            post(doomed, "/api/generate", body_of("tiny", {"prompt": "hi"})).header("X-Request-Id") for _ in range(20)
        ]
        time.sleep(0.1)
        for pid in doomed.processes("worker"):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)
        assert request_ids(doomed) == set(ids)
        # A worker that took its place goes on.
        assert until(doomed.answers)
        doomed.used(post(doomed, "/api/generate", body_of("tiny", {"prompt": "hi"})).header("X-Request-Id"))


@pytest.fixture
def small_disk(ollama: Standin, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway whose ledger lies on a file system of 16 KiB."""
    one = Gateway(tmp_path / "gateway", "both", ollama.address, workers="1")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k,mode=0777", "tmpfs", str(one.ledger)], check=True)
    with one.running():
        yield one
        subprocess.run(["umount", str(one.ledger)], check=True)


def test_a_full_disk_costs_no_request_and_lines_go_on_when_there_is_room(small_disk: Gateway) -> None:
    ballast = small_disk.ledger / "ballast"
    ballast.write_bytes(b"x" * 8192)
    assert ask_many(small_disk, 40, 18) == {200: 40}
    assert until(lambda: "failed to write to" in small_disk.logs()), small_disk.logs()
    ballast.unlink()
    post(small_disk, "/api/generate", body_of("tiny", {"prompt": "hi"}))
    # What waited is written now. No line is glued to another.
    assert until(lambda: "the ledger is written again; 0 lines were lost" in small_disk.logs())
    (day,) = small_disk.ledger.glob("*.jsonl")
    lines = day.read_text().splitlines()
    whole = [json.loads(line) for line in lines if line.endswith("}")]
    assert len({line["request_id"] for line in whole}) == len(whole) == 41
    # One that the full disk cut stands alone.
    assert [line for line in lines if line.count("request_id") > 1] == []


@pytest.mark.parametrize("damage", ["gone", "read-only"])
def test_a_folder_that_cannot_be_written_costs_no_request_and_is_said(
    ollama: Standin, tmp_path: Path, damage: str
) -> None:
    one = Gateway(tmp_path / "gateway", "both", ollama.address)
    if damage == "read-only":
        one.ledger.chmod(0o550)
    try:
        one.start()
        if damage == "gone":
            one.ledger.rmdir()
        assert ask_many(one, 30, 19) == {200: 30}
        assert until(lambda: "failed to write to" in one.logs()), one.logs()
        # Said, but not for each line.
        assert one.logs().count("[crit]") <= 2 * (os.cpu_count() or 1)
    finally:
        one.stop()


UNREADABLE = {
    "something behind it": body_of("tiny", {"messages": [{"role": "user", "content": "hi " * 400}], "stream": True})
    + b"x",
    "the model twice": b'{"model":"tiny",' + body_of("tiny", {"messages": MESSAGES, "stream": True})[1:],
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_a_body_that_is_read_in_two_ways_is_counted_for_its_model_and_size(
    server: Gateway, ollama: Standin, body: bytes
) -> None:
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    head = server.wire("/v1/chat/completions", ALICE, "Transfer-Encoding: chunked", method="POST")
    line = server.used(replay.send(server.address, head + chunks, "POST").header("X-Request-Id"))
    assert (line["model"], line["source"]) == ("tiny:latest", "counted")
    made = truth(ollama, line["request_id"])
    assert line["prompt_tokens"] * 4 >= len(body)
    assert abs(line["completion_tokens"] - made["completion"]) <= 1


@pytest.mark.parametrize("coding", ["", "br", "identity"])
def test_a_coding_that_the_server_does_not_know_hides_nothing(server: Gateway, ollama: Standin, coding: str) -> None:
    body = body_of("tiny", {"messages": MESSAGES, "stream": True})
    reply = post(server, "/v1/chat/completions", body, ALICE, f"Content-Encoding: {coding}")
    line = server.used(reply.header("X-Request-Id"))
    assert (tokens(line), line["source"]) == (truth(ollama, line["request_id"]), "server")


def test_the_model_is_the_one_that_the_server_goes_by(server: Gateway) -> None:
    body = b'{"name":"tiny-loop","model":"tiny","prompt":"hi","stream":false}'
    assert server.used(post(server, "/api/generate", body).header("X-Request-Id"))["model"] == "tiny:latest"


def test_a_name_that_no_model_has_is_not_written_down(server: Gateway) -> None:
    """It is anybody's invention, and may be a secret."""
    line = server.used(post(server, "/api/generate", body_of("ghk_invented", {"prompt": "hi"})).header("X-Request-Id"))
    assert (line["status"], line["model"]) == (404, "")


def test_a_client_whose_options_are_too_long_to_read_gets_no_event_that_it_did_not_ask_for(server: Gateway) -> None:
    options = {"include_usage": False, "x": "a" * 5000}
    body = body_of("tiny", {"messages": MESSAGES, "stream": True, "stream_options": options})
    assert b'"usage"' not in post(server, "/v1/chat/completions", body).body


@pytest.mark.parametrize("signal_name", ["TERM", "INT"])
def test_a_fast_stop_loses_no_line_and_no_answer_on_its_way(ollama: Standin, tmp_path: Path, signal_name: str) -> None:
    with gateway(tmp_path / "gateway", "both", ollama.address, workers="2") as stopped:
        assert stopped.container is not None
        ids = {
            post(stopped, "/api/generate", body_of("tiny", {"prompt": "hi"})).header("X-Request-Id") for _ in range(20)
        }
        request = stopped.wire("/api/generate", ALICE, method="POST", body=body_of("tiny-loop", {"prompt": "hi"}))
        container = stopped.container
        replay.send_and_act(stopped.address, request, 40, lambda: container.kill(signal_name))
        assert until(lambda: len(stopped.ledger_lines()) == 21)
        assert ids < request_ids(stopped)
        (cut,) = (line for line in stopped.ledger_lines() if line["request_id"] not in ids)
        assert (cut["source"], cut["end"], cut["model"]) == ("counted", "broken", "tiny-loop:latest")
        assert cut["completion_tokens"] > 20


def test_a_day_that_is_no_file_costs_no_request_and_is_said(ollama: Standin, tmp_path: Path) -> None:
    with gateway(tmp_path / "gateway", "both", ollama.address) as one:
        pipe = one.ledger / time.strftime("%Y-%m-%d.jsonl", time.gmtime())
        os.mkfifo(pipe)
        os.chown(pipe, USER, USER)
        assert ask_many(one, 20, 20) == {200: 20}
        assert until(lambda: "it is no file" in one.logs())


def test_nothing_is_counted_where_that_is_switched_off(upstream: Echo, tmp_path: Path) -> None:
    with gateway(tmp_path / "gateway", "bearer", upstream.address, ollama_gateway_usage=False) as silent:
        assert status(post(silent, "/api/chat", body_of("tiny", {"messages": MESSAGES, "stream": True}))) == 200
        text = (silent.folder / "conf" / "nginx.conf").read_text()
    assert 'body_filter_by_lua_block { require("gatehouse.gateway").count()' not in text
    assert list(silent.ledger.iterdir()) == []
