# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller remembers of keys, and what is to become of each by that: the same on every gateway.

Beside the secret in `alice.laptop`, `alice.laptop~old` tells of the last rotation (a Marker), `~revoked` lists the
digests that were revoked, and `~given` has the digest of the given secret that was written last. None of these holds a
secret. What a host has of a key is believed by no other host: it may not be the host's owner who wrote it.

Processes that rotate or revoke a key at the same time take turns, and each judges anew what is left to do: it is done
once.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import asdict, dataclass, field, replace

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import Key, Orders
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.form import OLD
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.private_folder import SecretFolder
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, Problems, SecretStoreError

REVOKED, GIVEN = "~revoked", "~given"
_NOTES = {OLD: "the note of a rotation", REVOKED: "the list of revoked keys", GIVEN: "the note of a given key"}

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_DIGEST_LINE = re.compile(r"sha256:([0-9a-f]{64})\Z")


@dataclass(frozen=True)
class Marker:
    """A rotation: the digests of the new and the old key, when the old one ends, and in which run that was decided.

    `old` is None where there was nothing to supersede. `new` is empty only as long as the new key is not generated.
    """

    new: str = field(repr=False)
    old: str | None = field(repr=False)
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

    secret: str | None = field(default=None, repr=False)
    marker: Marker | None = None
    revoked: frozenset[str] = field(default=frozenset(), repr=False)
    given: str | None = field(default=None, repr=False)

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

    `acts` is true if something must be generated or remembered first, or just was, `idle` if a rotation lacks a new
    secret.
    """

    secret: str | None = field(default=None, repr=False)
    marker: Marker | None = None
    blocked: bool = False
    acts: bool = False
    idle: bool = False

    def supersedes(self, there: str | None) -> bool:
        """Whether a rotation takes the place of the key with this digest."""
        return there is not None and self.marker is not None and self.marker.old == there


def judge(key: Key, known: Known, there: str | None, orders: Orders) -> Verdict:
    """What is to become of a key that the inventory wants; `there` is the digest that the host has of it."""
    # Revoked: now, with this secret, or so that no other one may be generated in its place.
    if key.name in orders.revoke or (known.revoked and known.digest in {None, *known.revoked}):
        return Verdict(blocked=True)
    marker = known.rotation
    as_it_is = Verdict(known.secret, marker, acts=known.secret is None)
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
    if old is None or old in known.revoked:
        old, end = None, orders.now
    else:
        end = orders.later(orders.grace if ordered else key.grace)
    # Written for nothing superseded as well: it says that the rotation which the inventory asks for is done.
    new = known.digest if key.secret is not None else None
    return Verdict(key.secret, Marker(new or "", old, end, orders.run), acts=True)


def rotation_problem(key: Key, known: Known, orders: Orders) -> str | None:
    """Why a rotation that was ordered now would break the promise of the one before."""
    marker = known.rotation
    if key.name not in orders.rotate or not orders.grace or marker is None or marker.run == orders.run:
        return None
    if marker.old is None or marker.expires <= orders.now or (key.secret is not None and marker.new == known.digest):
        return None
    return (
        f"{key.name} was rotated before, and the old key is valid until {marker.expires}; rotate it after that, or "
        f"with {orders.names.grace} 0s, which refuses both earlier keys at once"
    )


def is_over(key: Key, marker: Marker | None, orders: Orders) -> bool:
    """Whether a rotation need not be remembered any more. Others of the same run may still have to know of it."""
    return marker is not None and not key.rotated and marker.expires <= orders.now and marker.run != orders.run


def is_foreign(known: Known, verdict: Verdict, there: str) -> bool:
    """Whether the host had a key which this controller did not write last."""
    ours = {known.digest, known.before, known.given, verdict.marker.old if verdict.marker else None}
    return there not in ours | known.revoked


class KeyMemory(SecretFolder):
    """The folder in which the controller keeps keys and its notes of them."""

    def known(self, key: Key) -> Known:
        """What is known of a key now."""
        # The secret first: of a rotation in between we then see what an unfinished one looks like, and not a new key
        # that superseded none.
        return self.noted(key, self.secret(key.name) if key.secret is None else key.secret)

    def noted(self, key: Key, secret: str | None) -> Known:
        """The same of one with this secret."""
        marker, revoked = self.marker(key.name), frozenset(self.digests(key.name, REVOKED))
        given = self.given(key.name)
        if key.secret is not None and given is None:
            # Before the first given secret, hosts were given the generated one.
            stored = self.secret(key.name)
            given = None if stored is None else key_form.digest(stored)
        return Known(secret, marker, revoked, given)

    def secret(self, name: str) -> str | None:
        """The stored secret, None if there is none."""
        content = self.read(name, "the stored key")
        secret = None if content is None else content.strip()
        if secret is not None and not key_form.verify(secret):
            state = "damaged" if secret else "empty"
            advice = "restore the file, or remove it to have a new key generated"
            raise SecretStoreError(f"{self.path(name)}: the stored key is {state}; {advice}")
        return secret

    def marker(self, name: str) -> Marker | None:
        text = self.read(name + OLD, _NOTES[OLD])
        marker = None if text is None else load_marker(text)
        if text is not None and marker is None:
            advice = "restore the file, or remove it to have the old key refused"
            raise SecretStoreError(f"{self.path(name + OLD)}: {_NOTES[OLD]} is damaged; {advice}")
        return marker

    def digests(self, name: str, note: str) -> list[str]:
        """The digests in the note `~revoked` or `~given` of a key."""
        path, text = self.path(name + note), self.read(name + note, _NOTES[note])
        found = [_DIGEST_LINE.match(line.strip()) for line in (text or "").splitlines() if line.strip()]
        if text is not None and not (found and all(found)):
            right = "each line must be like sha256:<64 hexadecimal digits>"
            raise SecretStoreError(f"{path}: {_NOTES[note]} is damaged; {right}")
        return [match.group(1) for match in found if match]

    def given(self, name: str) -> str | None:
        found = self.digests(name, GIVEN)
        return found[-1] if found else None

    def act(self, key: Key, there: str | None, orders: Orders) -> Verdict:
        """Generate the key or remember its rotation, if nobody else did by now; the verdict `acts` if it was done."""
        with self.lock():
            known = self.known(key)
            problem = rotation_problem(key, known, orders)
            if problem:
                raise BadInput([f"{orders.names.rotate}: {problem}"])
            verdict = judge(key, known, there, orders)
            if not verdict.acts:
                return verdict
            secret, marker = verdict.secret or key_form.generate(), verdict.marker
            # First: were we to end here, the key goes on as if nothing had happened.
            if marker and marker != known.marker:
                marker = replace(marker, new=key_form.digest(secret))
                self.write(key.name + OLD, marker.dump(), _NOTES[OLD])
            if key.secret is None:
                self.write(key.name, secret + "\n", "the new key")
            return replace(verdict, secret=secret, marker=marker)

    def remember(self, keys: t.Iterable[Key], known: t.Mapping[str, Known]) -> None:
        """Remember the given secrets that are written now, as digests, so that each can be superseded by the next."""
        new = {key.name: key_form.digest(key.secret) for key in keys if key.secret is not None}
        new = {name: digest for name, digest in new.items() if known[name].given != digest}
        generated = [key.name for key in keys if key.secret is None and known[key.name].given]
        if new or generated:
            with self.lock():
                for name, digest in new.items():
                    self.write(name + GIVEN, f"sha256:{digest}\n", _NOTES[GIVEN])
                for name in generated:
                    self.remove(name + GIVEN)

    def revoke(self, key: Key, digests: t.Iterable[str]) -> None:
        """Remember that the key was revoked: its secrets, and those with these digests."""
        with self.lock():
            known, stored = self.known(key), self.secret(key.name)
            old = known.marker.old if known.marker else None
            all_of_it = {known.digest, stored and key_form.digest(stored), known.given, old, *known.revoked, *digests}
            revoked = sorted(filter(None, all_of_it))
            if revoked:
                text = "".join(f"sha256:{digest}\n" for digest in revoked)
                self.write(key.name + REVOKED, text, _NOTES[REVOKED])
            for file in (key.name + OLD, key.name + GIVEN, key.name):
                self.remove(file)

    def end_rotation(self, key: Key, orders: Orders) -> None:
        """Forget a rotation that is over."""
        with self.lock():
            if is_over(key, self.marker(key.name), orders):
                self.remove(key.name + OLD)

    def forget(self, name: str, digest: str) -> None:
        """Forget a key that is gone from a host, if that had this digest from here.

        A host on which somebody planted its name does not end what others have of a key.
        """
        with self.lock():
            marker, stored = self.marker(name), self.secret(name)
            ours = {marker.new, marker.old} if marker else set()
            if digest in {*ours, self.given(name), stored and key_form.digest(stored)}:
                self.remove(name + OLD)
                # Were it superseded later, it would be let in once more.
                self.remove(name + GIVEN)


def recall(keys: t.Sequence[Key], memory: KeyMemory | None, orders: Orders, problems: Problems) -> dict[str, Known]:
    """What is known of keys that the inventory wants, by their names."""
    names = orders.names
    known = {key.name: Known(key.secret) for key in keys}
    if memory is None:
        nowhere = f"and {names.secrets_dir} does not say where"
        remembered = f"rotations and revocations are remembered on the controller, {nowhere}"
        for key in keys:
            if key.secret is None:
                problems.add(key.place, f"it has no secret, {nowhere} to keep a generated one")
            elif key.rotated:
                problems.add(key.place, remembered)
        problems.add(names.rotate, remembered if orders.rotate else None)
        problems.add(names.revoke, remembered if orders.revoke else None)
        return known
    is_there = False
    with problems.of(names.secrets_dir):
        # One look for all the keys, which share the folder.
        is_there = bool(keys) and memory.is_there()
    owners = {key.secret: key for key in keys if key.secret is not None}
    for key in keys if is_there else ():
        secret = key.secret
        if secret is None:
            with problems.of(key.place):
                secret = memory.secret(key.name)
            other = key if secret is None else owners.setdefault(secret, key)
            if other is not key:
                twin = f"the stored key {memory.path(key.name)} is that of {other.place} too"
                problems.add(key.place, f"{twin}; give each key its own")
        with problems.of(key.place):
            known[key.name] = memory.noted(key, secret)
            problems.add(names.rotate, rotation_problem(key, known[key.name], orders))
    return known
