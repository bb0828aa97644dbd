# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of a server, as gateways and strangers meet it: a real nginx with Lua, real TLS, upstreams that tell."""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from tests.certificates import Authority, now
from tests.component import rendering
from tests.component.contract.replay import Reply, connect, send
from tests.component.contract.standins import free_port, until
from tests.component.doors import ALWAYS, NAME, Context, Door, door
from tests.component.upstreams import Echo, echo, told

TAGS = b'{"models":[{"name":"tiny:latest","details":{"families":[],"parent_model":null},"size":12345678901234}]}'
PS = b'{"models":[{"name":"tiny:latest","expires_at":"2318-11-05T00:00:00Z"}]}'
GATEWAYS = ("gateway-1", "gateway.2")
EXTRA = [
    {"method": method, "path": path}
    for path in ("/stream", "/upload", "/accel", "/hang", "/drop", "/status/404", "/status/502", "/status/503")
    for method in ("GET", "POST")
]
VALUES = {":model": "tiny:latest", ":digest": "sha256:" + "0" * 64, ":key": "abc"}


def routes() -> list[dict[str, Any]]:
    """What the route table has, but for what gateways answer themselves."""
    return [one for one in rendering.value("__ollama_gateway_routes") if "own" not in one]


def with_extra() -> dict[str, Any]:
    """The variables of a door that passes on what Echo has beside the API of Ollama."""
    return {"__ollama_server_routes": [*routes(), *EXTRA], "__ollama_server_door_timeout": "3s"}


def ready(server: Echo) -> Echo:
    server.answers |= {"/api/tags": TAGS, "/api/ps": PS}
    return server


@pytest.fixture(scope="module")
def upstream() -> Iterator[Echo]:
    with echo() as server:
        yield ready(server)


@pytest.fixture(scope="module")
def other_upstream() -> Iterator[Echo]:
    with echo() as server:
        yield ready(server)


@pytest.fixture(scope="module")
def shared(upstream: Echo, other_upstream: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A door with the route table as it is, in front of two servers. Tests leave it as it was."""
    folder = tmp_path_factory.mktemp("door") / "door"
    with door(folder, [upstream.address, other_upstream.address], gateways=GATEWAYS, capacity=3) as found:
        yield found


@pytest.fixture(scope="module")
def wide(upstream: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A door that passes more on, and waits three seconds."""
    with door(tmp_path_factory.mktemp("wide") / "door", [upstream.address], **with_extra()) as found:
        yield found


def status_of(reply: Reply) -> int:
    return int(reply.status_line.split(" ")[1])


class TestWhoComesIn:
    def test_each_gateway_that_it_is_for(self, shared: Door) -> None:
        for name in GATEWAYS:
            assert status_of(shared.ask(pem=shared.issue(name))) == 200

    @pytest.mark.parametrize("path", ["/api/tags", "/gatehouse/door", "/no/such/path"])
    def test_nobody_without_a_certificate(self, shared: Door, path: str) -> None:
        reply = send(shared.address, shared.wire(path), tls=shared.tls(None))
        assert (status_of(reply), json.loads(reply.body)) == (400, {"error": "a certificate of a gateway is needed"})

    @pytest.mark.parametrize("path", ["/api/tags", "/gatehouse/door"])
    def test_nobody_with_a_certificate_of_another_ca_an_old_one_or_that_of_a_server(
        self, shared: Door, path: str
    ) -> None:
        own = shared.authority
        bad = {
            "foreign": shared.issue(GATEWAYS[0], Authority("Gatehouse door CA")),
            "expired": shared.issue(GATEWAYS[0], end=now() - timedelta(minutes=1)),
            "future": shared.issue(GATEWAYS[0], begin=now() + timedelta(hours=1)),
            "a server's": shared.issue(GATEWAYS[0], client=False),
            "the door's": shared.keep(own.issue(NAME)),
            "of a CA below": shared.issue(GATEWAYS[0], Authority("Below", issuer=own)),
        }
        assert {name: status_of(shared.ask(path, pem=pem)) for name, pem in bad.items()} == dict.fromkeys(bad, 400)

    @pytest.mark.parametrize(
        "subject",
        ["gateway-3", "gateway-1x", "GATEWAY-1", "gateway-1,O=x", "gatewayx2", "", "gateway-1\\,CN\\=gateway-1"],
    )
    def test_nobody_of_another_name(self, shared: Door, subject: str) -> None:
        pem = shared.issue(subject) if subject else shared.issue("x,O=gateway-1")
        for path in ("/api/tags", "/gatehouse/door"):
            assert status_of(shared.ask(path, pem=pem)) == 403

    def test_nobody_by_plain_http(self, shared: Door) -> None:
        assert status_of(send(shared.address, shared.wire("/api/tags"))) == 400

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
    def test_nobody_by_an_old_tls(self, shared: Door, version: ssl.TLSVersion) -> None:
        context = Context(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=shared.authority.pem)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        with pytest.raises((ssl.SSLError, OSError)):
            connect(shared.address, context)

    def test_what_is_refused_reaches_no_server(self, shared: Door, upstream: Echo) -> None:
        before = list(upstream.requests)
        shared.ask("/api/version", pem=shared.issue("gateway-3"))
        send(shared.address, shared.wire("/api/version"), tls=shared.tls(None))
        assert [line for line in upstream.requests[len(before) :] if "version" in line] == []

    def test_a_renewed_certificate_of_the_door_counts_from_the_next_connection_on(self, shared: Door) -> None:
        first = _serial(shared)
        shared.present(shared.authority.issue(NAME))
        assert _serial(shared) != first


def _serial(shared: Door) -> Any:
    with shared.connect() as connection:
        found = connection.getpeercert()
        assert found is not None
        return found["serialNumber"]


class TestWhatPasses:
    def test_each_path_of_the_route_table(self, shared: Door) -> None:
        for route in routes():
            path = re.sub(":[a-z]+$", lambda found: VALUES[found.group()], route["path"])
            for target in (path, path + "?a=b"):
                body = b"{}" if route["method"] in ("POST", "DELETE") else None
                assert status_of(shared.ask(target, method=route["method"], body=body)) == 200, (route, target)

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            *[
                ("GET", path)
                for path in ("/metrics", "/gatehouse/usage", "/gatehouse/", "/gatehouse/door/", "/api/pull")
            ],
            *[("GET", path) for path in ("//api/tags", "/api/./tags", "/api/tags/", "/API/tags", "/api/%74ags", "/x")],
            *[("GET", path) for path in ("/gatehouse/door/tags", "/gatehouse/door/ps", "/healthz", "/.gatehouse/400")],
            *[("POST", path) for path in ("/api/tags", "/gatehouse/door", "/api/chat/", "/api/chatx", "/api/blobs/x")],
            *[("PUT", "/api/chat"), ("OPTIONS", "/api/chat"), ("GET", "/v1/models/a/b"), ("GET", "/v1/models/..")],
        ],
    )
    def test_and_nothing_else(self, shared: Door, upstream: Echo, method: str, path: str) -> None:
        before = len(upstream.requests)
        reply = shared.ask(path, method=method)
        assert status_of(reply) == 404
        assert len(upstream.requests) == before

    def test_requests_and_answers_as_they_came(self, shared: Door) -> None:
        target = "/api/show?x=%2F..%2f&y= ".strip()
        body = b'{"model": "\xc3\xa4"}'
        given = ["Authorization: Bearer x", "X-Request-Id: abc", "Accept: text/event-stream", "Anthropic-Version: 1"]
        said = told(shared.ask(target, *given, method="POST", body=body))
        assert (said["line"], said["sum"]) == (f"POST {target} HTTP/1.1", sum(body))
        for line in given:
            name, _, value = line.partition(": ")
            assert said["headers"][name.lower()] == [value]

    def test_to_the_server_of_the_port(self, shared: Door, upstream: Echo, other_upstream: Echo) -> None:
        for server, (to, other) in enumerate([(upstream, other_upstream), (other_upstream, upstream)]):
            before = len(to.requests), len(other.requests)
            shared.ask("/api/version", server=server)
            assert (len(to.requests), len(other.requests)) == (before[0] + 1, before[1])

    def test_answers_of_the_server_also_where_they_are_errors(self, wide: Door) -> None:
        for status in (404, 502, 503):
            reply = wide.ask(f"/status/{status}")
            assert (status_of(reply), reply.body) == (status, b"from upstream")
            assert reply.header("X-Gatehouse-Door") is None

    def test_a_server_does_not_steer_the_door(self, wide: Door) -> None:
        assert wide.ask("/accel").body == b"served"

    def test_an_answer_chunk_by_chunk(self, wide: Door, upstream: Echo) -> None:
        with wide.connect() as connection:
            connection.sendall(wide.wire("/stream", method="POST", body=b"{}"))
            stream = connection.makefile("rb")
            for number in range(5):
                piece = b"piece %d\n" % number
                upstream.pieces.put(piece)
                read_until(stream, piece)
            upstream.pieces.put(None)
            read_until(stream, b"0\r\n")

    def test_a_body_chunk_by_chunk(self, wide: Door, upstream: Echo) -> None:
        with wide.connect() as connection:
            connection.sendall(wide.wire("/upload", "Transfer-Encoding: chunked", method="POST"))
            for number in range(5):
                piece = b"piece %d" % number
                connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                assert upstream.received.get(timeout=5) == piece
            connection.sendall(b"0\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 200"

    def test_many_requests_on_one_connection(self, shared: Door) -> None:
        with shared.connect() as connection:
            stream = connection.makefile("rb")
            for _ in range(20):
                connection.sendall(shared.wire("/api/version"))
                head = b"".join(iter(stream.readline, b"\r\n"))
                length = re.search(rb"Content-Length: (\d+)", head)
                assert head.startswith(b"HTTP/1.1 200")
                assert length
                stream.read(int(length[1]))


def read_until(stream: BinaryIO, wanted: bytes) -> None:
    """Read lines up to that one."""
    for line in stream:
        if line == wanted:
            return
    raise AssertionError(f"it ended before {wanted!r} came")


@contextlib.contextmanager
def running(opened: Door, *headers: str, server: int = 0) -> Iterator[BinaryIO]:
    """A request that streams and that the door counts. It takes pieces from all that are put, as others do."""
    before = sum(opened.in_flight(server).values())
    with opened.connect(server) as connection:
        connection.sendall(opened.wire("/stream", *headers, method="POST", body=b"{}"))
        assert until(lambda: sum(opened.in_flight(server).values()) > before, 5)
        with connection.makefile("rb") as stream:
            yield stream


class TestWhatIsInFlight:
    def test_it_goes_up_and_down_by_the_name_that_the_gateway_says_and_does_not_go_on(
        self, wide: Door, upstream: Echo
    ) -> None:
        assert wide.in_flight() == {}
        name = "X-Gatehouse-Model: tiny:latest"
        with running(wide, name) as first, running(wide, name) as second, running(wide) as third:
            assert wide.in_flight() == {"tiny:latest": 2, "": 1}
            for _ in range(3):
                upstream.pieces.put(None)
            for stream in (first, second, third):
                read_until(stream, b"0\r\n")
        assert until(lambda: wide.in_flight() == {}, 5)
        said = told(wide.ask("/api/show", "X-Gatehouse-Model: tiny:latest", method="POST", body=b"{}"))
        assert "x-gatehouse-model" not in said["headers"]
        assert wide.in_flight() == {}

    def test_who_hangs_up_counts_no_longer(self, wide: Door, upstream: Echo) -> None:
        with running(wide, "X-Gatehouse-Model: gone"):
            assert wide.in_flight() == {"gone": 1}
        assert until(lambda: wide.in_flight() == {}, 5)
        upstream.pieces.put(None)

    def test_nor_does_what_fails(self, wide: Door, upstream: Echo) -> None:
        for path in ("/drop", "/hang", "/status/503", "/no/such/path"):
            wide.ask(path, "X-Gatehouse-Model: failed", method="POST", body=b"{}")
        upstream.pieces.put(None)
        assert wide.in_flight() == {}

    def test_questions_to_the_door_do_not_count(self, shared: Door) -> None:
        assert shared.status()["in_flight"] == {}

    def test_each_server_has_its_own(self, upstream: Echo, other_upstream: Echo, tmp_path: Path) -> None:
        both = [upstream.address, other_upstream.address]
        with door(tmp_path / "door", both, **with_extra()) as opened, running(opened) as stream:
            assert (opened.in_flight(0), opened.in_flight(1)) == ({"": 1}, {})
            upstream.pieces.put(None)
            read_until(stream, b"0\r\n")


class TestDraining:
    def test_within_a_second_new_requests_get_503_and_running_ones_go_on(self, wide: Door, upstream: Echo) -> None:
        with running(wide) as stream:
            wide.drain()
            try:
                assert until(lambda: wide.status()["draining"], 1)
                for path, kind in {"/api/chat": str, "/v1/chat/completions": dict}.items():
                    reply = wide.ask(path, method="POST", body=b"{}")
                    assert status_of(reply) == 503
                    assert reply.header("X-Gatehouse-Door") == "unavailable"
                    assert isinstance(json.loads(reply.body)["error"], kind)
                assert wide.in_flight() == {"": 1}, "what is refused does not count"
                upstream.pieces.put(b"more\n")
                read_until(stream, b"more\n")
                upstream.pieces.put(None)
                read_until(stream, b"0\r\n")
            finally:
                wide.undrain()
        assert until(lambda: not wide.status()["draining"], 1)
        assert status_of(wide.ask("/api/version")) == 200

    def test_it_lasts_as_long_as_anybody_has_it_drained(self, wide: Door) -> None:
        soon = time.time() + 1.5
        wide.drain(one={"since": 1, "until": soon}, other={"since": soon + 1000, "until": soon + 2000})
        try:
            assert until(lambda: wide.status()["draining"], 1)
            assert until(lambda: not wide.status()["draining"], 3)
            assert time.time() >= soon
        finally:
            wide.undrain()

    def test_a_file_that_cannot_be_read_changes_nothing(self, wide: Door) -> None:
        wide.drain(test=ALWAYS)
        try:
            assert until(lambda: wide.status()["draining"], 1)
            (wide.state / "drain.json").write_text("nonsense")
            time.sleep(0.5)
            assert wide.status()["draining"]
        finally:
            wide.undrain()
        assert until(lambda: not wide.status()["draining"], 1)
        assert "drain.json: it is no JSON object" in wide.logs()

    def test_one_that_cannot_be_read_at_a_start_drains_nothing(self, upstream: Echo, tmp_path: Path) -> None:
        opened = Door(tmp_path / "door", [upstream.address])
        (opened.state / "drain.json").write_text("nonsense")
        try:
            opened.start()
            assert opened.status()["draining"] is False
        finally:
            opened.stop()


class TestAServerThatDoesNotAnswer:
    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize("path", ["/api/version", "/v1/messages", "/drop"])
    def test_that_is_down_or_hangs_up_is_503_for_another_to_be_asked(
        self, wide: Door, tmp_path: Path, path: str, method: str
    ) -> None:
        route = {"method": method, "path": path}
        variables = {"__ollama_server_routes": [route]}
        if path == "/drop":
            reply = wide.ask(path, method=method, body=b"{}")
        else:
            with door(tmp_path / "door", [f"127.0.0.1:{free_port()}"], **variables) as opened:
                reply = opened.ask(path, method=method, body=b"{}")
        assert status_of(reply) == 503
        assert reply.header("X-Gatehouse-Door") == "unavailable"
        said = json.loads(reply.body)["error"]
        assert (said["message"] if path.startswith("/v1") else said) == "this server takes no requests now"

    def test_that_is_silent_for_too_long_is_504_and_no_other_is_asked(self, wide: Door, upstream: Echo) -> None:
        begun = time.monotonic()
        reply = wide.ask("/hang", method="POST", body=b"{}")
        upstream.pieces.put(None)
        assert status_of(reply) == 504
        assert reply.header("X-Gatehouse-Door") is None
        assert json.loads(reply.body) == {"error": "Ollama did not answer in time"}
        assert time.monotonic() - begun >= 3

    def test_that_is_back_is_found_at_once(self, upstream: Echo, tmp_path: Path) -> None:
        port = free_port()
        with door(tmp_path / "door", [f"127.0.0.1:{port}"]) as opened:
            assert status_of(opened.ask("/api/version")) == 503
            with echo(port=port):
                assert status_of(opened.ask("/api/version")) == 200


class TestWhatItTells:
    def test_all_that_a_gateway_wants_to_know(self, shared: Door) -> None:
        said = shared.status()
        assert list(said) == ["draining", "capacity", "in_flight", "tags_hash", "tags", "ps"]
        assert (said["draining"], said["capacity"], said["in_flight"]) == (False, 3, {})
        assert said["tags"] == json.loads(TAGS)["models"]
        assert said["ps"] == json.loads(PS)["models"]
        assert re.fullmatch("[0-9a-f]+", said["tags_hash"])

    def test_lists_byte_for_byte(self, shared: Door) -> None:
        body = shared.ask("/gatehouse/door").body
        for text in (TAGS, PS):
            assert text.partition(b":")[2][:-1] in body

    def test_the_models_only_where_the_gateway_has_others(self, shared: Door, upstream: Echo) -> None:
        first = shared.status()
        same = shared.status(tags=first["tags_hash"])
        assert same == {name: value for name, value in first.items() if name != "tags"}
        assert shared.status(tags="0" * 32) == first
        upstream.answers["/api/tags"] = b'{"models":[]}'
        try:
            time.sleep(0.35)
            changed = shared.status(tags=first["tags_hash"])
            assert (changed["tags"], changed["tags_hash"] == first["tags_hash"]) == ([], False)
        finally:
            upstream.answers["/api/tags"] = TAGS
        time.sleep(0.35)
        assert shared.status()["tags_hash"] == first["tags_hash"]

    def test_ollama_is_asked_each_third_of_a_second_at_most(self, shared: Door, other_upstream: Echo) -> None:
        time.sleep(0.35)
        before = len(other_upstream.requests)
        begun = time.monotonic()
        with shared.connect(1) as connection:
            stream = connection.makefile("rb")
            for _ in range(50):
                connection.sendall(shared.wire("/gatehouse/door"))
                head = b"".join(iter(stream.readline, b"\r\n"))
                found = re.search(rb"Content-Length: (\d+)", head)
                assert found
                stream.read(int(found[1]))
        lasted = time.monotonic() - begun
        assert 2 <= len(other_upstream.requests) - before <= 2 * (1 + lasted / 0.3)

    def test_503_where_ollama_hangs_or_is_down_or_talks_nonsense(self, tmp_path: Path) -> None:
        with echo() as server, echo() as rubbish:
            server.hangs = {"/api/ps"}
            ready(server)
            rubbish.answers = {"/api/tags": b"nonsense", "/api/ps": PS}
            upstreams = [server.address, f"127.0.0.1:{free_port()}", rubbish.address]
            with door(tmp_path / "door", upstreams) as opened:
                for number in range(3):
                    begun = time.monotonic()
                    reply = opened.ask("/gatehouse/door", server=number)
                    assert (status_of(reply), json.loads(reply.body)) == (503, {"error": "Ollama does not answer"})
                    assert time.monotonic() - begun < 3
                    assert reply.header("X-Gatehouse-Door") is None
                server.pieces.put(None)

    def test_the_same_in_plain_inside_the_container_and_nothing_else_there(self, shared: Door) -> None:
        for number, address in enumerate(shared.inside):
            reply = send(address, b"GET /gatehouse/door HTTP/1.0\r\n\r\n")
            said = json.loads(reply.body)
            del said["gateways"]
            assert said == shared.status(server=number)
            for path in ("/api/tags", "/api/chat", "/gatehouse/door/tags", "/"):
                assert status_of(send(address, f"GET {path} HTTP/1.0\r\n\r\n".encode())) == 404

    def test_inside_it_says_when_a_gateway_was_last_told_that_it_takes_requests(self, tmp_path: Path) -> None:
        with echo() as server, door(tmp_path / "door", [server.address]) as opened:
            ready(server)
            inside = b"GET /gatehouse/door HTTP/1.0\r\n\r\n"
            assert json.loads(send(opened.inside[0], inside).body)["gateways"] == {}
            before = time.time()
            opened.status()
            told = json.loads(send(opened.inside[0], inside).body)["gateways"]
            assert [before - 1 < when < time.time() + 1 for when in told.values()] == [True]
            opened.drain()
            assert until(lambda: opened.status()["draining"], 1)
            told = json.loads(send(opened.inside[0], inside).body)["gateways"]
            time.sleep(0.1)
            opened.status()
            assert json.loads(send(opened.inside[0], inside).body)["gateways"] == told

    def test_inside_it_says_what_runs_where_ollama_says_nothing(self, tmp_path: Path) -> None:
        with door(tmp_path / "door", [f"127.0.0.1:{free_port()}"]) as opened:
            reply = send(opened.inside[0], b"GET /gatehouse/door HTTP/1.0\r\n\r\n")
            error = {"error": "Ollama does not answer", "draining": False, "in_flight": {}}
            assert (status_of(reply), json.loads(reply.body)) == (503, error)

    def test_the_log_has_who_and_what_and_no_query(self, shared: Door) -> None:
        shared.ask("/api/version?prompt=secret", "X-Request-Id: of-the-log", "X-Gatehouse-Model: tiny:latest")
        assert until(lambda: "of-the-log" in shared.logs(), 5)
        (line,) = [json.loads(one) for one in shared.logs().splitlines() if "of-the-log" in one]
        assert (line["gateway"], line["path"], line["status"]) == (GATEWAYS[0], "/api/version", 200)
        assert (line["model"], line["method"], line["complete"]) == ("tiny:latest", "GET", True)
        assert "secret" not in shared.logs()
