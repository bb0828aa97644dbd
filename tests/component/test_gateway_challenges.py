# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An ACME server is answered whichever of several gateways it asks, and nobody else can make use of that."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.certificates import Authority
from tests.component.contract.replay import Reply, send
from tests.component.contract.standins import free_port
from tests.component.gateways import Gateway, status, with_tls
from tests.component.upstreams import Echo

PATH = "/.well-known/acme-challenge/"
TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
ANSWER = TOKEN + ".9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
NAME = "llm.example"
FIRST, SECOND, STRANGER, NOBODY = (f"127.0.5.{number}" for number in range(1, 5))


class Stranger(ThreadingHTTPServer):
    """Answers in a gateway's place, with what a test wants, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__((STRANGER, port), Handler)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answer: tuple[int, dict[str, str], bytes] = (404, {}, b"")
        self.delay = 0.0


class Handler(BaseHTTPRequestHandler):
    server: Stranger

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers.items())))
        time.sleep(self.server.delay)
        code, headers, body = self.server.answer
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        # The gateway may have lost patience.
        with contextlib.suppress(BrokenPipeError):
            self.end_headers()
            self.wfile.write(body)

    do_POST = do_HEAD = do_GET


class Two:
    """Two gateways that go by one name, at one port of two addresses, and somebody in the place of a third."""

    def __init__(self, gateways: list[Gateway], stranger: Stranger, port: int) -> None:
        self.first, self.second = gateways
        self.stranger, self.port = stranger, port

    def ask(self, address: str, target: str, *headers: str, method: str = "GET", host: str = NAME) -> Reply:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *headers, "Connection: close", "", ""]
        return send(f"{address}:{self.port}", "\r\n".join(lines).encode(), method)


def folder_of(gateway: Gateway) -> Any:
    return gateway.folder / "acme" / ".well-known" / "acme-challenge"


@pytest.fixture(scope="module", params=["basic", "bearer"])
def two(request: pytest.FixtureRequest, upstream: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    authority, port = Authority(), free_port()
    with contextlib.ExitStack() as stack:
        gateways = []
        for address in (FIRST, SECOND):
            variables = {
                **with_tls([NAME]),
                "ollama_gateway_tls": "acme",
                "ollama_gateway_http_port": 80,
                "ollama_gateway_peers": [FIRST, SECOND, STRANGER, NOBODY],
                "__ollama_gateway_http_listen": f"{address}:{port}",
                "__ollama_gateway_peer_port": port,
            }
            one = Gateway(tmp_path_factory.mktemp("challenges"), request.param, upstream.address, **variables)
            one.present(authority.issue(NAME, "127.0.0.1"), authority)
            folder_of(one).mkdir(parents=True)
            for path in (folder_of(one).parent, folder_of(one)):
                path.chmod(0o755)
            stack.enter_context(one.running())
            gateways.append(one)
        stranger = Stranger(port)
        stack.callback(stranger.server_close)
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        stack.callback(stranger.shutdown)
        yield Two(gateways, stranger, port)


@pytest.fixture(autouse=True)
def nothing_yet(two: Two) -> None:
    for one in (two.first, two.second):
        for path in folder_of(one).iterdir():
            path.unlink()
    two.stranger.asked.clear()
    two.stranger.answer, two.stranger.delay = (404, {}, b""), 0.0


def write(gateway: Gateway, token: str = TOKEN) -> None:
    path = folder_of(gateway) / token
    path.write_text(ANSWER)
    path.chmod(0o644)


def test_whichever_gateway_is_asked_answers_for_the_one_that_asked_for_a_certificate(two: Two) -> None:
    write(two.second)
    for address in (FIRST, SECOND):
        for host in (NAME, "new.example"):
            reply = two.ask(address, PATH + TOKEN, host=host)
            assert (status(reply), reply.body.decode()) == (200, ANSWER), (address, host)


def test_what_no_gateway_has_is_not_found_and_asked_for_once(two: Two) -> None:
    begun = time.monotonic()
    reply = two.ask(FIRST, PATH + TOKEN)
    assert status(reply) == 404
    assert b'"error"' in reply.body
    assert time.monotonic() - begun < 5
    assert [path for path, _headers in two.stranger.asked] == [PATH + TOKEN]


def test_a_gateway_that_was_asked_by_a_gateway_asks_no_other(two: Two) -> None:
    write(two.second)
    assert status(two.ask(FIRST, PATH + TOKEN, "X-Gatehouse-Challenge: passed-on")) == 404
    assert two.stranger.asked == []


@pytest.mark.parametrize(
    "target",
    [
        PATH,
        PATH + "short",
        PATH + "a" * 129,
        PATH + TOKEN + "/",
        PATH + TOKEN + "/more",
        PATH + TOKEN + ".json",
        PATH + TOKEN + "%00",
        PATH + TOKEN + "%0d%0aX-Evil:%201",
        PATH + TOKEN + "%3Fa=b",
        PATH + "../" + TOKEN,
        PATH + "%2e%2e/%2e%2e/" + TOKEN,
        "/.well-known/" + TOKEN,
        "/api/tags",
        "/healthz",
    ],
)
def test_nothing_but_a_token_is_passed_on(two: Two, target: str) -> None:
    assert status(two.ask(FIRST, target)) in (308, 400, 403, 404)
    assert two.stranger.asked == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD"])
def test_nothing_but_get_is_passed_on(two: Two, method: str) -> None:
    write(two.second)
    assert status(two.ask(FIRST, PATH + TOKEN, "Content-Length: 0", method=method)) in (404, 405)
    assert two.stranger.asked == []


def test_nothing_of_the_sender_goes_along(two: Two) -> None:
    secrets = ("Authorization: Bearer secret", "Cookie: secret=1", "X-Forwarded-For: 192.0.2.1", "User-Agent: secret")
    two.ask(FIRST, PATH + TOKEN + "?secret=1", *secrets, host="other.example")
    ((path, headers),) = two.stranger.asked
    assert path == PATH + TOKEN
    assert headers == {"Host": NAME, "X-Gatehouse-Challenge": "passed-on"}


@pytest.mark.parametrize("code", [301, 302, 401, 403, 500, 503])
def test_of_another_status_nothing_comes_back(two: Two, code: int) -> None:
    headers = {"Location": "https://evil.example/", "Set-Cookie": "a=b"}
    two.stranger.answer = (code, headers, b"from elsewhere")
    reply = two.ask(FIRST, PATH + TOKEN)
    assert (status(reply), reply.header("Location"), reply.header("Set-Cookie")) == (404, None, None)
    assert b"elsewhere" not in reply.body


def test_of_an_answer_nothing_comes_back_that_a_browser_would_act_on(two: Two) -> None:
    headers = {"Content-Type": "text/html", "Set-Cookie": "a=b", "X-Accel-Redirect": "/api/tags", "Refresh": "0"}
    two.stranger.answer = (200, headers, b"token")
    reply = two.ask(FIRST, PATH + TOKEN)
    assert (status(reply), reply.body) == (200, b"token")
    assert reply.header("Content-Type") == "application/octet-stream"
    assert [name for name in ("Set-Cookie", "X-Accel-Redirect", "Refresh") if reply.header(name)] == []


def test_a_gateway_that_says_nothing_does_not_hold_up_the_answer_of_another(two: Two) -> None:
    write(two.second)
    two.stranger.delay = 4
    for _ in range(4):
        reply = two.ask(FIRST, PATH + TOKEN)
        assert (status(reply), reply.body.decode()) == (200, ANSWER)
