# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the server beside the recorded exchanges, and what tests of a gateway rely on."""

from __future__ import annotations

import gzip
import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.component.contract import replay
from tests.component.contract.replay import Reply, Request
from tests.component.contract.standins import Registry, Standin, free_port, registry, standin, until


@pytest.fixture(scope="module")
def source() -> Iterator[Registry]:
    with registry() as server:
        yield server


@pytest.fixture(scope="module")
def server(source: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    """A stand-in with both models, that writes down what reaches it."""
    root = tmp_path_factory.mktemp("standin")
    log = str(root / "requests.jsonl")
    with standin(root / "models", STANDIN_REGISTRY=f"http://{source.address}", STANDIN_REQUEST_LOG=log) as server:
        for name in ("tiny", "tiny-loop"):
            assert server.run("pull", name).returncode == 0
        yield server


def ask(server: Standin, method: str, path: str, body: bytes | None = None, *headers: tuple[str, str]) -> Reply:
    request = Request(method, path, server.address, list(headers), body)
    return replay.send(server.address, request.wire(), method)


def spoken_by(server: Standin, path: str, body: str) -> dict[str, Any]:
    return dict(json.loads(ask(server, "POST", path, body.encode()).body))


def logged(server: Standin) -> list[dict[str, Any]]:
    lines = Path(server.environment["STANDIN_REQUEST_LOG"]).read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *((path, "307 Temporary Redirect") for path in ("//api/tags", "/api//tags", "/api/./tags", "/api/x/../tags")),
        *((path, "301 Moved Permanently") for path in ("/api/tags/", "/api/tags%2f")),
    ],
)
def test_an_unclean_path_is_redirected_to_the_clean_one(server: Standin, path: str, status: str) -> None:
    reply = ask(server, "GET", path)
    assert reply.status_line == f"HTTP/1.1 {status}"
    assert reply.header("Location") == "/api/tags"


@pytest.mark.parametrize("path", ["/API/tags", "/api/tags;x", "/api/tags%00", "/metrics", "/v1/messages/count_tokens"])
def test_another_path_is_unknown(server: Standin, path: str) -> None:
    assert ask(server, "GET", path).status_line == "HTTP/1.1 404 Not Found"


def test_percent_encoded_letters_are_decoded(server: Standin) -> None:
    assert ask(server, "GET", "/%61pi/tags").status_line == "HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    ("members", "model"),
    [
        ('"model":"tiny","MODEL":"tiny-loop"', "tiny-loop"),
        ('"MODEL":"tiny-loop","model":"tiny"', "tiny"),
        ('"model":"tiny","m\\u006fdel":"tiny-loop"', "tiny-loop"),
        ('"model":"tiny","Model":null', "tiny"),
    ],
)
@pytest.mark.parametrize("path", ["/api/generate", "/v1/completions"])
def test_of_keys_that_differ_in_case_alone_the_last_one_wins(
    server: Standin, path: str, members: str, model: str
) -> None:
    body = "{" + members + ',"prompt":"hi","stream":false,"options":{"num_predict":1},"max_tokens":1}'
    assert spoken_by(server, path, body)["model"] == model


def test_what_follows_the_first_json_value_is_ignored(server: Standin) -> None:
    body = '{"model":"tiny","prompt":"hi","stream":false,"options":{"num_predict":1}}{"model":"nope"} x'
    assert spoken_by(server, "/api/generate", body)["model"] == "tiny"


@pytest.mark.parametrize(
    "name",
    [
        "tiny",
        "tiny:latest",
        "library/tiny",
        "registry.ollama.ai/library/TINY:latest",
        "https://registry.ollama.ai/library/tiny",
        " tiny",
        "tiny:local",
    ],
)
def test_every_spelling_of_a_name_reaches_the_same_model(server: Standin, name: str) -> None:
    body = json.dumps({"model": name, "prompt": "hi", "stream": False, "options": {"num_predict": 1}})
    assert spoken_by(server, "/api/generate", body)["response"] == " Hello"


def test_a_gzip_body_is_not_decoded(server: Standin) -> None:
    body = gzip.compress(b'{"model":"tiny"}')
    reply = ask(server, "POST", "/api/generate", body, ("Content-Encoding", "gzip"))
    assert reply.status_line == "HTTP/1.1 400 Bad Request"


def test_a_chunked_body_and_a_second_request_on_the_connection_are_served(server: Standin) -> None:
    head = f"POST /api/show HTTP/1.1\r\nHost: {server.address}\r\nTransfer-Encoding: chunked\r\n\r\n"
    second = f"GET /api/version HTTP/1.1\r\nHost: {server.address}\r\nConnection: close\r\n\r\n"
    with replay.connect(server.address) as connection:
        connection.sendall(f'{head}9\r\n{{"model":\r\n7\r\n"nope"}}\r\n0\r\n\r\n{second}'.encode())
        received = connection.makefile("rb").read()
    assert b"""{"error":"model 'nope:latest' not found"}HTTP/1.1 200 OK""" in received
    assert b"Connection: close" in received


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("GET / HTTP/1.1\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nBad Name: x\r\n", "400 Bad Request"),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n", "400 Bad Request"),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n", "501 Not Implemented"),
        ("GET /%zz HTTP/1.1\r\nHost: localhost\r\n", "400 Bad Request"),
    ],
)
def test_a_malformed_request_is_refused_and_the_connection_closed(server: Standin, lines: str, status: str) -> None:
    reply = replay.send(server.address, (lines + "\r\n").encode())
    assert reply.status_line == f"HTTP/1.1 {status}"
    assert reply.header("Connection") == "close"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/status"),
        ("GET", "/api/experimental/model-recommendations"),
        ("POST", "/api/me"),
        ("POST", "/api/signout"),
        ("DELETE", "/api/user/keys/abc"),
        ("POST", "/api/experimental/web_search"),
        ("POST", "/api/experimental/web_fetch"),
        ("POST", "/v1/audio/transcriptions"),
        ("POST", "/v1/messages"),
    ],
)
def test_newer_routes_exist(server: Standin, method: str, path: str) -> None:
    reply = ask(server, method, path)
    assert reply.status_line.split()[1] not in ("404", "405")
    json.loads(reply.body)


def test_messages_answer_in_anthropics_dialect(server: Standin) -> None:
    body = '{"model":"tiny","max_tokens":2,"messages":[{"role":"user","content":"hi"}]}'
    answer = spoken_by(server, "/v1/messages", body)
    assert answer["content"] == [{"type": "text", "text": " Hello,"}]
    assert answer["stop_reason"] == "max_tokens"
    streamed = ask(server, "POST", "/v1/messages", body.replace('"max', '"stream":true,"max').encode())
    events = [line[7:] for line in streamed.body.decode().splitlines() if line.startswith("event: ")]
    assert [events[0], events[-1]] == ["message_start", "message_stop"]
    assert events.count("content_block_delta") == 2


def test_responses_stream_typed_events(server: Standin) -> None:
    reply = ask(server, "POST", "/v1/responses", b'{"model":"tiny","input":"hi","stream":true}')
    events = [line[7:] for line in reply.body.decode().splitlines() if line.startswith("event: ")]
    assert [events[0], events[-1]] == ["response.created", "response.completed"]


def test_a_transcription_takes_its_model_from_the_form(server: Standin) -> None:
    parts = [b'name="model"\r\n\r\ntiny', b'name="file"; filename="a.wav"\r\n\r\nRIFF']
    body = b"".join(b"--x\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts) + b"--x--\r\n"
    reply = ask(server, "POST", "/v1/audio/transcriptions", body, ("Content-Type", "multipart/form-data; boundary=x"))
    assert list(json.loads(reply.body)) == ["text"]


def test_generation_ends_at_a_stop_string(server: Standin) -> None:
    body = '{"model":"tiny","prompt":"hi","stream":false,"options":{"stop":["test model"]}}'
    answer = spoken_by(server, "/api/generate", body)
    assert (answer["response"], answer["done_reason"]) == (" Hello, this is a tiny ", "stop")


def test_a_pinned_model_stays_loaded_and_an_unloaded_one_goes(server: Standin) -> None:
    spoken_by(server, "/api/generate", '{"model":"tiny","keep_alive":-1}')
    running = json.loads(ask(server, "GET", "/api/ps").body)["models"]
    assert any(model["name"] == "tiny:latest" and model["expires_at"] > "2200" for model in running)
    spoken_by(server, "/api/generate", '{"model":"tiny","keep_alive":0}')
    running = json.loads(ask(server, "GET", "/api/ps").body)["models"]
    assert all(model["name"] != "tiny:latest" for model in running)


def test_the_request_log_tells_what_arrived(server: Standin) -> None:
    body = b'{"model":"nope"}'
    ask(server, "POST", "/api/show?marked", body, ("X-Marked", "one"), ("X-Marked", "two"))
    entry = next(entry for entry in logged(server) if entry["target"] == "/api/show?marked")
    assert entry["headers"][:1] == [["Host", server.address]]
    assert [value for name, value in entry["headers"] if name == "X-Marked"] == ["one", "two"]
    assert (entry["body_sha256"], entry["body_length"]) == (hashlib.sha256(body).hexdigest(), len(body))
    assert (entry["method"], entry["status"], entry["disconnected"]) == ("POST", 404, False)
    assert entry["peer"].startswith("127.0.0.1:")


@pytest.mark.parametrize("streamed", [True, False])
def test_generation_ends_when_the_client_leaves(server: Standin, streamed: bool) -> None:
    target = f"/api/generate?leaving={streamed}"
    body = json.dumps({"model": "tiny-loop", "prompt": "hi", "stream": streamed}).encode()
    with replay.connect(server.address) as connection:
        connection.sendall(Request("POST", target, server.address, body=body).wire())
        if streamed:
            connection.recv(64)
        else:
            time.sleep(0.1)
    assert until(lambda: any(entry["target"] == target for entry in logged(server)), 1)
    assert next(entry for entry in logged(server) if entry["target"] == target)["disconnected"]


def test_many_streams_run_at_once(server: Standin) -> None:
    body = b'{"model":"tiny-loop","prompt":"hi","options":{"num_predict":20}}'
    request = Request("POST", "/api/generate", server.address, body=body).wire()
    connections = [replay.connect(server.address) for _ in range(100)]
    for connection in connections:
        connection.sendall(request)
    for connection in connections:
        received = b""
        while not received.endswith(b"0\r\n\r\n"):
            data = connection.recv(65536)
            assert data
            received += data
        connection.close()
        assert received.count(b'"done":false') == 20


def test_a_server_on_all_addresses_does_not_check_host(source: Registry, tmp_path: Path) -> None:
    port = free_port()
    with standin(tmp_path, OLLAMA_HOST=f"0.0.0.0:{port}") as server:
        request = Request("GET", "/api/version", "evil.example").wire()
        assert replay.send(f"127.0.0.1:{port}", request).status_line == "HTTP/1.1 200 OK"
        assert server.run("--version").stdout == "ollama version is 0.32.15\n"


@pytest.mark.parametrize(
    ("excepted", "problem"),
    [("", "proxyconnect tcp: dial tcp"), ("registry.invalid", "dial tcp: lookup registry.invalid")],
)
def test_the_server_pulls_through_the_proxy_but_for_what_is_excepted(
    tmp_path: Path, excepted: str, problem: str
) -> None:
    with standin(tmp_path, HTTPS_PROXY="http://127.0.0.1:9", NO_PROXY=excepted) as server:
        told = spoken_by(server, "/api/pull", '{"model":"registry.invalid/library/x","stream":false}')["error"]
    assert f'"https://registry.invalid/v2/library/x/manifests/latest": {problem}' in told


def test_a_broken_download_is_resumed_where_it_broke(tmp_path: Path) -> None:
    with registry() as source, standin(tmp_path, STANDIN_REGISTRY=f"http://{source.address}") as server:
        source.break_after = 300_000
        result = server.run("pull", "tiny")
        assert result.returncode == 0, result.stderr
        assert source.ranges == ["bytes=300000-"]


def test_a_blob_with_another_digest_is_refused(tmp_path: Path) -> None:
    with registry() as source, standin(tmp_path, STANDIN_REGISTRY=f"http://{source.address}") as server:
        source.damaged = True
        result = server.run("pull", "tiny")
        assert result.returncode == 1
        assert "Error: digest mismatch, file must be downloaded again" in result.stderr
        source.damaged = False
        assert server.run("pull", "tiny").returncode == 0


def test_a_model_can_be_pushed_and_pulled_again(server: Standin, tmp_path: Path) -> None:
    with registry() as target:
        name = f"{target.address}/library/mine"
        assert server.run("cp", "tiny", name).returncode == 0
        pushed = ask(server, "POST", "/api/push", json.dumps({"model": name, "insecure": True}).encode())
        assert pushed.body.endswith(b'{"status":"success"}\n')
        assert server.run("rm", name).returncode == 0
        with standin(tmp_path) as other:
            assert other.run("pull", "--insecure", name).returncode == 0
            assert f"{name}:latest" in other.run("list").stdout


def test_the_tiny_models_can_be_put_into_a_registry(tmp_path: Path) -> None:
    with registry() as target, standin(tmp_path, STANDIN_REGISTRY=f"http://{target.address}") as server:
        target.packages.clear()
        command = [sys.executable, "-m", "standin.testmodels", f"http://{target.address}"]
        subprocess.run(command, env=server.environment, check=True, timeout=30)
        assert server.run("pull", "tiny").returncode == 0
        assert server.run("pull", "tiny-loop").returncode == 0


def test_the_command_lists_shows_copies_and_removes(server: Standin) -> None:
    assert server.run("cp", "tiny", "mine").stdout == "copied 'tiny' to 'mine'\n"
    head, *rows = server.run("list").stdout.splitlines()
    assert head.split() == ["NAME", "ID", "SIZE", "MODIFIED"]
    assert any(row.split()[0] == "mine:latest" and " 521 KB " in row for row in rows)
    assert "FROM " in server.run("show", "mine", "--modelfile").stdout
    assert "architecture" in server.run("show", "mine").stdout
    assert server.run("rm", "mine").stdout == "deleted 'mine'\n"
    assert "mine" not in server.run("ls").stdout


def test_the_command_lists_what_runs(server: Standin) -> None:
    spoken_by(server, "/api/generate", '{"model":"tiny-loop","keep_alive":"5m"}')
    head, *rows = server.run("ps").stdout.splitlines()
    assert head.split() == ["NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"]
    assert any(row.startswith("tiny-loop:latest") and "4 minutes from now" in row for row in rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "nope"], "Error: model 'nope:latest' not found\n"),
        (["rm", "nope"], "Error: model 'nope' not found\n"),
        (["cp", "nope", "x"], 'Error: model "nope" not found\n'),
        (["pull", "nope"], "pulling manifest\nError: pull model manifest: file does not exist\n"),
        (["dance"], 'Error: unknown command "dance" for "ollama"\n'),
    ],
)
def test_the_command_fails_with_the_servers_words(server: Standin, arguments: list[str], message: str) -> None:
    result = server.run(*arguments)
    assert (result.returncode, result.stderr) == (1, message)


def test_the_command_fails_without_a_server(tmp_path: Path) -> None:
    with standin(tmp_path) as server:
        server.stop()
        result = server.run("list")
        assert result.returncode == 1
        assert "could not connect to ollama server" in result.stderr


def test_serve_names_the_address_that_is_taken(server: Standin) -> None:
    result = server.run("serve")
    assert result.returncode == 1
    assert result.stderr == f"Error: listen tcp {server.address}: bind: address already in use\n"


def test_serve_ends_at_once_when_told(tmp_path: Path) -> None:
    server = Standin(tmp_path, ["-m", "standin.cli", "serve"])
    server.wait_until_up()
    with replay.connect(server.address):
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(5) == 0
        assert time.monotonic() - started < 2
    server.stop()
