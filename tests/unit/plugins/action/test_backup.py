# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backup and restore of one folder and what the controller keeps for it; with a vault by ansible-playbook."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible import constants as C
from ansible_collections.gatehouse.ollama.plugins.action import restore_part
from ansible_collections.gatehouse.ollama.plugins.action.backup_part import batches
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.store import Store

from tests.unit.conftest import Direct, Playbook

SECRET = "planted-secret-of-a-key"
COUNTED = b"line\n" * 3000000
TREES = [
    {"path": "tls"},
    {"path": "state/usage", "files": "[0-9-]{10}[.]jsonl", "grows": True, "mode": "0640"},
    {"path": "acme/config", "certbot": True, "folder_mode": "0700"},
]
PARTS = ("cert", "chain", "fullchain", "privkey")
FILES = {
    "tls/server.pem": SECRET.encode(),
    "state/usage/2026-11-29.jsonl": b"",
    "state/usage/2026-11-30.jsonl": COUNTED,
    "acme/config/renewal/gatehouse.conf": b"archive_dir",
    **{f"acme/config/archive/gatehouse/{part}7.pem": b"x" for part in PARTS},
}


# Of the lock, and of a restore that has not ended.
LEFT = (".lock", ".restoring")


class Place:
    """A gateway and the folders of the controller, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.gateway, self.secrets, self.ca = folder / "gateway", folder / "secrets", folder / "ca"
        self.archive = folder / "archive"
        self.trees = TREES

    def fill(self) -> None:
        for path, content in FILES.items():
            (self.gateway / path).parent.mkdir(parents=True, exist_ok=True)
            (self.gateway / path).write_bytes(content)
        live = self.gateway / "acme/config/live/gatehouse"
        live.mkdir(parents=True)
        for part in PARTS:
            (live / f"{part}.pem").symlink_to(f"../../archive/gatehouse/{part}7.pem")
        for folder, name in ((self.secrets, "alice.laptop"), (self.ca, "ca.key")):
            folder.mkdir(mode=0o700)
            (folder / name).write_text(SECRET)
            (folder / name).chmod(0o600)

    def files(self) -> dict[str, bytes]:
        folders = (self.gateway, self.secrets, self.ca)
        paths = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.name not in LEFT]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}

    @property
    def options(self) -> dict[str, Any]:
        folders = {"folder": str(self.gateway), "secrets_dir": str(self.secrets), "ca_dir": str(self.ca)}
        return {"kind": "gateway", "host": "{{ inventory_hostname }}", "trees": self.trees, **folders}

    def backup(self, **options: Any) -> list[dict[str, Any]]:
        return [
            {"gatehouse.ollama.backup_archive": {"state": "begun", "file": str(self.archive), **options}},
            {"gatehouse.ollama.backup_part": self.options},
            {"gatehouse.ollama.backup_archive": {"state": "written", "file": str(self.archive), **options}},
        ]

    def restore(self, **options: Any) -> list[dict[str, Any]]:
        return [
            {"gatehouse.ollama.restore_archive": {"state": "opened", "file": str(self.archive)}},
            {"gatehouse.ollama.restore_part": {**self.options, **options}},
        ]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", str(tmp_path / "run"))
    # The host of a Direct is this machine.
    monkeypatch.setattr(restore_part.ActionModule, "_transferred", lambda self, part: self._store.content(part))
    found = Place(tmp_path / "place")
    found.folder.mkdir()
    found.fill()
    return found


KNOWN: dict[str, Any] = {
    "groups": {"ollama_gateways": ["host0"]},
    "ansible_play_hosts_all": ["host0"],
    "hostvars": {"host0": {}},
}


def move_away(place: Place) -> dict[str, bytes]:
    before = place.files()
    for name in ("gateway", "secrets", "ca"):
        (place.folder / name).rename(place.folder / f"old-{name}")
    return before


def test_with_a_vault_all_comes_back_and_nothing_is_printed(playbook: Playbook, place: Place) -> None:
    password = playbook.folder / "password"
    password.write_text("word\n")
    vault = f"--vault-password-file={password}"
    run = playbook.run(place.backup(), vault, "-vvv")
    assert [one["failed"] for one in run.only] == [False] * 3, run.output
    assert place.archive.read_bytes().startswith(b"$ANSIBLE_VAULT;1.1;AES256\n")
    assert place.archive.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in place.folder.iterdir() if one.name.startswith(".")] == []
    assert SECRET not in run.output

    before = move_away(place)
    run = playbook.run(place.restore() + place.restore()[1:], vault, "-vvv", "--diff")
    assert [(one["failed"], one["changed"]) for one in run.only] == [(False, False), (False, True), (False, False)]
    assert place.files() == before
    assert SECRET not in run.output
    live = place.gateway / "acme/config/live/gatehouse"
    assert os.readlink(live / "cert.pem") == "../../archive/gatehouse/cert7.pem"
    assert (live / "privkey.pem").is_symlink()
    # What was in a folder of Ansible for the run is gone with it.
    assert list(playbook.folder.rglob("content.gz")) == []

    place.archive.write_bytes(place.archive.read_bytes()[:-100])
    other = playbook.folder / "other"
    other.write_text("another word\n")
    said = playbook.run(place.restore()[:1], vault).only[0]["msg"]
    assert f"{place.archive} is damaged: it ends too early or was changed. Nothing was changed." in said
    said = playbook.run(place.restore()[:1], "-e", "gatehouse_restore_overwite=true").only[0]["msg"]
    assert (
        "gatehouse_restore_overwite: it is no variable of these playbooks; is gatehouse_restore_overwrite meant?"
        in said
    )


def test_without_a_vault_password_no_archive_is_begun(direct: Direct, place: Place) -> None:
    for spelled in (False, "false", "no"):
        result = direct.run(place.backup(plaintext=spelled)[:1], **KNOWN).only[0]
        assert "This run has no vault password" in result["msg"]
    assert not place.archive.exists()


def test_a_plain_archive_is_one_that_is_asked_for_and_is_warned_of(direct: Direct, place: Place) -> None:
    run = direct.run(place.backup(plaintext="true"), **KNOWN)
    assert [one["failed"] for one in run.only] == [False] * 3, run.only
    assert place.archive.stat().st_mode & 0o777 == 0o600
    before = move_away(place)
    run = direct.run(place.restore(), **KNOWN)
    assert place.files() == before
    assert "is not encrypted, so nothing tells whether somebody changed it" in run.output


def test_no_archive_is_written_over_or_where_ansible_reads_hosts(direct: Direct, place: Place) -> None:
    place.archive.write_text("mine")
    result = direct.run(place.backup(plaintext=True)[:1], **KNOWN).only[0]
    assert result["msg"] == f"gatehouse_backup_file: {place.archive} is there already, and no archive is written over"
    place.archive.unlink()
    known: dict[str, Any] = {**KNOWN, "ansible_inventory_sources": [str(place.folder)]}
    assert "Ansible reads" in direct.run(place.backup(plaintext=True)[:1], **known).only[0]["msg"]
    # By now: between both tasks somebody else may have been first.
    direct.run(place.backup(plaintext=True)[:2], **KNOWN)
    place.archive.write_text("mine")
    run = direct.run(place.backup(plaintext=True)[2:], **KNOWN)
    assert "is there by now" in run.only[0]["msg"]
    assert place.archive.read_text() == "mine"


def test_an_archive_that_would_lack_a_host_is_not_written(direct: Direct, place: Place) -> None:
    known: dict[str, Any] = {
        "groups": {"ollama_gateways": ["host0", "gone"], "ollama_servers": ["host0", "removed"]},
        "ansible_play_hosts_all": ["host0", "gone", "removed"],
        "hostvars": {"host0": {}, "gone": {}, "removed": {"ollama_server_state": "absent"}},
    }
    result = direct.run(place.backup(plaintext=True), **known).only[2]
    assert result["msg"] == "No archive was written, for it would lack gone as a gateway, host0 as a server."
    assert not place.archive.exists()


def test_in_check_mode_nothing_is_read_or_written(direct: Direct, place: Place) -> None:
    run = direct.run(place.backup(plaintext=True), "--check", **KNOWN)
    assert [one["failed"] for one in run.only] == [False] * 3, run.only
    assert not place.archive.exists()
    direct.run(place.backup(plaintext=True), **KNOWN)
    move_away(place)
    run = direct.run(place.restore(), "--check", **KNOWN)
    assert run.only[1]["changed"] is True
    assert len(run.only[1]["restored"]) == len(FILES) + 2 + 4
    assert not place.gateway.exists()
    assert not place.secrets.exists()


def test_what_is_different_stays_and_is_named_unless_it_is_to_be_replaced(direct: Direct, place: Place) -> None:
    direct.run(place.backup(plaintext=True), **KNOWN)
    before = place.files()
    # The gateway went on counting; that is no difference.
    with (place.gateway / "state/usage/2026-11-30.jsonl").open("ab") as file:
        file.write(b"later\n")
    assert [one["changed"] for one in direct.run(place.restore(), **KNOWN).only] == [False, False]
    (place.secrets / "alice.laptop").write_text("another")
    (place.secrets / "alice.laptop").chmod(0o600)
    (place.gateway / "tls/server.pem").unlink()
    (place.gateway / "acme/config/renewal/gatehouse.conf").write_text("other")
    result = direct.run(place.restore(), **KNOWN).only[1]
    named = f"{place.secrets}/alice.laptop, {place.gateway}/acme/config/renewal/gatehouse.conf"
    assert result["msg"].startswith(f"Different from what the archive has: {named}. Nothing was changed.")
    assert not (place.gateway / "tls/server.pem").exists()
    result = direct.run(place.restore(overwrite="yes"), **KNOWN).only[1]
    assert (result["failed"], result["changed"]) == (False, True), result
    counted = "gateway/state/usage/2026-11-30.jsonl"
    assert place.files() == {**before, counted: COUNTED + b"later\n"}


def test_a_host_that_is_not_in_it_and_a_folder_that_cannot_move_are_told(direct: Direct, place: Place) -> None:
    direct.run(place.backup(plaintext=True), **KNOWN)
    result = direct.run(place.restore(host="elsewhere"), **KNOWN).only[1]
    assert "elsewhere is no gateway of this archive, which has host0. Give the host that name" in result["msg"]
    result = direct.run(place.restore(folder=str(place.folder / "moved")), **KNOWN).only[1]
    assert "certbot's files in the archive name the folder" in result["msg"]
    # An archive that has more than the service takes.
    result = direct.run(place.restore(trees=[{"path": "tls"}]), **KNOWN).only[1]
    assert "which is no file of this service" in result["msg"]


def test_a_key_that_was_revoked_since_is_not_let_in_again(direct: Direct, place: Place) -> None:
    trees = [*TREES, {"path": "clients"}]
    place.trees = trees
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("revoked", "kept")}
    lines = {name: f"by.{name} sha256:{digest}\n" for name, digest in digests.items()}
    file = place.gateway / "clients/api_keys"
    file.parent.mkdir()
    file.write_text("".join(lines.values()))
    direct.run(place.backup(plaintext=True), **KNOWN)
    note = place.secrets / "by.revoked~revoked"
    note.write_text(f"sha256:{digests['revoked']}\n")
    place.gateway.rename(place.folder / "old-gateway")
    for changed in (True, False):
        result = direct.run(place.restore(), **KNOWN).only[1]
        assert (result["failed"], result["changed"]) == (False, changed), result
        assert file.read_text() == lines["kept"]
        assert (place.gateway / "state/usage/2026-11-30.jsonl").read_bytes() == COUNTED
    note.unlink()
    (place.gateway / ".restoring").unlink()
    assert str(file) in direct.run(place.restore(), **KNOWN).only[1]["msg"]


def test_a_restore_that_did_not_end_is_resumed_by_the_same_archive_alone(direct: Direct, place: Place) -> None:
    direct.run(place.backup(plaintext=True), **KNOWN)
    other = place.archive.rename(place.folder / "other")
    (place.gateway / "tls/server.pem").write_text("another key")
    # Each run has its own.
    Store(str(Path(C.DEFAULT_LOCAL_TMP) / "gatehouse-parts")).clear()
    direct.run(place.backup(plaintext=True), **KNOWN)
    move_away(place)
    assert direct.run(place.restore(), **KNOWN).only[1]["changed"] is True
    assert (place.gateway / ".restoring").stat().st_mode & 0o777 == 0o600
    # What a deployment may change, and what was not put back.
    for path in (place.gateway / "acme/config/renewal/gatehouse.conf", place.secrets / "alice.laptop"):
        path.write_text("changed")
        path.chmod(0o600)
    (place.ca / "ca.key").unlink()
    before = place.files()
    for changed in (True, False):
        result = direct.run(place.restore(), **KNOWN).only[1]
        assert (result["failed"], result["changed"], result["resumed"]) == (False, changed, True), result
    assert place.files() == {**before, "ca/ca.key": SECRET.encode()}
    place.archive.unlink()
    other.rename(place.archive)
    assert "Different from what the archive has" in direct.run(place.restore(), **KNOWN).only[1]["msg"]
    (place.gateway / ".restoring").unlink()
    assert "Different from what the archive has" in direct.run(place.restore(), **KNOWN).only[1]["msg"]


def test_a_renewal_that_would_run_something_else_is_refused(direct: Direct, place: Place) -> None:
    conf = place.gateway / "acme/config/renewal/gatehouse.conf"
    conf.write_text("[renewalparams]\nrenew_hook = /tmp/x\n")
    direct.run(place.backup(plaintext=True), **KNOWN)
    move_away(place)
    said = direct.run(place.restore(), **KNOWN).only[1]["msg"]
    assert said.startswith("The archive's acme/config/renewal/gatehouse.conf has the option renew_hook, by which a ")
    assert said.endswith("Nothing was changed.")
    assert not place.gateway.exists()
    assert not place.secrets.exists()


@pytest.mark.parametrize("content", [b"", b"- hosts: all\n", b"PK\x03\x04"])
def test_a_foreign_file_is_told_in_one_sentence(direct: Direct, place: Place, content: bytes) -> None:
    place.archive.write_bytes(content)
    said = direct.run(place.restore()[:1], **KNOWN).only[0]["msg"]
    assert said.startswith(f"{place.archive} was not written by gatehouse.ollama.backup: ")
    place.archive.write_bytes(b"$ANSIBLE_VAULT;1.1;AES256\n3030\n")
    assert "this run has no vault password" in direct.run(place.restore()[:1], **KNOWN).only[0]["msg"]
    place.archive.unlink()
    assert "No such file" in direct.run(place.restore()[:1], **KNOWN).only[0]["msg"]
    os.mkfifo(place.archive)
    assert direct.run(place.restore()[:1], **KNOWN).only[0]["failed"]


def test_days_before_are_left_out_if_so_told(direct: Direct, place: Place) -> None:
    (_begun, part, written) = place.backup(plaintext=True)
    part["gatehouse.ollama.backup_part"] = {**place.options, "usage_since": "2026-11-30"}
    result = direct.run([part, written], **KNOWN).only[0]
    assert "state/usage/2026-11-29.jsonl" not in result["files"]
    assert "state/usage/2026-11-30.jsonl" in result["files"]
    part["gatehouse.ollama.backup_part"] = {**place.options, "usage_since": "soon"}
    assert direct.run([part], **KNOWN).only[0]["msg"].startswith("gatehouse_backup_usage_since: it must be a day")


def test_what_a_killed_run_left_goes_with_the_next(direct: Direct, place: Place, tmp_path: Path) -> None:
    runs = {
        "ansible-local-4194305abcdefgh": 7200,
        "ansible-local-4194305abcdefgi": 0,
        f"ansible-local-{os.getpid()}abcdefgh": 7200,
    }
    for name, age in runs.items():
        parts = tmp_path / name / "gatehouse-parts"
        parts.mkdir(parents=True)
        (parts / "secret").touch()
        os.utime(parts, (time.time() - age,) * 2)
    direct.run(place.backup(plaintext=True)[:1], **KNOWN)
    left = {one.parent.name for one in tmp_path.glob("ansible-local-*/gatehouse-parts")}
    assert left == set(list(runs)[1:])


def test_pieces_make_up_all_files_and_no_batch_is_larger_than_asked_for() -> None:
    files = {"a": 5, "empty": 0, "b": 12, "c": 3}
    found = list(batches(files, most=8))
    assert found == [[("a", 0, 5), ("b", 0, 3)], [("b", 3, 8)], [("b", 11, 1), ("c", 0, 3)]]
