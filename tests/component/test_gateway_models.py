# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models a client may use: the gateway judges the body that it sends on, in every way to name a model."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench.load import cpu_seconds
from tests.component.contract.replay import send
from tests.component.contract.standins import Standin, registry, standin
from tests.component.gateways import KEYS, Gateway, gateway, status
from tests.component.upstreams import Echo, echo, told

ALICE = f"Authorization: Bearer {KEYS['alice.laptop']}"
BOB = f"Authorization: Bearer {KEYS['bob.ci']}"
BODY_ROUTES = [
    *("/api/generate", "/api/chat", "/api/embed", "/api/embeddings", "/api/show"),
    *("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/messages"),
]
# What Ollama 0.32.15 makes of a name, as it was recorded (d66*), or read in its code where it says so.
SPELLINGS = {
    "tiny": "tiny",
    "tiny:latest": "tiny",
    "TINY": "tiny",
    "tiny:LATEST": "tiny",
    "library/tiny": "tiny",
    "registry.ollama.ai/library/tiny": "tiny",
    "registry.ollama.ai/library/TINY:latest": "tiny",
    "https://registry.ollama.ai/library/tiny": "tiny",
    "http://registry.ollama.ai/library/tiny": "tiny",
    " tiny": "tiny",
    "tiny:latest ": "tiny",
    "\ttiny": "tiny",
    "tiny\n": "tiny",
    "\u00a0tiny": "tiny",
    "tiny:local": "tiny",
    " library/tiny:latest:LOCAL ": "tiny",  # read
    "tiny:nope": "another model",
    "tiny-loop": "another model",
    "mallory/tiny": "another model",
    "ollama.com/library/tiny": "another model",
    "hf.co/library/tiny": "another model",
    "tiny:latest-local": "another model",
    "tiny:cloud": "a model of ollama.com",
    "tiny:latest-cloud": "a model of ollama.com",
    "tiny:local:cloud": "invalid",  # read
    "tiny:local:local": "invalid",  # read
    "tiny :local": "invalid",  # read
    "tiny@sha256:00": "invalid",
    "tiny::latest": "invalid",
    "ti ny": "invalid",
    "tiny/": "invalid",
    "tiny\0": "invalid",
    "\u200btiny": "invalid",
}
ALLOWED = [name for name, means in SPELLINGS.items() if means == "tiny"]
REFUSED = [name for name, means in SPELLINGS.items() if means != "tiny"]
# What makes, copies and removes models was not recorded to read names so.
STRICT = [name for name in ALLOWED if name == name.strip() and not name.lower().endswith("local")]
# Ollama would run another model than the one that a careless reader sees.
AMBIGUOUS = [
    b'{"model":"tiny","MODEL":"tiny-loop"}',
    b'{"MODEL":"tiny-loop","model":"tiny"}',
    b'{"model":"tiny","m\\u006fdel":"tiny-loop"}',
    b'{"Model":"tiny"}',
    b'{"model":"tiny"}{"model":"tiny-loop"}',
    b'{"model":["tiny"]}',
    b"model=tiny",
    b"",
    b'{"model":"tiny"',
]


@pytest.fixture(scope="module")
def server(upstream: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """alice may use one model, bob all; both have every scope."""
    with gateway(tmp_path_factory.mktemp("models"), "bearer", upstream.address) as one:
        one.allow({"alice": ["admin"], "bob": ["admin"]}, {"alice": ["tiny"]})
        yield one


def ask(
    server: Gateway, path: str, name: str, credential: str = ALICE, field: str = "model", method: str = "POST"
) -> int:
    return status(server.ask(path, credential, method=method, body=json.dumps({field: name}).encode()))


@pytest.mark.parametrize("path", BODY_ROUTES)
def test_a_client_may_use_its_models_in_every_spelling_and_no_other(server: Gateway, path: str) -> None:
    assert {name: ask(server, path, name) for name in ALLOWED} == dict.fromkeys(ALLOWED, 200)
    assert {name: ask(server, path, name) for name in REFUSED} == dict.fromkeys(REFUSED, 403)
    assert ask(server, path, "tiny-loop", field="name") == 403
    assert ask(server, path, "tiny-loop", BOB) == 200


@pytest.mark.parametrize("body", AMBIGUOUS)
def test_a_body_that_ollama_could_read_otherwise_is_refused(server: Gateway, upstream: Echo, body: bytes) -> None:
    before = len(upstream.requests)
    assert status(server.ask("/api/chat", ALICE, method="POST", body=body)) == 400
    assert len(upstream.requests) == before


# What is no JSON of a request, or what two readers could take in two ways.
ODD = [
    *AMBIGUOUS,
    b'{"model":"tiny\\ud83d","n\\ud83d":"\\ud83d"}',
    b'{"model":"tiny"} \n\t ',
    b'{"model":"tiny"} and more',
    b'{"model":"tiny","x":' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"model":"tiny","%s":1}' % (b"x" * 5000),
    json.dumps({"model": "tiny"} | dict.fromkeys(map(str, range(2000)), 1)).encode(),
    json.dumps({"model": "x" * 100_000}).encode(),
    b"\xef\xbb\xbf" + b'{"model":"tiny"}',
    json.dumps({"model": "tiny"}).encode("utf-16"),
    gzip.compress(b'{"model":"tiny"}'),
]


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions", "/api/create", "/v1/audio/transcriptions"])
def test_whoever_may_use_all_models_is_refused_no_body(server: Gateway, path: str) -> None:
    for body in ODD:
        reached = told(server.ask(path, BOB, method="POST", body=body))
        assert (reached["body"], reached["sum"]) == (len(body), sum(body)), body[:50]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"model":"tiny"', "the body is not complete JSON"),
        (
            b'{"model":"tiny","MODEL":"tiny"}',
            "the body names the model twice, or in another spelling than small letters",
        ),
        (b'{"model":1}', "the name of the model is not a string"),
    ],
)
def test_the_answer_says_what_is_wrong_with_a_body_in_the_dialect_of_the_path(
    server: Gateway, body: bytes, reason: str
) -> None:
    native, openai, anthropic = (
        json.loads(server.ask(path, ALICE, method="POST", body=body).body)["error"]
        for path in ("/api/chat", "/v1/chat/completions", "/v1/messages")
    )
    assert (native, openai["message"], anthropic["message"]) == (reason, reason, reason)


@pytest.mark.parametrize("path", ["/api/pull", "/api/create", "/api/push"])
def test_names_of_models_that_are_made_or_moved_are_read_to_the_letter(server: Gateway, path: str) -> None:
    assert {name for name in SPELLINGS if ask(server, path, name) == 200} == set(STRICT)


def test_a_pattern_on_tags_opens_no_model_that_ollama_may_read_the_name_as(tmp_path: Path, upstream: Echo) -> None:
    """Some that write read `tiny:local` as `tiny`, whose tag is `latest`."""
    with gateway(tmp_path, "bearer", upstream.address) as one:
        one.allow({"alice": ["admin"]}, {"alice": ["tiny:*l"]})
        assert [ask(one, path, "tiny:local") for path in ("/api/pull", "/api/push", "/api/show")] == [403] * 3
        assert ask(one, "/api/pull", "tiny:small") == 200


def test_managing_models_is_limited_to_those_of_the_client_too(server: Gateway) -> None:
    assert ask(server, "/api/pull", "tiny-loop") == 403
    assert ask(server, "/api/delete", "tiny-loop", method="DELETE") == 403
    assert ask(server, "/api/create", "tiny-loop", field="from") == 403
    assert ask(server, "/api/copy", "tiny-loop", field="source") == 403
    assert ask(server, "/api/copy", "tiny-loop", field="\u017fource") == 400
    assert ask(server, "/api/copy", "tiny-loop", field="destination") == 403
    assert ask(server, "/api/delete", "tiny", method="DELETE") == 200


DIGEST = "sha256:" + "a" * 64
# What would make a model of weights that are not those of a listed model, or brings them in from elsewhere.
BEYOND = {
    "from a digest": {"model": "tiny", "from": DIGEST},
    "from a digest of a name": {"model": "tiny", "from": f"tiny@{DIGEST}"},
    "from a path": {"model": "tiny", "from": "/root/.ollama/models/blobs/" + DIGEST.replace(":", "-")},
    "from another host": {"model": "tiny", "from": "evil.example/library/tiny"},
    "files": {"model": "tiny", "files": {"m.gguf": DIGEST}},
    "files as well": {"model": "tiny", "from": "tiny", "files": {"m.gguf": DIGEST}},
    "files in another spelling": {"model": "tiny", "from": "tiny", "Files": {"m.gguf": DIGEST}},
    "files in a disguise": {"model": "tiny", "from": "tiny", "file\u017f": {"m.gguf": DIGEST}},
    "adapters": {"model": "tiny", "from": "tiny", "adapters": {"m.gguf": DIGEST}},
    "draft_files": {"model": "tiny", "from": "tiny", "draft_files": {"m.gguf": DIGEST}},
    "remote_host": {"model": "tiny", "from": "tiny", "remote_host": "https://ollama.com"},
    "modelfile": {"model": "tiny", "modelfile": "FROM secret"},
    "path": {"model": "tiny", "path": "/root/Modelfile"},
    "a member that a newer server may know": {"model": "tiny", "from": "tiny", "base": "secret"},
}
HARMLESS: dict[str, Any] = {
    **dict(model="tiny", name="", stream=False, quantize="q4_K_M", template="{{ .Prompt }}", system="x"),
    **{"from": "library/tiny", "license": ["MIT"], "parameters": {"stop": ["files"]}, "messages": [{"files": 1}]},
}


@pytest.mark.parametrize("body", BEYOND.values(), ids=BEYOND)
def test_a_client_with_a_list_makes_no_model_of_what_is_not_in_it(
    server: Gateway, upstream: Echo, body: dict[str, Any]
) -> None:
    sent, before = json.dumps(body).encode(), len(upstream.requests)
    assert status(server.ask("/api/create", ALICE, method="POST", body=sent)) == 403
    assert len(upstream.requests) == before
    assert status(server.ask("/api/create", BOB, method="POST", body=sent)) == 200


def test_a_client_with_a_list_makes_models_of_those_in_it(server: Gateway) -> None:
    assert status(server.ask("/api/create", ALICE, method="POST", body=json.dumps(HARMLESS).encode())) == 200


@pytest.mark.parametrize("path", ["/api/pull", "/api/push"])
def test_a_client_with_a_list_pulls_and_pushes_no_other_name_and_no_more_than_a_name(
    server: Gateway, path: str
) -> None:
    for body, wanted in (
        ({"model": "tiny", "insecure": False, "stream": True, "username": "", "password": ""}, 200),
        ({"name": "tiny"}, 200),
        ({"model": "evil.example/library/tiny", "insecure": True}, 403),
        ({"model": "http://evil.example/library/tiny"}, 403),
        ({"model": "tiny", "name": "secret"}, 403),
        ({"model": "tiny", "source": "huggingface://secret/model"}, 403),
    ):
        assert status(server.ask(path, ALICE, method="POST", body=json.dumps(body).encode())) == wanted, body


def test_a_client_with_a_list_copies_within_it_only(server: Gateway) -> None:
    for body, wanted in (
        ({"source": "tiny", "destination": "library/tiny"}, 200),
        ({"source": "tiny", "destination": "secret"}, 403),
        ({"source": "secret", "destination": "tiny"}, 403),
        ({"source": "tiny", "destination": "tiny", "from": DIGEST}, 403),
    ):
        assert status(server.ask("/api/copy", ALICE, method="POST", body=json.dumps(body).encode())) == wanted, body


def test_a_client_with_a_list_neither_uploads_weights_nor_learns_which_there_are(
    server: Gateway, upstream: Echo
) -> None:
    before = len(upstream.requests)
    for method in ("HEAD", "POST"):
        reply = server.ask(f"/api/blobs/{DIGEST}", ALICE, method=method)
        assert status(reply) == 403
    assert json.loads(reply.body)["error"].endswith(": it has a list of models, and this could be about others")
    assert len(upstream.requests) == before
    for method in ("HEAD", "POST"):
        assert status(server.ask(f"/api/blobs/{DIGEST}", BOB, method=method)) == 200


@pytest.fixture(scope="module")
def patterns(upstream: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One worker, whose time can be told; alice has a pattern with several wildcards."""
    with gateway(tmp_path_factory.mktemp("patterns"), "bearer", upstream.address, workers="1") as one:
        one.allow({"alice": ["admin"], "bob": ["admin"]}, {"alice": ["*llama*instruct*q4*"]})
        yield one


def test_a_name_longer_than_any_is_refused_at_once_whatever_the_pattern(patterns: Gateway) -> None:
    long = "llamainstruct" * 5000
    before = cpu_seconds(patterns.processes("worker"))
    for path, dialect in (("/api/chat", "error"), ("/v1/chat/completions", "message"), ("/v1/messages", "message")):
        reply = patterns.ask(path, ALICE, method="POST", body=json.dumps({"model": long}).encode())
        assert status(reply) == 403, path
        error = json.loads(reply.body)["error"]
        assert (
            error if dialect == "error" else error[dialect]
        ) == "this client may not do this: the model is not on its list"
        assert status(patterns.ask(path, BOB, method="POST", body=json.dumps({"model": long}).encode())) == 200
    assert status(patterns.ask(f"/v1/models/{long[:7600]}", ALICE)) == 403
    assert status(patterns.ask(f"/v1/models/{long[:7600]}%23#", ALICE)) == 404
    for name in ("llamainstruct" * 6, "llamainstruct" * 6 + ":" + "q4instruct" * 8, "x/" * 300):
        assert ask(patterns, "/api/chat", name) == 403
    assert ask(patterns, "/api/chat", "my-llama3-instruct-8b-q4_0") == 200
    # Some 20 ms; it was 47 s for the first of them alone.
    assert cpu_seconds(patterns.processes("worker")) - before < 1


@pytest.mark.parametrize("unit", ["0,", "[],", '{"":0},', '"\\u0041",', "1e1,"])
def test_a_body_of_small_tokens_costs_little_more_than_one_of_text(patterns: Gateway, unit: str) -> None:
    size = 20 * 1024 * 1024
    body = b'{"x":[' + (unit * (size // len(unit))).encode() + b'0],"model":"tiny"}'
    before = cpu_seconds(patterns.processes("worker"))
    assert status(patterns.ask("/api/chat", ALICE, method="POST", body=body)) == 403
    # A quarter of a second; strings of the tokens took up to 13.
    assert cpu_seconds(patterns.processes("worker")) - before < 2


def test_text_that_was_cut_within_an_emoji_goes_on(server: Gateway) -> None:
    body = b'{"model":"tiny","messages":[{"role":"user","content":"Gr\xc3\xbc\xc3\x9fe \\ud83d"}],"\\ud83d":1} \n'
    for credential in (ALICE, BOB):
        assert told(server.ask("/api/chat", credential, method="POST", body=body))["body"] == len(body)
    named = body.replace(b'"tiny"', b'"tiny\\ud83d"')
    assert status(server.ask("/api/chat", ALICE, method="POST", body=named)) == 400


def test_a_model_in_the_path_is_judged(server: Gateway) -> None:
    wanted = {"tiny": 200, "tiny:latest": 200, "tiny%3Alatest": 200, "TINY%3alatest": 200, "tiny%3Alocal": 200}
    wanted |= {"tiny-loop": 403, "tiny%3A1b": 403, "tiny%3Acloud": 403, "tiny%2dloop": 404, "library%2Ftiny": 404}
    assert {name: status(server.ask(f"/v1/models/{name}", ALICE)) for name in wanted} == wanted
    # As it came.
    assert told(server.ask("/v1/models/tiny%3Alatest", ALICE))["line"] == "GET /v1/models/tiny%3Alatest HTTP/1.1"


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "br, gzip", "identity, zstd"])
@pytest.mark.parametrize("path", ["/v1/responses", "/v1/audio/transcriptions", "/v1/messages", "/api/chat"])
def test_an_encoded_body_goes_on_for_whoever_may_use_all_models_only(server: Gateway, encoding: str, path: str) -> None:
    body = gzip.compress(b'{"model":"tiny"}')
    reply = server.ask(path, ALICE, f"Content-Encoding: {encoding}", method="POST", body=body)
    assert status(reply) == 415
    error = json.loads(reply.body)["error"]
    assert error if path == "/api/chat" else error["type"] == "invalid_request_error"
    reached = told(server.ask(path, BOB, f"Content-Encoding: {encoding}", method="POST", body=body))
    assert (reached["body"], reached["sum"]) == (len(body), sum(body))
    assert reached["headers"]["content-encoding"] == [encoding]


@pytest.mark.parametrize("encoding", ["identity", "Identity"])
def test_identity_is_no_encoding(server: Gateway, encoding: str) -> None:
    for name, wanted in (("tiny", 200), ("tiny-loop", 403)):
        body = json.dumps({"model": name}).encode()
        for credential, expected in ((ALICE, wanted), (BOB, 200)):
            reply = server.ask("/api/chat", credential, f"Content-Encoding: {encoding}", method="POST", body=body)
            assert status(reply) == expected


@pytest.mark.parametrize("size", [0, 100, 20_000, 200_000, 20 * 1024 * 1024])
def test_a_body_goes_on_byte_for_byte_as_it_was_judged(server: Gateway, size: int) -> None:
    body = b'{ "images": ["%s"],\n"model" :\t"tiny", "n": 1.0}' % (b"A" * size)
    reached = told(server.ask("/api/chat", ALICE, method="POST", body=body))
    assert (reached["body"], reached["sum"]) == (len(body), sum(body))


def test_a_chunked_body_is_judged_as_a_whole(server: Gateway) -> None:
    for name, wanted in (("tiny", 200), ("tiny-loop", 403)):
        pieces = [b'{"mod', b'el": "', name.encode(), b'"}']
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        head = [f"POST /api/chat HTTP/1.1\r\nHost: x\r\n{ALICE}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()]
        assert status(send(server.address, b"".join([*head, body]), "POST")) == wanted


@pytest.fixture(scope="module")
def ollama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    """A stand-in of Ollama with two models, both loaded."""
    root = tmp_path_factory.mktemp("ollama")
    with registry() as source, standin(root / "models", STANDIN_REGISTRY=f"http://{source.address}") as server:
        for name in ("tiny", "tiny-loop"):
            assert server.run("pull", name).returncode == 0
        yield server


def names(text: bytes) -> set[str]:
    lists = json.loads(text)
    return {str(one.get("name") or one.get("id")) for one in lists.get("models") or lists.get("data") or []}


def test_lists_show_a_client_its_own_models_only(tmp_path: Path, ollama: Standin) -> None:
    with gateway(tmp_path, "bearer", ollama.address) as one:
        one.allow({"alice": ["admin"], "bob": ["admin"]}, {"alice": ["tiny"]})
        for name in ("tiny", "tiny-loop"):
            assert ask(one, "/api/generate", name, BOB) == 200
        for path in ("/api/tags", "/api/ps", "/v1/models"):
            shown = {key: one.ask(path, key) for key in (ALICE, BOB)}
            assert names(shown[BOB].body) == {"tiny:latest", "tiny-loop:latest"}, path
            assert names(shown[ALICE].body) == {"tiny:latest"}, path
            assert b"loop" not in shown[ALICE].body
        assert status(one.ask("/api/tags", ALICE, method="HEAD")) == 200


# As Ollama 0.32.15 sends it (d64f), with one that alice may use.
RECOMMENDED = {
    "recommendations": [
        {"model": "kimi-k2.6:cloud", "description": "Coding", "context_length": 262144, "max_output_tokens": 262144},
        {"model": "tiny", "description": "Locally", "vram_bytes": 12000000000},
        {"model": "tiny:cloud", "description": "Elsewhere"},
        {"model": "gemma4", "description": "Reasoning and code generation locally", "vram_bytes": 12000000000},
    ]
}


def test_nothing_is_recommended_to_a_client_that_it_may_not_use(tmp_path: Path) -> None:
    path = "/api/experimental/model-recommendations"
    with echo() as upstream, gateway(tmp_path, "bearer", upstream.address) as one:
        upstream.answers[path] = json.dumps(RECOMMENDED).encode()
        one.allow({"alice": ["models_read"], "bob": ["models_read"]}, {"alice": ["tiny"]})
        shown = {key: json.loads(one.ask(path, key).body) for key in (ALICE, BOB)}
        assert shown == {ALICE: {"recommendations": RECOMMENDED["recommendations"][1:2]}, BOB: RECOMMENDED}


def test_a_list_that_cannot_be_read_is_shown_empty(server: Gateway) -> None:
    """The echo's answer is no list: nothing of it is shown to a client with some models."""
    for path, empty in (("/api/tags", b'{"models":[]}'), ("/v1/models", b'{"data":[]}')):
        assert server.ask(path, ALICE).body == empty
