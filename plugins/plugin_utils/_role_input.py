# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of a role as its argument specification has them, and what is wrong with each by itself.

The messages quote no value: it may be secret.
"""

from __future__ import annotations

import re
import typing as t

from ansible.errors import AnsibleError
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import Dict, plain
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._near_miss import closest, meant
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._spelling import read

_EXAMPLES = {"list": '["a", "b"]', "dict": '{"a": "b"}', "int": "1", "bool": "true"}
_NOTHING: Dict = {"list": [], "dict": {}, "int": 0, "bool": False}


def known_options(specs: dict[str, t.Any]) -> dict[str, Dict]:
    """The options of all entry points of a role."""
    return {name: option for one in specs.values() for name, option in (one.get("options") or {}).items()}


def unknown(role: str, names: t.Iterable[str], known: t.Collection[str]) -> list[str]:
    """A line for each name that is none of the role's variables, and looks as if it were meant to be one."""
    names = sorted(names)
    guesses = {name: closest(name, known) for name in names if name.startswith(f"{role}_") and name not in known}
    guesses.update({name: guess for name in names for guess in [meant(name, role, known)] if guess})
    where = f"'ansible-doc -t role gatehouse.ollama.{role}' lists them"
    return [
        f"{name}: it is no variable of the role {role}; " + (f"is {guess} meant?" if guess else where)
        for name, guess in guesses.items()
    ]


class Variables:
    """The values by their whole names. One that cannot be read has its default, and is told of in `problems`."""

    def __init__(self, options: dict[str, Dict], given: t.Mapping[str, t.Any], template: t.Callable[[t.Any], t.Any]):
        self._order = {name: number for number, name in enumerate(options)}
        self._problems: dict[str, str] = {}
        self.values: Dict = {}
        for name, option in options.items():
            self.values[name] = option.get("default", _NOTHING.get(option["type"], ""))
            if name not in given:
                continue
            try:
                self.values[name] = _value(plain(template(given[name])), option)
            except AnsibleError as error:
                self._problems[name] = f"{name}: its value cannot be made: {_reason(str(error))}"
            except ValueError as error:
                self._problems[name] = f"{name}: {error}{_command_line(name, option)}"

    def problems(self, others: t.Iterable[str] = ()) -> list[str]:
        """Those of the values by themselves and `others`, in the order of the specification.

        One that names a variable that cannot be read follows from that, and is left out.
        """
        found = [one for one in others if not self._problems.keys() & set(re.findall(r"\w+", one))]
        return sorted(dict.fromkeys([*self._problems.values(), *found]), key=self._position)

    def _position(self, problem: str) -> int:
        return self._order.get(re.findall(r"^\w*", problem)[0], -1)


def _reason(error: str) -> str:
    """What Ansible says of a template, without what may be a part of a password that has {{ or {% in it."""
    undefined = re.search(r"'\w+' is undefined", error)
    if undefined:
        return undefined.group()
    if "lookup" in error:
        return error
    return "it has {{, {% or {# and is no template; a text that is to have them is marked with !unsafe"


def _value(value: t.Any, option: Dict) -> t.Any:
    choices = option.get("choices")
    if choices:
        # As somebody wrote it: YAML takes off without quotes for false.
        text = "off" if value is False else str(value)
        if text not in choices:
            *others, last = [choice or '""' for choice in choices]
            raise ValueError(f"it must be {', '.join(others)} or {last}")
        return text
    return read(value, option["type"])


def _command_line(name: str, option: Dict) -> str:
    example = _EXAMPLES.get(option["type"], '"a"')
    return "" if option.get("choices") else f". On the command line: -e '{{\"{name}\": {example}}}'"
