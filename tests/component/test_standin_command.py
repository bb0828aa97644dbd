# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in's command sends what the command of Ollama was seen to send, by the ways that a Go program takes."""

from __future__ import annotations

import contextlib
import http.server
import importlib
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.certificates import Authority
from tests.component.contract.standins import LAB, testmodels
from tests.unit import tls_server

proxies = importlib.import_module("standin.proxies")

RECORDED = (Path(__file__).parent / "fixtures" / "ollama-command-0.32.15.md").read_text()
PREFIX = "/key/abc"
MODELFILE = '''# A comment
FROM ./tiny.gguf
TEMPLATE """{{- range .Messages }}<|im_start|>{{ .Role }}
{{ .Content }}<|im_end|>
{{ end }}<|im_start|>assistant
"""
PARAMETER num_ctx 512
PARAMETER num_predict 64
'''
SHOWN = {
    "details": {"family": "", "parameter_size": "", "quantization_level": ""},
    "model_info": {},
    "capabilities": [],
}
# What each path is answered with, where the command looks at the answer.
ANSWERS = {"/api/show": SHOWN, "/api/tags": {"models": []}, "/api/ps": {"models": []}, "/api/version": {"version": "1"}}
ANSWERS |= {path: {"status": "success"} for path in ("/api/pull", "/api/create")}
AGENT = "ollama/0.32.15 (amd64 linux) Go/go1.27.3"
USUAL = [("Accept", "application/json"), ("Content-Type", "application/json")]


class Sent(NamedTuple):
    method: str
    path: str
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    def general(self) -> Sent:
        """Without what is of one file alone."""
        path, body = (re.sub(r"sha256:[0-9a-f]{64}", "sha256:DIGEST", text) for text in (self.path, self.body))
        return Sent(self.method, path, re.sub(r"<\d+ bytes>", "<FILE>", body))


def _recorded() -> dict[str, list[tuple[Sent, int]]]:
    """By command, what it sent and how that was answered."""
    commands = {}
    for section in RECORDED.split("\n## ")[1:]:
        command = section.partition("\n")[0].strip("`")
        lines = re.findall(r"^- `(\S+) (\S+)`(?: \([^)]*\))?(?: `(.*)`)? → (\d+)$", section, re.MULTILINE)
        commands[command] = [(Sent(method, path, body), int(status)) for method, path, body, status in lines]
    return commands


COMMANDS = _recorded()


def test_every_line_of_the_recording_is_read() -> None:
    assert sum(map(len, COMMANDS.values())) == RECORDED.count("\n- `") > 20


class Recorder(http.server.BaseHTTPRequestHandler):
    """Answers with the statuses of `statuses`, one after another, and writes down what it was asked."""

    sent: list[Sent]
    statuses: list[int]

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the tests look at what was sent."""

    def _body(self) -> str:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        length = 0
        while size := int(self.rfile.readline(), 16):
            length += len(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return f"<{length} bytes>"

    def do_POST(self) -> None:
        self.sent.append(Sent(self.command, self.path, self._body(), tuple(self.headers.items())))
        status = self.statuses.pop(0) if self.statuses else 200
        answer: Any = {"done": True} if status == 200 else {"error": "refused"}
        answer = ANSWERS.get(self.path.removeprefix(PREFIX), answer) if status == 200 else answer
        content = b"" if self.command == "HEAD" else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_HEAD = do_DELETE = do_POST


class Server(NamedTuple):
    address: str
    sent: list[Sent]
    statuses: list[int]


@pytest.fixture
def server() -> Iterator[Server]:
    sent: list[Sent] = []
    statuses: list[int] = []
    handler = type("Recording", (Recorder,), {"sent": sent, "statuses": statuses})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield Server(f"127.0.0.1:{listener.server_address[1]}", sent, statuses)
        listener.shutdown()
        thread.join()


def ollama(arguments: list[str], host: str, folder: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    foreign = ("OLLAMA_", "STANDIN_", "SSL_CERT")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    kept = {key: value for key, value in kept.items() if not key.lower().endswith("_proxy")}
    environment = {**kept, "PYTHONPATH": str(LAB), "OLLAMA_HOST": host, **extra}
    command = [sys.executable, "-m", "standin.cli", *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_sends_what_was_recorded(command: str, server: Server, tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(testmodels.weights("tiny"))
    (tmp_path / "Modelfile").write_text(MODELFILE)
    server.statuses.extend(status for _, status in COMMANDS[command])
    result = ollama(shlex.split(command)[1:], f"http://{server.address}{PREFIX}", tmp_path)
    expected = [sent.general() for sent, _ in COMMANDS[command]]
    got = [sent.general() for sent in server.sent]
    # The recording of one body ends in its middle.
    shortened = [mine._replace(body=mine.body[: len(one.body)]) for one, mine in zip(expected, got, strict=False)]
    assert shortened == expected[: len(got)]
    assert len(got) == len(expected)
    assert result.returncode == (1 if 503 in [status for _, status in COMMANDS[command]] else 0), result.stderr


def test_every_request_has_the_recorded_headers(server: Server, tmp_path: Path) -> None:
    assert ollama(["run", "tiny", "hi"], server.address, tmp_path).returncode == 0
    head, show, generate = (one.headers[1:] for one in server.sent)
    assert head == (("User-Agent", AGENT), *USUAL)
    assert [header for header in show if header[0] != "Content-Length"] == [
        ("User-Agent", AGENT),
        *USUAL,
        ("Accept-Encoding", "gzip"),
    ]
    assert ("Accept", "application/x-ndjson") in generate


def test_a_refused_command_says_what_ollama_says(server: Server, tmp_path: Path) -> None:
    server.statuses.append(401)
    result = ollama(["list"], server.address, tmp_path)
    assert result.returncode == 1
    assert result.stderr == "Error: something went wrong, please see the ollama server logs for details\n"
    assert len(server.sent) == 1


def test_no_credential_of_the_address_is_sent(server: Server, tmp_path: Path) -> None:
    ollama(["list"], f"http://alice:wonderland@{server.address}", tmp_path)
    assert all(name != "Authorization" for one in server.sent for name, _ in one.headers)


PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("scheme", "host", "environment", "proxy"),
    [
        ("https", "llm.example.com", {"HTTPS_PROXY": PROXY}, PROXY),
        ("https", "llm.example.com", {"https_proxy": "proxy.example:3128"}, PROXY),
        ("https", "llm.example.com", {"HTTP_PROXY": PROXY}, ""),
        ("http", "llm.example.com", {"HTTP_PROXY": PROXY}, PROXY),
        ("http", "llm.example.com", {"HTTPS_PROXY": PROXY}, ""),
        ("http", "127.0.0.1", {"HTTP_PROXY": PROXY}, ""),
        ("http", "localhost", {"HTTP_PROXY": PROXY}, ""),
        # The address of the image's own settings is no loopback address: the command would ask the proxy for it.
        ("http", "0.0.0.0", {"HTTP_PROXY": PROXY}, PROXY),
        ("http", "0.0.0.0", {"HTTP_PROXY": PROXY, "NO_PROXY": "10.0.0.1,0.0.0.0"}, ""),
        ("https", "llm.example.com", {"HTTPS_PROXY": PROXY, "NO_PROXY": "example.com"}, ""),
        ("https", "llm.example.com", {"HTTPS_PROXY": PROXY, "NO_PROXY": ".example.com"}, ""),
        ("https", "llm.example.com", {"HTTPS_PROXY": PROXY, "no_proxy": "*.example.com"}, ""),
        ("https", "example.com", {"HTTPS_PROXY": PROXY, "NO_PROXY": ".example.com"}, PROXY),
        ("https", "llmexample.com", {"HTTPS_PROXY": PROXY, "NO_PROXY": "example.com"}, PROXY),
        ("https", "llm.example.com", {"HTTPS_PROXY": PROXY, "NO_PROXY": "llm.example.com:443"}, ""),
        ("https", "llm.example.com", {"HTTPS_PROXY": PROXY, "NO_PROXY": "llm.example.com:8443"}, PROXY),
        ("https", "llm.example.com", {"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, ""),
        ("https", "10.1.2.3", {"HTTPS_PROXY": PROXY, "NO_PROXY": "10.0.0.0/8"}, ""),
        ("https", "11.1.2.3", {"HTTPS_PROXY": PROXY, "NO_PROXY": "10.0.0.0/8"}, PROXY),
    ],
)
def test_a_proxy_is_chosen_as_go_chooses_it(scheme: str, host: str, environment: dict[str, str], proxy: str) -> None:
    assert proxies.proxy_for(scheme, host, 443, environment) == proxy


def test_http_goes_to_the_proxy_with_its_credentials(server: Server, tmp_path: Path) -> None:
    proxy = f"http://user:p%40ss@{server.address}"
    ollama(["--version"], "http://llm.example.com:11434/key", tmp_path, HTTP_PROXY=proxy)
    assert server.sent[0].path == "http://llm.example.com:11434/key/api/version"
    credential = dict(server.sent[0].headers)["Proxy-Authorization"]
    assert b64decode(credential.removeprefix("Basic ")) == b"user:p@ss"


@contextlib.contextmanager
def tunnel(port: int) -> Iterator[tuple[int, list[str]]]:
    """A proxy that connects to that port whatever it is asked for; and what it was asked for."""
    asked: list[str] = []

    def copy(one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                asked.append(near.recv(4096).split(b"\r\n")[0].decode())
                near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                far = socket.create_connection(("127.0.0.1", port))
                threading.Thread(target=copy, args=[near, far], daemon=True).start()
                threading.Thread(target=copy, args=[far, near], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=[listener], daemon=True).start()
        yield listener.getsockname()[1], asked
        listener.shutdown(socket.SHUT_RDWR)


def test_https_is_tunnelled_and_trusts_the_cas_of_the_file_alone(tmp_path: Path) -> None:
    authority = Authority()
    (tmp_path / "ca.pem").write_text(authority.pem)
    tls = tls_server.context(tmp_path, authority.issue(tls_server.NAME))

    def answer(request: bytes, encrypted: bool) -> bytes:
        return tls_server.reply(200, "" if request.startswith(b"HEAD") else '{"version":"0.32.15"}')

    with tls_server.server(answer, tls) as port, tunnel(port) as (proxy, asked):
        host = f"https://{tls_server.NAME}"
        ways = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy}"}
        trusted = ollama(["--version"], host, tmp_path, SSL_CERT_FILE=str(tmp_path / "ca.pem"), **ways)
        assert trusted.stdout == "ollama version is 0.32.15\n", trusted.stderr
        assert [line.rpartition(" ")[0] for line in asked] == [f"CONNECT {tls_server.NAME}:443"]
        refused = ollama(["list"], host, tmp_path, **ways)
        assert refused.returncode == 1
        wanted = f'Error: Head "{host}:443/": tls: failed to verify certificate: x509: certificate signed by unknown'
        assert refused.stderr.startswith(wanted)
