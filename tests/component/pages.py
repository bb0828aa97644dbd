# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page for people asks a gateway, with answers that a test chooses: a small server of the page's own files."""

from __future__ import annotations

import contextlib
import copy
import http.server
import json
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from tests.browser import pin
from tests.certificates import Authority
from tests.component.contract.standins import serving
from tests.component.rendering import ROLE

FILES = {"": "index.html", "page.css": "page.css", "page.js": "page.js"}
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
KEY = "ghk_alice-laptop-0123456789Ab12"
USER = "älice"
PASSWORD = "pässwörd:密码 €"
BASIC = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
CHALLENGES = ['Bearer realm="Gatehouse"', 'Basic realm="Gatehouse", charset="UTF-8"']
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=timezone.utc)


def stamp(days: float) -> str:
    """A time so many days from now, as the gateway writes it."""
    return (NOW + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def limit(name: str, most: int, used: int | None = None, model: str | None = None, reset: int = 0) -> dict[str, Any]:
    counted = {} if used is None else {"used": used, "remaining": max(0, most - used), "reset_seconds": reset}
    return {"name": name, "model": model, "limit": most, **counted}


def key(name: str, end: float | None = None, **others: Any) -> dict[str, Any]:
    expires = None if end is None else stamp(end)
    life = {"created": stamp(-29), "not_before": None, "expires": expires, "is_valid": end is None or end > 0}
    return {"id": name, "last4": "Ab12", "in_path": False, **life, **others}


def day(ago: int, model: str, requests: int, prompt: int, completion: int) -> dict[str, Any]:
    tokens = {"prompt_tokens": prompt, "completion_tokens": completion}
    return {"day": stamp(-ago)[:10], "model": model, "requests": requests, **tokens}


def model(name: str, size: int = 2_019_393_189, parameters: str = "3.2B") -> dict[str, Any]:
    details = {"family": "llama", "parameter_size": parameters, "quantization_level": "Q4_K_M"}
    return {"name": name, "model": name, "size": size, "details": details}


LIMITS = [
    limit("requests_per_minute", 60, 3, reset=41),
    limit("concurrent_requests", 4, 1),
    limit("tokens_per_minute", 20_000, 17_210, reset=55),
    limit("tokens_per_day", 1_000_000, 412_345, reset=43_200),
    limit("tokens_per_day", 200_000, 210_000, "llama3.3*", 43_200),
    limit("max_context", 16_384),
    limit("keep_alive", 1800),
]
KEYS = [
    key("laptop", 32),
    key("ci", 9, last4="x9Kq"),
    key("ci~old", 0.8, last4="77aa"),
    key("editor", in_path=True, last4="Zz00"),
    key("next", 400, not_before=stamp(5), is_valid=False, last4=None, created=None),
    key("former", -3, last4="0001"),
]
DAYS = [
    day(ago, name, 4 + ago % 7, (ago * 7919 + weight) % 23_000, (ago * 104_729 + weight) % 41_000)
    for ago in range(30)
    for name, weight in [("tiny:latest", 900), ("llama3.3:70b", 12_000)]
    if ago % 6 != 4
]
ACCOUNT: dict[str, Any] = {
    "client": "alice",
    "key": "laptop",
    "time": stamp(0),
    "scopes": ["inference", "models_read"],
    "models": ["*"],
    "limits": LIMITS,
    "keys": KEYS,
    "usage": {"since": stamp(-29)[:10], "is_complete": True, "days": DAYS},
}
MODELS = [
    model("llama3.3:70b", 42_520_413_916, "70.6B"),
    model("qwen3:8b", 5_225_388_164, "8.2B"),
    model("tiny:latest"),
]


class Site(http.server.ThreadingHTTPServer):
    """The page over HTTPS, and behind it what the test says: `account`, `models`, or `refusals` of paths."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        authority = Authority()
        issued = authority.issue("127.0.0.1")
        (folder / "ca.pem").write_text(authority.pem)
        file = folder / "server.pem"
        file.write_text(issued.key_pem + issued.pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self.server_address[1]}"
        self.trusted = pin(issued.certificate)
        self.reset()

    def reset(self) -> None:
        self.account = copy.deepcopy(ACCOUNT)
        self.models = copy.deepcopy(MODELS)
        self.refusals: dict[str, tuple[int, dict[str, str]]] = {}
        self.challenges = CHALLENGES
        # Every Authorization header that came.
        self.credentials: list[str] = []
        # An answer of the path that is held waits for the gate.
        self.held = ""
        self.gate = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silent: a browser that leaves breaks connections off."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Site
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the tests look at the page."""

    def do_GET(self) -> None:
        name = self.path.removeprefix("/gatehouse/")
        if self.path.startswith("/gatehouse/") and name in FILES:
            self._answer(200, (ROLE / "files" / "page" / FILES[name]).read_bytes(), self._file_headers(FILES[name]))
        elif self._is_known():
            self._tell()
        else:
            self._refuse(401, [("WWW-Authenticate", challenge) for challenge in self.server.challenges])

    @staticmethod
    def _file_headers(name: str) -> list[tuple[str, str]]:
        return [("Content-Type", TYPES[Path(name).suffix]), *HEADERS.items()]

    def _is_known(self) -> bool:
        credential = self.headers.get("Authorization", "")
        self.server.credentials.append(credential)
        return credential in (f"Bearer {KEY}", BASIC)

    def _tell(self) -> None:
        answers = {"/gatehouse/usage": self.server.account, "/api/tags": {"models": self.server.models}}
        if self.path == self.server.held:
            self.server.gate.wait(5)
        if self.path in self.server.refusals:
            status, headers = self.server.refusals[self.path]
            self._refuse(status, [*headers.items()])
        elif self.path in answers:
            # A page that sends and takes no cookies keeps none of this.
            self._json(200, answers[self.path], [("Set-Cookie", "seen=1; Secure")])
        else:
            self._refuse(404, [])

    def _refuse(self, status: int, headers: list[tuple[str, str]]) -> None:
        self._json(status, {"error": "refused"}, headers)

    def _json(self, status: int, content: Any, headers: list[tuple[str, str]]) -> None:
        kind = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self._answer(status, body, [*kind, *headers])

    def _answer(self, status: int, body: bytes, headers: list[tuple[str, str]]) -> None:
        self.send_response(status)
        for name, value in [*headers, ("Content-Length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def site(folder: Path) -> Iterator[Site]:
    server = Site(folder)
    with serving(server):
        yield server
