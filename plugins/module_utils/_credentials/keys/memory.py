# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller remembers of keys, beside their secrets: `alice.laptop~old`, `~revoked` and `~given`.

The first tells of the last rotation, the second lists the digests that were revoked, the third has the digest of the
given secret that was written last. None holds a secret. Processes that rotate or revoke a key at the same time take
turns, and each judges anew what is left to do: it is done once.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import Key
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.line import OLD, Entry
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.orders import Orders
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.rotation import (
    Known,
    Marker,
    is_over,
    judge,
    load_marker,
    rotation_problem,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.store import (
    SecretStore,
    stored_secrets,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, SecretStoreError

REVOKED, GIVEN = "~revoked", "~given"

_DIGEST_LINE = re.compile(r"sha256:([0-9a-f]{64})\Z")


class KeyMemory:
    def __init__(self, store: SecretStore) -> None:
        self.store = store

    def known(self, key: Key) -> Known:
        """What is known of a key now; raises SecretStoreError."""
        # The secret first: of a rotation in between we then see what an unfinished one looks like, and not a new key
        # that superseded none.
        secret = self.store.load(key.name) if key.secret is None else key.secret
        return Known(secret, self.marker(key.name), self.revoked(key.name), self.written(key))

    def marker(self, name: str) -> Marker | None:
        text = self.store.read(name + OLD, "the note of a rotation")
        marker = None if text is None else load_marker(text)
        if text is not None and marker is None:
            message = (
                "%s: the note of a rotation is damaged; restore the file, or remove it to have the old key refused"
            )
            raise SecretStoreError(message % self.store.path(name + OLD))
        return marker

    def revoked(self, name: str) -> frozenset[str]:
        return frozenset(self._digests(name + REVOKED, "the list of revoked keys"))

    def given(self, name: str) -> str | None:
        found = self._digests(name + GIVEN, "the note of a given key")
        return found[-1] if found else None

    def written(self, key: Key) -> str | None:
        """The digest of the given secret that was written last; before the first one, that of the generated key."""
        digest = self.given(key.name)
        stored = self.store.load(key.name) if digest is None and key.secret is not None else None
        return digest if stored is None else key_form.digest(stored)

    def wrote(self, name: str, digest: str) -> bool:
        """Whether a host has this digest from here."""
        marker, stored = self.marker(name), self.store.load(name)
        ours = {marker.new, marker.old} if marker else set()
        return digest in {*ours, self.given(name), stored and key_form.digest(stored)}

    def _digests(self, file: str, what: str) -> list[str]:
        text = self.store.read(file, what)
        lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
        found = [_DIGEST_LINE.match(line) for line in lines]
        if text is not None and not (lines and all(found)):
            message = "%s: %s is damaged; each line must be like sha256:<64 hexadecimal digits>"
            raise SecretStoreError(message % (self.store.path(file), what))
        return [match.group(1) for match in found if match]

    def act(self, key: Key, line: Entry | None, orders: Orders) -> bool:
        """Generate the key or remember its rotation, if that is still to be done. Whether a key was generated."""
        with self.store.lock():
            known = self.known(key)
            problem = rotation_problem(key, known, orders)
            if problem:
                raise BadInput([problem])
            verdict = judge(key, known, line, orders)
            if not verdict.acts:
                return False
            secret = verdict.secret or key_form.generate()
            # First: were we to end here, the key goes on as if nothing had happened.
            if verdict.marker and verdict.marker != known.marker:
                marker = replace(verdict.marker, new=key_form.digest(secret))
                self.store.write(key.name + OLD, marker.dump(), "the note of a rotation")
            if key.secret is None:
                self.store.write(key.name, secret + "\n", "the new key")
            return key.secret is None

    def remember(self, keys: t.Iterable[Key], known: t.Mapping[str, Known]) -> None:
        """Remember the given secrets that are written now, as digests, so that each can be superseded by the next."""
        new = {key.name: key_form.digest(key.secret) for key in keys if key.secret is not None}
        new = {name: digest for name, digest in new.items() if known[name].given != digest}
        generated = [key.name for key in keys if key.secret is None and known[key.name].given]
        if new or generated:
            with self.store.lock():
                for name, digest in new.items():
                    self.store.write(name + GIVEN, "sha256:%s\n" % digest, "the note of a given key")
                for name in generated:
                    self.store.remove(name + GIVEN)

    def revoke(self, key: Key, digests: t.Iterable[str]) -> None:
        """Remember that the key was revoked: its secrets, and those with these digests."""
        with self.store.lock():
            known = self.known(key)
            stored = self.store.load(key.name)
            secrets = {key_form.digest(secret) for secret in (known.secret, stored) if secret is not None}
            old = {digest for digest in (known.given, known.marker and known.marker.old) if digest}
            revoked = sorted({*known.revoked, *secrets, *old, *digests})
            if revoked:
                text = "".join("sha256:%s\n" % digest for digest in revoked)
                self.store.write(key.name + REVOKED, text, "the list of revoked keys")
            for file in (key.name + OLD, key.name + GIVEN, key.name):
                self.store.remove(file)

    def forget(self, name: str, key: Key | None, orders: Orders) -> None:
        """Forget a rotation that is over, or a key that is gone from a host."""
        with self.store.lock():
            marker = self.marker(name)
            if marker and (key is None or is_over(key, marker, orders)):
                self.store.remove(name + OLD)
            if key is None:
                # Were it superseded later, it would be let in once more.
                self.store.remove(name + GIVEN)


def recall(keys: t.Sequence[Key], store: SecretStore | None, orders: Orders) -> tuple[dict[str, Known], list[str]]:
    """What is known of keys that the inventory wants, by their names, and the problems."""
    variable = orders.names.secrets_dir
    secrets, problems = stored_secrets(keys, store, variable)
    if store is None:
        places = [key.place for key in keys if key.rotated and key.secret is not None]
        places += [orders.names.rotate] if orders.rotate else []
        places += [orders.names.revoke] if orders.revoke else []
        text = "%s: rotations and revocations are remembered on the controller, and %s does not say where"
        problems += [text % (place, variable) for place in places]
        return {name: Known(secret) for name, secret in secrets.items()}, problems
    memory = KeyMemory(store)
    found = {}
    names: t.AbstractSet[str] = frozenset()
    try:
        names = store.names()
    except SecretStoreError as error:
        problems.append("%s: %s" % (variable, error))
    for key in keys:
        known = Known(secrets.get(key.name))
        try:
            if key.name + OLD in names:
                known = replace(known, marker=memory.marker(key.name))
            if key.name + REVOKED in names:
                known = replace(known, revoked=memory.revoked(key.name))
            if key.name + GIVEN in names or (key.secret is not None and key.name in names):
                known = replace(known, given=memory.written(key))
        except SecretStoreError as error:
            problems.append("%s: %s" % (key.place, error))
        problem = rotation_problem(key, known, orders)
        problems += [problem] if problem else []
        found[key.name] = known
    return found, problems
