# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a list of clients, and what a run is told to do with their keys beyond it: rotate some, revoke some.

None of the problems quotes a value that may be a secret: not even a name or id of the wrong form, for somebody may have
written the secret there.
"""

from __future__ import annotations

import datetime
import json
import re
import typing as t
import unicodedata
from dataclasses import dataclass, field

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.limits import Limits, read_limits
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.passwords.hashing import password_problem
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.patterns import is_pattern
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.booleans import read_boolean
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.durations import DEFAULT_GRACE, read_grace
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.suggestions import meant, unknown
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.subject import subject

CLIENT_KEYS = ("name", "password", "keys", "certificates", "scopes", "models", "limits", "owner", "comment", "state")
KEY_KEYS = ("id", "secret", "not_before", "expires", "in_path", "comment", "state", "grace")
CLIENT_STATES = ("present", "absent")
KEY_STATES = ("present", "absent", "rotated")
SCOPES = ("inference", "models_read", "models_write", "metrics", "admin")
DEFAULT_SCOPES = ("inference", "models_read")

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*\Z")
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
    """A key of a client. `secret` is None if it is to be generated; `grace` is in seconds.

    One that is `in_path` may stand in the path of a URL.
    """

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
    in_path: bool = False

    @property
    def name(self) -> str:
        return f"{self.client}.{self.id}"


@dataclass(frozen=True)
class Client:
    """A client whose entry is sound. `has_keys` is true as soon as keys are listed, even absent ones.

    `certificates` are subjects as OpenSSL writes them by RFC 2253, `limits` its own, with None for what it lifts.
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
    limits: Limits = field(default_factory=dict, hash=False)


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


def sound_clients(value: object, rules: Rules) -> list[Client]:
    """The clients of the option `clients`; raises BadInput with all that is wrong."""
    problems = Problems()
    clients = read_clients(value, "clients", rules, problems)
    problems.raise_any()
    return clients


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
            hint = meant(name, listed) or "a key is named <client>.<id>, such as alice.laptop"
            problems.add(f"{variable}[{number}]", f"it is no key of the clients; {hint}")
    return [name for name in value if name in known]


class _Reader:
    """Reads entries one after the other, and remembers what each may have but once."""

    def __init__(self, rules: Rules, problems: Problems) -> None:
        self.rules = rules
        self.problems = problems
        self._names: dict[str, str] = {}
        self._secrets: dict[str, str] = {}
        self._subjects: dict[str, str] = {}

    def client(self, given: object, place: str) -> Client | None:
        if not isinstance(given, dict):
            self.problems.add(place, "it must be a dictionary with a name, and a password, keys or certificates")
            return None
        entry = _Entry(given, place, self.problems)
        name = entry.name("name", _NAME, "a-z, 0-9, '.', '_' and '-'")
        if name is not None:
            entry.place = f"{place} ({name})"
        entry.unknown(CLIENT_KEYS)
        present = entry.state(CLIENT_STATES) != "absent"
        entry.once(self._names, name, "the name is used by %s already; give each client a name of its own")
        if self.rules.scheme is not None and present and "password" in given:
            user = None if self.rules.allow_weak_passwords else str(name)
            entry.wrong(password_problem(given["password"], self.rules.scheme, user))
        ids: dict[str, str] = {}
        listed = entry.items("keys", "keys must be a list, each with an id") if self.rules.keys else []
        keys = [self._key(item, f"{place}.keys[{number}]", name, present, ids) for number, item in enumerate(listed)]
        certificates = self._certificates(entry, place) if present else ()
        scopes = self._scopes(entry)
        form = 'such as ["llama3.2", "qwen3*", "hf.co/team/*"], in which * and ? stand for any characters of one part'
        right = f"models must be a list of at least one name or pattern, {form}"
        models = tuple(entry.option("models", _are_models, right, ALL_MODELS))
        limits = read_limits(given["limits"], lambda text: entry.wrong(f"limits: {text}")) if "limits" in given else {}
        notes = entry.note("owner"), entry.note("comment")
        if name is None:
            return None
        password = str(given["password"]) if "password" in given else None
        sound, has_keys = tuple(key for key in keys if key), bool(given.get("keys"))
        rights = scopes, models, *notes, certificates, limits
        return Client(entry.place, name, password, sound, has_keys, present, *rights)

    def _key(self, given: object, place: str, client: str | None, wanted: bool, ids: dict[str, str]) -> Key | None:
        """The key at `place`, such as clients[2].keys[0]; its secret and times count only if its client is `wanted`."""
        if not isinstance(given, dict):
            self.problems.add(place, "it must be a dictionary with an id")
            return None
        entry = _Entry(given, place, self.problems)
        key_id = entry.name("id", _KEY_ID, "a-z, 0-9, '_' and '-'")
        if key_id is not None:
            entry.place = f"{place} ({key_id})" if client is None else f"{place} ({client}.{key_id})"
        entry.once(ids, key_id, "the id is used by %s already; give each key of a client an id of its own")
        entry.unknown(KEY_KEYS)
        state = entry.state(KEY_STATES)
        not_before = expires = None
        in_path = entry.boolean("in_path")
        if state != "absent" and wanted:
            self._secret(entry, in_path)
            not_before, expires = entry.moment("not_before"), entry.moment("expires")
            if not_before and expires and not_before >= expires:
                entry.wrong("not_before must be before expires, or the key is never valid")
        comment = entry.note("comment")
        if "grace" in given and state != "rotated":
            entry.wrong("grace counts with state rotated only; remove it, or set the state")
        grace, problem = read_grace(given.get("grace", DEFAULT_GRACE))
        entry.wrong(problem)
        if client is None or key_id is None:
            return None
        secret = str(given["secret"]) if "secret" in given else None
        present, rotated = state != "absent", state == "rotated"
        return Key(entry.place, client, key_id, secret, expires, present, not_before, comment, rotated, grace, in_path)

    def _secret(self, entry: _Entry, in_path: bool) -> None:
        if "secret" in entry.given:
            secret = entry.given["secret"]
            # Of one that may stand in the path, the second look is the stricter one.
            problem = key_form.secret_problem(secret, self.rules.allow_weak_secrets or in_path)
            if in_path and not problem:
                problem = key_form.path_problem(secret)
            entry.wrong(problem)
            message = "the secret is that of %s too, so nobody could tell them apart; give each key its own"
            entry.once(self._secrets, None if problem else secret, message)

    def _certificates(self, entry: _Entry, place: str) -> tuple[str, ...]:
        right = 'certificates must be a list of subjects, such as ["CN=alice,O=Example"]'
        found = []
        for number, value in enumerate(entry.items("certificates", right)):
            # "clients[2] (bob)" becomes "clients[2].certificates[0] (bob)".
            one = _Entry({}, f"{place}.certificates[{number}]{entry.place[len(place) :]}", self.problems)
            try:
                found.append(subject(value))
            except ValueError as error:
                one.wrong(str(error))
            else:
                message = "the subject is that of %s too, so nobody could tell them apart; list it once"
                one.once(self._subjects, found[-1], message)
        return tuple(found)

    def _scopes(self, entry: _Entry) -> tuple[str, ...]:
        known = ", ".join(SCOPES)
        right = f"scopes must be a list of at least one of {known}"
        value = entry.option("scopes", lambda value: _is_list(value) and value, right, DEFAULT_SCOPES)
        for number, scope in enumerate(value):
            if scope not in SCOPES:
                # What is no word may be a secret in the wrong place.
                what = scope if isinstance(scope, str) and _SCOPE.match(scope) else f"scopes[{number}]"
                entry.wrong(f"scopes: {what} is unknown; {meant(scope, SCOPES) or f'known are {known}'}")
        return tuple(scope for scope in SCOPES if scope in value)


class _Entry:
    """A client or a key as a user writes it, and what is wrong with it."""

    def __init__(self, given: Dict, place: str, problems: Problems) -> None:
        self.given = given
        self.place = place
        self._problems = problems

    def wrong(self, text: str | None) -> None:
        self._problems.add(self.place, text)

    def option(self, option: str, holds: t.Callable[[t.Any], object], right: str, default: t.Any = None) -> t.Any:
        """The value of an option, or the default if it is not given or does not hold."""
        if option not in self.given or holds(self.given[option]):
            return self.given.get(option, default)
        self.wrong(right)
        return default

    def items(self, option: str, right: str) -> t.Sequence[t.Any]:
        return self.option(option, _is_list, right, [])

    def state(self, known: tuple[str, ...]) -> str:
        right = f"state must be {', '.join(known[:-1])} or {known[-1]}"
        return self.option("state", lambda value: value in known, right, known[0])

    def note(self, option: str) -> str | None:
        """A text for people, without influence on anything."""
        right = f"must be a text of one line, without control characters and {_LONGEST_NOTE} characters at most"
        return self.option(option, _is_note, f"the {option} {right}")

    def boolean(self, option: str) -> bool:
        right = f"{option} must be true or false"
        return bool(read_boolean(self.option(option, lambda value: read_boolean(value) is not None, right, False)))

    def moment(self, option: str) -> str | None:
        try:
            return key_form.read_expiry(self.given[option]) if option in self.given else None
        except (ValueError, OverflowError):
            self.wrong(f'{option} must be a moment in UTC such as "2027-01-01T00:00:00Z"')
            return None

    def name(self, option: str, form: re.Pattern[str], signs: str) -> str | None:
        value = self.given.get(option)
        if value is None or value == "":
            self.wrong(f"the {option} is missing or empty")
        elif not isinstance(value, str):
            self.wrong(f"the {option} must be a string; put it in quotes")
        elif form.match(value) and len(value) <= _LONGEST:
            return value
        else:
            right = f"it may have {_LONGEST} characters of {signs} at most, the first a letter or digit"
            self.wrong(f"the {option} {_culprit(value)}; {right}")
        return None

    def unknown(self, known: tuple[str, ...]) -> None:
        for option in self.given:
            if option not in known:
                self.wrong(unknown(option, known))

    def once(self, seen: dict[str, str], value: str | None, message: str) -> None:
        """`value` may be there once, `seen` has the place; None stands for none."""
        if value is not None:
            first = seen.setdefault(value, self.place)
            self.wrong(None if first == self.place else message % first)


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple))


def _is_note(value: object) -> bool:
    if not isinstance(value, str) or len(value) > _LONGEST_NOTE:
        return False
    return not any(unicodedata.category(sign) in _NO_NOTE for sign in value)


def _are_models(value: t.Any) -> bool:
    return _is_list(value) and bool(value) and all(map(is_pattern, value))


def _culprit(value: str) -> str:
    """What is wrong with a name, without quoting it."""
    for sign, description in _CULPRITS:
        if sign in re.sub("[A-Z]", "A", value):
            return f"contains {description}"
    if len(value) > _LONGEST:
        return f"has {len(value)} characters"
    return "contains a character that it may not, or begins with one"
