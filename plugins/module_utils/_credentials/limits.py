# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The limits of a client: what somebody gives, what comes of that and the default, and how people read it.

Pure functions. The gateway reads the same from `clients.json`, in limits/clients.lua. No problem quotes a value.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._models.patterns import is_pattern, key_of_pattern
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.durations import read_duration, written
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.suggestions import unknown

# Those that hold for the models of a pattern as well, and all.
TOKENS = ("tokens_per_minute", "tokens_per_day")
COUNTED = ("requests_per_minute", "concurrent_requests", *TOKENS)
LIMITS = (*COUNTED, "max_context", "keep_alive", "models")
# Above this, sums of numbers are not exact any more where the gateway counts.
MOST = 10**12

_WHOLE = re.compile(r"[1-9][0-9]{0,12}\Z")
_LONGEST_PATTERN = 1000
_RIGHT_COUNT = f"must be a whole number from 1 to {MOST}, or null for no limit"
_RIGHT_DURATION = 'must be a duration such as "90s", "30m" or "1h" and "90d" at most, 0, or null for no limit'
# As a table has them, behind the number.
_UNITS = {
    "requests_per_minute": "/min",
    "concurrent_requests": "-at-once",
    "tokens_per_minute": "-tokens/min",
    "tokens_per_day": "-tokens/day",
    "max_context": "-context",
}

# As somebody gives them, None lifts one. As they are written, there is none of these.
Limits = t.Dict[str, t.Any]
Tell = t.Callable[[str], None]


def read_limits(given: object, tell: Tell) -> Limits:
    """The limits that somebody gives. What cannot be one is told, and left out."""
    limits = _read(given, LIMITS, tell)
    if limits.get("models") is not None:
        limits["models"] = _read_models(limits["models"], lambda text: tell(f"models: {text}"))
    return limits


def merged(defaults: Limits, own: Limits) -> Limits:
    """What counts for a client, by the default and what is said of itself, name by name. Without limits it is empty."""
    limits = _numbers({**defaults, **own})
    models = _merged_models(defaults.get("models") or {}, own.get("models", {}))
    return {**limits, "models": models} if models else limits


def named(limits: Limits) -> set[str]:
    """The names of all limits that are set, those of models included."""
    of_models = (limits.get("models") or {}).values()
    return {name for one in (limits, *of_models) for name in _numbers(one or {})}


def patterns(limits: Limits) -> list[str]:
    """The patterns of models that have limits."""
    return [pattern for pattern, one in (limits.get("models") or {}).items() if _numbers(one or {})]


def are_sound(value: object) -> bool:
    """Whether this is what the gateway takes from a file."""
    if not isinstance(value, dict) or not set(value) <= set(LIMITS):
        return False
    models = value.get("models", {})
    if not isinstance(models, dict) or not all(0 < len(pattern) <= _LONGEST_PATTERN for pattern in models):
        return False
    if not all(isinstance(one, dict) and set(one) <= set(COUNTED) for one in models.values()):
        return False
    return all(_is_number(name, number) for one in (value, *models.values()) for name, number in one.items())


def described(limits: Limits) -> list[str]:
    """The limits of a file in few words without blanks, such as 60/min and llama3.3*:200k-tokens/day."""
    models = limits.get("models", {})
    of_models = [f"{pattern}:{'+'.join(_described(models[pattern]))}" for pattern in sorted(models) if models[pattern]]
    return _described(limits) + of_models


def _read(given: object, known: t.Sequence[str], tell: Tell) -> Limits:
    if not isinstance(given, dict):
        tell(f"it must be a dictionary of limits, such as {{{known[0]}: 60}}")
        return {}
    limits: Limits = {}
    for name, value in given.items():
        if name not in known:
            tell(unknown(name, known))
        elif value is None or name == "models":
            limits[name] = value
        else:
            number = _read_keep_alive(value) if name == "keep_alive" else _read_count(value)
            if number is None:
                tell(f"{name} {_RIGHT_DURATION if name == 'keep_alive' else _RIGHT_COUNT}")
            else:
                limits[name] = number
    return limits


def _read_models(given: object, tell: Tell) -> Limits:
    if not isinstance(given, dict):
        tell(f'it must be a dictionary of patterns with limits, such as {{"llama3.3*": {{{COUNTED[-1]}: 200000}}}}')
        return {}
    models: Limits = {}
    same: dict[tuple[str, ...], str] = {}
    for number, (pattern, value) in enumerate(given.items(), 1):
        if not is_pattern(pattern) or len(pattern) > _LONGEST_PATTERN:
            # Not quoted: who knows what somebody wrote there.
            tell(f'the name of entry {number} must be that of a model or a pattern, such as "llama3.2" or "qwen3*"')
            continue
        first = same.setdefault(key_of_pattern(pattern), pattern)
        if first != pattern:
            tell(f"{pattern} means the same as {first}; list it once")
        models[pattern] = None if value is None else _read(value, COUNTED, _behind(pattern, tell))
    return models


def _behind(pattern: str, tell: Tell) -> Tell:
    return lambda text: tell(f"{pattern}: {text}")


def _read_count(value: object) -> int | None:
    """A whole number, be it as text: so it comes from the environment, and from templates."""
    if isinstance(value, str) and _WHOLE.match(value):
        value = int(value)
    # A number of Ansible's own kind becomes a plain one.
    return int(value) if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST else None


def _read_keep_alive(value: object) -> int | None:
    is_zero = value == "0" or (isinstance(value, int) and not isinstance(value, bool) and value == 0)
    return 0 if is_zero else read_duration(value)


def _numbers(limits: Limits) -> Limits:
    """The limits that are set, but for those of models."""
    return {name: limits[name] for name in LIMITS if name != "models" and limits.get(name) is not None}


def _merged_models(defaults: Limits, own: Limits | None) -> Limits:
    """None lifts all of the default's, None for a pattern those of that pattern, in whatever spelling."""
    if own is None:
        return {}
    spelled = {key_of_pattern(pattern): pattern for pattern in (*defaults, *own)}
    of_default = {key_of_pattern(pattern): limits for pattern, limits in defaults.items()}
    models: Limits = {}
    for key, pattern in spelled.items():
        is_lifted = pattern in own and own[pattern] is None
        limits = {} if is_lifted else _numbers({**(of_default.get(key) or {}), **(own.get(pattern) or {})})
        if limits:
            models[pattern] = limits
    return models


def _is_number(name: str, value: object) -> bool:
    if name == "models":
        return True
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return (0 if name == "keep_alive" else 1) <= value <= MOST and value == int(value)


def _described(limits: Limits) -> list[str]:
    texts = [f"{_short(int(limits[name]))}{unit}" for name, unit in _UNITS.items() if name in limits]
    kept = [f"{written(int(limits['keep_alive']))}-kept"] if "keep_alive" in limits else []
    return texts + kept


def _short(number: int) -> str:
    """20k for 20000: in thousands or millions where nothing is lost by it."""
    for size, letter in ((10**6, "M"), (10**3, "k")):
        if number % size == 0:
            return f"{number // size}{letter}"
    return str(number)
