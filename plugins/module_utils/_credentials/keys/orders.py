# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run is told to do with keys beyond the inventory: rotate some, revoke some. Pure functions."""

from __future__ import annotations

import datetime
import difflib
import json
import typing as t
from dataclasses import dataclass

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import Client, present_keys
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.durations import read_grace


@dataclass(frozen=True)
class Names:
    """What the options are called, for messages."""

    rotate: str = "rotate"
    revoke: str = "revoke"
    grace: str = "grace"
    secrets_dir: str = "secrets_dir"


@dataclass(frozen=True)
class Orders:
    """The keys to rotate, with the grace of the old ones in seconds, and those to revoke; `run` tells runs apart."""

    time: datetime.datetime
    run: str = ""
    rotate: t.FrozenSet[str] = frozenset()
    revoke: t.FrozenSet[str] = frozenset()
    grace: int = 0
    names: Names = Names()

    @property
    def now(self) -> str:
        return key_form.moment(self.time)

    def later(self, seconds: int) -> str:
        return key_form.moment(self.time + datetime.timedelta(seconds=seconds))


def read_orders(
    options: t.Mapping[str, t.Any], clients: t.Sequence[Client], run: str, time: datetime.datetime, names: Names
) -> tuple[Orders, list[str]]:
    """The orders in the options rotate, revoke and grace, and the problems, each beginning with its option."""
    listed = [key.name for client in clients for key in client.keys]
    present = {key.name for key in present_keys(clients)}
    rotate, problems = _read_names(options["rotate"], listed, names.rotate)
    revoke, more = _read_names(options["revoke"], listed, names.revoke)
    problems += more
    for name in rotate:
        if name in revoke:
            problems.append("%s: %s is to be revoked too; choose one of the two" % (names.rotate, name))
        elif name not in present:
            problems.append("%s: %s is absent, so there is nothing to rotate" % (names.rotate, name))
    grace, problem = read_grace(options["grace"])
    if problem:
        problems.append("%s: %s" % (names.grace, problem))
    return Orders(time, run, frozenset(rotate), frozenset(revoke), grace, names), problems


def _read_names(value: object, listed: t.Sequence[str], variable: str) -> tuple[list[str], list[str]]:
    """The names of keys in a list, or in a text with commas or JSON, as the command line gives it."""
    if isinstance(value, str):
        value = _from_text(value)
    if not isinstance(value, (list, tuple)) or not all(isinstance(name, str) for name in value):
        return [], ['%s: it must be a list of keys such as ["alice.laptop"], or alice.laptop,bob.ci' % variable]
    known = set(listed)
    problems = []
    for number, name in enumerate(value):
        if name not in known:
            # Not quoted: somebody may have given the secret instead of the name.
            closest = difflib.get_close_matches(name, listed, n=1)
            hint = "is %s meant?" % closest[0] if closest else "a key is named <client>.<id>, such as alice.laptop"
            problems.append("%s[%d]: it is no key of the clients; %s" % (variable, number, hint))
    return [name for name in value if name in known], problems


def _from_text(text: str) -> object:
    if text.strip().startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            return None
    return [name.strip() for name in text.split(",") if name.strip()]
