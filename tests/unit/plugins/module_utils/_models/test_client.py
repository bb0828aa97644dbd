# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import (
    BadInput,
    ServerError,
    ServerStalled,
    ServerUnreachable,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._models import client as ollama


class Fake(http.server.ThreadingHTTPServer):
    """Answers each path with what the test gave: a status, headers and chunks of a body."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, tuple[int, dict[str, str], list[bytes]]] = {}
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Fake

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        status, headers, chunks = self.server.answers[self.path]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        streamed = len(chunks) > 1
        self.send_header(*(("Transfer-Encoding", "chunked") if streamed else ("Content-Length", str(len(chunks[0])))))
        self.end_headers()
        if not streamed:
            self.wfile.write(chunks[0] if self.command != "HEAD" else b"")
            return
        for chunk in chunks:
            if chunk == b"wait":
                time.sleep(1)
            elif chunk == b"break":
                self.close_connection = True
                return
            else:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_POST = do_HEAD = do_DELETE = _any


@pytest.fixture
def fake() -> Iterator[Fake]:
    server = Fake()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def client(fake: Fake, **options: Any) -> ollama.Client:
    return ollama.Client(ollama.read_url(fake.url), **options)


def lines(*objects: dict[str, Any]) -> list[bytes]:
    return [json.dumps(one).encode() + b"\n" for one in objects]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("https://llm.example.com/ollama/", "https://llm.example.com:443/ollama"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_a_url_names_a_server(url: str, expected: str) -> None:
    assert ollama.read_url(url).shown == expected


@pytest.mark.parametrize("url", ["llm.example.com", "ftp://x", "http://", "http://x:port", "http://x/?a=b"])
def test_what_names_no_server_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="it must be a URL such as"):
        ollama.read_url(url)


def test_a_password_in_a_url_is_refused_and_not_told() -> None:
    with pytest.raises(BadInput) as caught:
        ollama.read_url("https://me:secret@llm.example.com")
    assert "secret" not in str(caught.value)


def test_the_key_is_sent_and_kept_out_of_sight(fake: Fake) -> None:
    fake.answers["/api/version"] = (200, {}, [b'{"version":"1.2.3"}'])
    asked = client(fake, api_key="ghk_abc")
    assert asked.version() == "1.2.3"
    assert fake.seen[0][2]["Authorization"] == "Bearer ghk_abc"
    assert "ghk_abc" not in repr(asked)


def test_a_redirect_is_not_followed(fake: Fake) -> None:
    fake.answers["/api/version"] = (307, {"Location": "http://elsewhere.example/api/version"}, [b""])
    with pytest.raises(ServerError, match=r"sends us on to http://elsewhere\.example/api/version, which"):
        client(fake, api_key="ghk_abc").version()
    assert len(fake.seen) == 1


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, b'{"error":"model \'nope\' not found"}', "model 'nope' not found"),
        (401, b'{"error":{"message":"no credential","type":"x"}}', r"no credential \(api_key"),
        (502, b"<html>", "502 Bad Gateway"),
    ],
)
def test_a_refusal_is_told_in_the_servers_words(fake: Fake, status: int, body: bytes, words: str) -> None:
    fake.answers["/api/show"] = (status, {}, [body])
    with pytest.raises(ServerError, match=words) as caught:
        client(fake).show("nope")
    assert caught.value.status == status


def test_what_is_not_ollama_is_noticed(fake: Fake) -> None:
    fake.answers["/api/tags"] = (200, {}, [b"<html>"])
    with pytest.raises(ServerError, match="is it Ollama"):
        client(fake).tags()


def test_a_pull_gives_its_lines(fake: Fake) -> None:
    told: list[dict[str, Any]] = [
        {"status": "pulling manifest"},
        {"status": "pulling 1", "total": 5, "completed": 5},
        {"status": "success"},
    ]
    fake.answers["/api/pull"] = (200, {}, lines(*told))
    assert list(client(fake).pull("tiny")) == told
    assert json.loads(fake.seen[0][3]) == {"model": "tiny", "stream": True}


def test_an_error_under_status_200_is_an_error(fake: Fake) -> None:
    fake.answers["/api/pull"] = (200, {}, lines({"status": "pulling manifest"}, {"error": "file does not exist"}))
    with pytest.raises(ServerError, match=r"^file does not exist$"):
        list(client(fake).pull("tiny"))


@pytest.mark.parametrize("end", [[b"break"], []])
def test_a_stream_that_ends_early_is_an_error(fake: Fake, end: list[bytes]) -> None:
    fake.answers["/api/pull"] = (200, {}, [*lines({"status": "pulling manifest"}, {"status": "pulling 1"}), *end])
    with pytest.raises(ServerUnreachable, match="broke off its answer"):
        list(client(fake).pull("tiny"))


def test_silence_is_given_up_but_slowness_is_not(fake: Fake) -> None:
    slow = lines({"status": "pulling manifest"}), lines({"status": "success"})
    fake.answers["/api/pull"] = (200, {}, [*slow[0], b"wait", *slow[1]])
    with pytest.raises(ServerStalled, match=r"said nothing for 0\.3 seconds"):
        list(client(fake, timeout=0.3).pull("tiny"))
    stream = client(fake, timeout=0.3).pull("tiny")
    for _line in stream:
        stream.wait(5)


def test_a_file_is_sent_whole(fake: Fake, tmp_path: Path) -> None:
    data = bytes(range(256)) * 10000
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    (tmp_path / "weights").write_bytes(data)
    fake.answers["/api/blobs/" + digest] = (201, {}, [b""])
    told: list[int] = []
    client(fake).upload_blob(digest, str(tmp_path / "weights"), told.append)
    assert fake.seen[0][3] == data
    assert told[-1] == len(data)
    assert client(fake).head_blob(digest)


def test_a_model_that_only_embeds_is_loaded_too(fake: Fake) -> None:
    fake.answers["/api/generate"] = (400, {}, [b'{"error":"\\"embed\\" does not support generate"}'])
    fake.answers["/api/embed"] = (200, {}, [b'{"embeddings":[]}'])
    client(fake).load("embed", -1)
    assert json.loads(fake.seen[1][3]) == {"model": "embed", "keep_alive": -1, "input": []}


def test_a_server_that_is_not_there_is_named(fake: Fake) -> None:
    gone = ollama.Client(ollama.read_url("http://127.0.0.1:1"))
    with pytest.raises(ServerUnreachable, match=r"server at http://127\.0\.0\.1:1 does not answer: Connection ref"):
        gone.version()
