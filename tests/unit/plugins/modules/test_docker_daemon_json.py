# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Answer
from ansible_collections.gatehouse.ollama.plugins.modules import docker_daemon_json as module

from tests.unit.plugins.modules.ended import answer


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setattr(module.docker_unit, "command", lambda _: "/usr/bin/dockerd -H fd:// --containerd=/x $OPTS")

    def call(path: Path, options: dict[str, Any], **more: Any) -> dict[str, Any]:
        arguments = {"path": str(path), "options": options, "_ansible_remote_tmp": str(tmp_path), **more}
        return answer(module, arguments)

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


def test_no_password_in_what_the_engine_says_is_shown(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    result = run(path, {"debug": True}, validate="sh -c 'echo invalid mirror: http://me:secret@a >&2; exit 1'")
    assert "http://***@a" in result["msg"]
    assert "secret" not in result["msg"]


def test_an_engine_that_cannot_validate_is_not_asked(run: Any, tmp_path: Path) -> None:
    script = tmp_path / "dockerd"
    script.write_text("#!/bin/sh\necho 'unknown flag: --validate' >&2\nexit 125\n")
    script.chmod(0o755)
    path = tmp_path / "daemon.json"
    assert run(path, {"debug": True}, validate=f"{script} --validate --config-file %s")["changed"]
    assert json.loads(path.read_text()) == {"debug": True}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"debug": True, "hosts": ["tcp://0.0.0.0:2375"]}, ["hosts", "-H fd://", "drop-in", "ollama_server_publish"]),
        ({"containerd": "/y"}, ["containerd", "--containerd=/x", "drop-in"]),
    ],
)
@pytest.mark.parametrize("check_mode", [False, True])
def test_what_contradicts_the_unit_is_refused_with_the_way_on(
    run: Any, tmp_path: Path, options: dict[str, Any], words: list[str], check_mode: bool
) -> None:
    path = tmp_path / "daemon.json"
    result = run(path, options, variable="docker_engine_daemon_options", _ansible_check_mode=check_mode)
    assert result["failed"]
    assert result["msg"].startswith("docker_engine_daemon_options." + words[0])
    assert [word for word in words if word not in result["msg"]] == []
    assert not path.exists()


def test_a_key_that_contradicts_the_unit_can_be_removed(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text('{"hosts": ["tcp://0.0.0.0:2375"]}')
    assert run(path, {"hosts": None})["changed"]


def test_two_runs_at_once_go_one_after_the_other(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other_run(*_: Any) -> None:
        folder = os.open(tmp_path, os.O_RDONLY)
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            seen.append(True)
        finally:
            os.close(folder)

    seen: list[bool] = []
    monkeypatch.setattr(module, "change", other_run)
    assert run(tmp_path / "daemon.json", {"debug": True})["changed"]
    assert seen == [True]


@pytest.mark.parametrize(("rc", "check_mode", "changed"), [(0, False, False), (1, False, True), (1, True, True)])
def test_docker_is_enabled_where_it_is_not(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rc: int, check_mode: bool, changed: bool
) -> None:
    commands: list[str] = []

    def run_command(_module: Any, args: list[str], **_options: Any) -> tuple[int, str, str]:
        commands.append(" ".join(args[:2]))
        return (rc if args[1] == "is-enabled" else 0), "", ""

    monkeypatch.setattr(basic.AnsibleModule, "run_command", run_command)
    assert run(tmp_path / "daemon.json", {}, enabled=True, _ansible_check_mode=check_mode)["changed"] is changed
    assert ("systemctl enable" in commands) is (changed and not check_mode)


class Killed(BaseException):
    """Stands for a SIGKILL: nothing after it is done."""


class TestRestart:
    """An engine that does not start with the new file runs again with the former one."""

    FORMER = b'{"debug":  true}\r\n'
    is_active = True

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "daemon.json"

    @pytest.fixture
    def starts(self, monkeypatch: pytest.MonkeyPatch, path: Path) -> list[bytes]:
        """What the file held whenever Docker was started; with `bip` it does not start."""
        found: list[bytes] = []

        def restart(_: Any, daemon_json: str) -> str:
            assert daemon_json == str(path)
            found.append(path.read_bytes() if path.exists() else b"")
            if b"killed" in found[-1]:
                raise Killed
            return "failed to start daemon: bad bip" if b"bip" in found[-1] else ""

        monkeypatch.setattr(module.docker_start, "restart", restart)
        monkeypatch.setattr(module.docker_start, "on_signals", lambda _: None)
        monkeypatch.setattr(module.docker_start, "is_active", lambda _: self.is_active)
        return found

    @pytest.fixture(autouse=True)
    def warnings(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        said: list[str] = []
        monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _, text: said.append(text))
        return said

    def test_it_is_restarted_once_after_a_change_and_not_without(
        self, run: Any, path: Path, starts: list[bytes]
    ) -> None:
        run(path, {"debug": True}, restart=True)
        run(path, {"debug": True}, restart=True)
        run(path, {"debug": False}, restart=True, _ansible_check_mode=True)
        assert len(starts) == 1

    def test_one_that_was_started_too_early_is_restarted_once_where_the_file_stays(
        self, run: Any, path: Path, starts: list[bytes]
    ) -> None:
        run(path, {"debug": True})
        early = {"restart_unchanged": True, "restart": True}
        assert run(path, {"debug": True}, _ansible_check_mode=True, **early)["changed"]
        assert starts == []
        assert run(path, {"debug": True}, **early)["changed"]
        assert run(path, {"debug": False}, **early)["changed"]
        assert len(starts) == 2

    def test_one_that_does_not_run_is_started_and_why_it_does_not_is_said(
        self, run: Any, path: Path, starts: list[bytes]
    ) -> None:
        self.is_active = False
        path.write_text('{"debug": true}')
        assert run(path, {"debug": True}, restart=True, _ansible_check_mode=True)["changed"]
        assert starts == []
        assert run(path, {"debug": True}, restart=True)["changed"]
        path.write_text('{"bip": "1"}')
        told = run(path, {"bip": "1"}, restart=True)["msg"]
        assert told.startswith("Docker does not start: failed to start daemon: bad bip. On the host, `systemctl status")
        assert path.read_text() == '{"bip": "1"}'

    @pytest.mark.parametrize("known", ["at once", "after a restart", "never"])
    def test_it_is_restarted_until_it_knows_the_runtime_and_one_that_does_not_even_then_is_refused(
        self, run: Any, path: Path, starts: list[bytes], monkeypatch: pytest.MonkeyPatch, known: str
    ) -> None:
        def info(_: Any, *_command: str) -> Answer:
            knows = known == "at once" or (known == "after a restart" and starts)
            return Answer(0, '{"nvidia":{},"runc":{}}' if knows else '{"runc":{}}', "")

        monkeypatch.setattr(module.Docker, "run", info)
        options: dict[str, Any] = {"runtimes": {"nvidia": {}}}
        path.write_text(json.dumps(options))
        told = run(path, options, restart=True, runtime="nvidia")
        assert len(starts) == (0 if known == "at once" else 1)
        assert told.get("changed", False) == (known == "after a restart")
        assert ("does not know the runtime nvidia" in told.get("msg", "")) == (known == "never")
        assert run(path, options, runtime="nvidia")["changed"] is False

    def test_the_former_file_comes_back_as_it_was(self, run: Any, path: Path, starts: list[bytes]) -> None:
        path.write_bytes(self.FORMER)
        path.chmod(0o640)
        result = run(path, {"bip": "1"}, restart=True, variable="docker_engine_daemon_options")
        assert result["failed"]
        assert result["msg"].startswith("docker_engine_daemon_options: ")
        assert "bad bip" in result["msg"]
        assert "runs again" in result["msg"]
        assert starts[-1] == path.read_bytes() == self.FORMER
        assert path.stat().st_mode & 0o777 == 0o640

    def test_a_file_that_was_not_there_goes_again(self, run: Any, path: Path, starts: list[bytes]) -> None:
        assert run(path, {"bip": "1"}, restart=True)["failed"]
        assert not path.exists()

    def test_an_engine_that_did_not_run_before_is_told_about(self, run: Any, path: Path, starts: list[bytes]) -> None:
        path.write_text('{"bip": "2"}')
        assert "does not start with that either" in run(path, {"debug": True}, restart=True)["msg"]

    def test_nothing_lies_beside_the_file_in_the_end(self, run: Any, path: Path, starts: list[bytes]) -> None:
        for options in ({"debug": True}, {"debug": False}, {"bip": "1"}):
            run(path, options, restart=True)
            assert list(path.parent.glob(path.name + "*")) == [path]

    def test_a_full_disk_changes_nothing(
        self, run: Any, path: Path, starts: list[bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        path.write_bytes(self.FORMER)
        monkeypatch.setattr(module, "replace", full)
        result = run(path, {"debug": False}, restart=True)
        assert str(path) in result["msg"]
        assert "No space left on device" in result["msg"]
        assert starts == []
        assert path.read_bytes() == self.FORMER
        assert list(path.parent.glob(path.name + "*")) == [path]

    def test_the_former_file_comes_back_without_room(self, run: Any, path: Path, starts: list[bytes]) -> None:
        path.write_bytes(self.FORMER)
        inode = path.stat().st_ino
        run(path, {"bip": "1"}, restart=True)
        assert path.stat().st_ino == inode

    @pytest.fixture(params=[None, FORMER, b""], ids=["no file", "a file", "an empty file"])
    def former(self, request: pytest.FixtureRequest, path: Path) -> bytes | None:
        if request.param is not None:
            path.write_bytes(request.param)
        return request.param

    def kill(self, run: Any, path: Path, options: dict[str, Any]) -> None:
        """Kill a run while it restarts Docker; the file that it leaves is made to read like these options."""
        with pytest.raises(Killed):
            run(path, {**options, "labels": ["killed"]}, restart=True)
        path.write_text(path.read_text().replace("killed", "k"))

    def test_after_a_killed_run_the_next_one_restarts_docker_and_the_third_changes_nothing(
        self, run: Any, path: Path, starts: list[bytes], former: bytes | None
    ) -> None:
        self.kill(run, path, {"debug": False})
        wanted = {"debug": False, "labels": ["k"]}
        before = len(starts)
        assert run(path, wanted, restart=True, _ansible_check_mode=True)["changed"]
        assert len(starts) == before
        assert run(path, wanted, restart=True)["changed"]
        assert starts[-1] == path.read_bytes()
        assert json.loads(path.read_text()) == wanted
        assert not run(path, wanted, restart=True)["changed"]
        assert list(path.parent.glob(path.name + "*")) == [path]

    def test_after_a_killed_run_a_docker_that_runs_with_neither_file_is_an_error(
        self, run: Any, path: Path, starts: list[bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path.write_bytes(self.FORMER)
        self.kill(run, path, {"debug": False})
        monkeypatch.setattr(module.docker_start, "restart", lambda _module, _path: "no room")
        monkeypatch.setattr(module.docker_start, "is_active", lambda _module: False)
        assert "Docker does not start: no room" in run(path, {}, restart=True)["msg"]

    def test_what_a_killed_run_broke_is_taken_back_before_the_next_one_goes_on(
        self, run: Any, path: Path, starts: list[bytes], former: bytes | None, warnings: list[str]
    ) -> None:
        self.kill(run, path, {"bip": "1"})
        result = run(path, {}, restart=True)
        assert result["changed"]
        assert "bad bip" in warnings[0]
        assert (path.read_bytes() if path.exists() else None) == former
        assert starts[-1] == (former or b"")
        assert not run(path, {}, restart=True)["changed"]

    def test_what_somebody_wrote_after_a_killed_run_is_kept_where_docker_does_not_run_with_it(
        self, run: Any, path: Path, starts: list[bytes], former: bytes | None, warnings: list[str]
    ) -> None:
        self.kill(run, path, {"debug": False})
        path.write_text('{"bip": "by hand"}')
        run(path, {"debug": True}, restart=True)
        refused = path.with_name("daemon.json.gatehouse-refused")
        assert refused.read_text() == '{"bip": "by hand"}'
        assert str(refused) in warnings[0]

    def test_after_a_killed_run_a_damaged_file_is_left_alone_like_any_other(
        self, run: Any, path: Path, starts: list[bytes], former: bytes | None
    ) -> None:
        self.kill(run, path, {"debug": False})
        path.write_text('{"debug": true,}')
        before = len(starts)
        assert "not valid JSON" in run(path, {"debug": True}, restart=True)["msg"]
        assert path.read_text() == '{"debug": true,}'
        assert len(starts) == before

    def test_the_former_file_is_kept_where_the_file_system_knows_no_second_names(
        self, run: Any, path: Path, starts: list[bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(module.os, "link", refuse)
        path.write_bytes(self.FORMER)
        assert "bad bip" in run(path, {"bip": "1"}, restart=True)["msg"]
        assert path.read_bytes() == self.FORMER

    def test_the_options_of_a_killed_run_are_refused_like_any_others(
        self, run: Any, path: Path, starts: list[bytes], former: bytes | None
    ) -> None:
        self.kill(run, path, {"bip": "1"})
        assert "bad bip" in run(path, {"bip": "1"}, restart=True)["msg"]
        assert (path.read_bytes() if path.exists() else None) == former

    def test_a_run_that_is_killed_while_it_puts_back_is_ended_by_the_next(
        self, run: Any, path: Path, starts: list[bytes]
    ) -> None:
        path.write_text('{"labels": ["killed"]}')
        with pytest.raises(Killed):
            run(path, {"bip": "1", "labels": None}, restart=True)
        path.write_text("{}")
        before = len(starts)
        assert run(path, {}, restart=True)["changed"]
        assert starts[before:] == [b"{}"]
        assert not run(path, {}, restart=True)["changed"]
