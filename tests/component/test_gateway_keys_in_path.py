# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys in the path, for programs that cannot send a header: who has one there, and that it goes no further."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tests.component.contract.replay import Reply, send
from tests.component.contract.standins import Standin, standin_with, until
from tests.component.gateways import KEYS, Gateway, basic, key_lines, record, status, with_tls
from tests.component.upstreams import Echo

SECRET = "ghk_alice-command-line-0123456789"
ENDED, WEAK = "ghk_alice-ended", "weak-key"
LINES = [
    *key_lines(),
    record("alice.cli", SECRET, f"last4={SECRET[-4:]}", "in_path=yes"),
    record("alice.ended", ENDED, "expires=2026-01-01T00:00:00Z", f"last4={ENDED[-4:]}", "in_path=yes"),
    record("bob.weak", WEAK, "guessable=yes"),
]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def start(folder: Path, authority: Authority, auth: str, *upstreams: str, **variables: Any) -> Iterator[Gateway]:
    server = Gateway(folder, auth, *upstreams, **with_tls(["127.0.0.1"]), ollama_gateway_http_port=80, **variables)
    server.write("api_keys", LINES)
    server.present(authority.issue("127.0.0.1"), authority)
    with server.running():
        yield server


@pytest.fixture(scope="module")
def server(upstream: Echo, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    yield from start(tmp_path_factory.mktemp("both"), authority, "both", upstream.address)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    with standin_with(tmp_path_factory.mktemp("models"), "tiny") as one:
        yield one


def below(key: str, path: str) -> str:
    return f"/key/{key}{path}"


def asked(upstream: Echo, path: str) -> list[str]:
    return [line for line in upstream.requests if f" {path} " in line]


def test_a_key_that_may_stand_in_the_path_lets_in_and_the_server_sees_none_of_it(
    server: Gateway, upstream: Echo
) -> None:
    for path in ("/api/tags", "/api/version?a=/key/b", "/v1/models", "/"):
        upstream.requests.clear()
        reply = server.ask(below(SECRET, path))
        assert status(reply) == 200, path
        assert upstream.requests == [f"GET {path} HTTP/1.1"]
        assert SECRET.encode() not in reply.body
        assert reply.header("Referrer-Policy") == "no-referrer"
    assert server.ask("/api/tags", "Authorization: " + server.credential()).header("Referrer-Policy") is None


def test_no_other_key_is_taken_there_and_nothing_beside_another_credential(server: Gateway) -> None:
    bearer = "Authorization: Bearer "
    told = {
        "one of headers only": server.ask(below(KEYS["alice.laptop"], "/api/tags")),
        "an unknown one": server.ask(below("ghk_nobody", "/api/tags")),
        "one that has ended": server.ask(below(ENDED, "/api/tags")),
        "one that can be guessed": server.ask(below(WEAK, "/api/tags")),
        "beside another": server.ask(below(SECRET, "/api/tags"), bearer + KEYS["alice.laptop"]),
        "beside itself": server.ask(below(SECRET, "/api/tags"), bearer + SECRET),
        "beside x-api-key": server.ask(below(SECRET, "/api/tags"), "x-api-key: " + SECRET),
        "beside a password": server.ask(below(SECRET, "/api/tags"), "Authorization: " + basic("alice", "wonderland")),
        "a wrong one, beside a right one": server.ask(below("x" * 20, "/api/tags"), bearer + SECRET),
    }
    assert {name: status(reply) for name, reply in told.items()} == dict.fromkeys(told, 401)
    assert b"may not stand in the path" in told["one of headers only"].body
    assert b"may not stand in the path" not in told["one that can be guessed"].body
    assert server.status("Bearer " + SECRET) == 200


def test_scopes_and_models_are_those_of_the_client(server: Gateway) -> None:
    server.allow({"alice": ["inference"]}, {"alice": ["tiny"]})
    try:
        answers = {
            model: status(server.ask(below(SECRET, "/api/chat"), method="POST", body=json.dumps(body).encode()))
            for model, body in {"tiny": {"model": "tiny"}, "other": {"model": "other"}}.items()
        }
        assert answers == {"tiny": 200, "other": 403}
        assert status(server.ask(below(SECRET, "/api/tags"))) == 403
        # What limits a body by its path does so below a key.
        assert status(server.ask(below(SECRET, "/api/show"), method="POST", body=b" " * (1 << 20) + b"{}")) == 413
    finally:
        server.allow({"alice": ["admin"], "bob": ["admin"]})


SPELLINGS = [
    "/key/{}",
    "/key/{}?x=/api/tags",
    "/key//{}/api/tags",
    "//key/{}/api/tags",
    "/KEY/{}/api/tags",
    "/%6bey/{}/api/tags",
    "/%256bey/{}/api/tags",
    "/key%2f{}/api/tags",
    "/key/%2e/{}/api/tags",
    "/x/../key/{}/api/tags",
    "/key/{}%2fapi/tags",
    "/key/{}/../api/tags",
    "/key/{}/api/../../../api/tags",
    "/key/{}/key/{}/api/tags",
    "/key/{}/healthz",
    "/key/{}/metrics",
    "/key/{}/gatehouse/usage",
    "/key/{}/.gatehouse/401",
    "/key/{}/api/../../x/.gatehouse/404",
    "/key/{}/API/tags",
    "/key/{}//api/tags",
    "/keys/{}/api/tags",
    "/api/key/{}/tags",
    "/key\\{}/api/tags",
    "/key/{}=/api/tags",
    "/key={}/api/tags",
    "/bearer%20{}/api/tags",
    "/{}/api/tags",
    "/%67hk_{}/api/tags",
    "/api/tags;{}",
    "/sha256-{}",
]


def test_a_body_may_be_as_large_as_with_a_header(server: Gateway) -> None:
    blob, body = "/api/blobs/sha256:" + "0" * 64, b"x" * (3 << 20)

    def sent(path: str, *headers: str) -> int:
        return status(server.ask(path, *headers, method="POST", body=body))

    server.configure(ollama_gateway_max_body_size="2m")
    server.reload()
    bearer = "Authorization: Bearer " + SECRET
    assert until(lambda: sent("/api/chat", bearer) == 413)
    # Another worker of before may take one more connection.
    assert until(lambda: sent(below(SECRET, "/api/chat")) == 413)
    assert sent(blob, bearer) == sent(below(SECRET, blob)) == 200


def test_any_other_spelling_is_refused_and_not_logged(server: Gateway, upstream: Echo) -> None:
    upstream.requests.clear()
    answers = {}
    for spelling in SPELLINGS:
        path = spelling.replace("{}", SECRET)
        replies = [server.ask(path), server.ask(path, "Authorization: Bearer " + SECRET)]
        answers[spelling] = [status(reply) for reply in replies]
    wrong = {spelling: told for spelling, told in answers.items() if not {400, 401, 404}.issuperset(told)}
    assert not wrong
    assert upstream.requests == []
    server.log_of(replies[-1].header("X-Request-Id"))
    assert SECRET not in server.logs()


def test_the_key_is_in_no_log_line_and_in_no_line_of_the_ledger(server: Gateway, models: Standin) -> None:
    body = b'{"model": "tiny", "prompt": "hi"}'
    replies = [
        server.ask(below(SECRET, "/api/generate"), method="POST", body=body),
        server.ask(below(SECRET, "/api/nothing")),
        server.ask(below("wrong-" + SECRET, "/api/tags")),
    ]
    lines = [server.log_of(reply.header("X-Request-Id")) for reply in replies]
    assert [line["path"] for line in lines] == ["/api/generate", "/api/nothing", "/api/tags"]
    assert [(line["client"], line["key"]) for line in lines] == [("alice", "cli"), ("alice", "cli"), ("", "")]
    assert SECRET not in server.logs()
    server.used(replies[0].header("X-Request-Id"))
    assert all(SECRET not in json.dumps(line) for line in server.ledger_lines())


def test_paths_that_are_known_are_logged_as_they_are(server: Gateway) -> None:
    paths = ["/v1/models/DeepSeek-R1-Distill-Qwen-32B-GGUF", "/api/tags", "/docs/index.html", "/wp-login.php"]
    replies = [server.ask(f"{path}?x=/key/y", "Authorization: Bearer " + SECRET) for path in paths]
    assert [server.log_of(reply.header("X-Request-Id"))["path"] for reply in replies] == paths


def test_errors_come_in_the_dialect_of_the_path_behind_the_key(server: Gateway) -> None:
    answers = {path: json.loads(server.ask(below("nobody", path)).body) for path in ("/v1/models", "/api/tags")}
    assert answers["/v1/models"]["error"]["type"] == "authentication_error"
    assert isinstance(answers["/api/tags"]["error"], str)


def test_the_plain_port_sends_nobody_with_a_key_on(server: Gateway) -> None:
    port = server.variables["__ollama_gateway_http_listen"]

    def plain(path: str) -> Reply:
        return send(port, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())

    for path in (below(SECRET, "/api/tags"), *(one.replace("{}", SECRET) for one in SPELLINGS)):
        reply = plain(path)
        assert SECRET not in (reply.header("Location") or ""), path
        assert SECRET.encode() not in reply.body
    assert status(plain(below(SECRET, "/api/tags"))) == 400
    assert b"needs HTTPS" in plain(below(SECRET, "/api/tags")).body
    assert status(plain("/api/tags")) == 308
    assert SECRET not in server.logs()


def test_http_without_tls_takes_no_key_in_the_path(bearer_gateway: Gateway) -> None:
    bearer_gateway.write("api_keys", LINES)
    try:
        assert bearer_gateway.status("Bearer " + SECRET) == 200
        assert status(bearer_gateway.ask(below(SECRET, "/api/tags"))) == 401
        assert SECRET not in bearer_gateway.logs()
    finally:
        bearer_gateway.write("api_keys", key_lines())


def test_a_gateway_of_passwords_takes_none(
    upstream: Echo, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for engine in ("nginx", "openresty"):
        for one in start(
            tmp_path_factory.mktemp(engine), authority, "basic", upstream.address, ollama_gateway_engine=engine
        ):
            assert status(one.ask(below(SECRET, "/api/tags"))) == 401
            assert SECRET not in one.logs()


# What the command of Ollama 0.32.15 sends below the path of its OLLAMA_HOST, as it was recorded.
_SHOW: dict[str, Any] = {"system": "", "template": "", "verbose": False, "options": None}
_GENERATE: dict[str, Any] = {"suffix": "", "system": "", "template": ""}
CONVERSATION: dict[str, list[tuple[str, str, dict[str, Any] | None]]] = {
    "list": [("HEAD", "/", None), ("GET", "/api/tags", None)],
    "show": [("HEAD", "/", None), ("POST", "/api/show", {"model": "", **_SHOW, "name": "tiny"})],
    "run": [
        ("HEAD", "/", None),
        ("POST", "/api/show", {"model": "tiny", **_SHOW, "name": ""}),
        ("POST", "/api/generate", {"model": "tiny", "prompt": "hi", **_GENERATE, "options": {}}),
    ],
    "ps": [("HEAD", "/", None), ("GET", "/api/ps", None)],
    "cp": [("HEAD", "/", None), ("POST", "/api/copy", {"source": "tiny", "destination": "tiny2"})],
    "rm": [
        ("HEAD", "/", None),
        ("POST", "/api/show", {"model": "tiny2", **_SHOW, "name": ""}),
        ("POST", "/api/generate", {"model": "tiny2", "prompt": "", **_GENERATE, "keep_alive": "0s", "options": None}),
        ("DELETE", "/api/delete", {"model": "", "name": "tiny2"}),
    ],
    "pull": [
        ("HEAD", "/", None),
        ("POST", "/api/pull", {"model": "", "username": "", "password": "", "name": "nothere-model"}),
    ],
    "--version": [("GET", "/api/version", None)],
}
HEADERS = [
    "User-Agent: ollama/0.32.15 (amd64 linux) Go/go1.27.3",
    "Accept: application/json",
    "Content-Type: application/json",
    "Accept-Encoding: gzip",
]


@pytest.mark.parametrize("may", [["*"], ["tiny*", "nothere-model"]])
def test_the_ollama_command_lists_runs_and_pulls_through_it(
    models: Standin, authority: Authority, tmp_path: Path, may: list[str]
) -> None:
    for one in start(tmp_path / "gateway", authority, "bearer", models.address):
        one.allow({"alice": ["inference", "models_read", "models_write"]}, {"alice": may})
        answers = {
            command: [
                one.ask(
                    below(SECRET, path),
                    *HEADERS,
                    method=method,
                    body=json.dumps(body).encode() if body is not None else None,
                )
                for method, path, body in requests
            ]
            for command, requests in CONVERSATION.items()
        }
        assert {name: [status(reply) for reply in replies] for name, replies in answers.items()} == {
            name: [200] * len(requests) for name, requests in CONVERSATION.items()
        }
        assert [model["name"] for model in json.loads(answers["list"][1].body)["models"]] == ["tiny:latest"]
        assert b'"done":true' in answers["run"][2].body
        assert b"error" in answers["pull"][1].body  # of the registry: there is no such model
        time.sleep(0.2)
        used = {(line["client"], line["key"], line["model"]) for line in one.ledger_lines()}
        assert used == {("alice", "cli", "tiny:latest"), ("alice", "cli", "tiny2:latest")}
