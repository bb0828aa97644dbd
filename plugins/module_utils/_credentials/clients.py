# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a list of clients, the one implementation for the modules and for the gateway's validation.

All problems are collected, so that the user sees them in one go. None of them quotes a value that may be a secret: not
even a name or id of the wrong form, for somebody may have written the secret there.
"""

from __future__ import annotations

import difflib
import re
import typing as t
import unicodedata
from dataclasses import dataclass, field

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.passwords.hashing import password_problem
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.durations import DEFAULT_GRACE, read_grace
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.subject import subject

CLIENT_KEYS = ("name", "password", "keys", "certificates", "scopes", "models", "owner", "comment", "state")
KEY_KEYS = ("id", "secret", "not_before", "expires", "comment", "state", "grace")
CLIENT_STATES = ("present", "absent")
KEY_STATES = ("present", "absent", "rotated")
SCOPES = ("inference", "models_read", "models_write", "admin")
DEFAULT_SCOPES = ("inference", "models_read")

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*\Z")
# A glob pattern on host, namespace, model and tag.
_MODELS = re.compile(r"[A-Za-z0-9_*?][A-Za-z0-9._:/*?-]*\Z")
ALL_MODELS = ("*",)
_SCOPE = re.compile(r"[A-Za-z_-]{1,20}\Z")
_KEY_ID = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")
# Client and id together name a file on the controller.
_LONGEST = 100
_LONGEST_NOTE = 200
# Control characters, ends of lines and what UTF-8 cannot hold.
_NO_NOTE = ("Cc", "Zl", "Zp", "Cs")
_CULPRITS = (
    (":", "a colon"),
    ("\n", "a newline"),
    (" ", "a space"),
    ("A", "an upper-case letter"),
)


@dataclass(frozen=True)
class Key:
    """A key of a client. `secret` is None if it is to be generated; `grace` is in seconds."""

    place: str
    client: str
    id: str
    secret: t.Optional[str] = field(repr=False)
    expires: t.Optional[str]
    present: bool
    not_before: t.Optional[str] = None
    comment: t.Optional[str] = None
    rotated: bool = False
    grace: int = 0

    @property
    def name(self) -> str:
        return "%s.%s" % (self.client, self.id)


@dataclass(frozen=True)
class Client:
    """A client whose entry is sound. `has_keys` is true as soon as keys are listed, even absent ones.

    `certificates` are subjects as OpenSSL writes them by RFC 2253.
    """

    place: str
    name: str
    password: t.Optional[str] = field(repr=False)
    keys: t.Tuple[Key, ...]
    has_keys: bool
    present: bool
    scopes: t.Tuple[str, ...] = DEFAULT_SCOPES
    models: t.Tuple[str, ...] = ALL_MODELS
    owner: t.Optional[str] = None
    comment: t.Optional[str] = None
    certificates: t.Tuple[str, ...] = ()


@dataclass(frozen=True)
class Rules:
    """What of the clients is looked at: passwords if there is a scheme, keys if they are wanted."""

    scheme: t.Optional[str] = None
    keys: bool = False
    allow_weak_secrets: bool = False
    allow_weak_passwords: bool = True


def read_clients(value: object, variable: str, rules: Rules) -> tuple[list[Client], list[str]]:
    """The clients in `value`, and all problems, each beginning with its place below `variable`."""
    if not isinstance(value, (list, tuple)):
        # Before ansible-core 2.19 a templated list with a datetime in it arrives as text.
        hint = "; if it is one, put each expires in quotes" if isinstance(value, str) else ""
        return [], ["%s: it must be a list of clients, each with a name%s" % (variable, hint)]
    reader = _Reader(rules)
    clients = []
    for number, entry in enumerate(value):
        client = reader.client(entry, "%s[%d]" % (variable, number))
        if client:
            clients.append(client)
    return clients, reader.problems


def present_keys(clients: t.Iterable[Client]) -> list[Key]:
    """The keys that are to be valid afterwards."""
    return [key for client in clients if client.present for key in client.keys if key.present]


class _Reader:
    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.problems: list[str] = []
        self._names: dict[str, str] = {}
        self._secrets: dict[str, str] = {}
        self._subjects: dict[str, str] = {}

    def client(self, entry: object, place: str) -> Client | None:
        if not isinstance(entry, dict):
            self._problem(place, "it must be a dictionary with a name, and a password, keys or certificates")
            return None
        name = self._name(entry, "name", _NAME, place)
        place = place if name is None else "%s (%s)" % (place, name)
        self._unknown(entry, CLIENT_KEYS, place)
        present = self._state(entry, place, CLIENT_STATES) != "absent"
        if name is not None:
            self._once(self._names, name, place, "the name is used by %s already; give each client a name of its own")
        password = entry.get("password")
        if self.rules.scheme is not None and present and "password" in entry:
            problem = password_problem(
                password, self.rules.scheme, None if self.rules.allow_weak_passwords else str(name)
            )
            if problem:
                self._problem(place, problem)
        keys = self._keys(entry, place, name, present) if self.rules.keys else []
        certificates = self._certificates(entry, place) if present else ()
        scopes = self._scopes(entry, place)
        models = self._models(entry, place)
        notes = self._note(entry, "owner", place), self._note(entry, "comment", place)
        if name is None:
            return None
        text = str(password) if "password" in entry else None
        has_keys = bool(entry.get("keys"))
        return Client(place, name, text, tuple(keys), has_keys, present, scopes, models, *notes, certificates)

    def _certificates(self, entry: dict[t.Any, t.Any], place: str) -> tuple[str, ...]:
        value = entry.get("certificates", [])
        if not isinstance(value, (list, tuple)):
            self._problem(place, 'certificates must be a list of subjects, such as ["CN=alice,O=Example"]')
            return ()
        index, blank, name = place.partition(" ")
        subjects = [
            self._subject(item, "%s.certificates[%d]%s%s" % (index, number, blank, name))
            for number, item in enumerate(value)
        ]
        return tuple(one for one in subjects if one is not None)

    def _subject(self, value: t.Any, place: str) -> str | None:
        try:
            read = subject(value)
        except ValueError as error:
            self._problem(place, str(error))
            return None
        message = "the subject is that of %s too, so nobody could tell them apart; list it once"
        self._once(self._subjects, read, place, message)
        return read

    def _scopes(self, entry: dict[t.Any, t.Any], place: str) -> tuple[str, ...]:
        value = entry.get("scopes", list(DEFAULT_SCOPES))
        known = ", ".join(SCOPES)
        if not isinstance(value, (list, tuple)) or not value:
            self._problem(place, "scopes must be a list of at least one of %s" % known)
            return ()
        for number, scope in enumerate(value):
            if scope not in SCOPES:
                closest = difflib.get_close_matches(str(scope), SCOPES, n=1)
                hint = "is %s meant?" % closest[0] if closest else "known are %s" % known
                # What is no word may be a secret in the wrong place.
                what = scope if isinstance(scope, str) and _SCOPE.match(scope) else "scopes[%d]" % number
                self._problem(place, "scopes: %s is unknown; %s" % (what, hint))
        return tuple(scope for scope in SCOPES if scope in value)

    def _models(self, entry: dict[t.Any, t.Any], place: str) -> tuple[str, ...]:
        value = entry.get("models", list(ALL_MODELS))
        if isinstance(value, (list, tuple)) and value and all(isinstance(m, str) and _MODELS.match(m) for m in value):
            return tuple(value)
        form = 'such as ["llama3.2", "qwen3*", "hf.co/team/*"], in which * and ? stand for any characters of one part'
        self._problem(place, "models must be a list of at least one name or pattern, %s" % form)
        return ()

    def _keys(self, entry: dict[t.Any, t.Any], place: str, name: str | None, wanted: bool) -> list[Key]:
        value = entry.get("keys", [])
        if not isinstance(value, (list, tuple)):
            self._problem(place, "keys must be a list, each with an id")
            return []
        ids: dict[str, str] = {}
        keys = []
        for number, item in enumerate(value):
            key = self._key(item, "keys[%d]" % number, place, name, wanted, ids)
            if key:
                keys.append(key)
        return keys

    def _key(
        self, entry: object, number: str, client_place: str, client: str | None, wanted: bool, ids: dict[str, str]
    ) -> Key | None:
        # "clients[2] (bob)" becomes "clients[2].keys[0] (bob.laptop)".
        place = "%s.%s" % (client_place.split(" ")[0], number)
        if not isinstance(entry, dict):
            self._problem(place, "it must be a dictionary with an id")
            return None
        key_id = self._name(entry, "id", _KEY_ID, place)
        if key_id is not None:
            place = "%s (%s)" % (place, key_id if client is None else "%s.%s" % (client, key_id))
            self._once(ids, key_id, place, "the id is used by %s already; give each key of a client an id of its own")
        self._unknown(entry, KEY_KEYS, place)
        state = self._state(entry, place, KEY_STATES)
        not_before = expires = None
        if state != "absent" and wanted:
            self._secret(entry, place)
            not_before, expires = self._moment(entry, "not_before", place), self._moment(entry, "expires", place)
            if not_before and expires and not_before >= expires:
                self._problem(place, "not_before must be before expires, or the key is never valid")
        comment = self._note(entry, "comment", place)
        grace = self._grace(entry, state, place)
        if client is None or key_id is None:
            return None
        secret = str(entry["secret"]) if "secret" in entry else None
        present, rotated = state != "absent", state == "rotated"
        return Key(place, client, key_id, secret, expires, present, not_before, comment, rotated, grace)

    def _secret(self, entry: dict[t.Any, t.Any], place: str) -> None:
        if "secret" not in entry:
            return
        problem = key_form.secret_problem(entry["secret"], self.rules.allow_weak_secrets)
        if problem:
            self._problem(place, problem)
        else:
            message = "the secret is that of %s too, so nobody could tell them apart; give each key its own"
            self._once(self._secrets, entry["secret"], place, message)

    def _moment(self, entry: dict[t.Any, t.Any], option: str, place: str) -> str | None:
        if option not in entry:
            return None
        try:
            return key_form.read_expiry(entry[option])
        except (ValueError, OverflowError):
            self._problem(place, '%s must be a moment in UTC such as "2027-01-01T00:00:00Z"' % option)
            return None

    def _grace(self, entry: dict[t.Any, t.Any], state: str, place: str) -> int:
        if "grace" in entry and state != "rotated":
            self._problem(place, "grace counts with state rotated only; remove it, or set the state")
        seconds, problem = read_grace(entry.get("grace", DEFAULT_GRACE))
        if problem:
            self._problem(place, problem)
        return seconds

    def _note(self, entry: dict[t.Any, t.Any], option: str, place: str) -> str | None:
        """A text for people, without influence on anything."""
        value = entry.get(option)
        if option in entry and not (
            isinstance(value, str)
            and len(value) <= _LONGEST_NOTE
            and not any(unicodedata.category(sign) in _NO_NOTE for sign in value)
        ):
            message = "the %s must be a text of one line, without control characters and %d characters at most"
            self._problem(place, message % (option, _LONGEST_NOTE))
            return None
        return value

    def _name(self, entry: dict[t.Any, t.Any], option: str, form: re.Pattern[str], place: str) -> str | None:
        value = entry.get(option)
        if value is None or value == "":
            self._problem(place, "the %s is missing or empty" % option)
        elif not isinstance(value, str):
            self._problem(place, "the %s must be a string; put it in quotes" % option)
        elif form.match(value) and len(value) <= _LONGEST:
            return value
        else:
            signs = "a-z, 0-9, '_' and '-'" if option == "id" else "a-z, 0-9, '.', '_' and '-'"
            message = "the %s %s; it may have %d characters of %s at most, the first a letter or digit"
            self._problem(place, message % (option, _culprit(value), _LONGEST, signs))
        return None

    def _state(self, entry: dict[t.Any, t.Any], place: str, known: tuple[str, ...]) -> str:
        state = entry.get("state", known[0])
        if state in known:
            return str(state)
        self._problem(place, "state must be %s or %s" % (", ".join(known[:-1]), known[-1]))
        return known[0]

    def _unknown(self, entry: dict[t.Any, t.Any], known: tuple[str, ...], place: str) -> None:
        for key in entry:
            if key not in known:
                closest = difflib.get_close_matches(str(key), known, n=1)
                hint = "is %s meant?" % closest[0] if closest else "known are %s" % ", ".join(known)
                self._problem(place, "'%s' is unknown here; %s" % (key, hint))

    def _once(self, seen: dict[str, str], value: str, place: str, message: str) -> None:
        if value in seen:
            self._problem(place, message % seen[value])
        else:
            seen[value] = place

    def _problem(self, place: str, text: str) -> None:
        self.problems.append("%s: %s" % (place, text))


def _culprit(value: str) -> str:
    """What is wrong with a name, without quoting it."""
    for sign, description in _CULPRITS:
        if sign in re.sub("[A-Z]", "A", value):
            return "contains %s" % description
    if len(value) > _LONGEST:
        return "has %d characters" % len(value)
    return "contains a character that it may not, or begins with one"
