# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible_collections.gatehouse.ollama.plugins.modules import docker_daemon_json as module

from tests.unit.plugins.modules.ended import Ended


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def end(self: basic.AnsibleModule, **result: Any) -> None:
        raise Ended(result)

    monkeypatch.setattr(basic.AnsibleModule, "exit_json", end)
    monkeypatch.setattr(basic.AnsibleModule, "fail_json", lambda self, **result: end(self, failed=True, **result))

    def call(path: Path, options: dict[str, Any], **more: Any) -> dict[str, Any]:
        arguments = {"path": str(path), "options": options, "_ansible_remote_tmp": str(tmp_path), **more}
        with patch_module_args(arguments), pytest.raises(Ended) as ended:
            module.main()
        return ended.value.result

    return call


MERGES = {
    "a new key comes last": ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
    "a value is replaced": ({"debug": True}, {"debug": False}, {"debug": False}),
    "dictionaries are merged at every depth": (
        {"runtimes": {"runc-dev": {"path": "/x"}}},
        {"runtimes": {"nvidia": {"path": "/y"}}},
        {"runtimes": {"runc-dev": {"path": "/x"}, "nvidia": {"path": "/y"}}},
    ),
    "lists grow by what they lack": (
        {"registry-mirrors": ["http://a", "http://b"]},
        {"registry-mirrors": ["http://b", "http://c"]},
        {"registry-mirrors": ["http://a", "http://b", "http://c"]},
    ),
    "null removes a key": ({"a": 1, "b": {"c": 2, "d": 3}}, {"a": None, "b": {"c": None}}, {"b": {"d": 3}}),
    "null removes nothing where there is nothing": ({}, {"a": None, "b": {"c": None}}, {"b": {}}),
    "a value of another type is replaced": (
        {"a": "x", "b": ["x"]},
        {"a": ["y"], "b": {"c": 1}},
        {"a": ["y"], "b": {"c": 1}},
    ),
}


@pytest.mark.parametrize(("current", "wanted", "merged"), MERGES.values(), ids=MERGES.keys())
def test_merge(current: dict[str, Any], wanted: dict[str, Any], merged: dict[str, Any]) -> None:
    before = json.dumps(current)
    assert module.merge(current, wanted) == merged
    assert module.merge(merged, wanted) == merged, "merging again changes something"
    assert json.dumps(current) == before, "the input was changed"


def test_keys_of_two_writers_survive_in_either_order() -> None:
    ours = {"log-opts": {"max-size": "10m"}, "registry-mirrors": ["http://a"]}
    theirs = {"runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}, "default-runtime": "nvidia"}
    assert module.merge(module.merge({}, ours), theirs) == module.merge(module.merge({}, theirs), ours)


def test_a_missing_file_is_created_for_everybody_to_read(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "etc" / "docker" / "daemon.json"
    result = run(path, {"debug": True})
    assert result["changed"]
    assert path.read_text() == '{\n  "debug": true\n}\n'
    assert path.stat().st_mode & 0o777 == 0o644


def test_nothing_to_merge_creates_nothing(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    assert not run(path, {})["changed"]
    assert not path.exists()


def test_foreign_keys_and_the_mode_survive(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text('{"bip": "192.168.9.1/24"}')
    path.chmod(0o600)
    run(path, {"debug": True})
    assert json.loads(path.read_text()) == {"bip": "192.168.9.1/24", "debug": True}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_second_run_changes_nothing_not_even_the_formatting(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text('{"debug":   true}')
    assert not run(path, {"debug": True})["changed"]
    assert path.read_text() == '{"debug":   true}'


def test_check_mode_shows_the_change_and_makes_none(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text("{}")
    result = run(path, {"debug": True}, _ansible_check_mode=True)
    assert result["changed"]
    assert json.loads(result["diff"]["before"]) == {}
    assert json.loads(result["diff"]["after"]) == {"debug": True}
    assert path.read_text() == "{}"


def test_only_what_changes_is_shown_at_every_depth(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    held = {
        "proxies": {"http-proxy": "http://me:hidden@proxy"},
        "log-opts": {"splunk-token": "hidden", "max-size": "1m"},
    }
    path.write_text(json.dumps({**held, "debug": True, "bip": "192.168.9.1/24"}))
    wanted = {"log-opts": {"max-size": "10m", "max-file": "3"}, "bip": None, "debug": True}
    result = run(path, wanted)
    assert json.loads(result["diff"]["before"]) == {"log-opts": {"max-size": "1m"}, "bip": "192.168.9.1/24"}
    assert json.loads(result["diff"]["after"]) == {"log-opts": {"max-size": "10m", "max-file": "3"}}
    assert result["diff"]["after_header"] == f"{path} (these keys stay: proxies, log-opts.splunk-token, debug)"
    assert json.loads(path.read_text())["log-opts"]["splunk-token"] == "hidden"
    again = run(path, wanted)
    assert not again["changed"]
    assert again["diff"]["before"] == again["diff"]["after"]
    assert "hidden" not in json.dumps([result, again])


def test_an_empty_file_means_no_options(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text("\n")
    assert run(path, {"debug": True})["changed"]
    assert json.loads(path.read_text()) == {"debug": True}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{\n  "debug": tru\n}', "line 2, column 12"),
        ('{"a": 1,}', "line 1"),
        ("[1]", "one JSON object"),
        ("\xff", "cannot be read"),
    ],
)
def test_a_damaged_file_is_named_and_left_alone(run: Any, tmp_path: Path, text: str, where: str) -> None:
    path = tmp_path / "daemon.json"
    path.write_bytes(text.encode("latin-1"))
    result = run(path, {"debug": True})
    assert result["failed"]
    assert str(path) in result["msg"]
    assert where in result["msg"]
    assert path.read_bytes() == text.encode("latin-1")


def test_a_link_stays_a_link(run: Any, tmp_path: Path) -> None:
    target, link = tmp_path / "real.json", tmp_path / "daemon.json"
    target.write_text("{}")
    link.symlink_to(target)
    run(link, {"debug": True})
    assert link.is_symlink()
    assert json.loads(target.read_text()) == {"debug": True}


def test_what_the_validation_refuses_is_not_written(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text("{}")
    result = run(path, {"debgu": True}, validate="grep -q debug %s")
    assert result["failed"]
    assert str(path) in result["msg"]
    assert path.read_text() == "{}"
    assert run(path, {"debug": True}, validate="grep -q debug %s")["changed"]
