# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to containers when one gateway takes over from another, and when it does not."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker
from ansible_collections.gatehouse.ollama.plugins.module_utils._gateway import handover, previous
from ansible_collections.gatehouse.ollama.plugins.module_utils._gateway.containers import Containers

from tests.unit.plugins.module_utils._gateway.test_containers import TEXT, Host, one

POD = {"com.docker.compose.config-hash": "abc"}


class Engine(Host):
    """Docker and systemd of a host; `draining` are those that a unit has told to end, `made` what Compose makes."""

    def __init__(
        self, *there: dict[str, Any], user: str = "1:1", draining: tuple[str, ...] = (), made: Any = None
    ) -> None:
        super().__init__(*there)
        self.user, self.draining, self.made = user, draining, made
        self.did: list[str] = []
        # Those that Compose makes anew.
        self.ended: list[dict[str, Any]] = []

    def run_command(self, args: list[str], **options: Any) -> tuple[int, str, str]:
        words = " ".join(args)
        if "config --format json" in words:
            return 0, json.dumps({"services": {"pod": {}, "gateway-3": {"user": self.user}}}), ""
        if "config --hash" in words:
            return 0, "pod abc", ""
        if "is-active" in words:
            return (0 if any(one in words for one in self.draining) else 3), "", ""
        if words.endswith("up --detach --pull=never") and self.made:
            self.there = (*(one for one in self.there if one not in self.ended), self.made)
        did = ("docker stop", "docker rename", "docker rm", "systemd-run")
        if words.startswith(did) or "up --detach" in words:
            self.did.append(words)
        return super().run_command(args, **options)


def change(folder: Path, *there: dict[str, Any], text: str = TEXT, **options: Any) -> tuple[handover.Handover, Engine]:
    (folder / "compose.yaml").write_text(text)
    engine = Engine(*there, **options)
    found = Containers(Docker(engine), "g", str(folder))
    return handover.Handover(engine, found), engine


@pytest.fixture(autouse=True)
def sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover.listening, "listens", lambda pid, port: True)
    monkeypatch.setattr(handover.listening, "hear_nobody", lambda pid, port: 0)
    monkeypatch.setattr(handover.wall, "runs_what_is_there", lambda pid, folders: True)


def pod(**labels: str) -> dict[str, Any]:
    return one("pod", "g-pod-1", network="g_default", **{**POD, **labels})


def test_room_is_made_without_stopping_the_gateway_that_serves(tmp_path: Path) -> None:
    begun, engine = change(tmp_path, pod(), one("gateway-2", "g-gateway-1"))
    assert begun.begin() == []
    assert engine.did == ["docker rename gateway-2000000000000 g-drained-gateway-2000"]


def test_where_the_one_that_serves_is_the_one_described_nothing_is_done(tmp_path: Path) -> None:
    begun, engine = change(tmp_path, pod(), one("gateway-3", "g-gateway-1"))
    assert begun.begin() == []
    assert engine.did == []


@pytest.mark.parametrize(
    ("there", "user", "why"),
    [
        ([one("gateway", "g-gateway-1", network="g_default")], "1:1", "the gateway gets a pod"),
        ([pod(**{"com.docker.compose.config-hash": "x"}), one("gateway-2", "g-gateway-1")], "1:1", "what is published"),
        ([pod(), one("gateway-2", "g-gateway-1")], "2:2", "processes of two users"),
    ],
)
def test_where_both_cannot_listen_the_old_one_is_stopped_first_and_the_reason_told(
    there: list[dict[str, Any]], user: str, why: str, tmp_path: Path
) -> None:
    begun, engine = change(tmp_path, *there, user=user)
    (gap,) = begun.begin()
    assert why in gap
    assert [words.split()[1] for words in engine.did] == ["stop", "rename"]


@pytest.mark.parametrize(
    ("hashed", "user", "whys"),
    [("abc", "1:1", []), ("x", "2:2", ["what is published", "processes of two users"]), ("abc", "2:2", ["processes"])],
)
def test_a_gap_is_foreseen_while_the_one_that_is_described_still_runs(
    hashed: str, user: str, whys: list[str], tmp_path: Path
) -> None:
    there = pod(**{"com.docker.compose.config-hash": hashed}), one("gateway-3", "g-gateway-1")
    planned, _engine = change(tmp_path, *there, user=user)
    # Its number is still that of the one that runs.
    found = planned.gaps(TEXT + "    mem_limit: 700m\n")
    assert len(found) == len(whys)
    assert all(found.startswith(why) for found, why in zip(found, whys, strict=True))
    assert planned.gaps(TEXT) == []


def test_the_one_before_is_told_to_end_by_a_unit_that_outlives_the_run(tmp_path: Path) -> None:
    served, engine = change(tmp_path, pod(), one("gateway-3", "g-gateway-1"), one("gateway-2", "g-drained-2"))
    assert served.serve(1) is False
    assert engine.did == []
    assert served.drain(3600) == ["g-drained-2"]
    (unit,) = engine.did
    assert unit.startswith("systemd-run --quiet --collect --unit=gatehouse-gateway-drain-gateway-2000 ")
    assert unit.endswith("drain 3600 gateway-2000000000000")


def test_one_that_ends_already_is_left_alone_and_one_that_has_ended_is_removed(tmp_path: Path) -> None:
    ends, ended = one("gateway-2", "g-drained-2"), one("gateway-1", "g-drained-1", running=False)
    finished, engine = change(tmp_path, pod(), one("gateway-3", "g-gateway-1"), ends, ended, draining=("gateway-2",))
    assert finished.drain(3600) == []
    assert engine.did == ["docker rm gateway-1000000000000"]


def test_a_gateway_that_does_not_run_what_is_on_disk_is_told_to_read_it_but_not_by_docker_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`docker kill` with any signal makes Docker think that somebody stopped the container."""
    told: list[int] = []
    monkeypatch.setattr(handover.os, "kill", lambda pid, number: told.append(number))
    monkeypatch.setattr(handover.wall, "runs_what_is_there", lambda pid, folders: bool(told))
    finished, engine = change(tmp_path, pod(), one("gateway-3", "g-gateway-1"))
    assert finished.serve(1) is True
    assert told == [signal.SIGHUP]
    assert engine.did == []


def test_one_that_does_not_listen_is_the_error_and_the_one_before_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover.listening, "listens", lambda pid, port: False)
    finished, engine = change(tmp_path, pod(), one("gateway-3", "g-gateway-1"), one("gateway-2", "g-drained-2"))
    with pytest.raises(handover.NotTakenOver, match="within 0 s it does not listen, and is running"):
        finished.serve(0)
    assert engine.did == []


class TestUndo:
    OLD = TEXT.replace("gateway-3", "gateway-2")

    def undone(self, folder: Path, **options: Any) -> tuple[str, Engine]:
        (folder / "compose.yaml").write_text(self.OLD)
        previous.save(str(folder), "sha256:1")
        new, old = one("gateway-3", "g-gateway-1"), one("gateway-2", "g-drained-2")
        undoing, engine = change(folder, pod(), new, old, **options)
        undoing.undo(is_kept=True)
        return (folder / "compose.yaml").read_text(), engine

    def test_the_one_before_serves_under_its_name_again(self, tmp_path: Path) -> None:
        text, engine = self.undone(tmp_path)
        assert text == self.OLD
        new, old = "gateway-3000000000000", "gateway-2000000000000"
        assert engine.did[:2] == [f"docker rm --force {new}", f"docker rename {old} g-gateway-1"]
        # By Compose it could be made anew, from what its tag means now.
        assert len(engine.did) == 2

    def test_one_that_was_told_to_end_is_made_anew_under_another_number(self, tmp_path: Path) -> None:
        text, engine = self.undone(tmp_path, draining=("gateway-2",), made=one("gateway-4", "g-gateway-1"))
        assert "  gateway-4:\n" in text
        assert not [words for words in engine.did if "rename" in words]

    def test_where_no_new_one_was_made_the_one_that_serves_is_left_alone(self, tmp_path: Path) -> None:
        """Such as where the disk was full before its description could be written."""
        undoing, engine = change(tmp_path, pod(), one("gateway-3", "g-gateway-1"))
        previous.save(str(tmp_path), "sha256:1")
        undoing.undo(is_kept=True)
        assert engine.did == []

    def test_where_nothing_was_kept_nothing_is_touched(self, tmp_path: Path) -> None:
        undoing, engine = change(tmp_path, pod(), one("gateway-3", "g-gateway-1"))
        undoing.undo(is_kept=False)
        assert engine.did == []

    def test_where_nothing_was_kept_the_one_that_still_serves_goes_on(self, tmp_path: Path) -> None:
        new, old = one("gateway-3", "g-gateway-1"), one("gateway-2", "g-drained-2")
        undoing, engine = change(tmp_path, pod(), new, old)
        undoing.undo(is_kept=False)
        assert engine.did == [
            "docker rm --force gateway-3000000000000",
            "docker rename gateway-2000000000000 g-gateway-1",
        ]

    def test_one_that_was_stopped_for_a_gap_is_made_anew_from_its_very_image(self, tmp_path: Path) -> None:
        (tmp_path / "compose.yaml").write_text(self.OLD)
        previous.save(str(tmp_path), "sha256:1")
        old = one("gateway-2", "g-drained-2", running=False)
        made = one("gateway-2", "g-gateway-1")
        undoing, engine = change(tmp_path, pod(), one("gateway-3", "g-gateway-1"), old, made=made)
        engine.ended = [old]
        undoing.undo(is_kept=True)
        assert 'image: "sha256:1"' in (tmp_path / "compose.yaml").read_text()
        assert engine.did[-1].endswith("up --detach --pull=never")
