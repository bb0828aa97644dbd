# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the door of a server says of itself, asked in its container."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker import door
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker

STATUS = {"draining": True, "capacity": 4, "in_flight": {"tiny:latest": 2}, "tags": [{"name": "tiny:latest"}]}
NOTHING: dict[str, Any] = {"models": [], "told": {}}


def answer(body: Any, line: str = "200 OK") -> str:
    text = body if isinstance(body, str) else json.dumps(body)
    return f"HTTP/1.1 {line}\r\nContent-Type: application/json\r\n\r\n{text}"


class Host:
    """Stands for the AnsibleModule on a host with these containers, in which a program says this."""

    check_mode = False

    def __init__(self, *containers: dict[str, Any], says: str = "", program: str | None = "docker") -> None:
        self.containers, self.says, self.program = containers, says, program

    def get_bin_path(self, name: str) -> str | None:
        return self.program

    def run_command(self, args: list[str]) -> tuple[int, str, str]:
        return 0, {"ps": "1234", "container": json.dumps(self.containers), "exec": self.says}[args[1]], ""


def container(name: str, mount: str = "/etc/gatehouse/state", running: bool = True) -> dict[str, Any]:
    mounts = [{"Destination": mount, "Source": "/opt/gatehouse/ollama/door/state"}]
    return {"Id": name, "Name": f"/{name}", "Mounts": mounts, "State": {"Running": running}}


def ask(*answers: str) -> list[door.Status]:
    found = door.Door("1234", "/state", runs=True)
    return door.ask(Docker(Host(says="\036".join([*answers, "\n"]))), found)


def find(*containers: dict[str, Any], **options: Any) -> door.Door | None:
    return door.find(Docker(Host(*containers, **options)), "gatehouse-ollama")


def test_it_is_found_by_its_name_and_its_folder_whether_it_runs_or_not() -> None:
    server = container("gatehouse-ollama-ollama-1")
    here = find(server, container("gatehouse-ollama-door-1", running=False))
    assert here == door.Door("gatehouse-ollama-door-1", "/opt/gatehouse/ollama/door/state", runs=False)
    assert find(server) is None
    assert find(server, container("gatehouse-ollama-door-1", mount="/elsewhere")) is None
    assert find(container("gatehouse-ollama-door-1"), program=None) is None


def test_each_instance_says_what_it_has_and_what_runs() -> None:
    idle = {"draining": False, "in_flight": [], "tags": [{"name": "a"}, {"name": "b"}]}
    found = ask(answer(STATUS), answer(idle))
    assert [one.models for one in found] == [["tiny:latest"], ["a", "b"]]
    assert [one.in_flight for one in found] == [{"tiny:latest": 2}, {}]
    assert [(one.answers, one.draining) for one in found] == [(True, True), (True, False)]


def test_it_says_when_each_gateway_was_last_told_that_it_takes_requests() -> None:
    (one,) = ask(answer({**STATUS, "gateways": {"gate": 1764547200.5}}))
    assert one.told == {"gate": 1764547200.5}


def test_one_whose_ollama_does_not_answer_may_say_what_runs_all_the_same() -> None:
    (one,) = ask(
        answer({"error": "no answer", "draining": True, "in_flight": {}}, "503 Service Temporarily Unavailable")
    )
    assert one == door.Status(answers=False, draining=True, in_flight={}, **NOTHING)


@pytest.mark.parametrize(
    "body", ["", "nonsense", "[]", "7", '{"in_flight": 7, "tags": 7}', '{"in_flight": {"a": "b"}}']
)
def test_what_makes_no_sense_says_nothing(body: str) -> None:
    assert ask(answer(body)) == [door.Status(answers=True, draining=False, in_flight=None, **NOTHING)]


def test_requests_are_added_up_by_their_models() -> None:
    assert door.in_flight(ask(answer(STATUS), answer(STATUS))) == {"tiny:latest": 4}
    assert door.in_flight(ask(answer({**STATUS, "in_flight": {"tiny:latest": 0}}))) == {}


@pytest.mark.parametrize("one", [{"draining": False}, {"in_flight": None}])
def test_as_long_as_one_takes_requests_or_does_not_tell_nobody_knows_how_many_run(one: dict[str, Any]) -> None:
    assert door.in_flight(ask(answer(STATUS), answer({**STATUS, **one}))) is None


def test_one_that_does_not_listen_says_nothing() -> None:
    assert door.in_flight(ask()) is None
    assert door.ask(Docker(Host(says=answer(STATUS))), door.Door("1", "/", runs=False)) == []


@pytest.fixture
def two_instances(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """At ports of this machine, one behind the other; the second has no Ollama."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = json.dumps({**STATUS, "path": self.path}).encode()
            self.send_response(200 if self.server is servers[0] else 503)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    servers = neighbours(Answers)
    first = servers[0].server_address[1]
    monkeypatch.setattr(door, "_ASK", door._ASK.replace("port=8080", f"port={first}"))
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield
    for server in servers:
        server.shutdown()
        server.server_close()


def neighbours(handler: type[BaseHTTPRequestHandler]) -> list[HTTPServer]:
    """Two servers at ports one behind the other."""
    for _ in range(100):
        first = HTTPServer(("127.0.0.1", 0), handler)
        try:
            return [first, HTTPServer(("127.0.0.1", first.server_address[1] + 1), handler)]
        except OSError:
            first.server_close()
    raise AssertionError("no two ports are free")


@pytest.mark.usefixtures("two_instances")
def test_the_program_that_asks_reads_all_instances_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def here(_self: Host, args: list[str]) -> tuple[int, str, str]:
        done = subprocess.run(args[3:], stdout=subprocess.PIPE, text=True, check=False)
        return done.returncode, done.stdout, ""

    monkeypatch.setattr(Host, "run_command", here)
    found = ask()
    assert [(one.answers, one.in_flight) for one in found] == [(True, {"tiny:latest": 2}), (False, {"tiny:latest": 2})]
