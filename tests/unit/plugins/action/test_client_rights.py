# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""client_rights and folder_files against files in a folder, and as a user runs them: by ansible-playbook."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.conftest import Direct, Playbook

ALICE = {"name": "alice"}
BOB = {"name": "bob", "scopes": ["models_write", "inference"]}
ROOT = {"name": "root", "scopes": ["admin"]}
DEFAULT = {"models": ["*"], "scopes": ["inference", "models_read"]}


def rights(path: Path, clients: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    return {"gatehouse.ollama.client_rights": {"path": str(path), "clients": clients, **options}}


def files(path: Path) -> dict[str, Any]:
    options = {"path": str(path), "files": "{{ result_0.files }}", "mode": "u=rwX,g=rX,o="}
    return {"gatehouse.ollama.folder_files": options}


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_what_clients_may_do_is_written_once(playbook: Playbook, direct: Direct, tmp_path: Path) -> None:
    path, folder = tmp_path / "clients.json", tmp_path / "scopes"
    tasks = [rights(path, [ALICE, BOB, ROOT]), files(folder)]
    for runner, changed in ((playbook, True), (direct, False)):
        run = runner.run(tasks)
        assert [task["changed"] for task in run.only] == [changed, changed], run.output
    assert json.loads(path.read_text())["alice"] == DEFAULT
    assert path.stat().st_mode & 0o7777 == 0o640
    assert {name for name in names(folder) if name.endswith("/alice")} == {
        "any/alice",
        "inference/alice",
        "models_read/alice",
        "named/alice",
    }
    assert {name for name in names(folder) if name.endswith("/root")} == {
        f"{scope}/root"
        for scope in ("any", "inference", "models_read", "models_write", "metrics", "admin", "account", "named")
    }
    assert {oct(one.stat().st_mode & 0o7777) for one in folder.rglob("*")} == {"0o750", "0o640"}


def test_who_is_not_listed_any_more_may_do_nothing(direct: Direct, tmp_path: Path) -> None:
    path, folder = tmp_path / "clients.json", tmp_path / "scopes"
    direct.run([rights(path, [ALICE, BOB, ROOT]), files(folder)])
    (folder / "stray").mkdir()
    (folder / "stray" / "mallory").touch()
    (folder / "inference" / "mallory").touch()
    run = direct.run([rights(path, [ALICE, {"name": "root", "scopes": ["inference"]}]), files(folder)])
    assert run.only[0]["removed"] == ["bob"]
    assert run.only[0]["updated"] == ["root"]
    both = {f"{scope}/{one}" for scope in ("any", "inference", "named") for one in ("alice", "root")}
    assert names(folder) == both | {"models_read/alice"}
    assert not (folder / "stray").exists()


def test_without_purge_others_keep_what_they_may(direct: Direct, tmp_path: Path) -> None:
    path = tmp_path / "clients.json"
    path.write_text(json.dumps({"carol": {"models": ["*"], "scopes": ["admin"]}, "dave": DEFAULT}))
    run = direct.run([rights(path, [ALICE, {"name": "dave", "state": "absent"}], purge=False)])
    scopes = {name: entry["scopes"] for name, entry in json.loads(path.read_text()).items()}
    default = DEFAULT["scopes"]
    assert scopes == {"*": default, "alice": default, "carol": ["admin"], "dave": []}
    assert [name for name in run.only[0]["files"] if name.startswith("admin/")] == ["admin/carol"]


def test_a_client_of_some_models_that_stays_may_do_nothing_on_plain_nginx_and_the_play_says_so(
    direct: Direct, tmp_path: Path
) -> None:
    path = tmp_path / "clients.json"
    limited = {
        "carol": {"models": ["tiny", "q*"], "scopes": ["admin"]},
        "dave": {"models": ["other"], "scopes": ["inference"]},
    }
    path.write_text(json.dumps({**limited, "erin": DEFAULT}))
    run = direct.run([rights(path, [ALICE], purge=False, engine=engine) for engine in ("openresty", "nginx")])
    assert {name: entry for name, entry in json.loads(path.read_text()).items() if name in limited} == limited
    assert "warnings" not in run.only[0]
    first, second = run.only[1]["warnings"]
    assert first.startswith("carol may do nothing on plain nginx, which reads no bodies and so cannot keep to a list")
    assert "(tiny, q*)" in first
    assert second.startswith("dave may do nothing")
    names = set(run.only[1]["files"])
    assert {name for name in names if name.rpartition("/")[2] in limited} == {"named/carol", "named/dave"}
    assert {"any/erin", "inference/erin"} <= names


def test_notes_for_people_are_written_where_they_are_given_and_others_stay_as_they_are(
    direct: Direct, tmp_path: Path
) -> None:
    path = tmp_path / "clients.json"
    keys = [{"id": "laptop", "comment": "red"}, {"id": "phone"}, {"id": "old", "comment": "blue", "state": "absent"}]
    carol = {"name": "carol", "owner": "carol@example.com", "comment": "pilot", "keys": keys}
    run = direct.run([rights(path, [ALICE]), rights(path, [ALICE, carol]), rights(path, [ALICE, carol])])
    assert [task["changed"] for task in run.only] == [True, True, False], run.output
    assert json.loads(path.read_text()) == {
        "alice": DEFAULT,
        "carol": {
            **DEFAULT,
            "owner": "carol@example.com",
            "comment": "pilot",
            "keys": {"laptop": {"comment": "red"}},
        },
    }


def test_check_mode_on_a_clean_host_tells_the_truth_and_makes_nothing(playbook: Playbook, tmp_path: Path) -> None:
    path, folder = tmp_path / "x" / "clients.json", tmp_path / "x" / "scopes"
    run = playbook.run([rights(path, [ALICE]), files(folder)], "--check", "--diff")
    assert run.returncode == 0, run.output
    assert run.only[0]["added"] == ["alice"]
    assert run.only[1]["added"] == ["any/alice", "inference/alice", "models_read/alice", "named/alice"]
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 1: it is not JSON"),
        ("[]", "line 1: it is not a JSON object of clients"),
        ('{\n"bob": {"scopes": ["root"], "models": ["*"]}}', "line 2: a client must have scopes and models"),
    ],
)
def test_a_damaged_file_is_refused_and_left(direct: Direct, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "clients.json"
    path.write_text(text)
    run = direct.run([rights(path, [ALICE])])
    assert said in run.only[0]["msg"]
    assert path.read_text() == text


LIMITS = {"requests_per_minute": 60, "keep_alive": "30m", "models": {"llama3.3*": {"tokens_per_day": "200000"}}}
WRITTEN = {"requests_per_minute": 60, "keep_alive": 1800, "models": {"llama3.3*": {"tokens_per_day": 200000}}}


class TestLimits:
    def test_they_are_written_once_with_the_default_of_whoever_says_nothing(
        self, direct: Direct, tmp_path: Path
    ) -> None:
        path = tmp_path / "clients.json"
        clients: list[dict[str, Any]] = [
            ALICE,
            {**BOB, "limits": {"requests_per_minute": None, "tokens_per_day": 7, "models": None}},
        ]
        tasks = [rights(path, clients, default_limits=LIMITS, purge=purge) for purge in (False, False, True)]
        run = direct.run(tasks)
        assert [task["changed"] for task in run.only] == [True, False, True], run.output
        there = json.loads(path.read_text())
        assert there["alice"] == {**DEFAULT, "limits": WRITTEN}
        assert there["bob"]["limits"] == {"keep_alive": 1800, "tokens_per_day": 7}
        assert there["*"] == {"absent": True, "models": ["*"], "scopes": [], "limits": WRITTEN}

    def test_a_host_without_limits_keeps_its_file_byte_for_byte(self, direct: Direct, tmp_path: Path) -> None:
        path = tmp_path / "clients.json"
        direct.run([rights(path, [ALICE, BOB])])
        before = path.read_bytes()
        lifted = {**ALICE, "limits": {"tokens_per_day": None}}
        run = direct.run([rights(path, [lifted, {**BOB, "limits": {}}], default_limits={"keep_alive": None})])
        assert run.only[0]["changed"] is False
        assert path.read_bytes() == before

    def test_check_mode_shows_what_a_real_run_then_writes(self, playbook: Playbook, tmp_path: Path) -> None:
        path = tmp_path / "clients.json"
        playbook.run([rights(path, [ALICE, BOB])])
        before = path.read_bytes()
        change = rights(path, [{**ALICE, "limits": {"tokens_per_day": 1000000}}, BOB])
        foretold = playbook.run([change], "--check", "--diff")
        assert path.read_bytes() == before
        entry = '{"limits": {"tokens_per_day": 1000000}, "models": ["*"], "scopes": ["inference", "models_read"]}'
        assert f"+alice: {entry}" in foretold.output
        assert "-bob" not in foretold.output
        done = playbook.run([change], "--diff")
        assert foretold.only[0]["updated"] == done.only[0]["updated"] == ["alice"]
        assert foretold.only[0]["diff"] == done.only[0]["diff"]
        assert json.loads(path.read_text())["alice"]["limits"] == {"tokens_per_day": 1000000}

    def test_all_that_is_wrong_is_told_at_once_and_nothing_is_written(self, direct: Direct, tmp_path: Path) -> None:
        wrong = {"name": "bob", "limits": {"tokens_per_day": True}}
        run = direct.run([rights(tmp_path / "clients.json", [wrong], default_limits={"keep_alive": "for ever"})])
        assert run.only[0]["msg"].splitlines() == [
            "clients[0] (bob): limits: tokens_per_day must be a whole number from 1 to 1000000000000, or null for no "
            "limit",
            'default_limits: keep_alive must be a duration such as "90s", "30m" or "1h" and "90d" at most, 0, or null '
            "for no limit",
        ]
        assert list(tmp_path.glob("clients.json")) == []

    def test_plain_nginx_says_who_has_none_of_the_limits_that_stay(self, direct: Direct, tmp_path: Path) -> None:
        path = tmp_path / "clients.json"
        path.write_text(json.dumps({"carol": {**DEFAULT, "limits": {"tokens_per_day": 1, "keep_alive": 0}}}))
        (result,) = direct.run([rights(path, [ALICE], purge=False, engine="nginx")]).only
        assert result["warnings"] == [
            "carol has no limits on plain nginx, which counts nothing, though the file says so (tokens_per_day, "
            "keep_alive). List the client without limits, or as absent, or run OpenResty"
        ]
        assert "inference/carol" in result["files"]


def test_yaml_the_command_line_an_ini_inventory_and_the_environment_give_the_same_limits(playbook: Playbook) -> None:
    """With the real command line and inventories."""
    clients = [{"name": "alice", "limits": {"requests_per_minute": None, "tokens_per_day": "7"}}]
    options = {
        "path": str(playbook.folder / "{{ inventory_hostname }}.json"),
        "clients": "{{ clients | gatehouse.ollama.as_list }}",
        "default_limits": "{{ limits | gatehouse.ollama.as_dict }}",
        "purge": False,
    }
    play = {"hosts": "all", "gather_facts": False, "tasks": [{"gatehouse.ollama.client_rights": options}]}
    (playbook.folder / "play.yml").write_text(json.dumps([play]))
    connection = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    ini = {
        "in-ini": f"clients={json.dumps(json.dumps(clients))} limits={json.dumps(json.dumps(LIMITS))}",
        "in-environment": "clients=\"{{ lookup('env', 'CLIENTS') }}\" limits=\"{{ lookup('env', 'LIMITS') }}\"",
        "on-command-line": "",
    }
    common = " ".join(f"{name}={value}" for name, value in connection.items())
    (playbook.folder / "hosts.ini").write_text("".join(f"{host} {common} {text}\n" for host, text in ini.items()))
    hosts = {"in-yaml": {**connection, "clients": clients, "limits": LIMITS}}
    (playbook.folder / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts}}))
    environment = {**playbook.environment(), "CLIENTS": json.dumps(clients), "LIMITS": json.dumps(LIMITS)}
    command = [sys.executable, "-m", "ansible", "playbook", "play.yml", "-i", "hosts.yml", "-i", "hosts.ini"]
    compact = [f"{name}={json.dumps(value, separators=(',', ':'))}" for name, value in hosts["in-yaml"].items()][2:]
    for more in (
        ["--limit", "!on-command-line"],
        ["--limit", "on-command-line", *(word for text in compact for word in ("-e", text))],
    ):
        done = subprocess.run(
            [*command, *more], cwd=playbook.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
    files = {host: (playbook.folder / f"{host}.json").read_bytes() for host in (*ini, *hosts)}
    assert set(files.values()) == {files["in-yaml"]}
    there = json.loads(files["in-yaml"])
    assert there["*"]["limits"] == WRITTEN
    assert there["alice"]["limits"] == {
        **{k: v for k, v in WRITTEN.items() if k != "requests_per_minute"},
        "tokens_per_day": 7,
    }
