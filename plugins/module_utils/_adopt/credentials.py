# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The users and keys of another gateway, as lines of ours: hashes of passwords as they are, of each key its SHA-256.

No message quotes a password, a key or a hash; a name is quoted only where it is one that a user may have.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import file as key_file
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.passwords import hashing
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

# Somebody's of another gateway: also with capital letters, and an @ as in an address.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}\Z")
_SHA256_CRYPT = re.compile(r"\$5\$(?:rounds=([1-9][0-9]{3,8})\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{43}\Z")
_SCHEMES = "apr1, sha256_crypt, sha512_crypt and bcrypt"
_KNOWN = (
    ("{SSHA}", "{SSHA}"),
    ("{SHA}", "{SHA}"),
    ("{PLAIN}", "a password in plain text"),
    ("$1$", "md5_crypt"),
    ("$2x$", "the broken bcrypt of old PHP"),
    ("$y$", "yescrypt"),
    ("$argon2", "argon2"),
)
# Of the client that a key becomes; a key has no name where it comes from.
_KEY_CLIENT = "key-%s"
_KEY_ID = "adopted"
_LONGEST_KEY = 4096
_PEM = b"-----BEGIN"


@dataclass
class Found:
    """Lines by their names, without a newline, and who cannot be taken over, with the reason."""

    lines: t.Dict[str, str] = field(default_factory=dict, repr=False)
    unusable: t.List[str] = field(default_factory=list)


def users(content: bytes) -> Found:
    """What a file of nginx has: `name:hash`, or `name:hash:comment`. The first of two lines of one name counts."""
    found = Found()
    seen: t.Set[str] = set()
    for number, line in _lines(content):
        name, colon, rest = line.partition(":")
        if not colon or not _NAME.match(name):
            found.unusable.append(f"line {number}: it has no name that a user can have here, followed by a colon")
            continue
        if name in seen:
            continue
        seen.add(name)
        hashed = rest.partition(":")[0]
        problem = _hash_problem(hashed)
        if problem:
            found.unusable.append(f"{name}: {problem}")
        else:
            found.lines[name] = f"{name}:{hashed}"
    return found


def _hash_problem(hashed: str) -> str | None:
    scheme = hashing.identify(hashed)
    rounds = scheme.rounds if scheme else None
    limits = hashing.ROUNDS.get(scheme.name) if scheme else None
    if not scheme and _SHA256_CRYPT.match(hashed):
        matched = _SHA256_CRYPT.match(hashed)
        rounds, limits = int((matched and matched.group(1)) or 5000), hashing.ROUNDS["sha512_crypt"]
    elif not scheme:
        kind = next(
            (kind for begin, kind in _KNOWN if hashed.startswith(begin)), "a hash that is not known, as crypt(3)"
        )
        return (
            f"the gateway takes no {kind}" if kind.startswith("{") else f"the gateway takes {_SCHEMES}, and not {kind}"
        )
    if limits and rounds is not None and not limits[0] <= rounds <= limits[1]:
        return f"its hash has rounds {rounds}, and may have {limits[0]} to {limits[1]}"
    return None


def keys(content: bytes, now: str) -> Found:
    """What a file has that holds a key in plain text on each line. Raises GatehouseError where it is another file."""
    if _PEM in content:
        raise GatehouseError("it has a certificate or a private key, and no keys of clients")
    found = Found()
    for number, line in _lines(content):
        if not form.is_token(line) or len(line) > _LONGEST_KEY:
            text = "its key has a character, such as a space, that no Bearer token can have, or is too long"
            found.unusable.append(f"line {number}: {text}")
            continue
        if len(line) < form.SHORTEST:
            found.unusable.append(f"line {number}: its key has fewer than {form.SHORTEST} characters")
            continue
        digest = form.digest(line)
        name = f"{_KEY_CLIENT % form.fingerprint(digest)}.{_KEY_ID}"
        guessable = "yes" if form.is_guessable(line) else None
        entry = key_file.Entry(name, digest, created=now, last4=form.last4(line), guessable=guessable)
        found.lines.setdefault(name, key_file.serialise(entry))
    return found


def _lines(content: bytes) -> t.Iterator[t.Tuple[int, str]]:
    for number, raw in enumerate(content.split(b"\n"), 1):
        line = raw.decode("utf-8", errors="replace").strip(" \t\r")
        if line and not line.startswith("#"):
            yield number, line


def mark(source: str) -> str:
    """The comment that says that a file was read in. What is removed afterwards is not to come back."""
    return f"# read in from {source} by gatehouse.ollama.adopt"


def merged(content: bytes, found: Found, source: str) -> t.Tuple[bytes, t.List[str], t.List[str]]:
    """The new content of a file of ours, the names that come, and those that were there already and stay as they are.

    A file whose comment is there was read in before, and nothing comes from it again.
    """
    lines = content.decode("utf-8", errors="surrogateescape").splitlines()
    if mark(source) in lines:
        return content, [], []
    there = {re.split(r"[:\s]", line, maxsplit=1)[0] for line in lines}
    hashes = {line.split()[1] for line in lines if len(line.split()) > 1}
    new = {
        name: line
        for name, line in found.lines.items()
        # A key is known by its hash, whatever it is called here.
        if name not in there and (" " not in line or line.split()[1] not in hashes)
    }
    text = "".join(f"{line}\n" for line in [*lines, mark(source), *new.values()])
    kept = [name for name in found.lines if name not in new]
    return text.encode("utf-8", errors="surrogateescape"), list(new), kept
