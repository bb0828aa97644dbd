# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of what clients may do: what is sound, and what is damage."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import Client, Rules, sound_clients
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.rights import (
    read,
    scope_files,
    update,
    with_limits,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import DamagedFile
from ansible_collections.gatehouse.ollama.plugins.modules.folder_files import problem

RIGHTS = {"models": ["*"], "scopes": ["inference"]}


@pytest.mark.parametrize(
    "notes",
    [
        {},
        {"owner": "bob@example.com"},
        {"comment": "", "keys": {}},
        {"certificates": []},
        {"certificates": ["CN=bob", "CN=bob,O=Example"]},
        {"owner": "Bob", "comment": "pilot", "keys": {"laptop": {"comment": "red"}}},
        {"limits": {"keep_alive": 0, "models": {"tiny": {"tokens_per_day": 1}}}},
    ],
)
def test_notes_for_people_and_limits_may_stand_beside_what_a_client_may_do(notes: dict[str, Any]) -> None:
    assert read(json.dumps({"bob": {**RIGHTS, **notes}}).encode()) == {"bob": {**RIGHTS, **notes}}


@pytest.mark.parametrize(
    "members",
    [
        {"scopes": ["root"]},
        {"scopes": "inference"},
        {"models": [1]},
        {"models": []},
        {"owner": 7},
        {"comment": None},
        {"keys": []},
        {"keys": {"k": "text"}},
        {"keys": {"k": {}}},
        {"keys": {"k": {"comment": ["text"]}}},
        {"keys": {"k": {"comment": "text", "more": 1}}},
        {"notes": "text"},
        {"certificates": None},
        {"certificates": "CN=bob"},
        {"certificates": [1]},
        {"certificates": [""]},
        {"limits": None},
        {"limits": {"tokens_per_day": "1000"}},
        {"limits": {"tokens_a_day": 1000}},
    ],
)
def test_anything_else_is_damage_with_the_line_of_the_client(members: dict[str, Any]) -> None:
    text = json.dumps({"alice": RIGHTS}).rstrip("}") + "},\n" + json.dumps({"bob": {**RIGHTS, **members}}).lstrip("{")
    with pytest.raises(DamagedFile, match=r"^line 2: a client must have scopes and models, each a list of names, that"):
        read(text.encode())


def clients(*entries: dict[str, Any]) -> list[Client]:
    return sound_clients(list(entries), Rules(keys=True))


def test_the_difference_has_a_line_for_each_client() -> None:
    outcome = update(None, clients({"name": "bob"}, {"name": "alice", "models": ["tiny"]}), purge=True)[0]
    assert outcome.before == "no such file\n"
    assert outcome.after.splitlines() == [
        'alice: {"models": ["tiny"], "scopes": ["inference", "models_read"]}',
        'bob: {"models": ["*"], "scopes": ["inference", "models_read"]}',
    ]
    assert json.loads(outcome.text).keys() == {"alice", "bob"}


class TestCertificates:
    @staticmethod
    def file(**certificates: list[str]) -> bytes:
        rights = {name: {**RIGHTS, "certificates": subjects} for name, subjects in certificates.items()}
        return json.dumps(rights, indent=1).encode()

    def test_they_are_written_once_and_removed_when_they_are_gone(self) -> None:
        certified = clients({"name": "bob", "certificates": ["O=Example", "cn=bob"]})
        first, rights = update(None, certified, purge=True)
        assert rights["bob"]["certificates"] == ["O=Example", "CN=bob"]
        assert "CN=bob" in first.after
        assert update(first.text.encode(), certified, purge=True)[0].changed is False
        last, rights = update(first.text.encode(), clients({"name": "bob"}), purge=True)
        assert last.updated == ["bob"]
        assert "certificates" not in rights["bob"]
        assert "CN=bob" in last.before
        assert "CN=bob" not in last.after

    def test_a_file_in_which_two_clients_have_the_same_is_damaged(self) -> None:
        with pytest.raises(DamagedFile, match=r"^line 14: a certificate of this client is that of another one too"):
            read(self.file(alice=["CN=a", "CN=b"], bob=["CN=b"]))

    def test_a_client_that_stays_keeps_its_own(self) -> None:
        content = self.file(alice=["CN=a"])
        bob = {"name": "bob", "certificates": ["CN=a"]}
        with pytest.raises(DamagedFile, match=r"^line 2: a certificate of this client is to be that of another one"):
            update(content, clients(bob), purge=False)
        for entries, purge in (([bob], True), ([bob, {"name": "alice", "state": "absent"}], False)):
            rights = update(content, clients(*entries), purge)[1]
            assert [name for name in rights if "certificates" in rights[name]] == ["bob"]
        handed_over = clients({"name": "alice", "certificates": ["CN=b"]}, bob)
        assert update(content, handed_over, purge=False)[1]["alice"]["certificates"] == ["CN=b"]


@pytest.mark.parametrize("name", ["a\x1b[2J", "a\x9b31m", "a\u202eb"])
def test_a_name_that_steers_a_terminal_is_damage(name: str) -> None:
    with pytest.raises(DamagedFile, match="a client has a name with characters that cannot be printed"):
        read(json.dumps({name: {"models": [], "scopes": []}}, ensure_ascii=False).encode())


class TestOthers:
    """Whose lines people add to the files of passwords and keys by hand."""

    ALICE: ClassVar[dict[str, Any]] = {"name": "alice"}
    GONE: ClassVar[dict[str, Any]] = {"name": "bob", "state": "absent"}

    @staticmethod
    def rights(content: bytes | None, *entries: dict[str, Any], purge: bool) -> dict[str, Any]:
        return update(content, clients(*entries), purge)[1]

    def test_they_have_the_default_scopes_where_people_may_add_them(self) -> None:
        rights = self.rights(None, self.ALICE, purge=False)
        assert rights["*"] == {"models": ["*"], "scopes": ["inference", "models_read"]}
        assert {"any/*", "inference/*", "models_read/*"} == {name for name in scope_files(rights) if name.endswith("*")}

    def test_the_files_of_plain_nginx_are_such_that_can_be_written_whoever_is_there_by_hand(self) -> None:
        """Of a name that no request can have there is none."""
        entry = {"models": ["*"], "scopes": ["inference"]}
        rights = update(json.dumps({"Zoe@example.org": entry, "../up": entry, "bob": entry}).encode(), [], False)[1]
        files = scope_files(rights)
        assert problem("/opt/gatehouse/gateway/clients/scopes", files) is None
        assert {name.partition("/")[2] for name in files} == {"*", "bob"}

    def test_they_may_do_nothing_where_the_inventory_alone_decides(self) -> None:
        before = json.dumps(self.rights(None, self.ALICE, purge=False)).encode()
        assert set(self.rights(before, self.ALICE, purge=True)) == {"alice"}

    def test_a_client_that_is_to_be_gone_is_none_of_them_while_its_line_is_there(self) -> None:
        before = json.dumps({"bob": {"models": ["a"], "scopes": ["inference"]}}).encode()
        both = clients(self.ALICE, self.GONE)
        outcome, rights = update(before, both, purge=False)
        assert rights["bob"] == {"models": ["*"], "scopes": [], "absent": True}
        assert [name for name in scope_files(rights) if name.endswith("bob")] == ["named/bob"]
        assert outcome.removed == ["bob"]
        again, _rights = update(outcome.text.encode(), both, purge=False)
        assert (again.changed, again.removed) == (False, [])


class TestLimits:
    DEFAULT: ClassVar[dict[str, Any]] = {"requests_per_minute": 60, "models": {"tiny": {"tokens_per_day": 5}}}
    ALICE: ClassVar[dict[str, Any]] = {"name": "alice", "limits": {"requests_per_minute": None, "keep_alive": "30m"}}
    FREE: ClassVar[dict[str, Any]] = {"name": "bob", "limits": {"requests_per_minute": None, "models": None}}

    def test_a_client_has_all_that_count_for_it_and_one_without_any_has_no_such_member(self) -> None:
        rights = update(None, clients(self.ALICE, self.FREE, {"name": "carol"}), True, self.DEFAULT)[1]
        assert rights["alice"]["limits"] == {"keep_alive": 1800, "models": {"tiny": {"tokens_per_day": 5}}}
        assert "limits" not in rights["bob"]
        assert rights["carol"]["limits"] == self.DEFAULT

    @pytest.mark.parametrize("purge", [True, False])
    def test_without_limits_the_file_is_what_it_was_before_there_were_any(self, purge: bool) -> None:
        entries = clients({"name": "alice", "limits": {"tokens_per_day": None}}, {"name": "bob", "limits": {}})
        plain = clients({"name": "alice"}, {"name": "bob"})
        default: dict[str, Any] = {"tokens_per_day": None, "models": {}}
        assert update(None, entries, purge, default)[0].text == update(None, plain, purge)[0].text

    def test_they_are_written_once_and_changed_and_removed_when_the_list_says_so(self) -> None:
        first = update(None, clients(self.ALICE), True, self.DEFAULT)[0]
        assert update(first.text.encode(), clients(self.ALICE), True, self.DEFAULT)[0].changed is False
        other = update(first.text.encode(), clients(self.ALICE), True, {"tokens_per_day": 7})[0]
        assert (other.updated, json.loads(other.text)["alice"]["limits"]) == (
            ["alice"],
            {"keep_alive": 1800, "tokens_per_day": 7},
        )
        last, rights = update(first.text.encode(), clients({"name": "alice"}), True)
        assert (last.updated, set(rights)) == (["alice"], {"alice"})
        assert "limits" in last.before
        assert "limits" not in last.after

    def test_those_that_are_not_named_have_the_default(self) -> None:
        rights = update(None, clients(self.ALICE), False, self.DEFAULT)[1]
        assert rights["*"] == {"models": ["*"], "scopes": ["inference", "models_read"], "limits": self.DEFAULT}

    def test_so_do_keys_in_plain_text_where_others_may_do_nothing(self) -> None:
        """The gateway takes these keys whatever the file says; to all others it is as if there were no entry."""
        outcome, rights = update(None, clients(self.ALICE), True, self.DEFAULT)
        assert rights["*"] == {"absent": True, "models": ["*"], "scopes": [], "limits": self.DEFAULT}
        assert [name for name in scope_files(rights) if name.endswith("*")] == []
        again = update(outcome.text.encode(), clients(self.ALICE), True, self.DEFAULT)[0]
        assert (again.changed, again.removed) == (False, [])
        without = update(outcome.text.encode(), clients(self.ALICE), True)[1]
        assert set(without) == {"alice"}

    def test_a_client_that_is_there_by_hand_keeps_what_it_has(self) -> None:
        by_hand = {"zoe": {**RIGHTS, "limits": {"tokens_per_day": 9}}, "yan": RIGHTS}
        rights = update(json.dumps(by_hand).encode(), clients(self.ALICE), False, self.DEFAULT)[1]
        assert {name: rights[name] for name in by_hand} == by_hand

    def test_one_that_is_to_be_gone_has_none(self) -> None:
        gone = clients({"name": "alice", "state": "absent", "limits": {"tokens_per_day": 9}})
        assert "limits" not in update(None, gone, False, self.DEFAULT)[1]["alice"]

    def test_who_has_some_is_told(self) -> None:
        rights = update(None, clients(self.ALICE, self.FREE), True, self.DEFAULT)[1]
        assert with_limits(rights) == ["alice"]
