# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values as they come from the command line, an INI inventory or the environment: text where YAML has other types.

`read` gives each the meaning that it has in YAML. The messages say what would be right, and quote no value: it may be
secret.
"""

from __future__ import annotations

import re
import typing as t

import yaml
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.booleans import read_boolean

_WHOLE = re.compile(r"-?[0-9]+\Z")


def as_list(value: t.Any) -> t.Any:
    """A list, from itself, from text such as '["a", "b"]' or 'a, b', or from one number; nothing is an empty one."""
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            return _parsed(value, list, 'a list, such as ["a", "b"]')
        if value.lstrip().startswith("{"):
            raise ValueError('it must be a list, such as ["a", "b"], and it is the text of a dictionary')
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, dict):
        raise ValueError('it must be a list, such as ["a", "b"], and it is a dictionary')
    if value is None:
        return []
    return value if isinstance(value, (list, tuple)) else [value]


def as_dict(value: t.Any) -> t.Any:
    """A dictionary, from itself or from text such as '{"a": "b"}'; nothing is an empty one."""
    right = 'a dictionary, such as {"a": "b"}'
    if isinstance(value, str):
        return _parsed(value, dict, right) if value.strip() else {}
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("it must be %s" % right)
    return value


def read(value: t.Any, kind: str) -> t.Any:
    """The value of a variable of this type of an argument specification; ValueError says what it must be."""
    if kind == "list":
        return as_list(value)
    if kind == "dict":
        return as_dict(value)
    if kind == "int":
        if isinstance(value, bool) or not _WHOLE.match(str(value)):
            raise ValueError("it must be a whole number in digits, such as 1")
        return int(value)
    if kind == "bool":
        meaning = False if value is None else read_boolean(value)
        if meaning is None:
            raise ValueError("it must be true or false")
        return meaning
    if kind in ("str", "path"):
        if value is None or isinstance(value, (list, tuple, dict)):
            what = "nothing" if value is None else "a dictionary" if isinstance(value, dict) else "a list"
            raise ValueError("it must be text, and it is %s" % what)
        return str(value)
    return "" if value is None else value


def _parsed(text: str, kind: type, right: str) -> t.Any:
    """What a text is in YAML, of which JSON is a part."""
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        value = None
    if not isinstance(value, kind):
        raise ValueError("it must be %s, and it is text that is none in JSON or YAML" % right)
    return value
