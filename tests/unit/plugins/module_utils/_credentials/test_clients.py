# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of clients: what is taken, what is refused, in which words, and that no word is a secret."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import (
    Client,
    Names,
    Orders,
    Rules,
    present_keys,
    read_clients,
    read_orders,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.durations import read_grace

STRONG = "pXk29vQzLr4TnB8sWm1YcA"
OTHER = "Qw7eRt5yUi3oPa1sDf9gHj"
ALL = Rules(scheme="sha512_crypt", keys=True)


def read(value: object, rules: Rules = ALL) -> tuple[list[Client], Problems]:
    found = Problems()
    return read_clients(value, "clients", rules, found), found


def problems(*clients: Any, rules: Rules = ALL) -> list[str]:
    return read(list(clients), rules)[1]


def test_sound_clients_are_read() -> None:
    clients, found = read(
        [
            {"name": "alice", "password": "pä:ß"},
            {"name": "bob-2.x_y", "keys": [{"id": "laptop", "secret": STRONG, "expires": "2027-01-01t00:00:00z"}]},
            {"name": "carol", "keys": [{"id": "a"}, {"id": "b", "state": "absent"}]},
            {"name": "dave", "state": "absent"},
        ]
    )
    assert found == []
    assert [client.name for client in clients] == ["alice", "bob-2.x_y", "carol", "dave"]
    assert clients[0].password == "pä:ß"
    assert clients[1].keys[0].secret == STRONG
    assert clients[1].keys[0].expires == "2027-01-01T00:00:00Z"
    assert [key.name for key in present_keys(clients)] == ["bob-2.x_y.laptop", "carol.a"]


def test_secrets_do_not_show_in_a_representation() -> None:
    clients, _ = read([{"name": "a", "password": "planted", "keys": [{"id": "k", "secret": STRONG}]}])
    assert "planted" not in repr(clients)
    assert STRONG not in repr(clients)


def test_an_unquoted_moment_of_yaml_is_an_expiry() -> None:
    moment = datetime.datetime(2027, 1, 1, tzinfo=datetime.timezone.utc)
    clients, found = read([{"name": "a", "keys": [{"id": "k", "expires": moment}]}])
    assert found == []
    assert clients[0].keys[0].expires == "2027-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("planted:secret", "contains a colon"),
        ("planted secret", "contains a space"),
        ("plantedsecret\n", "contains a newline"),
        ("Plantedsecret", "contains an upper-case letter"),
        ("-plantedsecret", "contains a character that it may not, or begins with one"),
        ("plantedsecret/../x", "contains a character"),
        ("plantedsecret" * 10, "has 130 characters"),
        ("plåntedsecret", "contains a character"),
    ],
)
def test_a_name_or_id_of_the_wrong_form_is_refused_and_not_quoted(name: str, reason: str) -> None:
    (of_name,) = problems({"name": name, "password": "x"})
    assert of_name.startswith(f"clients[0]: the name {reason}")
    (of_id,) = problems({"name": "bob", "keys": [{"id": name}]})
    assert of_id.startswith(f"clients[0].keys[0]: the id {reason}")
    assert "plant" not in of_name + of_id


def test_an_id_has_no_dot_because_the_last_dot_parts_client_and_id() -> None:
    assert len(problems({"name": "a.b", "keys": [{"id": "c.d"}]})) == 1


@pytest.mark.parametrize("name", [None, "", 7, True, ["x"]])
def test_a_name_that_is_missing_or_no_string_is_refused(name: object) -> None:
    (problem,) = problems({"name": name, "password": "x"})
    assert problem.startswith("clients[0]: the name")


def test_a_name_or_id_twice_is_refused_with_both_places() -> None:
    twice = problems({"name": "bob", "password": "x"}, {"name": "bob", "password": "y"})
    assert twice == [
        "clients[1] (bob): the name is used by clients[0] (bob) already; give each client a name of its own"
    ]
    (problem,) = problems({"name": "bob", "keys": [{"id": "k"}, {"id": "k"}]})
    assert problem.startswith("clients[0].keys[1] (bob.k): the id is used by clients[0].keys[0] (bob.k) already")


def test_the_same_secret_twice_is_refused_with_both_places() -> None:
    (problem,) = problems(
        {"name": "alice", "keys": [{"id": "k", "secret": STRONG}]},
        {"name": "bob", "keys": [{"id": "l", "secret": STRONG}, {"id": "m", "secret": OTHER}]},
    )
    assert problem.startswith("clients[1].keys[0] (bob.l): the secret is that of clients[0].keys[0] (alice.k) too")


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ({"name": "bob", "pasword": "x"}, "clients[0] (bob): 'pasword' is unknown here; is password meant?"),
        ({"name": "bob", "key": []}, "clients[0] (bob): 'key' is unknown here; is keys meant?"),
        (
            {"name": "bob", "colour": 1},
            "clients[0] (bob): 'colour' is unknown here; "
            "known are name, password, keys, certificates, scopes, models, limits, owner, comment, state",
        ),
        (
            {"name": "bob", "keys": [{"id": "k", "expire": 1}]},
            "clients[0].keys[0] (bob.k): 'expire' is unknown here; is expires meant?",
        ),
    ],
)
def test_an_unknown_key_is_named_with_the_closest_right_one(client: dict[str, Any], expected: str) -> None:
    assert problems(client) == [expected]


@pytest.mark.parametrize("models", [[], "*", ["a b"], [""], [1], ["tiny\n"], ["../x"], {"tiny": True}, None])
def test_models_that_are_no_list_of_patterns_are_refused(models: object) -> None:
    (problem,) = problems({"name": "bob", "password": "x", "models": models})
    assert problem.startswith("clients[0] (bob): models must be a list of at least one name or pattern, such as")


@pytest.mark.parametrize("models", [["*"], ["tiny"], ["library/llama3.2:1b", "hf.co/team/*", "registry:5000/a/b:?"]])
def test_models_may_be_names_and_patterns(models: list[str]) -> None:
    clients, wrong = read([{"name": "bob", "models": models}], Rules())
    assert (wrong, clients[0].models) == ([], tuple(models))


def test_limits_are_read_and_what_lifts_the_default_is_kept() -> None:
    given = {"tokens_per_day": "1000", "keep_alive": None, "models": {"tiny": None}}
    clients, wrong = read([{"name": "bob", "limits": given}, {"name": "carol"}], Rules())
    assert wrong == []
    assert [client.limits for client in clients] == [
        {"tokens_per_day": 1000, "keep_alive": None, "models": {"tiny": None}},
        {},
    ]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (None, "it must be a dictionary of limits, such as {requests_per_minute: 60}"),
        ({"tokens_a_day": 1}, "'tokens_a_day' is unknown here; is tokens_per_day meant?"),
        (
            {"tokens_per_day": 1.5},
            "tokens_per_day must be a whole number from 1 to 1000000000000, or null for no limit",
        ),
        (
            {"models": {"tiny": {"tokens_per_day": 0}}},
            "models: tiny: tokens_per_day must be a whole number from 1 to 1000000000000, or null for no limit",
        ),
    ],
)
def test_a_wrong_limit_is_refused_with_the_client(limits: object, expected: str) -> None:
    assert problems({"name": "bob", "password": "x", "limits": limits}) == [f"clients[0] (bob): limits: {expected}"]


@pytest.mark.parametrize("scopes", [[], "inference", {"inference": True}, None, 1])
def test_scopes_that_are_no_list_of_some_are_refused(scopes: object) -> None:
    (problem,) = problems({"name": "bob", "password": "x", "scopes": scopes})
    assert problem.startswith("clients[0] (bob): scopes must be a list of at least one of inference, models_read")


def test_an_unknown_scope_is_refused_with_the_closest_right_one() -> None:
    (problem,) = problems({"name": "bob", "password": "x", "scopes": ["inference", "model_read"]})
    assert problem == "clients[0] (bob): scopes: model_read is unknown; is models_read meant?"


def test_an_unknown_scope_that_may_be_a_secret_is_told_by_its_place() -> None:
    (problem,) = problems({"name": "bob", "password": "x", "scopes": ["inference", "k3y-that-somebody-put-there"]})
    assert problem.startswith("clients[0] (bob): scopes: scopes[1] is unknown; known are inference")


def test_a_client_may_use_and_list_models_unless_told_otherwise() -> None:
    given = [{"name": "alice"}, {"name": "bob", "scopes": ["admin"], "models": ["*"]}]
    clients, wrong = read(given, Rules())
    assert wrong == []
    assert [client.scopes for client in clients] == [("inference", "models_read"), ("admin",)]


@pytest.mark.parametrize("value", ["planted", {"name": "bob"}, None, 3])
def test_what_is_no_list_is_refused_and_not_quoted(value: object) -> None:
    (problem,) = read(value)[1]
    assert problem.startswith("clients: it must be a list of clients, each with a name")
    assert "planted" not in problem


@pytest.mark.parametrize("value", ["planted", ["planted"], None, 3])
def test_a_client_or_key_that_is_no_dictionary_is_refused_and_not_quoted(value: object) -> None:
    assert problems(value)[0].startswith("clients[0]: it must be a dictionary")
    assert problems({"name": "bob", "keys": [value]})[0].startswith("clients[0].keys[0]: it must be a dictionary")
    assert "planted" not in str(problems(value, {"name": "bob", "keys": [value]}))


def test_keys_that_are_no_list_are_refused() -> None:
    assert problems({"name": "bob", "keys": {"id": "k"}}) == ["clients[0] (bob): keys must be a list, each with an id"]


@pytest.mark.parametrize("state", ["gone", None, True, []])
def test_an_unknown_state_is_refused(state: object) -> None:
    expected = "state must be present or absent"
    assert problems({"name": "bob", "state": state}) == [f"clients[0] (bob): {expected}"]
    assert problems({"name": "bob", "keys": [{"id": "k", "state": state}]}) == [
        "clients[0].keys[0] (bob.k): state must be present, absent or rotated"
    ]


def test_a_bad_expiry_is_refused_with_the_form() -> None:
    (problem,) = problems({"name": "bob", "keys": [{"id": "k", "expires": "tomorrow"}]})
    assert problem == 'clients[0].keys[0] (bob.k): expires must be a moment in UTC such as "2027-01-01T00:00:00Z"'


def test_a_beginning_is_a_moment_before_the_end() -> None:
    def key(**more: Any) -> dict[str, Any]:
        return {"name": "bob", "keys": [{"id": "k", **more}]}

    place = "clients[0].keys[0] (bob.k)"
    assert problems(key(not_before="2026-01-01T00:00:00Z", expires="2027-01-01T00:00:00Z")) == []
    assert problems(key(not_before="2026-01-01T00:00:00Z")) == []
    for end in ("2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z"):
        assert problems(key(not_before="2026-01-01T00:00:00Z", expires=end)) == [
            f"{place}: not_before must be before expires, or the key is never valid"
        ]
    assert problems(key(not_before="tomorrow")) == [
        f'{place}: not_before must be a moment in UTC such as "2027-01-01T00:00:00Z"'
    ]


def test_a_rotated_key_is_present_and_has_a_grace_of_a_day_unless_told_otherwise() -> None:
    given = [{"id": "a", "state": "rotated"}, {"id": "b", "state": "rotated", "grace": "0s"}, {"id": "c"}]
    clients, wrong = read([{"name": "bob", "keys": given}])
    assert wrong == []
    assert [(key.present, key.rotated, key.grace) for key in clients[0].keys] == [
        (True, True, 86400),
        (True, True, 0),
        (True, False, 86400),
    ]


class TestInPath:
    PLACE = "clients[0].keys[0] (bob.k): "

    @pytest.mark.parametrize(
        ("more", "in_path"),
        [
            ({}, False),
            *(({"in_path": value}, True) for value in (True, "true", "yes", "On", "1", 1)),
            *(({"in_path": value}, False) for value in (False, "false", "no", "Off", "0", 0)),
        ],
    )
    def test_it_is_false_unless_a_boolean_or_its_text_says_otherwise(self, more: dict[str, Any], in_path: bool) -> None:
        clients, wrong = read([{"name": "bob", "keys": [{"id": "k", **more}]}])
        assert (wrong, clients[0].keys[0].in_path) == ([], in_path)

    @pytest.mark.parametrize("value", [None, "", "planted", "y", 2, ["planted"], {"planted": True}])
    @pytest.mark.parametrize("state", ["present", "absent"])
    def test_what_is_no_boolean_is_refused_and_not_quoted(self, value: object, state: str) -> None:
        key = {"id": "k", "in_path": value, "state": state}
        assert problems({"name": "bob", "keys": [key]}) == [self.PLACE + "in_path must be true or false"]

    @pytest.mark.parametrize(
        ("secret", "reason"),
        [
            ("planted+vQzLr4TnB8sWm1YcA", "with in_path the secret may have letters, digits and -._~ only"),
            ("planted4TnB8sWm1YcA" * 14, "with in_path the secret may have 256 characters at most"),
            ("planted-k3y", "with in_path the secret must have 128 bits of randomness"),
            ("ghk_planted", "the secret begins like a generated key, but its checksum is wrong"),
            ("p1anted", "the secret is too short"),
            ("", "the secret is empty"),
            (1234567890, "the secret must be a string"),
        ],
    )
    @pytest.mark.parametrize("weak", [True, False])
    def test_a_secret_that_a_path_cannot_carry_or_that_can_be_guessed_is_refused_once_and_not_quoted(
        self, secret: object, reason: str, weak: bool
    ) -> None:
        key = {"id": "k", "in_path": True, "secret": secret}
        (problem,) = problems({"name": "bob", "keys": [key]}, rules=Rules(keys=True, allow_weak_secrets=weak))
        assert problem.startswith(self.PLACE + reason)
        assert "plant" not in problem

    def test_elsewhere_such_secrets_are_taken_as_before(self) -> None:
        keys = [{"id": "a", "secret": "pXk29vQz+Lr4TnB8sWm1YcA"}, {"id": "b", "secret": "weak-one", "in_path": False}]
        assert problems({"name": "bob", "keys": keys}, rules=Rules(keys=True, allow_weak_secrets=True)) == []

    def test_that_of_an_absent_key_does_not_count(self) -> None:
        key = {"id": "k", "in_path": True, "secret": "weak", "state": "absent"}
        assert problems({"name": "bob", "keys": [key]}) == []


def test_a_grace_of_the_wrong_form_or_without_a_rotation_is_refused() -> None:
    keys = [{"id": "a", "state": "rotated", "grace": 7}, {"id": "b", "grace": "7d"}]
    form = 'the grace must be a duration such as "90s", "30m", "24h" or "7d", and "90d" at most'
    assert problems({"name": "bob", "keys": keys}) == [
        f"clients[0].keys[0] (bob.a): {form}",
        "clients[0].keys[1] (bob.b): grace counts with state rotated only; remove it, or set the state",
    ]


@pytest.mark.parametrize("note", ["", "Älice's phone ☎", "x" * 200])
def test_notes_for_people_are_taken(note: str) -> None:
    client = {"name": "bob", "owner": note, "comment": note, "keys": [{"id": "k", "comment": note}]}
    clients, wrong = read([client])
    assert (wrong, clients[0].owner, clients[0].comment, clients[0].keys[0].comment) == ([], note, note, note)


@pytest.mark.parametrize("note", [None, 7, ["planted"], "planted\nline", "planted\x1b[31m", "planted\u2028", "p" * 201])
def test_notes_that_are_no_text_of_one_line_are_refused_and_not_quoted(note: object) -> None:
    reason = "must be a text of one line, without control characters and 200 characters at most"
    assert problems({"name": "bob", "owner": note, "comment": note, "keys": [{"id": "k", "comment": note}]}) == [
        f"clients[0].keys[0] (bob.k): the comment {reason}",
        f"clients[0] (bob): the owner {reason}",
        f"clients[0] (bob): the comment {reason}",
    ]


def test_all_problems_are_told_at_once() -> None:
    found = problems(
        {"name": "Bob"},
        {"name": "carol", "password": ""},
        {"name": "dave", "keys": [{"id": "a b", "secret": "short"}, {"id": "k", "secret": "short"}]},
    )
    assert [problem.split(":")[0] for problem in found] == [
        "clients[0]",
        "clients[1] (carol)",
        "clients[2].keys[0]",
        "clients[2].keys[0]",
        "clients[2].keys[1] (dave.k)",
    ]


def test_what_is_absent_needs_no_sound_credentials() -> None:
    assert problems({"name": "bob", "password": "", "keys": [{"id": "k", "secret": ""}], "state": "absent"}) == []
    assert problems({"name": "bob", "keys": [{"id": "k", "secret": "", "expires": "", "state": "absent"}]}) == []


def test_each_module_looks_at_its_own_part_only() -> None:
    client = {"name": "bob", "password": "", "keys": [{"id": "A B"}]}
    assert problems(client, rules=Rules(scheme="apr1")) == [
        "clients[0] (bob): the password is empty; give one, or leave the password out"
    ]
    assert [problem[:18] for problem in problems(client, rules=Rules(keys=True))] == ["clients[0].keys[0]"]


class TestCertificates:
    def test_subjects_are_read_in_the_form_in_which_the_gateway_sees_them(self) -> None:
        alice = {"name": "alice", "certificates": ["cn=alice, o=Example", "CN=Schmidt\\, Al"]}
        clients, found = read([alice, {"name": "bob"}])
        assert found == []
        assert clients[0].certificates == ("CN=alice,O=Example", "CN=Schmidt\\, Al")
        assert clients[1].certificates == ()

    @pytest.mark.parametrize("value", [None, "CN=alice", {"CN": "alice"}, 1])
    def test_they_must_be_a_list(self, value: object) -> None:
        (found,) = problems({"name": "alice", "certificates": value})
        assert found == 'clients[0] (alice): certificates must be a list of subjects, such as ["CN=alice,O=Example"]'

    @pytest.mark.parametrize("value", [None, 1, "", "planted secret", "/CN=planted", "secret=planted", ["CN=planted"]])
    def test_what_is_no_subject_is_told_with_its_place_and_not_quoted(self, value: object) -> None:
        (found,) = problems({"name": "alice", "certificates": ["CN=alice", value]})
        assert found.startswith("clients[0].certificates[1] (alice): ")
        assert "planted" not in found

    def test_one_that_is_there_twice_is_told_with_both_places_however_it_is_written(self) -> None:
        alice = {"name": "alice", "certificates": ["CN=a,O=b", "CN=c", "cn=a, O=b"]}
        bob = {"name": "bob", "certificates": ["CN=c"]}
        first, second = problems(alice, bob)
        text = "the subject is that of %s too, so nobody could tell them apart; list it once"
        assert first == "clients[0].certificates[2] (alice): " + text % "clients[0].certificates[0] (alice)"
        assert second == "clients[1].certificates[0] (bob): " + text % "clients[0].certificates[1] (alice)"

    def test_those_of_a_client_that_is_gone_may_be_somebody_elses(self) -> None:
        gone = {"name": "alice", "certificates": ["CN=a"], "state": "absent"}
        assert problems(gone, {"name": "bob", "certificates": ["CN=a"]}) == []


# What the command line may order: which keys, in which spelling, and what is said to anything else.

CLIENTS = [
    {"name": "alice", "keys": [{"id": "laptop"}, {"id": "phone", "state": "absent"}]},
    {"name": "bob", "keys": [{"id": "ci"}]},
]
NAMES = Names("rotate_keys", "revoke_keys", "rotate_grace")


def orders(rotate: Any = (), revoke: Any = (), grace: Any = "24h") -> tuple[Orders, Problems]:
    clients, found = read(CLIENTS)
    options = {"rotate": rotate, "revoke": revoke, "grace": grace}
    return read_orders(options, clients, "run", NAMES, found), found


@pytest.mark.parametrize(
    "value",
    [
        ["alice.laptop", "bob.ci"],
        "alice.laptop,bob.ci",
        " alice.laptop , bob.ci,",
        '["alice.laptop", "bob.ci"]',
    ],
)
def test_a_list_is_taken_as_such_and_as_text_with_commas_or_in_json(value: object) -> None:
    found, wrong = orders(value)
    assert (wrong, found.rotate, found.grace) == ([], {"alice.laptop", "bob.ci"}, 86400)


@pytest.mark.parametrize("value", ["", "[]", []])
def test_nothing_is_no_order(value: object) -> None:
    found, wrong = orders(value, value)
    assert (wrong, found.rotate, found.revoke) == ([], frozenset(), frozenset())


@pytest.mark.parametrize("value", ['["planted"', {"planted": 1}, [1], None, 7, "[1]", ["alice.laptop", ["planted"]]])
def test_what_is_no_list_of_names_is_refused_with_the_form_and_not_quoted(value: object) -> None:
    assert orders(value)[1] == [
        'rotate_keys: it must be a list of keys such as ["alice.laptop"], or alice.laptop,bob.ci'
    ]


def test_an_unknown_key_is_refused_with_the_closest_name_and_not_quoted() -> None:
    assert orders(revoke=["bob.ci", "alice.labtop", "ghk_planted"])[1] == [
        "revoke_keys[1]: it is no key of the clients; is alice.laptop meant?",
        "revoke_keys[2]: it is no key of the clients; a key is named <client>.<id>, such as alice.laptop",
    ]


def test_an_absent_key_can_be_revoked_but_not_rotated_and_none_be_both() -> None:
    assert orders(revoke="alice.phone")[1] == []
    assert orders(rotate="alice.phone")[1] == ["rotate_keys: alice.phone is absent, so there is nothing to rotate"]
    assert orders("bob.ci", "bob.ci")[1] == ["rotate_keys: bob.ci is to be revoked too; choose one of the two"]


@pytest.mark.parametrize(
    ("value", "seconds"), [("0s", 0), ("90s", 90), ("30m", 1800), ("24h", 86400), ("90d", 7776000)]
)
def test_a_grace_is_read_in_seconds_minutes_hours_and_days(value: str, seconds: int) -> None:
    assert read_grace(value) == (seconds, None)
    assert orders(grace=value)[0].grace == seconds


@pytest.mark.parametrize(
    "value", ["", "1", 1, 0, None, "1w", "-1s", "1 h", "1.5h", "91d", "2161h", "1h\n", "\u0663s", []]
)
def test_any_other_grace_is_refused_with_the_form(value: object) -> None:
    form = 'the grace must be a duration such as "90s", "30m", "24h" or "7d", and "90d" at most'
    assert orders(grace=value)[1] == [f"rotate_grace: {form}"]
