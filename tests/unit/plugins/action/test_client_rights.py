# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""client_rights and folder_files against files in a folder, and as a user runs them: by ansible-playbook."""

from __future__ import annotations

import json
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
