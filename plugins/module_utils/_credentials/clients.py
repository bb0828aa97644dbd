# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a list of clients, and what a run is told to do with their keys beyond it: rotate some, revoke some.

None of the problems quotes a value that may be a secret: not even a name or id of the wrong form, for somebody may have
written the secret there.
"""

from __future__ import annotations

import datetime
import difflib
import json
import re
import typing as t
import unicodedata
from dataclasses import dataclass, field

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.passwords.hashing import password_problem
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
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

# What an entry of a list is, once it is known to be a dictionary.
Dict = t.Dict[t.Any, t.Any]


@dataclass(frozen=True)
class Key:
    """A key of a client. `secret` is None if it is to be generated; `grace` is in seconds."""

    place: str
    client: str
    id: str
    secret: str | None = field(repr=False)
    expires: str | None
    present: bool
    not_before: str | None = None
    comment: str | None = None
    rotated: bool = False
    grace: int = 0

    @property
    def name(self) -> str:
        return f"{self.client}.{self.id}"


@dataclass(frozen=True)
class Client:
    """A client whose entry is sound. `has_keys` is true as soon as keys are listed, even absent ones.

    `certificates` are subjects as OpenSSL writes them by RFC 2253.
    """

    place: str
    name: str
    password: str | None = field(repr=False)
    keys: tuple[Key, ...]
    has_keys: bool
    present: bool
    scopes: tuple[str, ...] = DEFAULT_SCOPES
    models: tuple[str, ...] = ALL_MODELS
    owner: str | None = None
    comment: str | None = None
    certificates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rules:
    """What of the clients is looked at: passwords if there is a scheme, keys if they are wanted."""

    scheme: str | None = None
    keys: bool = False
    allow_weak_secrets: bool = False
    allow_weak_passwords: bool = True


@dataclass(frozen=True)
class Names:
    """What the options of orders are called, for messages."""

    rotate: str = "rotate"
    revoke: str = "revoke"
    grace: str = "grace"
    secrets_dir: str = "secrets_dir"


@dataclass(frozen=True)
class Orders:
    """The keys to rotate, with the grace of the old ones in seconds, and those to revoke; `run` tells runs apart."""

    time: datetime.datetime
    run: str = ""
    rotate: frozenset[str] = frozenset()
    revoke: frozenset[str] = frozenset()
    grace: int = 0
    names: Names = Names()

    @property
    def now(self) -> str:
        return key_form.moment(self.time)

    def later(self, seconds: int) -> str:
        return key_form.moment(self.time + datetime.timedelta(seconds=seconds))


def read_clients(value: object, variable: str, rules: Rules, problems: Problems) -> list[Client]:
    """The clients in `value`. The place of each problem begins with `variable`."""
    if not isinstance(value, (list, tuple)):
        # Before ansible-core 2.19 a templated list with a datetime in it arrives as text.
        hint = "; if it is one, put each expires in quotes" if isinstance(value, str) else ""
        problems.add(variable, f"it must be a list of clients, each with a name{hint}")
        return []
    reader = _Reader(rules, problems)
    clients = [reader.client(entry, f"{variable}[{number}]") for number, entry in enumerate(value)]
    return [client for client in clients if client]


def present_keys(clients: t.Iterable[Client]) -> list[Key]:
    """The keys that are to be valid afterwards."""
    return [key for client in clients if client.present for key in client.keys if key.present]


def read_orders(
    options: t.Mapping[str, t.Any], clients: t.Sequence[Client], run: str, names: Names, problems: Problems
) -> Orders:
    """The orders in the options rotate, revoke and grace."""
    listed = [key.name for client in clients for key in client.keys]
    rotate = _read_names(options["rotate"], listed, names.rotate, problems)
    revoke = _read_names(options["revoke"], listed, names.revoke, problems)
    present = {key.name for key in present_keys(clients)} if rotate else set()
    for name in rotate:
        if name in revoke:
            problems.add(names.rotate, f"{name} is to be revoked too; choose one of the two")
        elif name not in present:
            problems.add(names.rotate, f"{name} is absent, so there is nothing to rotate")
    grace, problem = read_grace(options["grace"])
    problems.add(names.grace, problem)
    now = datetime.datetime.now(datetime.timezone.utc)
    return Orders(now, run, frozenset(rotate), frozenset(revoke), grace, names)


def _read_names(value: object, listed: t.Sequence[str], variable: str, problems: Problems) -> list[str]:
    """The names of keys in a list, or in a text with commas or JSON, as the command line gives it."""
    if isinstance(value, str) and not value.strip().startswith("["):
        value = [name.strip() for name in value.split(",") if name.strip()]
    elif isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, (list, tuple)) or not all(isinstance(name, str) for name in value):
        problems.add(variable, 'it must be a list of keys such as ["alice.laptop"], or alice.laptop,bob.ci')
        return []
    known = set(listed)
    for number, name in enumerate(value):
        if name not in known:
            # Not quoted: somebody may have given the secret instead of the name.
            hint = _meant(name, listed) or "a key is named <client>.<id>, such as alice.laptop"
            problems.add(f"{variable}[{number}]", f"it is no key of the clients; {hint}")
    return [name for name in value if name in known]


def _meant(name: object, known: t.Sequence[str]) -> str:
    closest = difflib.get_close_matches(str(name), known, n=1)
    return f"is {closest[0]} meant?" if closest else ""


class _Reader:
    """Reads entries one after the other, and remembers what each may have but once."""

    def __init__(self, rules: Rules, problems: Problems) -> None:
        self.rules = rules
        self.problems = problems
        self._names: dict[str, str] = {}
        self._secrets: dict[str, str] = {}
        self._subjects: dict[str, str] = {}

    def client(self, entry: object, place: str) -> Client | None:
        if not isinstance(entry, dict):
            self.problems.add(place, "it must be a dictionary with a name, and a password, keys or certificates")
            return None
        name = self._name(entry, "name", _NAME, place)
        number, place = place, place if name is None else f"{place} ({name})"
        self._unknown(entry, CLIENT_KEYS, place)
        present = self._state(entry, CLIENT_STATES, place) != "absent"
        if name is not None:
            self._once(self._names, name, place, "the name is used by %s already; give each client a name of its own")
        password = entry.get("password")
        if self.rules.scheme is not None and present and "password" in entry:
            user = None if self.rules.allow_weak_passwords else str(name)
            self.problems.add(place, password_problem(password, self.rules.scheme, user))
        keys: list[Key | None] = []
        if self.rules.keys:
            ids: dict[str, str] = {}
            for position, item in enumerate(self._list(entry, "keys", "keys must be a list, each with an id", place)):
                keys.append(self._key(item, f"{number}.keys[{position}]", name, present, ids))
        certificates = self._certificates(entry, number, place) if present else ()
        scopes = self._scopes(entry, place)
        models = self._models(entry, place)
        notes = self._note(entry, "owner", place), self._note(entry, "comment", place)
        if name is None:
            return None
        text = str(password) if "password" in entry else None
        sound = tuple(key for key in keys if key)
        return Client(place, name, text, sound, bool(entry.get("keys")), present, scopes, models, *notes, certificates)

    def _key(self, entry: object, place: str, client: str | None, wanted: bool, ids: dict[str, str]) -> Key | None:
        """The key at `place`, such as clients[2].keys[0]; nothing but its form counts unless its client is `wanted`."""
        if not isinstance(entry, dict):
            self.problems.add(place, "it must be a dictionary with an id")
            return None
        key_id = self._name(entry, "id", _KEY_ID, place)
        if key_id is not None:
            place = f"{place} ({key_id})" if client is None else f"{place} ({client}.{key_id})"
            self._once(ids, key_id, place, "the id is used by %s already; give each key of a client an id of its own")
        self._unknown(entry, KEY_KEYS, place)
        state = self._state(entry, KEY_STATES, place)
        not_before = expires = None
        if state != "absent" and wanted:
            self._secret(entry, place)
            not_before, expires = self._moment(entry, "not_before", place), self._moment(entry, "expires", place)
            if not_before and expires and not_before >= expires:
                self.problems.add(place, "not_before must be before expires, or the key is never valid")
        comment = self._note(entry, "comment", place)
        grace = self._grace(entry, state, place)
        if client is None or key_id is None:
            return None
        secret = str(entry["secret"]) if "secret" in entry else None
        present, rotated = state != "absent", state == "rotated"
        return Key(place, client, key_id, secret, expires, present, not_before, comment, rotated, grace)

    def _secret(self, entry: Dict, place: str) -> None:
        if "secret" not in entry:
            return
        problem = key_form.secret_problem(entry["secret"], self.rules.allow_weak_secrets)
        self.problems.add(place, problem)
        if not problem:
            message = "the secret is that of %s too, so nobody could tell them apart; give each key its own"
            self._once(self._secrets, entry["secret"], place, message)

    def _moment(self, entry: Dict, option: str, place: str) -> str | None:
        try:
            return key_form.read_expiry(entry[option]) if option in entry else None
        except (ValueError, OverflowError):
            self.problems.add(place, f'{option} must be a moment in UTC such as "2027-01-01T00:00:00Z"')
            return None

    def _grace(self, entry: Dict, state: str, place: str) -> int:
        if "grace" in entry and state != "rotated":
            self.problems.add(place, "grace counts with state rotated only; remove it, or set the state")
        seconds, problem = read_grace(entry.get("grace", DEFAULT_GRACE))
        self.problems.add(place, problem)
        return seconds

    def _certificates(self, entry: Dict, number: str, place: str) -> tuple[str, ...]:
        right = 'certificates must be a list of subjects, such as ["CN=alice,O=Example"]'
        found = []
        for position, value in enumerate(self._list(entry, "certificates", right, place)):
            # "clients[2] (bob)" becomes "clients[2].certificates[0] (bob)".
            of_one = f"{number}.certificates[{position}]{place[len(number) :]}"
            try:
                found.append(subject(value))
            except ValueError as error:
                self.problems.add(of_one, str(error))
            else:
                message = "the subject is that of %s too, so nobody could tell them apart; list it once"
                self._once(self._subjects, found[-1], of_one, message)
        return tuple(found)

    def _scopes(self, entry: Dict, place: str) -> tuple[str, ...]:
        value = entry.get("scopes", list(DEFAULT_SCOPES))
        known = ", ".join(SCOPES)
        if not isinstance(value, (list, tuple)) or not value:
            self.problems.add(place, f"scopes must be a list of at least one of {known}")
            return ()
        for number, scope in enumerate(value):
            if scope not in SCOPES:
                # What is no word may be a secret in the wrong place.
                what = scope if isinstance(scope, str) and _SCOPE.match(scope) else f"scopes[{number}]"
                hint = _meant(scope, SCOPES) or f"known are {known}"
                self.problems.add(place, f"scopes: {what} is unknown; {hint}")
        return tuple(scope for scope in SCOPES if scope in value)

    def _models(self, entry: Dict, place: str) -> tuple[str, ...]:
        value = entry.get("models", list(ALL_MODELS))
        if isinstance(value, (list, tuple)) and value and all(isinstance(m, str) and _MODELS.match(m) for m in value):
            return tuple(value)
        form = 'such as ["llama3.2", "qwen3*", "hf.co/team/*"], in which * and ? stand for any characters of one part'
        self.problems.add(place, f"models must be a list of at least one name or pattern, {form}")
        return ()

    def _note(self, entry: Dict, option: str, place: str) -> str | None:
        """A text for people, without influence on anything."""
        value = entry.get(option)
        if option in entry and not (
            isinstance(value, str)
            and len(value) <= _LONGEST_NOTE
            and not any(unicodedata.category(sign) in _NO_NOTE for sign in value)
        ):
            text = f"must be a text of one line, without control characters and {_LONGEST_NOTE} characters at most"
            self.problems.add(place, f"the {option} {text}")
            return None
        return value

    def _name(self, entry: Dict, option: str, form: re.Pattern[str], place: str) -> str | None:
        value = entry.get(option)
        if value is None or value == "":
            self.problems.add(place, f"the {option} is missing or empty")
        elif not isinstance(value, str):
            self.problems.add(place, f"the {option} must be a string; put it in quotes")
        elif form.match(value) and len(value) <= _LONGEST:
            return value
        else:
            signs = "a-z, 0-9, '_' and '-'" if option == "id" else "a-z, 0-9, '.', '_' and '-'"
            right = f"it may have {_LONGEST} characters of {signs} at most, the first a letter or digit"
            self.problems.add(place, f"the {option} {_culprit(value)}; {right}")
        return None

    def _state(self, entry: Dict, known: tuple[str, ...], place: str) -> str:
        state = entry.get("state", known[0])
        if state in known:
            return str(state)
        self.problems.add(place, f"state must be {', '.join(known[:-1])} or {known[-1]}")
        return known[0]

    def _list(self, entry: Dict, option: str, right: str, place: str) -> t.Sequence[t.Any]:
        value = entry.get(option, [])
        if isinstance(value, (list, tuple)):
            return value
        self.problems.add(place, right)
        return []

    def _unknown(self, entry: Dict, known: tuple[str, ...], place: str) -> None:
        for option in entry:
            if option not in known:
                hint = _meant(option, known) or f"known are {', '.join(known)}"
                self.problems.add(place, f"'{option}' is unknown here; {hint}")

    def _once(self, seen: dict[str, str], value: str, place: str, message: str) -> None:
        if value in seen:
            self.problems.add(place, message % seen[value])
        else:
            seen[value] = place


def _culprit(value: str) -> str:
    """What is wrong with a name, without quoting it."""
    for sign, description in _CULPRITS:
        if sign in re.sub("[A-Z]", "A", value):
            return f"contains {description}"
    if len(value) > _LONGEST:
        return f"has {len(value)} characters"
    return "contains a character that it may not, or begins with one"
