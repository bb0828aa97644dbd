# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway that lets in whom it must not, or nobody, or that cuts streams, is found before anybody is sent to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._gateway import smoke
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.credentials import Credential
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Address
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.link import Link

ADMIN = Credential("admin", "bearer", "a-key", ["admin"], True)
FOREVER = "2318-01-01T00:00:00.5Z"
Answers = dict[str, Any]

SOUND: Answers = {
    "/healthz": (200, "ok"),
    "/api/version": (200, '{"version": "0.32.15"}'),
    "/api/ps": (200, json.dumps({"models": [{"name": "tiny:latest", "size": 5, "expires_at": FOREVER}]})),
    "/api/tags": (200, json.dumps({"models": [{"name": "big", "size": 9}, {"name": "small", "size": 1}]})),
    "/api/generate": (200, '{"response": "a", "done": false}\n{"response": "", "done": true}\n'),
    "open": False,
}


@contextmanager
def gateway(asked: list[dict[str, Any]], **other: Any) -> Iterator[Link]:
    """One that answers like this, and refuses who has no key unless it is `open`."""
    answers = {**SOUND, **{name.replace("_", "/"): value for name, value in other.items()}}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_args: Any) -> None:
            pass

        def do_GET(self) -> None:
            is_known = self.headers.get("Authorization") == "Bearer a-key" or answers["open"]
            status, text = answers[self.path] if is_known or self.path == "/healthz" else (401, "{}")
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.do_GET()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Link(Address("127.0.0.1", server.server_address[1]))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def try_out(
    *credentials: Credential, reaches: Callable[[], bool] = lambda: True, **other: Any
) -> tuple[list[str], list[dict[str, Any]]]:
    asked: list[dict[str, Any]] = []
    with gateway(asked, **other) as link:
        return smoke.try_out(link, credentials, "ollama", reaches), asked


def test_a_sound_one_is_tried_with_a_model_that_is_loaded_and_stays_so() -> None:
    untried, (asked,) = try_out(ADMIN)
    assert untried == []
    assert (asked["model"], asked["keep_alive"]) == ("tiny:latest", -1)


def test_where_no_model_is_loaded_the_smallest_comes_and_goes() -> None:
    _untried, (asked,) = try_out(ADMIN, _api_ps=(200, '{"models": []}'))
    assert (asked["model"], asked["keep_alive"]) == ("small", 0)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"open": True}, "without a credential, GET /api/version is to answer 401, and came back: HTTP/1.0 200"),
        ({"_healthz": (500, "")}, "GET /healthz is to answer 200, and came back: HTTP/1.0 500"),
        ({"_api_version": (403, "{}")}, "with a credential, GET /api/version is to answer 200 with a version"),
        ({"_api_version": (200, "hello")}, "with a credential, GET /api/version is to answer 200 with a version"),
        ({"_api_version": (502, "{}")}, "with a credential, GET /api/version is to answer 200 with a version"),
        ({"_api_generate": (200, '{"done": false}\n')}, "a stream of tiny:latest is to come to its end"),
        ({"_api_generate": (403, "{}")}, "an admin is to use tiny:latest"),
    ],
)
def test_what_is_not_sound_is_the_error(other: dict[str, Any], said: str) -> None:
    with pytest.raises(smoke.NotSound) as error:
        try_out(ADMIN, **other)
    assert said in str(error.value)
    assert "a-key" not in str(error.value)


@pytest.mark.parametrize(
    ("credentials", "other", "said"),
    [
        ([], {}, "Nobody comes in without a certificate"),
        ([ADMIN], {"_api_version": (502, "{}"), "reaches": lambda: False}, "No server takes connections"),
        ([ADMIN], {"_api_ps": (200, "{}"), "_api_tags": (200, "{}")}, "The server has no model"),
        ([ADMIN], {"_api_generate": (400, '{"error": "does not support generate"}')}, "tiny:latest generates nothing"),
    ],
)
def test_what_is_not_the_gateways_fault_is_told_and_is_none(
    credentials: list[Credential], other: dict[str, Any], said: str
) -> None:
    untried, _asked = try_out(*credentials, **other)
    assert len(untried) == 1
    assert said in untried[0]


def test_a_store_that_is_reached_is_no_problem_however_late_it_is() -> None:
    said = iter(["", "10.0.0.5:6379: timeout", "up"])
    assert smoke.store_problem(lambda: next(said), True, lambda _seconds: None) == []


def test_a_store_that_is_not_reached_is_told_with_the_reason_and_is_an_error_where_it_would_refuse_clients() -> None:
    found = smoke.store_problem(lambda: "10.0.0.5:6379: WRONGPASS", False, lambda _seconds: None)
    assert len(found) == 1
    assert "10.0.0.5:6379: WRONGPASS" in found[0]
    with pytest.raises(smoke.NotSound, match=r"WRONGPASS.* would be refused"):
        smoke.store_problem(lambda: "10.0.0.5:6379: WRONGPASS", True, lambda _seconds: None)
