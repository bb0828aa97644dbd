# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in answers the recorded requests as the recorded server did."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.component.contract import replay
from tests.component.contract.compare import compare
from tests.component.contract.replay import FIXTURES, Exchange, Reply, Request
from tests.component.contract.standins import NO_NETWORK, Registry, Standin, registry, standin, testmodels

PROXY = "http://127.0.0.1:9"
RECORDED_TINY = "bc2d27c96e8c357215f2152d466999972e4d9026bf0747973498a4925a8463a7"
RECORDED_LOOP = "43b463399a432b055c134b349bfe49896abace672d5db199118dc9758d4dbe7c"
RECORDED_LOOP_CONFIG = "59f2808c0a2362f621632d0ac432fb244530291048cba1630fd8fb34923350e6"
NAMES = sorted(path.stem for path in FIXTURES.glob("*.txt"))
MAIN = [name for name in NAMES if name[0] in "0123456789"]
PULLS = [name for name in NAMES if name[0] == "a"]
OFFLINE = [name for name in NAMES if name[0] == "b"]
CUT = "c1-sigterm-midstream"

Pair = tuple[Reply, Reply]


def _exchange(name: str, substitutions: dict[str, str]) -> Exchange:
    uploads = {"tiny.gguf": testmodels.weights(loops=False), "hello.bin": b"hello"}
    return replay.read_fixture(FIXTURES / f"{name}.txt", substitutions, uploads)


def _substitutions(server: Standin, models: Path, source: Registry) -> dict[str, str]:
    own = {
        "127.0.0.1:11434": server.address,
        "127.0.0.1:11444": server.address,
        "127.0.0.1:5999": source.address,
        "/srv/ollama/models": str(models),
        RECORDED_TINY: testmodels.digest_of(testmodels.weights(loops=False))[7:],
        RECORDED_LOOP: source.digests("tiny-loop")[0][7:],
        RECORDED_LOOP_CONFIG: source.digests("tiny-loop")[-1][7:],
    }
    shortened = {old[:12]: new[:12] for old, new in own.items() if re.fullmatch("[0-9a-f]{64}", old)}
    return {**own, **shortened}


def _call(server: Standin, method: str, path: str, body: bytes) -> Reply:
    return replay.send(server.address, Request(method, path, server.address, body=body).wire(), method)


def _seed(server: Standin) -> None:
    """The two models as the recorded server had them: created from uploaded files."""
    for name, loops in testmodels.PACKAGES.items():
        weights = testmodels.weights(loops)
        digest = testmodels.digest_of(weights)
        assert "201" in _call(server, "POST", f"/api/blobs/{digest}", weights).status_line
        wanted = {
            "model": name,
            "files": {f"{name}.gguf": digest},
            "template": testmodels.TEMPLATE,
            "system": testmodels.SYSTEM,
            "license": testmodels.LICENSE,
            "parameters": testmodels.PARAMETERS,
        }
        reply = _call(server, "POST", "/api/create", json.dumps(wanted).encode())
        assert reply.body.endswith(b'{"status":"success"}\n'), reply.body


def _replay(server: Standin, names: list[str], substitutions: dict[str, str]) -> dict[str, Pair]:
    answers = {}
    for name in names:
        exchange = _exchange(name, substitutions)
        answers[name] = exchange.reply, replay.send(server.address, exchange.request.wire(), exchange.request.method)
    return answers


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    """Every recorded exchange and its counterpart, replayed once in the recorded order."""
    found: dict[str, Pair] = {}
    models = tmp_path_factory.mktemp("online")
    with registry() as source, standin(models, HTTPS_PROXY=PROXY) as server:
        _seed(server)
        found |= _replay(server, MAIN, _substitutions(server, models, source))
        # The recorded pulls began without this model.
        assert "200" in _call(server, "DELETE", "/api/delete", b'{"model":"tiny-loop"}').status_line
        found |= _replay(server, PULLS, _substitutions(server, models, source))
    models = tmp_path_factory.mktemp("offline")
    with registry() as source, standin(models, ["-c", NO_NETWORK]) as server:
        found |= _replay(server, OFFLINE, _substitutions(server, models, source))
    return found


@pytest.mark.parametrize("name", MAIN + PULLS + OFFLINE)
def test_answers_as_recorded(name: str, answers: dict[str, Pair]) -> None:
    expected, actual = answers[name]
    if name.startswith("b") and "pull" in name:
        # Which name server was asked is the recorded machine's affair.
        expected, actual = _without_name_server(expected), _without_name_server(actual)
    assert compare(expected, actual, head_varies=name == "04b-tags-head") == []


def _without_name_server(reply: Reply) -> Reply:
    body = re.sub(rb" on \S+:53: dial udp \S+:53:", b" on SERVER: dial udp SERVER:", reply.body)
    return replace(reply, body=body, headers=[header for header in reply.headers if header[0] != "Content-Length"])


def test_a_stopped_server_breaks_its_streams_off_and_ends_well(tmp_path: Path) -> None:
    recorded = (FIXTURES / f"{CUT}.txt").read_bytes().decode()
    head, _, lines = recorded.replace("\r\n", "\n").partition("\n\n")
    with registry() as source, standin(tmp_path, STANDIN_REGISTRY=f"http://{source.address}") as server:
        assert server.run("pull", "tiny-loop").returncode == 0
        request = Request("POST", "/api/generate", server.address, body=b'{"model":"tiny-loop","prompt":"hi"}')
        with replay.connect(server.address) as connection:
            connection.sendall(request.wire())
            stream = connection.makefile("rb")
            got_head = [line.decode().rstrip("\r\n") for line in iter(stream.readline, b"\r\n")]
            # A chunk is three lines here: its size, the object, and the end of the chunk.
            received = [stream.readline() for _ in range(90)]
            assert server.stop() == 0
            received += list(stream)
    assert [_undated(line) for line in got_head] == [_undated(line) for line in head.split("\n")]
    assert b"0\r\n" not in received, "the stream was ended as if it were complete"
    pieces = [json.loads(line)["response"] for line in received if line.startswith(b"{")]
    recorded_pieces = [json.loads(line)["response"] for line in lines.splitlines()[:20]]
    assert pieces[:20] == recorded_pieces


def _undated(line: str) -> str:
    return re.sub("^Date: .*", "Date", line)


ERROR = Reply(
    "HTTP/1.1 404 Not Found",
    [
        ("Content-Type", "application/json; charset=utf-8"),
        ("Date", "Mon, 23 Nov 2026 09:45:20 GMT"),
        ("Content-Length", "34"),
    ],
    b"""{"error":"model 'nope' not found"}""",
)
STREAM = Reply(
    "HTTP/1.1 200 OK",
    [("Content-Type", "application/x-ndjson"), ("Transfer-Encoding", "chunked")],
    b'{"model":"tiny","created_at":"2026-11-23T09:45:20.5Z","response":"a","done":false}\n{"done":true}\n',
)


def _changed_header(index: int, name: str, value: str) -> Reply:
    headers = list(ERROR.headers)
    headers[index] = (name, value)
    return replace(ERROR, headers=headers)


WRONG = {
    "another status": replace(ERROR, status_line="HTTP/1.1 400 Bad Request"),
    "another header value": _changed_header(0, "Content-Type", "application/json"),
    "another spelling of a header name": _changed_header(0, "content-type", "application/json; charset=utf-8"),
    "a date that is none": _changed_header(1, "Date", "today"),
    "a wrong length": _changed_header(2, "Content-Length", "35"),
    "a missing header": replace(ERROR, headers=ERROR.headers[1:]),
    "an extra header": replace(ERROR, headers=[*ERROR.headers, ("Server", "x")]),
    "another order of headers": replace(ERROR, headers=ERROR.headers[::-1]),
    "another text": replace(ERROR, body=b"""{"error":"model 'nops' not found"}"""),
    "another key": replace(ERROR, body=b"""{"fault":"model 'nope' not found"}"""),
    "a line break more": replace(ERROR, body=ERROR.body + b"\n"),
}
WRONG_STREAMS = {
    "another word": STREAM.body.replace(b'"a"', b'"b"'),
    "another type": STREAM.body.replace(b"false", b'"false"'),
    "a time without zone": STREAM.body.replace(b".5Z", b".5"),
    "another order of keys": STREAM.body.replace(b'"response":"a","done":false', b'"done":false,"response":"a"'),
    "a key twice": STREAM.body.replace(b'"done":true', b'"done":true,"done":true'),
    "a line less": STREAM.body.partition(b"\n")[0] + b"\n",
}


@pytest.mark.parametrize("what", WRONG)
def test_the_comparison_notices(what: str) -> None:
    assert compare(ERROR, ERROR) == []
    assert compare(ERROR, WRONG[what]) != []


@pytest.mark.parametrize("what", WRONG_STREAMS)
def test_the_comparison_notices_in_a_stream(what: str) -> None:
    assert compare(STREAM, STREAM) == []
    assert compare(STREAM, replace(STREAM, body=WRONG_STREAMS[what])) != []


def test_the_comparison_notices_lines_that_are_split_or_merged() -> None:
    one, other = STREAM.body.splitlines(keepends=True)
    whole = replace(STREAM, chunks=[one, other])
    assert compare(whole, whole) == []
    for chunks in ([one + other], [one[:5], one[5:], other]):
        assert compare(STREAM, replace(STREAM, chunks=chunks)) != []
        assert compare(whole, replace(STREAM, chunks=chunks)) != []


def test_every_recording_is_used() -> None:
    assert sorted(itertools.chain(MAIN, PULLS, OFFLINE, [CUT])) == NAMES
