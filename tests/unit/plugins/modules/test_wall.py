# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module wall as a task: what a user sees of a hole, of a mistake and of success."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall import project_doors
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks import files
from ansible_collections.gatehouse.ollama.plugins.modules import wall as module

from tests.certificates import Authority
from tests.collection import ROOT
from tests.unit import tls_server
from tests.unit.conftest import Direct, Playbook
from tests.unit.plugins.modules.ended import Ended

KEY = "ghk_a-key-that-nobody-may-see-0123456789"
ROUTES = [
    {"method": "GET", "path": "/api/tags", "scope": "models_read"},
    {"method": "POST", "path": "/api/signout", "scope": "account", "class": "account"},
]


class Careless(http.server.BaseHTTPRequestHandler):
    """A gateway that lets everybody in and shows what it got, and is an Ollama if it has a version."""

    VERSION: str | None = None

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        shown = {"Authorization": self.headers.get("Authorization"), "version": self.VERSION}
        self.wfile.write(json.dumps(shown).encode())

    do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def careless() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Careless) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def wall(**options: Any) -> list[dict[str, Any]]:
    return [{"gatehouse.ollama.wall": options}]


def test_the_role_s_own_table_of_routes_is_taken(direct: Direct) -> None:
    file = ROOT / "roles" / "ollama_gateway" / "vars" / "main" / "routes.yml"
    routes = yaml.safe_load(file.read_text(encoding="utf-8"))["__ollama_gateway_routes"]
    assert direct.run(wall(routes=routes)).only[0]["failed"] is False


def test_an_open_door_fails_the_task_and_says_what_came_back(playbook: Playbook, careless: int) -> None:
    run = playbook.run(wall(side_doors=[{"host": "127.0.0.1", "port": careless}]))
    result = run.only[0]
    assert result["failed"] is True
    assert result["msg"].startswith(
        f"The wall has a hole (side doors): 127.0.0.1:{careless}.\nSent:\n    GET /api/version"
    )
    assert "Came back:\n    HTTP/1.0 200 OK" in result["msg"]
    assert [one["name"] for one in result["holes"]] == [f"127.0.0.1:{careless}"]
    assert result["table"][0] == "✗ side doors: 1, holes: 1"


def test_closed_doors_and_sound_files_are_no_change(playbook: Playbook, tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir(mode=0o750)
    above = len(files.above(str(tmp_path)))
    run = playbook.run(wall(side_doors=[{"host": "127.0.0.1", "port": 1}], folder=str(tmp_path)), "--check")
    assert run.only[0]["changed"] is False
    assert run.only[0]["attacks"] == above + 2
    assert run.only[0]["table"][:2] == [f"✓ files: {above + 1}", "✓ side doors: 1"]


def test_a_file_that_somebody_may_read_who_should_not_is_a_hole(direct: Direct, tmp_path: Path) -> None:
    """And a folder that somebody else may replace."""
    keys = tmp_path / "clients" / "api_keys"
    keys.parent.mkdir(mode=0o750)
    keys.touch(mode=0o644)
    task = wall(folder=str(tmp_path), user_id=60880)
    run = direct.run(task)
    assert run.only[0]["msg"].startswith(
        f"The wall has a hole (files): {keys}.\nCame back:\n    mode 0644; others may access it\n"
        "Expected: a file or folder of [0] and group [0, 60880], writable by its owner alone, closed to others,"
    )
    keys.chmod(0o640)
    tmp_path.chmod(0o777)
    run = direct.run(task)
    assert run.only[0]["msg"].startswith(
        f"The wall has a hole (files): {tmp_path}.\nCame back:\n    others may write it\nExpected: a folder of root's"
    )


def test_a_folder_that_is_not_there_is_not_taken_for_a_sound_one(direct: Direct, tmp_path: Path) -> None:
    run = direct.run(wall(folder=str(tmp_path / "gateway")))
    assert f"{tmp_path}/gateway cannot be looked at: No such file" in run.only[0]["msg"]


def test_another_program_is_no_door_to_the_server_and_another_ollama_a_warning(direct: Direct, careless: int) -> None:
    door = {"host": "127.0.0.1", "port": careless}
    servers = [{"version": "0.32.15", "models": ["2026-11-25T12:00:00Z digest"]}]
    run = direct.run(wall(side_doors=[door], servers=servers))
    assert run.only[0]["table"][0] == "✓ side doors: 1"
    assert "warnings" not in run.only[0]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        door = {"host": "127.0.0.1", "port": silent.getsockname()[1], "place": "network"}
        run = direct.run(wall(side_doors=[door], servers=servers, request_timeout=1))
    # Unless this machine has the network itself.
    if run.only[0]["attacks"]:
        note = f"side doors 127.0.0.1:{door['port']}: it took a connection and did not answer for 1 seconds"
        assert [one.startswith(note) for one in run.only[0]["warnings"]] == [True]
        assert run.only[0]["table"][1].startswith(note)


def test_a_failure_and_a_warning_say_what_was_attacked(direct: Direct, careless: int) -> None:
    """Ansible itself says of no warning which host it is about."""
    door = {"host": "127.0.0.1", "port": careless}
    title = "Attacked: the side doors of alpha, from beta"
    failed = direct.run(wall(side_doors=[door], title=title)).only[0]
    assert failed["msg"].endswith(f".\n{title}.")
    late = direct.run(wall(side_doors=[door] * 3, title=title, max_requests=1)).only[0]
    assert late["msg"].startswith("The wall was not attacked to the end: 2 more attacks are to be made")
    assert late["msg"].endswith(f"\n{title}.")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Careless, "VERSION", "0.1.0")
        warned = direct.run(wall(side_doors=[door], servers=[], title=title)).only[0]
    assert warned["warnings"][0].endswith(f"which is none of this host's Compose project ({title})")


def test_a_door_is_tried_with_what_it_is_given_and_no_key_is_printed(playbook: Playbook, tmp_path: Path) -> None:
    """Also with -vvv."""
    authority = Authority("Gatehouse door CA")
    client = authority.issue(subject="CN=gate1", client=True)
    certificates = [{"name": "a gateway's", "pem": client.key_pem + client.pem, "valid": True}]
    options = {"door_certificates": "{{ certificates }}", "door_ca": authority.pem}
    tls = tls_server.context(tmp_path, authority.issue("gatehouse-door"))
    with tls_server.server(lambda *_: tls_server.reply(400), tls) as port:
        run = playbook.run(wall(doors=["127.0.0.1"], door_ports=[port], **options), "-vvv", certificates=certificates)
    assert run.only[0]["msg"].startswith(
        f"The wall has a hole (doors with a gateway's certificate): 127.0.0.1:{port}: status, with a gateway's.\n"
        "Sent:\n    GET /gatehouse/door HTTP/1.1"
    )
    assert run.only[0]["table"][0].split() == ["certificate", "status", "read", "inference"]
    assert [line for line in client.key_pem.splitlines()[1:3] if line in run.output] == []


def test_a_door_that_is_not_reached_is_no_attack_and_is_told(direct: Direct) -> None:
    title = "Attacked: the door of alpha, from beta"
    told = direct.run(wall(doors=["127.0.0.1"], door_ports=[1], title=title)).only[0]
    missed = "127.0.0.1:1 is not reached from here, so nothing was tried there"
    assert (told["attacks"], told["line"]) == (0, f"{title}: {missed}")
    assert told["table"][:4] == [title, "", missed, ""]
    closed = [{"host": "127.0.0.1", "port": 1}]
    both = direct.run(wall(doors=["127.0.0.1"], door_ports=[1], side_doors=closed)).only[0]
    assert both["line"].startswith("1 attacks in ")
    assert both["line"].endswith(f", no hole; {missed}")


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch, careless: int) -> Any:
    """Runs the module on a host whose project has an open door here and another elsewhere."""
    here, elsewhere = ({"host": "127.0.0.1", "port": port, "place": "here"} for port in (careless, 1))
    found = project_doors.Doors([here], [elsewhere], [{"version": "0.32.15", "models": []}])

    def end(self: basic.AnsibleModule, **result: Any) -> None:
        raise Ended(result)

    def run(**options: Any) -> dict[str, Any]:
        arguments = {"project": "ollama", **options}
        with patch_module_args(arguments), pytest.raises(Ended) as ended:
            module.main()
        return ended.value.result

    monkeypatch.setattr(basic.AnsibleModule, "exit_json", end)
    monkeypatch.setattr(basic.AnsibleModule, "fail_json", lambda self, **result: end(self, failed=True, **result))
    monkeypatch.setattr(project_doors, "look", lambda _docker, _project: found)
    return run


def test_the_doors_of_a_project_are_tried_unless_they_are_meant_to_be_open_to_the_host(
    own: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those for others to try are returned either way."""
    tried = own()
    assert (tried["attacks"], tried["elsewhere"][0]["port"]) == (1, 1)
    left = own(open_here=True)
    assert (left["attacks"], left["elsewhere"], left["servers"]) == (0, tried["elsewhere"], tried["servers"])
    # A server that is known again by its version.
    monkeypatch.setattr(Careless, "VERSION", "0.32.15")
    assert own()["msg"].startswith("The wall has a hole (side doors): 127.0.0.1:")
    assert "failed" not in own(open_here=True)


def test_a_project_without_a_server_is_told(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any) -> None:
        raise project_doors.GatehouseError("No server of the Compose project ollama runs on this host")

    monkeypatch.setattr(project_doors, "look", none)
    assert own()["msg"] == "No server of the Compose project ollama runs on this host."


def test_a_log_that_cannot_be_read_is_told(direct: Direct, careless: int) -> None:
    run = direct.run(wall(url=f"http://127.0.0.1:{careless}", log_command=["sh", "-c", "echo no log >&2; exit 1"]))
    assert run.only[0]["msg"] == "log_command: it fails: no log"


def test_no_credential_is_printed_even_by_a_gateway_that_gives_it_back(playbook: Playbook, careless: int) -> None:
    """Also not with -vvv."""
    credentials = [
        {"name": "admin", "kind": "bearer", "value": KEY, "scopes": ["admin"]},
        {"name": "reader", "kind": "bearer", "value": KEY[::-1], "scopes": ["models_read"]},
    ]
    options = {"url": f"http://127.0.0.1:{careless}", "routes": ROUTES, "credentials": "{{ credentials }}"}
    run = playbook.run(wall(**options), "-vvv", credentials=credentials)
    assert run.only[0]["msg"].startswith("The wall has a hole (no credential): GET /api/tags with no credential.")
    assert "4 more" not in run.only[0]["msg"]
    assert KEY not in run.output
    assert KEY[::-1] not in run.output


def test_what_is_wrong_with_tls_is_told_without_a_key(playbook: Playbook, tmp_path: Path) -> None:
    """Also not with -vvv."""
    issued = Authority().issue(tls_server.NAME)
    client = Authority().issue(subject="CN=mallory", client=True)
    options = {
        "server_name": tls_server.NAME,
        "certificate": str(tmp_path / "server.pem"),
        "client_certificate": "{{ pem }}",
        "credentials": "{{ credentials }}",
    }
    variables: dict[str, Any] = {
        "credentials": [{"name": "admin", "kind": "bearer", "value": tls_server.KEY, "scopes": ["admin"]}],
        "pem": client.pem + client.key_pem,
    }
    with tls_server.server(tls_server.careless, tls_server.context(tmp_path, issued)) as port:
        run = playbook.run(wall(url=f"https://127.0.0.1:{port}", **options), "-vvv", **variables)
    assert run.only[0]["msg"].startswith("The wall has a hole (TLS): bearer: plain HTTP on the port of TLS.\nSent:\n")
    assert "Authorization: Bearer <admin>\n" in run.only[0]["msg"]
    assert run.only[0]["table"][-3].startswith("✗ TLS: ")
    for secret in (tls_server.KEY, *issued.key_pem.splitlines()[1:3], *client.key_pem.splitlines()[1:3]):
        assert secret not in run.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "127.0.0.1:8880"}, "url: it must be a URL such as http://127.0.0.1:8880, without a path"),
        ({"url": "http://a", "http_port": 80}, "http_port: it needs a url with https"),
        ({"certificate": "/a"}, "certificate: it needs a url with https"),
        (
            {"url": "https://127.0.0.1:1", "certificate": "/missing"},
            "certificate: /missing: it cannot be read: No such",
        ),
        (
            {"url": "https://127.0.0.1:1", "ca_file": "/missing"},
            "ca_file: /missing: no certificates can be read from it",
        ),
        ({"rate": 0}, "rate: it must be 1 or more"),
        ({"url": "http://127.0.0.1:1"}, "does not answer /healthz as a gateway does"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_attacked(direct: Direct, options: dict[str, Any], message: str) -> None:
    assert message in direct.run(wall(**options)).only[0]["msg"]
