# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what users write of models: names, or dictionaries. One implementation for the modules and for the role.

All problems are collected, each with its place, so that the user sees them in one go.
"""

from __future__ import annotations

import difflib
import os
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
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
        return [], [f"{variable}: it must be a list of models, each a name or a dictionary with one"]
    problems = Problems()
    models = []
    for number, entry in enumerate(value):
        place = f"{variable}[{number}]"
        if not isinstance(entry, (str, dict)):
            problems.add(place, "it must be the name of a model, or a dictionary with a name")
            continue
        one = _Entry({"name": entry} if isinstance(entry, str) else entry, place, problems).read()
        if one is not None:
            models.append(one)
    _judge_together(models, problems)
    return models, problems


def read_model(value: t.Mapping[str, t.Any]) -> tuple[Wanted | None, list[str]]:
    """The one model that the options of a module describe; those that are None were not given."""
    problems = Problems()
    # False is what an option has that nobody gave.
    given = {key: item for key, item in value.items() if key in KEYS and item is not None and item is not False}
    found = _Entry(given, "", problems).read()
    if found is not None:
        _judge_together([found], problems)
    return found, problems


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


def _judge_together(models: t.Sequence[Wanted], problems: Problems) -> None:
    """What is wrong between models whose entries are sound."""
    seen: dict[Key, Wanted] = {}
    for one in models:
        other = seen.setdefault(one.name.key, one)
        if other is not one:
            problems.add(_where(one.place, "name"), f"{one.name.short} is the model of {other.place} already")
    for one in models:
        if one.state == "absent" or one.base is None:
            continue
        option = "source" if one.source else "from"
        base = seen.get(one.base.key)
        if base is not None and base.state == "absent":
            problems.add(_where(one.place, option), f"{one.base.short} is to be absent ({base.place})")
        walked = {one.name.key}
        above: Wanted | None = one
        while above is not None and above.base is not None:
            if above.base.key in walked:
                problems.add(_where(one.place, option), f"{one.name.short} is made from itself")
                break
            walked.add(above.base.key)
            above = seen.get(above.base.key)


class _Entry:
    """A model as a user writes it, and what is wrong with it."""

    def __init__(self, entry: Dict, place: str, problems: Problems) -> None:
        self._entry = entry
        self._place = place
        self._problems = problems

    def read(self) -> Wanted | None:
        before = len(self._problems)
        self._unknown()
        name = self._name("name")
        state = self._option("state", lambda value: value in STATES, "it must be present, latest or absent", "present")
        digest = self._digest()
        source = self._name("source") if "source" in self._entry else None
        recipe = self._recipe() if any(key in self._entry for key in RECIPE) else None
        keep_alive = self._keep_alive()
        insecure = self._option("insecure", lambda value: isinstance(value, bool), "it must be true or false", False)
        self._combination(state)
        if name is None or len(self._problems) > before:
            return None
        return Wanted(self._place, name, state, digest, source, recipe, keep_alive, insecure)

    def _combination(self, state: str) -> None:
        made = [key for key in RECIPE if key in self._entry]
        if state == "absent":
            for key in self._entry:
                if key in KEYS and key not in ("name", "state"):
                    self._problem(key, "it has no meaning with state absent")
            return
        if "source" in self._entry and made:
            self._problem("source", "a copy has all of its source; to change some of it, use from instead")
        if made and ("from" in self._entry) == ("files" in self._entry):
            self._problem(made[0], "a model is made either from another one (from) or of files")
        if "digest" in self._entry and (made or "source" in self._entry):
            self._problem("digest", "only a model that is downloaded can be pinned")
        if state == "latest":
            if made or "source" in self._entry:
                self._problem("state", "latest is for models that are downloaded; a made one follows its base")
            if "digest" in self._entry:
                self._problem("digest", "with state latest there is nothing to pin; use present")
        if self._entry.get("insecure") and (made or "source" in self._entry):
            self._problem("insecure", "only a model that is downloaded comes from a registry")

    def _recipe(self) -> Recipe:
        return Recipe(
            base=self._name("from") if "from" in self._entry else None,
            files=self._files(),
            system=self._text("system"),
            template=self._text("template"),
            parameters=self._parameters(),
            license=self._license(),
            messages=self._messages(),
        )

    def _files(self) -> tuple[str, ...]:
        problem = "it must be a list of GGUF files, by their absolute paths on the host"
        value = self._option("files", _are_paths, problem, [])
        value = [value] if isinstance(value, str) else value
        if len({os.path.basename(one) for one in value}) < len(value):
            self._problem("files", "each must have a name of its own, whatever its folder")
        return tuple(value)

    def _parameters(self) -> Dict:
        problem = "it must be a dictionary such as {num_ctx: 8192, temperature: 0.2}"
        value = self._option("parameters", lambda value: isinstance(value, dict), problem, {})
        read: Dict = {}
        for key, item in value.items():
            where = f"parameters.{key}"
            if not isinstance(key, str) or not _PARAMETER.match(key):
                self._problem(where, "it must be the name of a parameter, such as num_ctx")
                continue
            try:
                read[key] = _parameter(key, item)
            except ValueError as error:
                self._problem(where, str(error))
        return read

    def _license(self) -> tuple[str, ...]:
        value = self._option("license", _are_texts, "it must be a text or a list of texts", [])
        return (value,) if isinstance(value, str) else tuple(value)

    def _messages(self) -> tuple[tuple[str, str], ...]:
        problem = "it must be a list of dictionaries, each with role and content"
        value = self._option("messages", lambda value: isinstance(value, (list, tuple)), problem, [])
        read = []
        for number, one in enumerate(value):
            where = f"messages[{number}]"
            if not isinstance(one, dict) or set(one) != {"role", "content"}:
                self._problem(where, "it must have role and content, and nothing else")
            elif one["role"] not in ROLES or not isinstance(one["content"], str):
                self._problem(where, "its role must be system, user or assistant, and its content a text")
            else:
                read.append((one["role"], one["content"]))
        return tuple(read)

    def _name(self, option: str) -> Name | None:
        value = self._entry.get(option)
        if value is None or value == "":
            self._problem(option, "it is missing; it must be the name of a model, such as llama3.2:1b")
            return None
        name = model_names.parse(value) if isinstance(value, str) else None
        if name is None:
            self._problem(option, f"{value} cannot be the name of a model; names look like llama3.2:1b")
        return name

    def _digest(self) -> str | None:
        found = _DIGEST.match(str(self._entry.get("digest", "")).lower())
        if "digest" in self._entry and not found:
            message = "it must be the first 12 digits or all 64 of a SHA-256, as `ollama list` or /api/tags show it"
            self._problem("digest", message)
        return found.group(1) if found else None

    def _keep_alive(self) -> int | str | None:
        value = self._entry.get("keep_alive")
        if isinstance(value, str) and re.match(r"-?[0-9]{1,9}\Z", value):
            return int(value)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        if isinstance(value, str) and _DURATION.match(value):
            return value
        self._problem("keep_alive", "it must be seconds or a duration such as 30m; -1 is for good, 0 unloads")
        return None

    def _text(self, option: str) -> str | None:
        problem = "it must be a text; to keep that of the base, leave it out"
        return self._option(option, lambda value: isinstance(value, str) and value, problem)

    def _option(self, option: str, holds: t.Callable[[t.Any], object], problem: str, default: t.Any = None) -> t.Any:
        """The value of an option, or the default if it is not given or does not hold."""
        if option not in self._entry or holds(self._entry[option]):
            return self._entry.get(option, default)
        self._problem(option, problem)
        return default

    def _unknown(self) -> None:
        for key in self._entry:
            if key not in KEYS:
                closest = difflib.get_close_matches(str(key), KEYS, n=1)
                hint = f"is {closest[0]} meant?" if closest else "known are " + ", ".join(KEYS)
                self._problem(str(key), f"it is unknown; {hint}")

    def _problem(self, option: str, text: str) -> None:
        self._problems.add(_where(self._place, option), text)


def _where(place: str, option: str) -> str:
    return f"{place}.{option}" if place and option else place or option


def _are_texts(value: object) -> bool:
    """Whether this is a text or a list of texts."""
    items = value if isinstance(value, (list, tuple)) else [value]
    return all(isinstance(one, str) and one for one in items)


def _are_paths(value: t.Any) -> bool:
    items = [value] if isinstance(value, str) else value
    return bool(items) and _are_texts(items) and all(one.startswith("/") and not one.endswith("/") for one in items)


def _parameter(key: str, value: t.Any) -> t.Any:
    """The value as the server has it; templates make texts of numbers. Raises ValueError."""
    if key in _LISTS:
        if not _are_texts(value) or not value:
            raise ValueError("it must be a text or a list of texts")
        return [value] if isinstance(value, str) else list(value)
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
        return int(number) if number == int(number) else number
    except (ValueError, OverflowError):
        raise ValueError("it must be a whole number" if whole else "it must be a number") from None
