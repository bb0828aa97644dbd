# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which model a form names: the gateway judges the form that it sends on, and takes none that has two readings."""

from __future__ import annotations

import json
from collections.abc import Iterator

import openai
import pytest
import requests

from tests.component.contract.replay import Reply, send
from tests.component.contract.standins import Standin, standin_with
from tests.component.gateways import KEYS, Gateway, gateway, status
from tests.component.upstreams import Echo, told

ALICE = f"Authorization: Bearer {KEYS['alice.laptop']}"
BOB = f"Authorization: Bearer {KEYS['bob.ci']}"
PATH = "/v1/audio/transcriptions"
TYPE = "Content-Type: multipart/form-data; boundary=x-1"
FILE = b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\nRIFF'
TINY = b'Content-Disposition: form-data; name="model"\r\n\r\ntiny'
OTHER = TINY + b"-loop"
MIB = 1024 * 1024


def form(*parts: bytes) -> bytes:
    return b"--x-1\r\n" + b"\r\n--x-1\r\n".join(parts) + b"\r\n--x-1--\r\n"


# Ollama would run another model than the one that a careless reader sees, or nobody knows which.
AMBIGUOUS = {
    "two of the same": form(TINY, TINY),
    "two that differ": form(TINY, FILE, OTHER),
    "another spelling": form(TINY, OTHER.replace(b"model", b"MODEL")),
    "another spelling alone": form(TINY.replace(b"model", b"Model")),
    "an extended name": form(TINY, OTHER.replace(b'name="model"', b"name*=utf-8''model")),
    "two names of a part": form(TINY.replace(b'name="model"', b"name=\"model\"; name*=utf-8''other")),
    "an escaped name": form(TINY, OTHER.replace(b"model", b"mod\\el")),
    "a name in a name": form(TINY, OTHER.replace(b'"model"', b'"a"; filename="\\"; name=\\"model"')),
    "a file": form(TINY.replace(b'"model"', b'"model"; filename="a"')),
    "a file without a name": form(TINY.replace(b'"model"', b'"model"; filename=""')),
    "quoted-printable": form(TINY.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")),
    "base64": form(TINY, FILE.replace(b"\r\n\r\n", b"\r\ncontent-transfer-encoding: base64\r\n\r\n")),
    "another header": form(TINY, FILE.replace(b"\r\n\r\n", b"\r\nX-Header: y\r\n\r\n")),
    "a folded header": form(TINY.replace(b"; name", b";\r\n name")),
    "two dispositions": form(b'Content-Disposition: form-data; name="a"\r\n' + TINY),
    "long headers": form(TINY.replace(b"\r\n\r\n", b"\r\nContent-Type: text/%s\r\n\r\n" % (b"x" * 4096))),
    "a long name": form(TINY + b"x" * 1024),
    "a name with control characters": form(TINY + b"\n"),
    "parts of a part": form(FILE.replace(b"audio/wav", b"multipart/mixed; boundary=y"), TINY),
    "line feeds alone": form(TINY).replace(b"\r", b""),
    "a boundary after a line feed": form(FILE + b"\n--x-1\n" + OTHER.replace(b"\r", b""), TINY),
    "a boundary after headers": form(FILE.replace(b"RIFF", b"--x-1--"), TINY),
    "a boundary with more behind it": form(TINY + b"\r\n--x-1 \r\n" + FILE),
    "no final boundary": form(TINY, FILE)[:-4],
    "half a form": form(TINY, FILE)[:-30],
    "something before": b"preamble\r\n" + form(TINY),
    "something behind": form(TINY) + form(OTHER),
    "nothing": b"",
    "JSON": b'{"model":"tiny"}',
}
DECLARED = [
    *("application/x-www-form-urlencoded", "application/json", "multipart/mixed; boundary=x-1"),
    *("multipart/form-data", "multipart/form-data; boundary=y", 'multipart/form-data; boundary="x\\-1"'),
    *("multipart/form-data; boundary=x-1; boundary=y", "multipart/form-data; boundary*=x-1"),
]


@pytest.fixture(scope="module")
def server(upstream: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """alice may use one model, bob all."""
    with gateway(tmp_path_factory.mktemp("forms"), "bearer", upstream.address, workers="1") as one:
        one.allow({"alice": ["inference"], "bob": ["inference"]}, {"alice": ["tiny"]})
        yield one


def ask(server: Gateway, body: bytes, credential: str = ALICE, *headers: str, path: str = PATH) -> Reply:
    return server.ask(path, credential, *(headers or (TYPE,)), method="POST", body=body)


def test_a_client_transcribes_with_its_models_and_no_other(server: Gateway) -> None:
    for credential, body, wanted in (
        (ALICE, form(FILE, TINY), 200),
        (ALICE, form(TINY.replace(b"tiny", b"library/TINY:latest"), FILE), 200),
        (ALICE, form(FILE, OTHER), 403),
        (ALICE, form(OTHER), 403),
        (ALICE, form(TINY.replace(b"tiny", b" tiny")), 200),
        (ALICE, form(TINY.replace(b"tiny", b"tiny:local")), 200),
        (ALICE, form(TINY.replace(b"tiny", b"tiny:cloud")), 403),
        (BOB, form(FILE, OTHER), 200),
        (BOB, form(FILE), 200),
    ):
        assert status(ask(server, body, credential)) == wanted, body


def test_a_form_without_a_model_fares_as_json_without_one(server: Gateway) -> None:
    for body in (form(FILE), form(FILE, TINY.removesuffix(b"tiny"))):
        assert status(ask(server, body)) == status(server.ask("/api/chat", ALICE, method="POST", body=b"{}")) == 200


@pytest.mark.parametrize("body", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_a_form_that_could_be_read_otherwise_is_refused(server: Gateway, upstream: Echo, body: bytes) -> None:
    before = len(upstream.requests)
    reply = ask(server, body)
    assert status(reply) == 400
    assert json.loads(reply.body)["error"]["type"] == "invalid_request_error"
    assert len(upstream.requests) == before


def test_what_is_not_declared_as_one_form_is_refused(server: Gateway) -> None:
    for declared in DECLARED:
        assert status(ask(server, form(TINY), ALICE, f"Content-Type: {declared}")) == 400, declared
    assert status(ask(server, form(TINY), ALICE, "X-No-Type: x")) == 400
    assert status(ask(server, form(TINY), ALICE, TYPE, TYPE.replace("x-1", "y"))) == 400
    assert status(ask(server, form(TINY), ALICE, TYPE, "Content-Encoding: gzip")) == 415


def test_whoever_may_use_all_models_is_refused_no_form(server: Gateway) -> None:
    for body in AMBIGUOUS.values():
        reached = told(ask(server, body, BOB))
        assert (reached["body"], reached["sum"]) == (len(body), sum(body)), body
    for declared in DECLARED:
        assert status(ask(server, form(TINY), BOB, f"Content-Type: {declared}")) == 200, declared
    assert status(ask(server, form(TINY), BOB, path=f"{PATH}?model=tiny-loop")) == 200


@pytest.mark.parametrize("query", ["model=tiny-loop", "a=b&model=tiny", "%6dode%6C=tiny-loop", "MODEL=tiny-loop"])
def test_a_query_that_names_a_model_is_refused(server: Gateway, query: str) -> None:
    assert status(ask(server, form(TINY), path=f"{PATH}?{query}")) == 400
    assert status(ask(server, form(TINY), path=f"{PATH}?a=b")) == 200


def resident(server: Gateway) -> int:
    """KiB in memory of the gateway's largest process."""
    assert server.container is not None
    rows = server.container.top(ps_args="-eo pid,rss")["Processes"]
    return max(int(row[1]) for row in rows)


@pytest.mark.parametrize("chunked", [False, True], ids=["at once", "chunked"])
def test_a_long_recording_goes_on_byte_for_byte_and_is_not_held(server: Gateway, chunked: bool) -> None:
    assert status(ask(server, form(FILE, TINY))) == 200
    before = resident(server)
    # Signs that almost are the boundary, and lines of every kind.
    audio = (b"RIFF\r\n--x-\n\r" + bytes(range(256))) * (20 * MIB // 268)
    for name, wanted in ((TINY, 200), (OTHER, 403)):
        body = form(FILE + audio, name)
        if chunked:
            pieces = [body[i : i + 99_991] for i in range(0, len(body), 99_991)]
            head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\n{ALICE}\r\n{TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n"
            coded = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
            reply = send(server.address, head.encode() + coded, "POST")
        else:
            reply = ask(server, body)
        assert status(reply) == wanted
        if wanted == 200:
            reached = told(reply)
            assert (reached["body"], reached["sum"]) == (len(body), sum(body))
            assert reached["headers"]["content-type"] == [TYPE.partition(" ")[2]]
    # Pieces that wait for the garbage collector: 6 to 10 MiB, however long the recording.
    assert resident(server) - before < 16 * 1024


@pytest.fixture(scope="module")
def ollama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    with standin_with(tmp_path_factory.mktemp("ollama"), "tiny", "tiny-loop") as one:
        yield one


@pytest.fixture(scope="module")
def address(ollama: Standin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gateway(tmp_path_factory.mktemp("real"), "bearer", ollama.address) as one:
        one.allow({"alice": ["inference"]}, {"alice": ["tiny"]})
        yield one.address


def test_forms_as_openai_writes_them_are_understood(address: str) -> None:
    client = openai.OpenAI(base_url=f"http://{address}/v1", api_key=KEYS["alice.laptop"], max_retries=0)
    file = ("Grüße; alle.wav", b"RIFF" * 1000)
    assert client.audio.transcriptions.create(model="tiny", file=file, language="de", temperature=0.5).text
    with pytest.raises(openai.PermissionDeniedError, match="may not do this"):
        client.audio.transcriptions.create(model="tiny-loop", file=file)


def test_forms_as_requests_writes_them_are_understood(address: str) -> None:
    for name, wanted in (("tiny", 200), ("tiny-loop", 403)):
        files = {"file": ("Grüße.wav", b"RIFF")}
        headers = {"x-api-key": KEYS["alice.laptop"]}
        reply = requests.post(f"http://{address}{PATH}", data={"model": name}, files=files, headers=headers, timeout=20)
        assert reply.status_code == wanted
