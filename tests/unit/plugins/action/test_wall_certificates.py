# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates that doors are tried with: made on the controller, printed by nobody."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from tests.collection import ROOT
from tests.unit.certificates import authority
from tests.unit.conftest import Direct, Playbook

CA = authority("Gatehouse door CA")


def ca_dir(folder: Path, with_key: bool = True) -> str:
    place = folder / "door_ca"
    place.mkdir(mode=0o700)
    (place / "ca.pem").write_bytes(CA.pem)
    if with_key:
        (place / "ca.key").touch(mode=0o600)
        (place / "ca.key").write_bytes(CA.key_pem)
    return str(place)


def task(place: str, **options: Any) -> list[dict[str, Any]]:
    return [{"gatehouse.ollama.wall_certificates": {"ca_dir": place, "gateways": ["gate1"], **options}}]


def test_they_are_made_and_nothing_is_changed(direct: Direct, tmp_path: Path) -> None:
    place = ca_dir(tmp_path)
    there = {path: path.stat().st_mtime_ns for path in Path(place).iterdir()}
    (made,) = direct.run(task(place), "--check").only
    assert made["changed"] is False
    assert made["ca"] == CA.pem.decode()
    assert len(made["worthless"]) == 10
    assert [one["valid"] for one in (*made["worthless"], *made["valid"])] == [False] * 10 + [True]
    assert "warnings" not in made
    assert {path: path.stat().st_mtime_ns for path in Path(place).iterdir()} == there


def test_without_a_ca_or_its_key_there_are_fewer_and_that_is_told(direct: Direct, tmp_path: Path) -> None:
    (made,) = direct.run(task(str(tmp_path / "none"))).only
    assert ([one["name"] for one in made["worthless"]], made["valid"], made["ca"]) == (["of a foreign CA"], [], "")
    assert made["missing"].startswith(f"there is no ca.pem in {tmp_path}/none on the controller, so")
    assert not os.path.exists(tmp_path / "none")
    (made,) = direct.run(task(ca_dir(tmp_path, with_key=False))).only
    assert (len(made["worthless"]), made["valid"]) == (2, [])
    assert made["missing"].startswith("there is no ca.key in ")


def test_a_key_that_is_not_the_ca_s_is_told(direct: Direct, tmp_path: Path) -> None:
    place = ca_dir(tmp_path)
    (Path(place) / "ca.key").write_bytes(authority("Another").key_pem)
    (made,) = direct.run(task(place)).only
    assert "it is not the key of the certificate in ca.pem" in made["msg"]


def test_nothing_of_them_is_printed_and_they_are_registered(playbook: Playbook, tmp_path: Path) -> None:
    """Also with -vvv."""
    run = playbook.run(task(ca_dir(tmp_path)), "-vvv", "--diff")
    made = run.only[0]
    assert len(made["valid"]) == 1
    assert "BEGIN" not in run.output
    bodies = [line for one in (*made["worthless"], *made["valid"]) for line in one["pem"].splitlines()]
    assert [
        line for line in (*bodies, *CA.key_pem.decode().splitlines()) if len(line) > 40 and line in run.output
    ] == []


def test_the_role_gives_the_valid_one_to_the_controller_alone() -> None:
    path = ROOT / "roles" / "ollama_server" / "tasks" / "attack" / "door.yml"
    tasks = yaml.safe_load(path.read_text(encoding="utf-8"))
    places = {task.get("delegate_to") for task in tasks if "__ollama_server_wall_certificates.valid" in str(task)}
    assert places == {"localhost"}
