# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that has requests wait: for several holders, whatever stood there before."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker import hold
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

SPAN = {"since": 100, "until": 200}


def held(folder: Path) -> object:
    return json.loads((folder / hold.NAME).read_text())


def test_each_holder_has_a_span_and_the_last_one_to_let_go_removes_the_file(tmp_path: Path) -> None:
    hold.hold(str(tmp_path), "one", 100, 200)
    hold.hold(str(tmp_path), "two", 110, 210)
    assert held(tmp_path) == {"one": SPAN, "two": {"since": 110, "until": 210}}
    assert hold.release(str(tmp_path), "one", 150)
    assert held(tmp_path) == {"two": {"since": 110, "until": 210}}
    assert not hold.release(str(tmp_path), "one", 150)
    assert hold.release(str(tmp_path), "two", 150)
    assert os.listdir(tmp_path) == []
    assert not hold.release(str(tmp_path), "two", 150)


def test_what_is_over_goes_with_the_next_release(tmp_path: Path) -> None:
    hold.hold(str(tmp_path), "killed", 100, 200)
    assert not hold.release(str(tmp_path), "another", 200)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[]", "7", "null", '{"a": 7}', '{"a": {"since": 1}}', '{"a": {"until": true, "since": 1}}']
)
def test_what_cannot_be_understood_is_lost(text: str, tmp_path: Path) -> None:
    (tmp_path / hold.NAME).write_text(text)
    hold.hold(str(tmp_path), "one", 100, 200)
    assert held(tmp_path) == {"one": SPAN}


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    folder, other = tmp_path / "clients", tmp_path / "other"
    folder.mkdir()
    other.write_text("{}")
    (folder / hold.NAME).symlink_to(other)
    hold.hold(str(folder), "one", 100, 200)
    assert held(folder) == {"one": SPAN}
    assert other.read_text() == "{}"
    (folder / hold.NAME).unlink()
    (folder / hold.NAME).symlink_to(folder / hold.NAME)
    hold.release(str(folder), "one", 150)
    assert os.listdir(folder) == []


def test_it_is_for_the_group_of_the_folder_and_nobody_else(tmp_path: Path) -> None:
    os.chown(tmp_path, -1, 60880)
    hold.hold(str(tmp_path), "one", 100, 200)
    found = os.stat(tmp_path / hold.NAME)
    assert (found.st_gid, found.st_mode & 0o777) == (60880, 0o640)


def test_two_at_the_same_time_both_hold(tmp_path: Path) -> None:
    names = [f"host-{number}" for number in range(20)]
    threads = [threading.Thread(target=hold.hold, args=(str(tmp_path), name, 100, 200)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held(tmp_path) == dict.fromkeys(names, SPAN)


def test_where_there_is_no_room_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_source: str, _target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        hold.hold(str(tmp_path), "one", 100, 200)
    assert os.listdir(tmp_path) == []


def test_it_knows_since_when_somebody_holds(tmp_path: Path) -> None:
    assert hold.since(str(tmp_path), "one") is None
    hold.hold(str(tmp_path), "one", 100, 200)
    assert (hold.since(str(tmp_path), "one"), hold.since(str(tmp_path), "two")) == (100, None)


def test_a_file_by_another_name_has_holders_of_its_own(tmp_path: Path) -> None:
    folder = str(tmp_path)
    hold.hold(folder, "one", 100, 200)
    hold.hold(folder, "two", 100, 300, "drain.json")
    assert held(tmp_path) == {"one": SPAN}
    assert hold.spans(folder, "drain.json", 150) == {"two": {"since": 100, "until": 300}}
    assert not hold.release(folder, "one", 150, "drain.json")
    assert hold.release(folder, "two", 150, "drain.json")
    assert os.listdir(tmp_path) == [hold.NAME]


@pytest.mark.parametrize(("now", "holds"), [(99, False), (100, True), (199, True), (200, False)])
def test_a_span_holds_from_its_begin_until_its_end(now: int, holds: bool, tmp_path: Path) -> None:
    hold.hold(str(tmp_path), "one", 100, 200)
    assert ("one" in hold.spans(str(tmp_path), hold.NAME, now)) is holds


def test_it_waits_until_no_request_is_left() -> None:
    looks: list[int | None] = [None, 2, 1, 0, 7]
    assert hold.wait_until_none(lambda: looks.pop(0), seconds=60, notice=60, step=0) == 0
    assert looks == [7]


def test_it_says_how_many_are_left_when_the_time_is_up_and_that_nobody_knows() -> None:
    assert hold.wait_until_none(lambda: 3, seconds=-1, notice=0, step=0) == 3
    assert hold.wait_until_none(lambda: None, seconds=-1, notice=0, step=0) == -1


def test_who_is_to_hold_has_time_to_notice_however_little_there_is_for_requests() -> None:
    looks: list[int | None] = [None, None, 2]
    assert hold.wait_until_none(lambda: looks.pop(0), seconds=-1, notice=60, step=0) == 2


def test_it_knows_what_a_container_has_of_the_host() -> None:
    container = {"Mounts": [{"Destination": "/a", "Source": "/opt/a"}, {"Destination": "/tmp"}]}
    assert [hold.mounted(container, target) for target in ("/a", "/tmp", "/b")] == ["/opt/a", "", ""]
    assert hold.mounted({"Mounts": None}, "/a") == ""


@pytest.mark.parametrize("kind", [fcntl.LOCK_SH, fcntl.LOCK_EX])
def test_a_folder_that_stays_locked_is_not_waited_for_for_ever(
    kind: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold.hold(str(tmp_path), "one", 100, 200)
    monkeypatch.setattr(hold, "PATIENCE", 0.1)
    locked = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(locked, kind)
    begun = time.monotonic()
    for change in (lambda: hold.hold(str(tmp_path), "two", 1, 2), lambda: hold.release(str(tmp_path), "one", 150)):
        with pytest.raises(GatehouseError, match="is locked by another process"):
            change()
    assert time.monotonic() - begun < 30
    assert held(tmp_path) == {"one": SPAN}
    os.close(locked)
    assert hold.release(str(tmp_path), "one", 150)
