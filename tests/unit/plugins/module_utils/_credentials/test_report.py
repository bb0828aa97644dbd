# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway's files say of its clients, be they damaged, and the table of it."""

from __future__ import annotations

import datetime
import hashlib
import json
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials import report as info
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.access_log import Uses
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.table import table
from hypothesis import given
from hypothesis import strategies as st

DIGEST = hashlib.sha256(b"planted-secret").hexdigest()
NOW = "2026-11-25T13:00:00Z"


def keys(text: str | bytes) -> tuple[list[info.Key], list[str]]:
    """The keys of a file, and what is wrong with it."""
    problems = info.Damage("api_keys")
    return info.read_keys(text if isinstance(text, bytes) else text.encode(), problems), problems.texts()


def rights(content: object) -> tuple[dict[str, info.Rights], list[str]]:
    problems = info.Damage("clients.json")
    text = content if isinstance(content, bytes) else json.dumps(content, indent=2).encode()
    return info.read_rights(text, problems), problems.texts()


def describe(text: str, uses: Uses | None = None, **entries: Any) -> list[dict[str, Any]]:
    return info.describe(keys(text)[0], {}, rights(entries)[0], uses or Uses(), NOW)


class TestKeys:
    @pytest.mark.parametrize(
        "attributes",
        [
            "created=2026-01-01T00:00:00Z not_before=2026-02-01T00:00:00Z expires=2027-01-01T00:00:00Z last4=Xy12",
            "last4=Xy12 expires=2027-01-01T00:00:00Z not_before=2026-02-01T00:00:00Z created=2026-01-01T00:00:00Z",
            "  expires=2027-01-01T00:00:00Z last4=Xy12 created=2026-01-01T00:00:00Z\tnot_before=2026-02-01T00:00:00Z\r",
        ],
    )
    def test_attributes_come_in_any_order(self, attributes: str) -> None:
        moments = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2027-01-01T00:00:00Z")
        key = info.Key("alice", "laptop", DIGEST[:8], "Xy12", *moments)
        assert keys(f"alice.laptop sha256:{DIGEST} {attributes}\n") == ([key], [])

    def test_a_key_that_may_stand_in_the_path_is_known_as_such(self) -> None:
        found, _problems = keys(f"alice.cli sha256:{DIGEST} in_path=yes\nalice.laptop sha256:{DIGEST}\n")
        assert [key.in_path for key in found] == [True, False]

    def test_the_last_dot_parts_the_client_from_the_id(self) -> None:
        found, _problems = keys(f"team.bot.ci~old sha256:{DIGEST.upper()}")
        assert found == [info.Key("team.bot", "ci~old", DIGEST[:8])]

    def test_a_key_in_plain_text_is_known_by_its_fingerprint_as_in_the_log(self) -> None:
        assert keys("planted-secret\n") == ([info.Key("(plain text)", f"sha256:{DIGEST[:8]}", DIGEST[:8])], [])

    def test_comments_and_empty_lines_are_no_keys(self) -> None:
        assert keys("# a comment\n\n   \n") == ([], [])

    @pytest.mark.parametrize("attribute", ["last4=secret", "later=1", "flag", "expires=soon"])
    def test_a_line_that_the_gateway_would_not_take_is_reported_without_its_text(self, attribute: str) -> None:
        found, (problem,) = keys(f"alice.laptop sha256:{DIGEST} {attribute}")
        assert found == []
        assert "line 1: " in problem
        assert "secret" not in problem

    @pytest.mark.parametrize(
        "line",
        [
            "alice.laptop secret",
            f"alice sha256:{DIGEST}",
            f"alice.laptop sha256:{DIGEST[1:]}",
            f"alice.laptop sha256:{DIGEST}0",
            f"Alice.laptop sha256:{DIGEST}",
            f"alice.laptop~new sha256:{DIGEST}",
            f"alice.laptop sha256:{DIGEST} expires=never",
            f"alice.laptop sha256:{DIGEST} expires=2027-02-30T00:00:00Z",
            f"alice.laptop sha256:{DIGEST} created=",
            f"alice.laptop sha256:{DIGEST} last4=Xy12 last4=Xy13",
            b"alice.laptop \xff",
        ],
    )
    def test_a_damaged_line_is_told_by_its_number_and_never_quoted(self, line: str | bytes) -> None:
        damaged = line if isinstance(line, bytes) else line.encode()
        found, problems = keys(b"# first\n" + damaged + f"\nbob.ci sha256:{DIGEST}\n".encode())
        assert [key.client for key in found] == ["bob"]
        assert len(problems) == 1
        assert problems[0].startswith("api_keys, line 2: ")
        assert "secret" not in problems[0]
        assert DIGEST[:9] not in problems[0]

    def test_lines_that_are_damaged_in_the_same_way_are_told_together(self) -> None:
        ((problem,), (few,)) = (keys("a b\n" * count)[1] for count in (12, 2))
        assert problem.startswith("api_keys, lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more: it is neither like ")
        assert few.startswith("api_keys, lines 1, 2: ")

    @given(st.binary())
    def test_no_file_is_too_damaged_to_be_read(self, content: bytes) -> None:
        keys(content)
        rights(content)
        info.read_passwords(content, info.Damage("htpasswd"))


class TestState:
    @pytest.mark.parametrize(
        ("attributes", "state"),
        [
            ("", "valid"),
            ("expires=2026-11-25T13:00:01Z", "valid"),
            ("expires=2026-11-25T13:00:00Z", "expired"),
            ("expires=2026-11-25T12:59:59Z", "expired"),
            ("not_before=2026-11-25T13:00:00Z", "valid"),
            ("not_before=2026-11-25T13:00:01Z", "not yet valid"),
            ("not_before=2027-01-01T00:00:00Z expires=2026-01-01T00:00:00Z", "expired"),
        ],
    )
    def test_a_key_counts_from_its_first_moment_to_before_its_last(self, attributes: str, state: str) -> None:
        ((key,), _problems) = keys(f"alice.laptop sha256:{DIGEST} {attributes}")
        assert key.state(NOW) == state

    @pytest.mark.parametrize(
        ("attributes", "state"),
        [
            ("", "superseded"),
            ("expires=2026-11-25T13:00:01Z", "superseded"),
            ("expires=2026-11-25T13:00:00Z", "expired"),
        ],
    )
    def test_an_old_key_is_superseded_until_it_expires(self, attributes: str, state: str) -> None:
        ((key,), _problems) = keys(f"alice.laptop~old sha256:{DIGEST} {attributes}")
        assert key.state(NOW) == state


class TestPasswords:
    def read(self, content: bytes) -> tuple[dict[str, str], list[str]]:
        problems = info.Damage("htpasswd")
        return info.read_passwords(content, problems), problems.texts()

    @pytest.mark.parametrize(
        ("hashed", "scheme"),
        [
            ("$6$abcdefgh$" + "A" * 86, "sha512_crypt with rounds 5000"),
            ("$6$rounds=20000$abcdefgh$" + "A" * 86, "sha512_crypt with rounds 20000"),
            ("$apr1$abcdefgh$" + "A" * 22, "apr1"),
            ("$2y$10$" + "A" * 53, "bcrypt with rounds 10"),
            ("", "another kind of hash"),
        ],
    )
    def test_a_password_is_told_by_its_scheme(self, hashed: str, scheme: str) -> None:
        assert self.read(f"# users\r\nalice:{hashed}\r\n".encode()) == ({"alice": scheme}, [])

    @pytest.mark.parametrize("hashed", ["{PLAIN}secret", "{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "{SSHA}x"])
    def test_one_that_is_guessed_at_once_is_told_with_what_to_do(self, hashed: str) -> None:
        schemes, (problem,) = self.read(f"alice:{hashed}\n".encode())
        assert schemes == {"alice": "another kind of hash"}
        assert problem.startswith("htpasswd, line 1: a password must not be kept in this form")
        assert "htpasswd -B" in problem

    @pytest.mark.parametrize("line", [b"secret", b":secret", b"my secret:x", b"\xffsecret:x"])
    def test_a_damaged_line_is_told_by_its_number_and_never_quoted(self, line: bytes) -> None:
        schemes, problems = self.read(line + b"\nbob:x\n")
        assert list(schemes) == ["bob"]
        assert len(problems) == 1
        assert problems[0].startswith("htpasswd, line 1: ")
        assert "secret" not in problems[0]

    def test_of_two_lines_with_one_name_the_first_counts(self) -> None:
        schemes, problems = self.read(("alice:$apr1$a$%s\nalice:x\n" % ("A" * 22)).encode())
        assert schemes == {"alice": "apr1"}
        assert problems == ["htpasswd, line 2: an earlier line has the same name, and counts"]


ODD = {"scopes": ["admin"], "models": ["*"], "certificates": "CN=secret"}


class TestRights:
    def test_owner_comments_and_unknown_members_may_be_there(self) -> None:
        entry = dict(scopes=["admin"], models=["*"], owner="Alice", comment="of the team", limits={})
        entry["keys"] = {"laptop": {"comment": "the blue one"}, "ci": {}, "odd": []}
        found, problems = rights({"alice": entry})
        assert found == {"alice": info.Rights(["admin"], ["*"], "Alice", "of the team", {"laptop": "the blue one"})}
        assert problems == []

    @pytest.mark.parametrize("entry", [{}, [], {"scopes": ["admin"]}, {"scopes": "admin", "models": []}, ODD])
    def test_a_damaged_entry_is_told_by_its_line_and_the_others_count(self, entry: object) -> None:
        sound = dict(scopes=["admin"], models=["*"])
        found, problems = rights({"bob": sound, "secret": entry})
        assert list(found) == ["bob"]
        (problem,) = problems
        assert problem.startswith(
            "clients.json, line 10: a client must have scopes and models, and may have certificates"
        )

    def test_limits_are_known_and_damage_where_the_gateway_takes_none_of_them(self) -> None:
        limits = {"tokens_per_day": 9, "models": {"ti\x1bny": {"requests_per_minute": 1}}}
        entry = dict(scopes=["admin"], models=["*"])
        found, problems = rights({"alice": {**entry, "limits": limits}, "bob": {**entry, "limits": {"colour": 1}}})
        assert list(found) == ["alice"]
        assert found["alice"].limits == {"tokens_per_day": 9, "models": {r"ti\x1bny": {"requests_per_minute": 1}}}
        assert [problem.partition(":")[0] for problem in problems] == ["clients.json, line 18"]

    def test_certificates_are_known_by_their_subjects(self) -> None:
        found, problems = rights({"alice": dict(scopes=[], models=[], certificates=["CN=a", "CN=b"])})
        assert found["alice"].certificates == ["CN=a", "CN=b"]
        assert problems == []

    @pytest.mark.parametrize("content", [b"", b"secret", b'{"secret', b"\xff", b"[" * 100000, b'["secret"]'])
    def test_what_is_no_json_object_is_told_without_being_quoted(self, content: bytes) -> None:
        found, problems = rights(content)
        assert found == {}
        assert len(problems) == 1
        assert problems[0].startswith("clients.json, line 1: it is not ")
        assert "secret" not in problems[0]


class TestDescribe:
    def test_clients_and_keys_are_in_the_order_of_their_names(self) -> None:
        text = "".join(f"{name} sha256:{DIGEST}\n" for name in ("bob.a", "alice.b~old", "alice.a", "alice.b"))
        found = describe(text, carol=dict(scopes=["admin"], models=["*"]))
        assert [(client["name"], [key["id"] for key in client["api_keys"]]) for client in found] == [
            ("alice", ["a", "b", "b~old"]),
            ("bob", ["a"]),
            ("carol", []),
        ]

    def test_a_client_that_clients_json_does_not_name_may_do_nothing(self) -> None:
        (client,) = describe(f"alice.laptop sha256:{DIGEST}")
        assert (client["scopes"], client["models"]) == ([], [])

    def test_one_that_somebody_added_by_hand_has_what_the_file_says_of_others(self) -> None:
        entries = {"*": dict(scopes=["inference"], models=["*"]), "bob": dict(scopes=[], models=["*"])}
        alice, bob = describe(f"alice.laptop sha256:{DIGEST}\nbob.ci sha256:{DIGEST}", **entries)
        assert (alice["name"], alice["scopes"], alice["by_hand"]) == ("alice", ["inference"], True)
        assert (bob["name"], bob["scopes"], bob["by_hand"]) == ("bob", [], False)

    def test_a_revoked_key_stays_on_the_list_as_long_as_it_is_remembered(self) -> None:
        found, _problems = keys(f"alice.laptop sha256:{DIGEST}")
        uses = Uses(None, {("alice", "phone"): datetime.datetime(2026, 11, 2, tzinfo=datetime.timezone.utc)})
        revoked = ["alice.phone", "bob.ci", "alice.laptop"]
        alice, bob = info.describe(found, {}, {"alice": info.Rights(["admin"], ["*"])}, uses, NOW, revoked)
        states = [(key["id"], key["state"], key["last_use"]) for key in alice["api_keys"]]
        # One that has a new secret is a key as any.
        assert states == [("laptop", "valid", None), ("phone", "revoked", "2026-11-02T00:00:00Z")]
        assert ([key["state"] for key in bob["api_keys"]], bob["by_hand"]) == (["revoked"], False)
        assert (alice["api_keys"][0]["in_path"], alice["api_keys"][1]["in_path"]) == (False, None)
        lines = table([alice, bob], None)
        assert lines[3].split() == ["bob", "ci", "-", "-", "none", "none", "-", "-", "-", "revoked"]

    def test_keys_in_plain_text_have_the_scopes_that_the_gateway_gives_them(self) -> None:
        (client,) = describe("planted-secret")
        assert (client["name"], client["scopes"]) == ("(plain text)", ["inference", "models_read"])

    def test_who_is_not_named_and_keys_in_plain_text_have_the_limits_of_others(self) -> None:
        named = dict(scopes=["admin"], models=["*"])
        others = dict(scopes=[], models=["*"], limits={"tokens_per_day": 9})
        found = describe(f"alice.laptop sha256:{DIGEST}\nplanted-secret", **{"*": others, "bob": named})
        assert {client["name"]: client["limits"] for client in found} == {
            "(plain text)": {"tokens_per_day": 9},
            "alice": {"tokens_per_day": 9},
            "bob": {},
        }

    def test_a_superseded_key_has_the_comment_of_its_successor(self) -> None:
        entry = dict(scopes=[], models=[], keys={"laptop": {"comment": "the blue one"}})
        (client,) = describe(f"alice.laptop sha256:{DIGEST}\nalice.laptop~old sha256:{DIGEST}", alice=entry)
        assert [key["comment"] for key in client["api_keys"]] == ["the blue one", "the blue one"]

    def test_certificates_of_a_client_are_valid_as_far_as_is_known(self) -> None:
        (client,) = describe("", alice=dict(scopes=["admin"], models=["*"], certificates=["CN=a,O=Example"]))
        assert client["certificates"] == [{"subject": "CN=a,O=Example", "state": "valid"}]

    def test_a_client_was_last_seen_with_any_credential_be_it_gone(self) -> None:
        moments = [datetime.datetime(2026, 11, day, tzinfo=datetime.timezone.utc) for day in (1, 2)]
        uses = Uses(moments[0], {("alice", "laptop"): moments[0], ("alice", "gone"): moments[1]})
        (client,) = describe(f"alice.laptop sha256:{DIGEST}", uses)
        assert client["api_keys"][0]["last_use"] == "2026-11-01T00:00:00Z"
        assert client["last_use"] == "2026-11-02T00:00:00Z"


class TestTable:
    def test_each_credential_has_a_line_whose_cells_have_no_blanks(self) -> None:
        moment = datetime.datetime(2026, 11, 25, 12, 30, 59, tzinfo=datetime.timezone.utc)
        found, _problems = keys(
            f"alice.laptop sha256:{DIGEST} created=2026-01-01T00:00:00Z expires=2027-01-01T00:00:00Z last4=Xy12\n"
            f"bob.ci sha256:{DIGEST} not_before=2027-01-01T00:00:00Z\n"
        )
        right = {"alice": info.Rights(["inference", "models_read"], ["a", "b", "c", "d", "e", "f"])}
        right["idle"] = info.Rights(["admin"], ["*"])
        right["mtls"] = info.Rights(["admin"], ["*"], certificates=["CN=Al\tSch\u00fc \\+ Co,O=x"])
        schemes = {"alice": "apr1", "bob": info.UNKNOWN_SCHEME}
        clients = info.describe(found, schemes, right, Uses(moment, {("alice", "laptop"): moment}), NOW)
        *lines, numbers, log = table(clients, "2026-11-20T08:00:00Z")
        assert [" ".join(line.split()) for line in lines] == [
            "client credential fingerprint last4 scopes models created expires last-use state",
            "alice password - - inference,models_read a,b,c,d,+2 - - never valid",
            f"alice laptop {DIGEST[:8]} Xy12 inference,models_read a,b,c,d,+2 2026-01-01T00:00Z 2027-01-01T00:00Z "
            "2026-11-25T12:30Z valid",
            "bob password - - none none - - never -,added-by-hand",
            f"bob ci {DIGEST[:8]} - none none - - never not-yet-valid,added-by-hand",
            "idle none - - admin all - - never -",
            r"mtls certificate:CN=Al\09Sch\C3\BC\20\+\20Co,O=x - - admin all - - - valid",
        ]
        assert numbers == "4 clients, 2 keys, 2 passwords, 1 certificate"
        assert log == "the log begins at 2026-11-20T08:00Z"

    def test_limits_have_a_column_only_where_somebody_has_some(self) -> None:
        named = dict(scopes=["admin"], models=["*"])
        limits = dict(tokens_per_day=1000000, requests_per_minute=60, max_context=16384, keep_alive=1800)
        limited = {**named, "limits": {**limits, "models": {"llama3.3*": {"tokens_per_day": 200000}}}}
        header, alice, bob, *_numbers = table(describe("", alice=limited, bob=named), None)
        start = header.index("limits")
        assert header[start:].split() == ["limits", "created", "expires", "last-use", "state"]
        assert alice[start:].split()[0] == "60/min,1M-tokens/day,16384-context,30m-kept,llama3.3*:200k-tokens/day"
        assert bob[start:].split()[0] == "none"
        assert "limits" not in table(describe("", bob=named), None)[0]

    def test_a_key_that_may_stand_in_the_path_is_marked_behind_its_state(self) -> None:
        later = "not_before=2027-01-01T00:00:00Z"
        text = f"alice.cli sha256:{DIGEST} in_path=yes\nbob.ci sha256:{DIGEST} {later} in_path=yes"
        _header, alice, bob, *_numbers = table(describe(text, alice=dict(scopes=["admin"], models=["*"])), None)
        assert (alice.split()[-1], bob.split()[-1]) == ("valid,in-path", "not-yet-valid,in-path,added-by-hand")

    def test_without_a_log_the_last_use_is_unknown_and_not_never(self) -> None:
        _header, line, numbers, log = table(describe(f"alice.laptop sha256:{DIGEST}"), None)
        assert line.split()[-2:] == ["-", "valid,added-by-hand"]
        assert (numbers, log) == ("1 client, 1 key, 0 passwords", "no log tells when they were used")

    def test_where_nobody_may_come_in_it_says_so(self) -> None:
        assert table([], None) == ["0 clients, 0 keys, 0 passwords"]


def test_nothing_that_steers_a_terminal_comes_through() -> None:
    """Escapes of one and two bytes, a line's end, and the sign that turns the direction of writing."""
    evil = "a\x1b[2J\x9b31m\r\u202eb"
    entry = {"scopes": [evil], "models": [evil], "certificates": [evil], "owner": evil, "comment": evil}
    problems = info.Damage("htpasswd")
    passwords = info.read_passwords(f"{evil}:$apr1$x$y\nbob:$apr1$x$y\n".encode(), problems)
    found = rights({evil: {**entry, "keys": {evil: {"comment": evil}}}})[0]
    clients = info.describe([], passwords, found, Uses(), NOW)
    told = [json.dumps(clients, ensure_ascii=False), *table(clients, None), *problems.texts()]
    assert [text for text in told if not text.isprintable()] == []
    assert list(passwords) == ["bob"]
    assert clients[0]["name"] == r"a\x1b[2J\x9b31m\r\u202eb"
