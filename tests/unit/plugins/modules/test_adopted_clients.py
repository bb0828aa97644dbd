# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and keys of another gateway are read in beside those that are there, or all of it is refused before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.modules import adopted_clients as module

from tests.unit.plugins.modules.ended import answer

APR1 = "$apr1$72SoQmCZ$yaN4W6eDk6iiP.a5SANLt0"
KEY = "my-secret-api-key-1"


class Old:
    """A gateway of somebody else's, and the folder of ours."""

    def __init__(self, folder: Path) -> None:
        self.users = folder / ".htpasswd"
        self.users.write_text(f"myuser:{APR1}\n")
        self.keys = folder / "api_keys.txt"
        self.keys.write_text(f"{KEY}\n")
        self.clients = folder / "clients"
        self.clients.mkdir()

    def read(self, check: bool = False, **options: Any) -> dict[str, Any]:
        both = {"accepts_passwords": True, "accepts_keys": True}
        sources = {"htpasswd": str(self.users), "api_keys": str(self.keys)}
        return answer(module, {**both, **sources, "path": str(self.clients), "_ansible_check_mode": check, **options})

    @property
    def text(self) -> str:
        return "".join(one.read_text() for one in sorted(self.clients.iterdir()))


@pytest.fixture
def old(tmp_path: Path) -> Old:
    return Old(tmp_path)


def test_they_come_with_their_secrets_and_check_mode_says_so_before_there_is_a_gateway(old: Old) -> None:
    told = old.read(check=True, path=str(old.clients / "none"))
    assert (told["changed"], told["user_names"], told["key_names"]) == (True, ["myuser"], ["key-54df2ff1.adopted"])
    assert old.text == ""
    told = old.read()
    assert (told["changed"], told["user_names"], told["key_names"]) == (True, ["myuser"], ["key-54df2ff1.adopted"])
    assert f"\nmyuser:{APR1}\n" in old.text
    assert KEY not in old.text
    assert "sha256:54df2ff1" in old.text
    for secret in (KEY, APR1, "54df2ff195"):
        assert secret not in json.dumps(told)
    assert old.read()["changed"] is False


def test_files_of_ours_keep_what_they_have_and_their_mode(old: Old) -> None:
    (old.clients / "htpasswd").write_text(f"alice:{APR1}\nmyuser:$6$ours\n")
    (old.clients / "htpasswd").chmod(0o600)
    (old.clients / "clients.json").write_text("{}")
    old.users.write_text(f"myuser:{APR1}\nbob:{APR1}\n")
    told = old.read(mode="0640")
    assert (told["user_names"], told["kept"]) == (["bob"], ["myuser"])
    lines = (old.clients / "htpasswd").read_text().splitlines()
    assert [line.partition(":")[0] for line in lines if line[0] != "#"] == ["alice", "myuser", "bob"]
    assert "myuser:$6$ours" in lines
    assert (old.clients / "htpasswd").stat().st_mode & 0o777 == 0o640


def test_whom_the_inventory_wants_gone_does_not_come_back(old: Old) -> None:
    (old.clients / "clients.json").write_text(json.dumps({"myuser": {"absent": True, "models": ["*"], "scopes": []}}))
    assert old.read()["user_names"] == []
    assert "myuser:" not in (old.clients / "htpasswd").read_text()


def test_who_has_the_name_of_a_client_of_the_inventory_is_warned_of(old: Old, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda self, text: said.append(text))
    (old.clients / "clients.json").write_text(json.dumps({"myuser": {"models": ["*"], "scopes": ["admin"]}}))
    assert old.read()["user_names"] == ["myuser"]
    assert [text for text in said if text.startswith("myuser is a client of the inventory too")] == said
    assert len(said) == 1


def test_who_cannot_be_taken_over_is_named_and_then_nobody_is(old: Old) -> None:
    old.users.write_text(f"myuser:{APR1}\ncarol:{{SHA}}2jmj7l5rSw0yVb/vlWAYkK\n")
    old.keys.write_text(f"{KEY}\ntwo words\n")
    for check in (True, False):
        said = old.read(check=check)["msg"]
        assert f"{old.users}: carol: the gateway takes no {{SHA}}" in said
        assert f"{old.keys}: line 2: its key has a character" in said
        assert said.endswith("set adopt_skip_unusable to true.")
        assert "2jmj7l5rSw0yVb" not in said
    assert old.text == ""
    told = old.read(skip_unusable=True)
    assert (told["user_names"], len(told["key_names"]), len(told["unusable"])) == (["myuser"], 1, 2)


def test_a_gateway_that_would_not_take_them_is_refused(old: Old) -> None:
    said = old.read(accepts_passwords=False)["msg"]
    assert said == f"ollama_gateway_auth: {old.users} has users, so it must be basic or both"
    assert "has keys, so it must be bearer or both" in old.read(accepts_keys=False)["msg"]


def test_a_damaged_file_of_ours_and_a_link_of_theirs_are_refused(old: Old) -> None:
    (old.clients / "api_keys").write_text("half a\0record\n")
    assert "api_keys: line 1: " in old.read()["msg"]
    assert not (old.clients / "htpasswd").exists()
    old.users.unlink()
    old.users.symlink_to("/etc/shadow")
    assert old.read()["msg"] == f"{old.users}: it is a link, and none is followed; name the file itself"


def test_a_private_key_is_refused_whoever_may_be_left_out(old: Old) -> None:
    old.keys.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n")
    told = old.read(skip_unusable=True)
    assert told["msg"].startswith(f"{old.keys}: it has a certificate or a private key")
    assert "b3BlbnNzaC1rZXktdjE" not in json.dumps(told)
    assert old.text == ""
