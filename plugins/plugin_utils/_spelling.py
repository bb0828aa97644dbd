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

# What the filter `bool` knows. Ansible's check of arguments takes more, such as y, which the filter makes false.
_BOOLEANS = ("true", "false", "yes", "no", "on", "off", "1", "0")
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


def problem(value: t.Any, kind: str) -> str | None:
    """What is wrong with the value of a variable of this type of an argument specification."""
    try:
        if kind == "list":
            as_list(value)
        elif kind == "dict":
            as_dict(value)
        elif kind == "int" and value is not None and (isinstance(value, bool) or not _WHOLE.match(str(value))):
            return "it must be a whole number in digits, such as 1"
        elif kind == "bool" and value is not None and str(value).lower() not in _BOOLEANS:
            return "it must be true or false"
        elif kind in ("str", "path") and isinstance(value, (list, tuple, dict)):
            return "it must be text, and it is a %s" % ("dictionary" if isinstance(value, dict) else "list")
    except ValueError as error:
        return str(error)
    return None


def _parsed(text: str, kind: type, right: str) -> t.Any:
    """What a text is in YAML, of which JSON is a part."""
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, TypeError):
        value = None
    if not isinstance(value, kind):
        raise ValueError("it must be %s, and it is text that is none in JSON or YAML" % right)
    return value
