# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in answers the recorded requests as the recorded server did."""

from __future__ import annotations

import gzip
import json
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.component.contract import replay
from tests.component.contract.compare import compare
from tests.component.contract.replay import FIXTURES, Exchange, Reply, Request
from tests.component.contract.standins import NO_NETWORK, Registry, Standin, free_port, registry, standin, testmodels

PROXY = "http://127.0.0.1:9"
NAMES = sorted(path.stem for path in FIXTURES.glob("*.txt"))
MANY = [name for name in testmodels.SPECS if name != "tiny-repeat"]

# All that is not held, with the reason.
_SAMPLED = "the blanks between JSON's tokens were drawn by chance; d06, d06b and d14 hold the form"
_OWN_PROCESS = "the model's own process answers, not the server; the stand-in has no such process"
LEFT_OUT = {
    "d24-v1-chat-json-schema": _SAMPLED,
    "d32d-v1-responses-json-schema": _SAMPLED,
    "d64g-audio-transcriptions": "any model of the stand-in transcribes: tests of forms need an answer",
    "d96-runner-health": _OWN_PROCESS,
    "d96b-runner-completion": _OWN_PROCESS,
    "d96c-runner-v1-chat": _OWN_PROCESS,
    "d96d-runner-slots": _OWN_PROCESS,
    "d96e-runner-metrics": _OWN_PROCESS,
}
# Digests of the recorded files: the one that was sent, and the layers that the server made of it and its like.
SENT = {"201bd459da5ff2cc65857e4c99bb37304a98ec11ab717753618a6c32d7c9c4a5": "tiny"}
STORED = {
    "af150f6ba02dfa34f5645038e206f6f7d57ffee3236c29c8e6e188ee5754c1bd": "tiny",
    "137caaf3b538bb8d7520a6439cc787cdb3a0d590722fd0d9b7a9a2207098e020": "tiny-loop",
    "a6d8a9b440401a57f76735311a04d8b898302eaa8ec978cdb829f38c7bb3a4b5": "tiny-tools",
    "fce3c39a06828dcfeebdffbeb12ce77c5e27e36b1870fbac93e2ef979d14c50f": "tiny-embed",
    "fa8d21abb9c21714ce09427ea58216e821b10559d9dddbaac2ad990216f468f9": "tiny-think",
}

Pair = tuple[Reply, Reply]
# What curl ends with when it leaves before the answer is complete.
CURL_TIMEOUT = 28


def _zstd(data: bytes) -> bytes:
    """A frame with one block that is not compressed."""
    block = (len(data) << 3 | 1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd\x20" + bytes([len(data)]) + block + data


UPLOADS = {
    "tiny.gguf": testmodels.weights("tiny", encoded=False),
    "hello.bin": b"hello",
    "body.zst": _zstd(b'{"model":"tiny","input":"hi"}'),
    "chat.zst": _zstd(b'{"model":"tiny","messages":[{"role":"user","content":"hi"}],"max_tokens":2}'),
    "compl.zst": _zstd(b'{"model":"tiny","prompt":"hi","max_tokens":2}'),
    "embed.zst": _zstd(b'{"model":"tiny-embed","input":"hi","dimensions":2}'),
    "notzstd.bin": b"not zstd",
    "body.gz": gzip.compress(b'{"model":"tiny","input":"hi"}'),
}


def _substitutions(server: Standin, source: Registry) -> dict[str, str]:
    sent = {old: testmodels.digest_of(testmodels.weights(name, encoded=False)) for old, name in SENT.items()}
    stored = {old: testmodels.digest_of(testmodels.weights(name)) for old, name in STORED.items()}
    digests = {old: new.removeprefix("sha256:") for old, new in {**sent, **stored}.items()}
    return {
        "127.0.0.1:11434": server.address,
        "127.0.0.1:11444": server.address,
        "127.0.0.1:5999": source.address,
        "/srv/ollama/models": server.environment["OLLAMA_MODELS"],
        **digests,
        **{old[:12]: new[:12] for old, new in digests.items()},
    }


class Replay:
    """A stand-in and a registry, and recordings that are replayed against them one after another."""

    def __init__(self, server: Standin, source: Registry) -> None:
        self.server = server
        self._substitutions = _substitutions(server, source)
        self.source = source

    def exchange(self, name: str) -> Exchange:
        return replay.read_fixture(FIXTURES / f"{name}.txt", self._substitutions, UPLOADS)

    def ask(self, method: str, path: str, body: bytes) -> Reply:
        request = Request(method, path, self.server.address, body=body)
        return replay.send(self.server.address, request.wire(), method)

    def make(self, names: list[str]) -> None:
        """Models as the recorded server had them: created from uploaded files."""
        for name in names:
            spec, weights = testmodels.SPECS[name], testmodels.weights(name, encoded=False)
            digest = testmodels.digest_of(weights)
            assert self.ask("POST", f"/api/blobs/{digest}", weights).status_line.split()[1] in ("200", "201")
            wanted = {
                "model": name,
                "files": {f"{name}.gguf": digest},
                "template": spec.template,
                "system": spec.system,
                "license": spec.license,
                "parameters": spec.parameters,
            }
            reply = self.ask("POST", "/api/create", json.dumps(wanted).encode())
            assert reply.body.endswith(b'{"status":"success"}\n'), reply.body

    def replay(self, names: list[str]) -> dict[str, Pair]:
        answers = {}
        for name in names:
            exchange = self.exchange(name)
            reply = replay.send(self.server.address, exchange.request.wire(), exchange.request.method)
            answers[name] = exchange.reply, exchange.shortened(reply)
        return answers

    def interrupt(self, names: list[str], act: Callable[[], object]) -> dict[str, Pair]:
        """Recordings of answers in the middle of which something happened, after the lines that both have."""
        answers = {}
        for name in names:
            exchange = self.exchange(name)
            kept = exchange.kept or (20 if exchange.reply.body.count(b"\n") > 20 else 0)
            reply, whole = replay.send_and_act(self.server.address, exchange.request.wire(), kept, act)
            assert whole == (exchange.curl_status == 0), f"{name}: the answer ended otherwise than recorded"
            if exchange.curl_status == CURL_TIMEOUT:
                exchange.reply = _beginning(exchange.reply, kept)
                reply = _beginning(reply, kept)
            answers[name] = _ends(exchange.reply, kept), _ends(reply, kept)
        return answers


@contextmanager
def replaying(models: Path, program: list[str] | None = None, **extra: str) -> Iterator[Replay]:
    with registry() as source, standin(models, program, **extra) as server:
        yield Replay(server, source)


def _in_order(pattern: str) -> list[str]:
    """The recordings whose names begin so, in the order in which they were made."""
    dates = {name: _date(name) for name in NAMES if re.match(pattern, name)}
    return sorted(dates, key=lambda name: (dates[name], name))


def _date(name: str) -> str:
    found = re.search(rb"^Date: .* (\S+) GMT\r$", (FIXTURES / f"{name}.txt").read_bytes(), re.MULTILINE)
    return found[1].decode() if found else ""


def _beginning(reply: Reply, kept: int) -> Reply:
    return replace(reply, body=b"".join(reply.body.splitlines(keepends=True)[:kept]), chunks=None)


def _ends(reply: Reply, kept: int) -> Reply:
    """The first lines of a stream, and what can be foreseen of the last one; or the whole answer."""
    lines = reply.body.splitlines(keepends=True)
    if len(lines) <= kept or not kept:
        return reply
    last = next(line for line in reversed(lines) if line.strip())
    return replace(reply, body=b"".join(lines[:kept]) + _ANY_PIECE.sub(rb'\1""', last), chunks=None)


# Which piece comes last is an accident, and so is its number.
_ANY_PIECE = re.compile(rb'("(?:response|content|text|delta|sequence_number)":)(?:"[^"]*"|\d+)')


def _first(models: Path) -> dict[str, Pair]:
    with replaying(models, HTTPS_PROXY=PROXY) as one:
        one.make(["tiny", "tiny-loop"])
        return one.replay(_in_order(r"\d"))


def _transfers(models: Path) -> dict[str, Pair]:
    with replaying(models, HTTPS_PROXY=PROXY) as one:
        one.make(["tiny"])
        copy = f"{one.source.address}/library/tiny"
        assert one.server.run("cp", "tiny", copy).returncode == 0
        found = one.replay(["d95-push-ok"])
        assert one.server.run("rm", copy).returncode == 0
        found |= one.replay(_in_order("a"))
    # A layer that came before its first report was due was not reported; here, every one is.
    expected, actual = found["a1-pull-ok-loopback-registry"]
    lines = [line for line in actual.body.splitlines(keepends=True) if b'"total":83' not in line]
    return {**found, "a1-pull-ok-loopback-registry": (expected, replace(actual, body=b"".join(lines)))}


def _offline(models: Path) -> dict[str, Pair]:
    with replaying(models, ["-c", NO_NETWORK]) as one:
        found = one.replay(_in_order("b"))
    # Which name server was asked is the recorded machine's affair.
    return {
        name: (_without_name_server(expected), _without_name_server(got)) for name, (expected, got) in found.items()
    }


def _without_name_server(reply: Reply) -> Reply:
    body = re.sub(rb" on \S+:53: dial udp \S+:53:", b" on SERVER: dial udp SERVER:", reply.body)
    return replace(reply, body=body, headers=[header for header in reply.headers if header[0] != "Content-Length"])


def _many_models(models: Path) -> dict[str, Pair]:
    with replaying(models, HTTPS_PROXY=PROXY) as one:
        one.make(MANY)
        return one.replay(_in_order("d[0-5]|d6[0-7]|d96"))


def _repeating(models: Path) -> dict[str, Pair]:
    with replaying(models, HTTPS_PROXY=PROXY) as one:
        one.make(["tiny", "tiny-repeat"])
        return one.replay(_in_order("d83|d91"))


def _on_all_addresses(models: Path) -> dict[str, Pair]:
    port = free_port()
    with replaying(models, OLLAMA_HOST=f"0.0.0.0:{port}") as one:
        one.server.address = f"127.0.0.1:{port}"
        return one.replay(_in_order("d68"))


def _without_cloud(models: Path) -> dict[str, Pair]:
    with replaying(models, HTTPS_PROXY=PROXY, OLLAMA_NO_CLOUD="1") as one:
        return one.replay(_in_order("d69"))


def _full_queue(models: Path) -> dict[str, Pair]:
    limits = {"OLLAMA_MAX_QUEUE": "1", "OLLAMA_NUM_PARALLEL": "1", "OLLAMA_MAX_LOADED_MODELS": "1"}
    found: dict[str, Pair] = {}
    with replaying(models, None, **limits) as one:
        one.make(["tiny", "tiny-loop", "tiny-embed"])
        busy = Request("POST", "/api/generate", one.server.address, body=b'{"model":"tiny-loop","prompt":"hi"}')
        waited = "d70c-generate-waited-in-queue"
        waiting = [threading.Thread(target=lambda: found.update(one.replay([waited]))) for _ in range(2)]
        with replay.connect(one.server.address) as connection:
            connection.sendall(busy.wire())
            connection.recv(64)
            for thread in waiting:
                thread.start()
            time.sleep(0.5)
            found |= one.replay(_in_order("d70(-|b)"))
        for thread in waiting:
            thread.join()
        return found | one.replay(_in_order("d70d"))


def _interrupted(models: Path) -> dict[str, Pair]:
    with replaying(models) as one:
        one.make(["tiny-loop"])
        found = one.interrupt(_in_order("d80(-|c)"), lambda: replay.LEAVE)
        found |= one.replay(_in_order("d80b"))
        found |= one.interrupt(_in_order("d81(-|d|e)"), lambda: one.server.process.send_signal(signal.SIGUSR1))
        return found | one.replay(_in_order("d81b")) | one.replay(_in_order("d81c"))


def _stopped(models: Path) -> dict[str, Pair]:
    found: dict[str, Pair] = {}
    for name in _in_order("c1|d82"):
        with replaying(models / name) as one:
            one.make(["tiny-loop"])
            found |= one.interrupt([name], one.server.process.terminate)
            assert one.server.process.wait(10) == 0
    return found


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    """Every recorded exchange and its counterpart, replayed once in the recorded order and state."""
    found: dict[str, Pair] = {}
    for part in (
        _first,
        _transfers,
        _offline,
        _many_models,
        _repeating,
        _on_all_addresses,
        _without_cloud,
        _full_queue,
        _interrupted,
        _stopped,
    ):
        found |= part(tmp_path_factory.mktemp("models"))
    return found


@pytest.mark.parametrize("name", [name for name in NAMES if name not in LEFT_OUT])
def test_answers_as_recorded(name: str, answers: dict[str, Pair]) -> None:
    expected, actual = answers[name]
    assert compare(expected, actual, head_varies=name == "04b-tags-head") == []


@pytest.mark.parametrize("name", LEFT_OUT)
def test_nothing_is_left_out_that_could_be_held(name: str, answers: dict[str, Pair]) -> None:
    assert compare(*answers[name]) != []


def test_every_recording_is_replayed(answers: dict[str, Pair]) -> None:
    assert sorted(answers) == NAMES
    assert len(NAMES) == 510


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
PULLED = Reply(
    "HTTP/1.1 200 OK",
    [("Content-Type", "application/x-ndjson"), ("Transfer-Encoding", "chunked")],
    b'{"status":"pulling 0123456789ab","total":9,"completed":4}\n{"status":"success"}\n',
)
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


@pytest.mark.parametrize(
    ("part", "other"),
    [(b"0123456789ab", b"0123456789ac"), (b'"total":9', b'"total":8'), (b'"status":"success"', b'"status":"done"')],
)
def test_of_a_transfer_only_the_progress_is_an_accident(part: bytes, other: bytes) -> None:
    for progress in (b"", b',"completed":9'):
        assert compare(PULLED, replace(PULLED, body=PULLED.body.replace(b',"completed":4', progress))) == []
    assert compare(PULLED, replace(PULLED, body=PULLED.body.replace(part, other))) != []


def test_the_comparison_notices_lines_that_are_split_or_merged() -> None:
    one, other = STREAM.body.splitlines(keepends=True)
    whole = replace(STREAM, chunks=[one, other])
    assert compare(whole, whole) == []
    for chunks in ([one + other], [one[:5], one[5:], other]):
        assert compare(STREAM, replace(STREAM, chunks=chunks)) != []
        assert compare(whole, replace(STREAM, chunks=chunks)) != []
