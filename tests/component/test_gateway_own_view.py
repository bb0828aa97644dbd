# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client sees of itself at /gatehouse/usage, and the files of the page that shows it to people."""

from __future__ import annotations

import datetime
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.component.contract.replay import Reply
from tests.component.contract.standins import Standin, standin_with, until
from tests.component.gateways import KEYS, PASSWORDS, USER, Gateway, basic, gateway, key_lines, record, status

ALICE = f"Authorization: Bearer {KEYS['alice.laptop']}"
BOB = f"Authorization: Bearer {KEYS['bob.ci']}"
CAROL = "Authorization: " + basic("carol", PASSWORDS["carol"])
LIMITS = {
    "requests_per_minute": 1000,
    "tokens_per_day": 10**6,
    "max_context": 4096,
    "keep_alive": 60,
    "models": {"tiny*": {"tokens_per_day": 10**5}},
}


@pytest.fixture(scope="module")
def ollama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    with standin_with(tmp_path_factory.mktemp("ollama"), "tiny", "tiny-loop") as server:
        yield server


def started(folder: Path, ollama: Standin) -> Iterator[Gateway]:
    one = Gateway(folder, "both", ollama.address)
    one.write(
        "api_keys",
        [
            *key_lines(),
            record("alice.laptop~old", "ghk_alice-before", "expires=2099-01-01T00:00:00Z", "last4=fore"),
            record("alice.cli", "ghk_alice-cli", "created=2026-11-01T00:00:00Z", "last4=-cli", "in_path=yes"),
            record("alice.past", "ghk_alice-past", "expires=2026-01-01T00:00:00Z", "last4=past"),
            "a-key-in-plain-text",
        ],
    )
    rights: dict[str, Any] = {name: {"scopes": ["inference", "models_read"], "models": ["*"]} for name in PASSWORDS}
    rights["alice"] |= {"limits": LIMITS, "models": ["tiny*", "qwen3*"], "owner": "Alice's owner"}
    rights["carol"]["scopes"] = []
    one.permit(rights)
    with one.running():
        yield one


@pytest.fixture(scope="module")
def server(ollama: Standin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    yield from started(tmp_path_factory.mktemp("view"), ollama)


@pytest.fixture
def unused(ollama: Standin, tmp_path: Path) -> Iterator[Gateway]:
    """One that nobody has asked anything."""
    yield from started(tmp_path, ollama)


def chat(server: Gateway, who: str, model: str = "tiny") -> Reply:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "options": {"num_predict": 5}}
    reply = server.ask("/api/chat", who, method="POST", body=json.dumps(body).encode())
    assert status(reply) == 200, reply
    return reply


def view(server: Gateway, who: str = ALICE, *headers: str) -> dict[str, Any]:
    reply = server.ask("/gatehouse/usage", who, *headers)
    assert status(reply) == 200, reply
    assert reply.header("Content-Type") == "application/json"
    assert reply.header("Cache-Control") == "no-store"
    told: dict[str, Any] = json.loads(reply.body)
    return told


Sums = dict[tuple[str, str], tuple[int, int, int]]


def used(told: dict[str, Any]) -> Sums:
    """Requests and tokens by day and model."""
    return {
        (one["day"], one["model"]): (one["requests"], one["prompt_tokens"], one["completion_tokens"])
        for one in told["usage"]["days"]
    }


def of_today(server: Gateway, client: str) -> Sums:
    """The same by the lines of the ledger."""
    found: Sums = {}
    for line in map(json.loads, (server.ledger / f"{day(0)}.jsonl").read_text().splitlines()):
        if line["client"] == client:
            place = (day(0), line["model"])
            before = found.get(place, (0, 0, 0))
            found[place] = (before[0] + 1, before[1] + line["prompt_tokens"], before[2] + line["completion_tokens"])
    return found


def day(ago: int) -> str:
    return (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=ago)).strftime("%Y-%m-%d")


def past(server: Gateway, ago: int, *lines: dict[str, Any] | str) -> None:
    """Lines of a day that was, as a gateway before wrote them."""
    path = server.ledger / f"{day(ago)}.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line, separators=(",", ":")) for line in lines]
    path.write_text("".join(text + "\n" for text in texts))
    os.chown(path, USER, USER)


def entry(ago: int, client: str, model: str, prompt: int, completion: int) -> dict[str, Any]:
    return {
        "time": f"{day(ago)}T10:00:00.000Z",
        "request_id": "a" * 32,
        "client": client,
        "key": "laptop",
        "model": model,
        "route": "/api/chat",
        "status": 200,
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "source": "server",
        "end": "complete",
        "seconds": 0.5,
        "first_chunk_seconds": None,
        "server": "",
    }


def test_it_tells_a_client_what_it_may_do_and_nothing_of_others(server: Gateway) -> None:
    told = view(server)
    assert (told["client"], told["key"]) == ("alice", "laptop")
    assert (told["scopes"], told["models"]) == (["inference", "models_read"], ["tiny*", "qwen3*"])
    assert [(one["id"], one["last4"], one["in_path"], one["is_valid"]) for one in told["keys"]] == [
        ("laptop", "ptop", False, True),
        ("laptop~old", "fore", False, True),
        ("cli", "-cli", True, True),
        ("past", "past", False, False),
    ]
    assert [one["expires"] for one in told["keys"]] == [None, "2099-01-01T00:00:00Z", None, "2026-01-01T00:00:00Z"]
    assert told["keys"][2]["created"] == "2026-11-01T00:00:00Z"
    other = view(server, BOB)
    assert [one["id"] for one in other["keys"]] == ["ci"]
    assert (other["limits"], other["models"]) == ([], ["*"])
    assert "alice" not in json.dumps(other)
    without = view(server, CAROL)
    assert (without["scopes"], without["keys"], without["usage"]["days"]) == ([], [], [])


def test_a_password_and_a_key_in_plain_text_have_no_key_of_their_own(server: Gateway) -> None:
    told = view(server, "Authorization: " + basic("bob", PASSWORDS["bob"]))
    assert (told["client"], told["key"]) == ("bob", None)
    plain = view(server, "Authorization: Bearer a-key-in-plain-text")
    assert (plain["client"], plain["keys"]) == ("(plain text)", [])


def test_nobody_else_is_told(server: Gateway) -> None:
    asked = {
        "nobody": server.ask("/gatehouse/usage"),
        "a wrong key": server.ask("/gatehouse/usage", "Authorization: Bearer " + "w" * 40),
        "another method": server.ask("/gatehouse/usage", ALICE, method="POST", body=b""),
        "another spelling": server.ask("/gatehouse/usage/", ALICE),
        "without a credential, another spelling": server.ask("/gatehouse//usage"),
    }
    assert {what: status(reply) for what, reply in asked.items()} == {
        "nobody": 401,
        "a wrong key": 401,
        "another method": 404,
        "another spelling": 404,
        "without a credential, another spelling": 401,
    }


def test_what_was_used_is_what_the_ledger_has_by_model_and_day(unused: Gateway) -> None:
    mine = entry(3, "alice", "tiny:latest", 10, 20)
    past(unused, 3, mine, "{damaged", "", {**mine, "client": "bob"}, {**mine, "model": "qwen3:8b"})
    past(unused, 45, entry(45, "alice", "tiny:latest", 5, 5))
    for model in ("tiny", "tiny-loop", "tiny"):
        chat(unused, ALICE, model)
    chat(unused, BOB)
    before: Sums = {(day(3), "tiny:latest"): (1, 10, 20), (day(3), "qwen3:8b"): (1, 10, 20)}
    assert until(lambda: sum(one[0] for one in used(view(unused)).values()) == 5)
    told = view(unused)
    assert (told["usage"]["since"], told["usage"]["is_complete"]) == (day(29), True)
    assert used(told) == {**of_today(unused, "alice"), **before}
    days = [one["day"] for one in told["usage"]["days"]]
    assert days == sorted(days, reverse=True)
    # What comes later is added, and nothing twice, nor anew after a restart.
    chat(unused, ALICE)
    assert until(lambda: used(view(unused))[day(0), "tiny:latest"][0] == 3)
    unused.restart()
    assert until(lambda: view(unused)["usage"]["is_complete"])
    assert used(view(unused)) == {**of_today(unused, "alice"), **before}


def test_limits_say_what_is_left(unused: Gateway) -> None:
    chat(unused, ALICE)
    assert until(lambda: used(view(unused)))
    tokens = sum(of_today(unused, "alice")[day(0), "tiny:latest"][1:])
    limits = {(one["name"], one["model"]): one for one in view(unused)["limits"]}
    assert set(limits) == {
        ("requests_per_minute", None),
        ("tokens_per_day", None),
        ("tokens_per_day", "tiny*"),
        ("max_context", None),
        ("keep_alive", None),
    }
    assert (limits["requests_per_minute", None]["used"], limits["requests_per_minute", None]["remaining"]) == (1, 999)
    assert limits["tokens_per_day", "tiny*"]["used"] == tokens > 0
    assert limits["tokens_per_day", None]["remaining"] == 10**6 - tokens
    assert limits["max_context", None] == {"name": "max_context", "model": None, "limit": 4096}


def test_many_looks_at_once_read_many_lines_once(unused: Gateway) -> None:
    line = json.dumps(entry(1, "alice", "tiny:latest", 1, 2), separators=(",", ":")) + "\n"
    path = unused.ledger / f"{day(1)}.jsonl"
    path.write_text(line * 100_000)
    os.chown(path, USER, USER)
    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(lambda _: view(unused), range(64)))
    assert all(one["client"] == "alice" for one in told)
    assert until(lambda: view(unused)["usage"]["is_complete"])
    assert used(view(unused))[(day(1), "tiny:latest")] == (100_000, 100_000, 200_000)


def test_names_that_were_invented_take_no_room(unused: Gateway) -> None:
    chat(unused, ALICE)
    # By then it knows what the server has.
    time.sleep(3)
    for number in range(20):
        body = json.dumps({"model": f"tiny-{number}", "messages": [], "stream": True}).encode()
        wire = unused.wire("/api/chat", ALICE, method="POST", body=body)
        host, port = unused.address.split(":")
        with socket.create_connection((host, int(port)), 10) as sock:
            sock.sendall(wire)
    past(unused, 1, *(entry(1, "alice", f"m{number}:latest", 1, 1) for number in range(500)))
    assert until(lambda: view(unused)["usage"]["is_complete"])
    rows = view(unused)["usage"]["days"]
    assert {row["model"] for row in rows if row["day"] == day(0)} <= {"", "tiny:latest"}
    before = [row for row in rows if row["day"] == day(1)]
    assert (len(before), sum(row["requests"] for row in before)) == (51, 500)


def test_nothing_is_counted_twice_by_a_reload_or_a_kill_while_it_is_read(unused: Gateway) -> None:
    line = json.dumps(entry(1, "alice", "tiny:latest", 1, 2), separators=(",", ":")) + "\n"
    path = unused.ledger / f"{day(1)}.jsonl"
    path.write_text(line * 200_000)
    os.chown(path, USER, USER)

    def kill() -> None:
        for pid in unused.processes("worker process"):
            os.kill(pid, signal.SIGKILL)

    for act in (unused.reload, kill):
        view(unused)
        act()
        assert until(lambda: view_of(unused).get("is_complete"), 30)
        assert used(view(unused))[(day(1), "tiny:latest")] == (200_000, 200_000, 400_000)


def view_of(server: Gateway) -> dict[str, Any]:
    """The same while a worker may just be gone."""
    try:
        return dict(view(server)["usage"])
    except (OSError, ValueError, IndexError):
        return {}


def test_where_nothing_is_counted_it_says_so(ollama: Standin, tmp_path_factory: pytest.TempPathFactory) -> None:
    with gateway(tmp_path_factory.mktemp("off"), "bearer", ollama.address, ollama_gateway_usage=False) as one:
        told = view(one)
        assert (told["usage"], told["limits"]) == (None, [])


def test_plain_nginx_has_neither_the_view_nor_the_page(basic_gateway: Gateway) -> None:
    credential = "Authorization: " + basic_gateway.credential()
    for path in ("/gatehouse/usage", "/gatehouse/", "/gatehouse/page.js"):
        assert status(basic_gateway.ask(path)) == 401
        assert status(basic_gateway.ask(path, credential)) == 404


PAGE = {
    "/gatehouse/": ("index.html", "text/html; charset=utf-8"),
    "/gatehouse/page.css": ("page.css", "text/css; charset=utf-8"),
    "/gatehouse/page.js": ("page.js", "text/javascript; charset=utf-8"),
}


def test_the_page_is_sent_to_anybody_and_may_load_nothing_from_elsewhere(server: Gateway) -> None:
    for path, (file, kind) in PAGE.items():
        reply = server.ask(path)
        assert (status(reply), reply.header("Content-Type")) == (200, kind)
        assert reply.body == (server.folder / "page" / file).read_bytes()
        policy = (reply.header("Content-Security-Policy") or "").split("; ")
        assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy)
        assert reply.header("X-Content-Type-Options") == "nosniff"
        assert reply.header("Referrer-Policy") == "no-referrer"
        assert reply.header("X-Request-Id")
    moved = server.ask("/gatehouse")
    assert (status(moved), moved.header("Location")) == (308, "/gatehouse/")


def test_beside_the_page_nothing_is_open(server: Gateway) -> None:
    for path in (
        *("/gatehouse/index.html", "/gatehouse/clients.json", "/gatehouse/../clients/api_keys", "/gatehouse//page.js"),
        *("/gatehouse/page.js/", "/gatehouse/page.js/../../api/tags", "/gatehouse/%2e%2e/clients/api_keys"),
        *("/gatehouse/page.css%00", "/Gatehouse/", "/gatehouse/page.js.map", "/page.js"),
    ):
        reply = server.ask(path)
        assert status(reply) in (400, 401), path
    assert status(server.ask("/gatehouse/", method="POST", body=b"")) == 405
    assert status(server.ask("/gatehouse/page.js", method="DELETE")) == 405


def test_without_the_page_its_paths_are_unknown(ollama: Standin, tmp_path_factory: pytest.TempPathFactory) -> None:
    with gateway(tmp_path_factory.mktemp("no-page"), "bearer", ollama.address, ollama_gateway_page=False) as one:
        for path in (*PAGE, "/gatehouse"):
            assert status(one.ask(path)) == 401
            assert status(one.ask(path, ALICE)) == 404
        assert status(one.ask("/gatehouse/usage", ALICE)) == 200
