# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in servers as processes of their own, and a registry for them, all on loopback."""

from __future__ import annotations

import contextlib
import http.server
import importlib
import json
import os
import re
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

LAB = Path(__file__).parents[2] / "lab"
# As a top-level package, as it runs in its image: importing it as part of the lab would need the lab's libraries.
sys.path.append(str(LAB))
testmodels = importlib.import_module("standin.testmodels")

# A host without any network: no name is ever resolved.
NO_NETWORK = """
import socket, sys
from standin import registry, server
def fail(*args, **kwargs):
    raise socket.gaierror(socket.EAI_AGAIN, "no network")
registry.socket.create_connection = fail
sys.exit(server.main())
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(models: Path, port: int, **extra: str) -> dict[str, str]:
    """The environment of a stand-in, without what the caller's own says of Ollama or of proxies."""
    foreign = ("OLLAMA_", "STANDIN_", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    own = {
        "PYTHONPATH": str(LAB),
        "OLLAMA_HOST": f"127.0.0.1:{port}",
        "OLLAMA_MODELS": str(models),
        "STANDIN_TOKEN_DELAY_MS": "1",
    }
    return {**kept, **own, **extra}


class Standin:
    def __init__(self, models: Path, program: list[str] | None = None, **extra: str) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.environment = environment(models, self.port, **extra)
        self.command = [sys.executable, *(program or ["-m", "standin.server"])]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, env=self.environment, stderr=subprocess.PIPE, text=True)

    def wait_until_up(self) -> None:
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert line.startswith("Listening on"), line + self.process.stderr.read()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command, against this server."""
        command = [sys.executable, "-m", "standin.cli", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=30, check=False)

    def stop(self) -> int:
        self.process.terminate()
        status = self.process.wait(10)
        if self.process.stderr is not None:
            self.process.stderr.close()
        return status


@contextlib.contextmanager
def standin(models: Path, program: list[str] | None = None, **extra: str) -> Iterator[Standin]:
    server = Standin(models, program, **extra)
    try:
        server.wait_until_up()
        yield server
    finally:
        server.stop()


class Registry(http.server.ThreadingHTTPServer):
    """Serves the two tiny models; can be told to break off downloads, stall, be slow, or lie about a blob."""

    daemon_threads = True

    def __init__(self, address: str) -> None:
        super().__init__((address, 0), RegistryHandler)
        self.address = f"{address}:{self.server_address[1]}"
        self.packages: dict[str, Any] = {name: testmodels.package(name) for name in testmodels.PACKAGES}
        self.break_after: int | None = None
        # How many bytes the next downloads get, one after another, before they are broken off.
        self.cuts: list[int] = []
        # How many bytes a download gets before nothing more comes of it, and how many bytes come in a second.
        self.stall_after: int | None = None
        self.rate: float = float("inf")
        self.damaged = False
        self.ranges: list[str] = []

    def digests(self, name: str) -> list[str]:
        """Of the layers, and last of the configuration."""
        manifest = json.loads(self.packages[name].manifest)
        return [layer["digest"] for layer in [*manifest["layers"], manifest["config"]]]


class RegistryHandler(http.server.BaseHTTPRequestHandler):
    server: Registry

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the tests look at answers."""

    def _find(self) -> tuple[Any, str]:
        """The model's package, and the digest that is meant where it is a blob."""
        name, _, rest = self.path.removeprefix("/v2/library/").partition("/")
        digest = re.fullmatch(r"blobs/(?:uploads/x\?digest=)?(sha256:[0-9a-f]{64})", rest)
        return self.server.packages.setdefault(name, testmodels.Package(b"", {})), digest[1] if digest else ""

    def do_HEAD(self) -> None:
        package, digest = self._find()
        self._answer(200 if digest in package.blobs else 404)

    def do_POST(self) -> None:
        self._answer(202, Location=self.path + "x")

    def do_PUT(self) -> None:
        package, digest = self._find()
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if digest:
            package.blobs[digest] = data
        else:
            name = self.path.split("/")[3]
            self.server.packages[name] = testmodels.Package(data, package.blobs)
        self._answer(201)

    def do_GET(self) -> None:
        package, digest = self._find()
        data = package.blobs.get(digest, b"") if digest else package.manifest
        if not data:
            self._answer(404)
            return
        if digest and self.server.damaged:
            data = bytes(len(data))
        start = self._start()
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            if digest:
                self._send(data[start:][: self.server.break_after])
            else:
                self.wfile.write(data)

    def _send(self, data: bytes) -> None:
        server = self.server
        if server.cuts:
            data = data[: server.cuts.pop(0)]
        stalled = server.stall_after is not None and len(data) > server.stall_after
        data = data[: server.stall_after] if stalled else data
        step = 16384 if server.rate < float("inf") else len(data) or 1
        for begin in range(0, len(data), step):
            self.wfile.write(data[begin : begin + step])
            if server.rate < float("inf"):
                time.sleep(step / server.rate)
        while stalled and server.stall_after is not None:
            time.sleep(0.05)

    def _answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _start(self) -> int:
        wanted = self.headers.get("Range", "")
        if wanted:
            self.server.ranges.append(wanted)
        return int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0


@contextlib.contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    """Has a server answer, beside the test, until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def registry(address: str = "127.0.0.1") -> Iterator[Registry]:
    server = Registry(address)
    with serving(server):
        yield server


@contextlib.contextmanager
def standin_with(folder: Path, *models: str, **environment: str) -> Iterator[Standin]:
    """A server that has these models; what reaches it stands in requests.jsonl of the folder."""
    log = {"STANDIN_REQUEST_LOG": str(folder / "requests.jsonl")}
    with registry() as source:
        names = {"STANDIN_REGISTRY": f"http://{source.address}"}
        with standin(folder / "models", None, **{**names, **log, **environment}) as server:
            for name in models:
                source.packages[name] = testmodels.package(name)
                done = server.run("pull", name)
                assert done.returncode == 0, done.stderr
            yield server


def until(condition: Callable[[], object], seconds: float = 5.0) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False
