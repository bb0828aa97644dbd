# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a key: when a new one takes its place, how long the old one goes on, and what is refused. Pure functions.

The controller remembers of a key its secret, or the digest of a given one that it wrote last, the last rotation (a
Marker) and the digests that were revoked. From these and the inventory follows what is to become of it (a Verdict), the
same on every gateway. What a host has of it is believed by no other host: it may not be the host's owner who wrote it.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import asdict, dataclass, field, replace

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import Key
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.line import Entry
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.orders import Orders

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class Marker:
    """A rotation: the digests of the new and the old key, when the old one ends, and in which run that was decided.

    `old` is None where there was nothing to supersede. `new` is empty only as long as the new key is not generated.
    """

    new: str = field(repr=False)
    old: t.Optional[str] = field(repr=False)
    expires: str
    run: str

    def dump(self) -> str:
        return json.dumps(asdict(self), sort_keys=True) + "\n"


def load_marker(text: str) -> Marker | None:
    """The rotation of which `text` tells; None if that is damaged."""
    try:
        marker = Marker(**json.loads(text))
        digests = (marker.new,) if marker.old is None else (marker.new, marker.old)
        sound = all(_DIGEST.match(digest) for digest in digests) and isinstance(marker.run, str)
        return marker if sound and key_form.is_moment(marker.expires) else None
    except (TypeError, ValueError):
        return None


@dataclass(frozen=True)
class Known:
    """What the controller knows of a key. `secret` is given or stored, or None if it is yet to be generated.

    `given` is the digest of the given secret that was written last.
    """

    secret: t.Optional[str] = field(default=None, repr=False)
    marker: t.Optional[Marker] = None
    revoked: t.FrozenSet[str] = field(default=frozenset(), repr=False)
    given: t.Optional[str] = field(default=None, repr=False)

    @property
    def digest(self) -> str | None:
        return None if self.secret is None else key_form.digest(self.secret)

    @property
    def rotation(self) -> Marker | None:
        """The marker, unless that rotation was cut short, or the old secret is given once more."""
        undone = self.marker is not None and self.marker.old is not None and self.marker.old == self.digest
        return None if undone else self.marker

    @property
    def before(self) -> str | None:
        """What this controller made the hosts take before it was told of the given or a new secret."""
        written = self.given or (self.rotation.new if self.rotation else None)
        return None if written == self.digest else written


@dataclass(frozen=True)
class Verdict:
    """What is to become of a key. `secret` is None while it is to be generated, and for one that is `blocked`.

    `acts` is true if something must be generated or remembered first, `idle` if a rotation lacks a new secret.
    """

    secret: t.Optional[str] = field(default=None, repr=False)
    marker: t.Optional[Marker] = None
    blocked: bool = False
    acts: bool = False
    idle: bool = False


def judge(key: Key, known: Known, line: Entry | None, orders: Orders) -> Verdict:
    """What is to become of a key that the inventory wants; `line` is what the host has of it."""
    if is_blocked(key, known, orders):
        return Verdict(blocked=True)
    marker = known.rotation
    as_it_is = Verdict(known.secret, marker, acts=known.secret is None)
    there = line.digest if line else None
    ordered = key.name in orders.rotate
    if not (ordered or key.rotated):
        return as_it_is
    if key.secret is not None:
        done = marker is not None and marker.new == known.digest
        old = known.before
        if done or (old is None and there in (None, known.digest)):
            return replace(as_it_is, idle=not done and there is not None)
    elif known.secret is None:
        old = known.before
    elif marker and (marker.run == orders.run or not ordered):
        return as_it_is
    else:
        old = known.digest
    grace = orders.grace if ordered else key.grace
    if old is None or old in known.revoked:
        old, end = None, orders.now
    else:
        end = orders.later(grace)
    # Written for nothing superseded as well: it says that the rotation which the inventory asks for is done.
    new = known.digest if key.secret is not None else None
    return Verdict(key.secret, Marker(new or "", old, end, orders.run), acts=True)


def is_blocked(key: Key, known: Known, orders: Orders) -> bool:
    """Whether the key was revoked: now, with this secret, or so that no other one may be generated in its place."""
    return key.name in orders.revoke or (bool(known.revoked) and known.digest in {None, *known.revoked})


def rotation_problem(key: Key, known: Known, orders: Orders) -> str | None:
    """Why a rotation that was ordered now would break the promise of the one before."""
    marker = known.rotation
    if key.name not in orders.rotate or not orders.grace or marker is None or marker.run == orders.run:
        return None
    if marker.old is None or marker.expires <= orders.now or (key.secret is not None and marker.new == known.digest):
        return None
    text = "%s: %s was rotated before, and the old key is valid until %s; rotate it after that, or with %s 0s, which "
    text += "refuses both earlier keys at once"
    return text % (orders.names.rotate, key.name, marker.expires, orders.names.grace)


def is_over(key: Key, marker: Marker, orders: Orders) -> bool:
    """Whether a rotation need not be remembered any more. Others of the same run may still have to know of it."""
    return not key.rotated and marker.expires <= orders.now and marker.run != orders.run


def end_on_host(end: str, lines: t.Iterable[Entry], now: str) -> str:
    """Until when an old key goes on where these are its lines: not beyond its expiry, nor before its time has come."""
    for line in lines:
        if line.not_before is not None and line.not_before > now:
            return now
        end = min(end, line.expires or end)
    return end


def is_foreign(known: Known, verdict: Verdict, line: Entry | None) -> bool:
    """Whether a host had a key which this controller did not write last."""
    ours = {known.digest, known.before, known.given, verdict.marker.old if verdict.marker else None}
    return line is not None and line.digest not in ours | known.revoked
