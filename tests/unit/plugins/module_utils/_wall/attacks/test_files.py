# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files with credentials: whose they are, who may read or write them, and who may put others in their place."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks import files

GATEWAY = 60880
FILE, FOLDER = stat.S_IFREG, stat.S_IFDIR


def status(mode: int, uid: int = 0, gid: int = 0) -> os.stat_result:
    return os.stat_result((mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))


@pytest.mark.parametrize(
    "one",
    [
        status(FILE | 0o640, gid=GATEWAY),
        status(FILE | 0o600, gid=100),
        status(FOLDER | 0o750, gid=GATEWAY),
        status(FOLDER | 0o2750, gid=GATEWAY),
        status(FILE | 0o400),
    ],
)
def test_what_the_role_writes_is_sound(one: os.stat_result) -> None:
    assert files.faults(one, [0], [0, GATEWAY]) == []


@pytest.mark.parametrize(
    ("one", "fault"),
    [
        (status(stat.S_IFLNK | 0o777), "a link"),
        (status(stat.S_IFIFO | 0o640), "a pipe"),
        (status(stat.S_IFSOCK | 0o640), "a socket"),
        (status(stat.S_IFBLK | 0o640), "a device"),
        (status(stat.S_IFCHR | 0o640), "a device"),
        (status(FILE | 0o644), "others may access it"),
        (status(FILE | 0o641), "others may access it"),
        (status(FILE | 0o642), "others may access it"),
        (status(FILE | 0o660), "its group may write it"),
        (status(FOLDER | 0o770), "its group may write it"),
        (status(FILE | 0o4750), "it runs as its owner or group"),
        (status(FILE | 0o2750), "it runs as its owner or group"),
        (status(FILE | 0o640, uid=1000), "its owner is 1000"),
        (status(FILE | 0o640, uid=GATEWAY), "its owner is 60880"),
        (status(FILE | 0o640, uid=7), "its owner is lp (7)"),
        (status(FILE | 0o640, gid=51), "its group is 51"),
        (status(FILE | 0o640, gid=50), "its group is staff (50)"),
    ],
)
def test_what_somebody_else_made_of_it_is_a_hole(
    monkeypatch: pytest.MonkeyPatch, one: os.stat_result, fault: str
) -> None:
    monkeypatch.setattr(pwd, "getpwuid", lambda number: SimpleNamespace(pw_name={7: "lp"}[number]))
    monkeypatch.setattr(grp, "getgrgid", lambda number: SimpleNamespace(gr_name={50: "staff"}[number]))
    assert files.faults(one, [0], [0, GATEWAY]) == [fault]


def test_the_files_of_https_may_be_the_gateways_own() -> None:
    assert files.faults(status(FILE | 0o600, uid=GATEWAY), [0, GATEWAY], [0, GATEWAY]) == []


@pytest.fixture
def gateway(tmp_path: Path) -> Path:
    """The folder of a gateway, root's, with what a role writes and what an ACME client and somebody else keep there."""
    folder = tmp_path / "gateway"
    for name in (
        "conf",
        "lua/gatehouse",
        "clients/scopes/admin",
        "tls",
        "acme/config",
        "acme/webroot/.well-known",
        "mine",
    ):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").touch()
    (folder / "compose.yaml").touch()
    for path in folder.rglob("*"):
        path.chmod(0o750 if path.is_dir() else 0o640)
    (folder / "tls" / "file").chmod(0o600)
    os.chown(folder / "tls" / "file", GATEWAY, GATEWAY)
    return folder


def seen(folder: Path, tls: bool = True, acme: bool = True) -> dict[str, bool]:
    """What was looked at in the folder, by its name there, and whether it is sound."""
    results = files.attack(str(folder), GATEWAY, tls, acme)
    inside = [one for one in results if one.name.startswith(f"{folder}/")]
    names = [one.name[len(str(folder)) + 1 :] for one in inside]
    assert len(names) == len(set(names))
    return dict(zip(names, (one.held for one in inside)))


ALWAYS = {
    *("compose.yaml", "conf", "conf/file", "lua", "lua/gatehouse", "lua/gatehouse/file", "tls", "acme"),
    *("clients", "clients/scopes", "clients/scopes/admin", "clients/scopes/admin/file"),
}


def test_all_that_the_gateway_reads_is_looked_at_and_the_folders_themselves(gateway: Path) -> None:
    """What certbot keeps is its own business, and so is what somebody else put there."""
    assert seen(gateway) == dict.fromkeys({*ALWAYS, "tls/file", "acme/webroot"}, True)
    assert seen(gateway, tls=False, acme=False) == dict.fromkeys(ALWAYS, True)


def test_nothing_hides_wherever_it_is(gateway: Path) -> None:
    odd = os.fsdecode(b"n\xe9e")
    for name in ("conf/.hidden", "lua/gatehouse/x.lua", "clients/scopes/admin/carol", f"clients/{odd}", "tls/.old.pem"):
        (gateway / name).touch()
        (gateway / name).chmod(0o644)
    (gateway / "clients" / "api_keys").symlink_to("/etc/passwd")
    (gateway / "clients" / "more").symlink_to("/etc")
    (gateway / "conf" / "gone").symlink_to("/nowhere")
    os.mkfifo(gateway / "conf" / "pipe", 0o600)
    os.mknod(gateway / "clients" / "socket", stat.S_IFSOCK | 0o640)
    (gateway / "acme").chmod(0o755)
    (gateway / "acme" / "webroot").chmod(0o757)
    (gateway / "compose.yaml").chmod(0o644)
    assert {name for name, held in seen(gateway).items() if not held} == {
        *("conf/.hidden", "lua/gatehouse/x.lua", "clients/scopes/admin/carol", "clients/n\ufffde", "tls/.old.pem"),
        *("clients/api_keys", "clients/more", "conf/gone", "conf/pipe", "clients/socket"),
        *("acme", "acme/webroot", "compose.yaml"),
    }


def test_a_folder_that_is_a_link_is_a_hole_and_what_is_behind_it_is_looked_at(gateway: Path, tmp_path: Path) -> None:
    (gateway / "lua").rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "gatehouse" / "file").chmod(0o644)
    (gateway / "lua").symlink_to(tmp_path / "elsewhere")
    assert {name for name, held in seen(gateway).items() if not held} == {"lua", "lua/gatehouse/file"}


def test_only_the_gateways_certificate_may_be_its_own(gateway: Path) -> None:
    os.chown(gateway / "conf" / "file", GATEWAY, 0)
    os.chown(gateway / "tls", GATEWAY, 0)
    assert {name for name, held in seen(gateway).items() if not held} == {"conf/file", "tls"}


def test_what_goes_while_it_is_looked_at_is_no_fault(gateway: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "below", lambda folder: [f"{folder}/file", f"{folder}/.renamed"])
    assert "clients/.renamed" not in seen(gateway)


def test_what_cannot_be_looked_at_is_not_taken_for_sound(gateway: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GatehouseError, match="nowhere cannot be looked at: No such file"):
        seen(gateway / "nowhere")

    def refused(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(GatehouseError, match="conf cannot be looked at: Permission denied"):
        seen(gateway)


def test_all_folders_above_are_looked_at_and_where_links_lead(tmp_path: Path) -> None:
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    above = files.above(str(tmp_path / "link" / "inner"))
    assert above[0] == "/"
    assert {str(tmp_path / one) for one in ("", "link", "link/inner", "real", "real/inner")} <= set(above)


@pytest.mark.parametrize(
    ("one", "faults"),
    [
        (status(stat.S_IFDIR | 0o755), []),
        (status(stat.S_IFDIR | 0o750, gid=GATEWAY), []),
        (status(stat.S_IFDIR | 0o1777), []),
        (status(stat.S_IFDIR | 0o775), []),
        (status(stat.S_IFLNK | 0o777), []),
        (status(stat.S_IFDIR | 0o777), ["others may write it"]),
        (status(stat.S_IFDIR | 0o775, gid=50), ["its group, 50, may write it"]),
        (status(stat.S_IFDIR | 0o755, uid=1000), ["its owner is 1000"]),
        (status(stat.S_IFLNK | 0o777, uid=1000), ["its owner is 1000"]),
    ],
)
def test_who_may_write_a_folder_above_may_replace_all_below(one: os.stat_result, faults: list[str]) -> None:
    assert files.faults_above(one) == faults


def ledger_in(folder: Path) -> Path:
    """A line of a day, in a folder as the role makes it."""
    (folder / "state" / "usage").mkdir(parents=True)
    for path, mode in ((folder, 0o755), (folder / "state", 0o750), (folder / "state" / "usage", 0o770)):
        os.chown(path, 0, GATEWAY)
        path.chmod(mode)
    day = folder / "state" / "usage" / "2026-11-30.jsonl"
    day.write_text("{}\n")
    day.chmod(0o640)
    os.chown(day, GATEWAY, GATEWAY)
    return day


def holes(folder: Path) -> list[tuple[str, str]]:
    found = files.attack(str(folder), GATEWAY, tls=False, acme=False)
    return [(one.name, one.came_back) for one in found if not one.held and str(folder) in one.name]


def test_the_gateway_may_write_its_ledger_and_nobody_else(tmp_path: Path) -> None:
    folder = tmp_path / "gateway"
    folder.mkdir()
    day = ledger_in(folder)
    assert holes(folder) == []
    day.chmod(0o644)
    (day.parent / "2026-12-01.jsonl").symlink_to("/etc/passwd")
    (folder / "state").chmod(0o770)
    assert sorted(holes(folder)) == [
        (str(folder / "state"), "mode 0770; its group may write it"),
        (str(day), "mode 0644; others may access it"),
        (str(day.parent / "2026-12-01.jsonl"), "mode 0777; a link"),
    ]
