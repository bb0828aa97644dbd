# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what users write of models: names, or dictionaries. One implementation for the modules and for the role.

All problems are collected, each with its place, so that the user sees them in one go.
"""

from __future__ import annotations

import difflib
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.gatehouse.ollama.plugins.module_utils._models import names as model_names
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.names import Key, Name

Dict = t.Dict[str, t.Any]

STATES = ("present", "latest", "absent")
ROLES = ("system", "user", "assistant")
# What makes a model of another one, or of files.
RECIPE = ("from", "files", "system", "template", "parameters", "license", "messages")
KEYS = ("name", "state", "digest", "source", *RECIPE, "keep_alive", "insecure")

_DIGEST = re.compile(r"(?:sha256[:-])?([0-9a-f]{12,64})\Z")
_DURATION = re.compile(r"-?([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+\Z")
_PARAMETER = re.compile(r"[a-z][a-z0-9_]*\Z")

# The server takes any value here, and refuses to run the model with a wrong one.
_INTEGERS = (
    *("draft_num_predict", "main_gpu", "num_batch", "num_ctx", "num_gpu", "num_keep", "num_predict", "num_thread"),
    *("repeat_last_n", "seed", "top_k"),
)
_NUMBERS = ("frequency_penalty", "min_p", "presence_penalty", "repeat_penalty", "temperature", "top_p")
_BOOLEANS = ("use_mmap",)
_LISTS = ("stop",)


@dataclass(frozen=True)
class Recipe:
    """How to make a model. None is what the base decides."""

    base: t.Optional[Name] = None
    files: t.Tuple[str, ...] = ()
    system: t.Optional[str] = None
    template: t.Optional[str] = None
    parameters: t.Mapping[str, t.Any] = field(default_factory=dict)
    license: t.Tuple[str, ...] = ()
    messages: t.Tuple[t.Tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Wanted:
    """A model whose entry is sound."""

    place: str
    name: Name
    state: str = "present"
    digest: t.Optional[str] = None
    source: t.Optional[Name] = None
    recipe: t.Optional[Recipe] = None
    keep_alive: t.Union[int, str, None] = None
    insecure: bool = False

    @property
    def base(self) -> t.Optional[Name]:
        """The model that must be there before this one."""
        return self.source or (self.recipe.base if self.recipe else None)


def read_models(value: object, variable: str) -> tuple[list[Wanted], list[str]]:
    """The models in `value`, and all problems, each beginning with its place below `variable`."""
    if not isinstance(value, (list, tuple)):
        return [], ["%s: it must be a list of models, each a name or a dictionary with one" % variable]
    reader = _Reader()
    found = [reader.model(entry, "%s[%d]" % (variable, number)) for number, entry in enumerate(value)]
    models = [one for one in found if one is not None]
    reader.together(models)
    return models, reader.problems


def read_model(value: t.Mapping[str, t.Any]) -> tuple[Wanted | None, list[str]]:
    """The one model that the options of a module describe; those that are None were not given."""
    reader = _Reader()
    # False is what an option has that nobody gave.
    given = {key: item for key, item in value.items() if key in KEYS and item is not None and item is not False}
    found = reader.model(given, "")
    if found is not None:
        reader.together([found])
    return found, reader.problems


def ordered(models: t.Sequence[Wanted]) -> list[Wanted]:
    """What goes away first, for it makes room; then each after the one that it is made from."""
    present = {one.name.key: one for one in models if one.state != "absent"}
    result: list[Wanted] = [one for one in models if one.state == "absent"]
    done: set[Key] = set()

    def add(one: Wanted) -> None:
        if one.name.key in done:
            return
        done.add(one.name.key)
        if one.base is not None and one.base.key in present:
            add(present[one.base.key])
        result.append(one)

    for one in present.values():
        add(one)
    return result


class _Reader:
    def __init__(self) -> None:
        self.problems: list[str] = []

    def model(self, entry: object, place: str) -> Wanted | None:
        if isinstance(entry, str):
            entry = {"name": entry}
        if not isinstance(entry, dict):
            self._problem(place, "", "it must be the name of a model, or a dictionary with a name")
            return None
        before = len(self.problems)
        self._unknown(entry, place)
        name = self._name(entry, "name", place)
        state = entry.get("state", "present")
        if state not in STATES:
            self._problem(place, "state", "it must be present, latest or absent")
        digest = self._digest(entry, place)
        source = self._name(entry, "source", place) if "source" in entry else None
        recipe = self._recipe(entry, place) if any(key in entry for key in RECIPE) else None
        keep_alive = self._keep_alive(entry, place)
        insecure = self._boolean(entry, "insecure", place)
        self._combination(entry, place, str(state))
        if name is None or len(self.problems) > before:
            return None
        return Wanted(place, name, str(state), digest, source, recipe, keep_alive, insecure)

    def together(self, models: t.Sequence[Wanted]) -> None:
        """What is wrong between models whose entries are sound."""
        seen: dict[Key, Wanted] = {}
        for one in models:
            other = seen.setdefault(one.name.key, one)
            if other is not one:
                self._problem(one.place, "name", "%s is the model of %s already" % (one.name.short, other.place))
        for one in models:
            if one.state == "absent" or one.base is None:
                continue
            option = "source" if one.source else "from"
            base = seen.get(one.base.key)
            if base is not None and base.state == "absent":
                self._problem(one.place, option, "%s is to be absent (%s)" % (one.base.short, base.place))
            walked = {one.name.key}
            above: Wanted | None = one
            while above is not None and above.base is not None:
                if above.base.key in walked:
                    self._problem(one.place, option, "%s is made from itself" % one.name.short)
                    break
                walked.add(above.base.key)
                above = seen.get(above.base.key)

    def _combination(self, entry: Dict, place: str, state: str) -> None:
        made = [key for key in RECIPE if key in entry]
        if state == "absent":
            for key in entry:
                if key in KEYS and key not in ("name", "state"):
                    self._problem(place, key, "it has no meaning with state absent")
            return
        if "source" in entry and made:
            self._problem(place, "source", "a copy has all of its source; to change some of it, use from instead")
        if made and ("from" in entry) == ("files" in entry):
            self._problem(place, made[0], "a model is made either from another one (from) or of files")
        if "digest" in entry and (made or "source" in entry):
            self._problem(place, "digest", "only a model that is downloaded can be pinned")
        if state == "latest":
            if made or "source" in entry:
                self._problem(place, "state", "latest is for models that are downloaded; a made one follows its base")
            if "digest" in entry:
                self._problem(place, "digest", "with state latest there is nothing to pin; use present")
        if entry.get("insecure") and (made or "source" in entry):
            self._problem(place, "insecure", "only a model that is downloaded comes from a registry")

    def _recipe(self, entry: Dict, place: str) -> Recipe:
        return Recipe(
            base=self._name(entry, "from", place) if "from" in entry else None,
            files=self._files(entry, place),
            system=self._text(entry, "system", place),
            template=self._text(entry, "template", place),
            parameters=self._parameters(entry, place),
            license=self._license(entry, place),
            messages=self._messages(entry, place),
        )

    def _files(self, entry: Dict, place: str) -> tuple[str, ...]:
        value = entry.get("files", [])
        value = [value] if isinstance(value, str) else value
        if "files" in entry and not (
            isinstance(value, (list, tuple))
            and value
            and all(isinstance(one, str) and one.startswith("/") and not one.endswith("/") for one in value)
        ):
            self._problem(place, "files", "it must be a list of GGUF files, by their absolute paths on the host")
            return ()
        names = [one.rpartition("/")[2] for one in value]
        if len(set(names)) < len(names):
            self._problem(place, "files", "each must have a name of its own, whatever its folder")
        return tuple(value)

    def _parameters(self, entry: Dict, place: str) -> Dict:
        value = entry.get("parameters", {})
        if not isinstance(value, dict):
            self._problem(place, "parameters", "it must be a dictionary such as {num_ctx: 8192, temperature: 0.2}")
            return {}
        read: Dict = {}
        for key, item in value.items():
            where = "parameters.%s" % key
            if not isinstance(key, str) or not _PARAMETER.match(key):
                self._problem(place, where, "it must be the name of a parameter, such as num_ctx")
                continue
            try:
                read[key] = _parameter(key, item)
            except ValueError as error:
                self._problem(place, where, str(error))
        return read

    def _license(self, entry: Dict, place: str) -> tuple[str, ...]:
        value = entry.get("license", [])
        value = [value] if isinstance(value, str) else value
        if isinstance(value, (list, tuple)) and all(isinstance(one, str) and one for one in value):
            return tuple(value)
        self._problem(place, "license", "it must be a text or a list of texts")
        return ()

    def _messages(self, entry: Dict, place: str) -> tuple[tuple[str, str], ...]:
        value = entry.get("messages", [])
        if not isinstance(value, (list, tuple)):
            self._problem(place, "messages", "it must be a list of dictionaries, each with role and content")
            return ()
        read = []
        for number, one in enumerate(value):
            where = "messages[%d]" % number
            if not isinstance(one, dict) or set(one) != {"role", "content"}:
                self._problem(place, where, "it must have role and content, and nothing else")
            elif one["role"] not in ROLES or not isinstance(one["content"], str):
                self._problem(place, where, "its role must be system, user or assistant, and its content a text")
            else:
                read.append((one["role"], one["content"]))
        return tuple(read)

    def _name(self, entry: Dict, option: str, place: str) -> Name | None:
        value = entry.get(option)
        if value is None or value == "":
            self._problem(place, option, "it is missing; it must be the name of a model, such as llama3.2:1b")
            return None
        name = model_names.parse(value) if isinstance(value, str) else None
        if name is None:
            self._problem(place, option, "%s cannot be the name of a model; names look like llama3.2:1b" % value)
        return name

    def _digest(self, entry: Dict, place: str) -> str | None:
        if "digest" not in entry:
            return None
        found = _DIGEST.match(str(entry["digest"]).lower())
        if not found:
            message = "it must be the first 12 digits or all 64 of a SHA-256, as `ollama list` or /api/tags show it"
            self._problem(place, "digest", message)
            return None
        return found.group(1)

    def _keep_alive(self, entry: Dict, place: str) -> int | str | None:
        value = entry.get("keep_alive")
        if value is None:
            return None
        if isinstance(value, str) and re.match(r"-?[0-9]{1,9}\Z", value):
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and _DURATION.match(value):
            return value
        self._problem(place, "keep_alive", "it must be seconds or a duration such as 30m; -1 is for good, 0 unloads")
        return None

    def _boolean(self, entry: Dict, option: str, place: str) -> bool:
        value = entry.get(option, False)
        if isinstance(value, bool):
            return value
        self._problem(place, option, "it must be true or false")
        return False

    def _text(self, entry: Dict, option: str, place: str) -> str | None:
        if option not in entry:
            return None
        value = entry[option]
        if isinstance(value, str) and value:
            return value
        self._problem(place, option, "it must be a text; to keep that of the base, leave it out")
        return None

    def _unknown(self, entry: Dict, place: str) -> None:
        for key in entry:
            if key not in KEYS:
                closest = difflib.get_close_matches(str(key), KEYS, n=1)
                hint = "is %s meant?" % closest[0] if closest else "known are %s" % ", ".join(KEYS)
                self._problem(place, str(key), "it is unknown; %s" % hint)

    def _problem(self, place: str, option: str, text: str) -> None:
        where = "%s.%s" % (place, option) if place and option else place or option
        self.problems.append("%s: %s" % (where, text))


def _parameter(key: str, value: t.Any) -> t.Any:
    """The value as the server has it; templates make texts of numbers. Raises ValueError."""
    if key in _LISTS:
        items = value if isinstance(value, (list, tuple)) else [value]
        if not items or not all(isinstance(one, str) and one for one in items):
            raise ValueError("it must be a text or a list of texts")
        return list(items)
    if key in _BOOLEANS:
        if isinstance(value, bool):
            return value
        if str(value).lower() in ("true", "false"):
            return str(value).lower() == "true"
        raise ValueError("it must be true or false")
    if key in _INTEGERS or key in _NUMBERS:
        return _number(value, key in _INTEGERS)
    if isinstance(value, (str, int, float, bool)):
        return value
    raise ValueError("it must be a text, a number or a boolean")


def _number(value: t.Any, whole: bool) -> float | int:
    try:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise ValueError
        number = float(value)
        if whole and number != int(number):
            raise ValueError
    except (ValueError, OverflowError):
        raise ValueError("it must be a %s" % ("whole number" if whole else "number")) from None
    return int(number) if number == int(number) else number
