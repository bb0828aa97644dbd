# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords and their hashes, on the controller alone, by passlib (or its continuation libpass).

passlib computes sha512_crypt in Python, so the controller's C library is asked first, where it knows the scheme. For
bcrypt passlib uses the library bcrypt, which is compiled.
"""

from __future__ import annotations

import hmac
import logging
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.passwords import crypt
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, MissingLibrary

SCHEMES = ("sha512_crypt", "apr1", "bcrypt")
# nginx pays the rounds on every request with a password, hence the modest defaults and upper ends.
DEFAULT_ROUNDS = {"sha512_crypt": 5000, "bcrypt": 10}
ROUNDS = {"sha512_crypt": (1000, 1000000), "bcrypt": (4, 16)}
# Characters of a password that somebody chose: the least that NIST SP 800-63B, section 3.1.1.2, ever allows.
SHORTEST = 8
# libcrypt, which checks the password for nginx, takes no longer ones; bcrypt would ignore the rest unseen.
MAXIMUM_BYTES = {"sha512_crypt": 511, "apr1": 511, "bcrypt": 72}

_SHA512_CRYPT = re.compile(r"\$6\$(?:rounds=([1-9][0-9]{3,8})\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{86}\Z")
_APR1 = re.compile(r"\$apr1\$[./0-9A-Za-z]{1,8}\$[./0-9A-Za-z]{22}\Z")
_BCRYPT = re.compile(r"\$2[aby]\$([0-3][0-9])\$[./0-9A-Za-z]{53}\Z")
# RFC 7617: neither user nor password may contain control characters.
_CONTROL = re.compile("[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Scheme:
    """How a password is hashed; `rounds` is None where the scheme has none to choose."""

    name: str
    rounds: int | None = None

    def __str__(self) -> str:
        return self.name if self.rounds is None else f"{self.name} with rounds {self.rounds}"


def choose_scheme(name: str, rounds: int | None = None) -> Scheme:
    """The scheme of the options `scheme` and `rounds`."""
    if name not in ROUNDS:
        if rounds is not None:
            raise BadInput([f"rounds: the scheme {name} has a fixed number of rounds; leave rounds out"])
        return Scheme(name)
    low, high = ROUNDS[name]
    rounds = DEFAULT_ROUNDS[name] if rounds is None else rounds
    if not low <= rounds <= high:
        raise BadInput([f"rounds: for {name} it must be from {low} to {high}, and is {rounds}"])
    return Scheme(name, rounds)


def password_problem(password: object, scheme_name: str, user: str | None = None) -> str | None:
    """What is wrong with a password, without quoting it; None if nothing is. With `user` a weak one is wrong, too."""
    if password is None or password == "":
        return "the password is empty; give one, or leave the password out"
    if not isinstance(password, str):
        return "the password must be a string; YAML reads it as something else, so put it in quotes"
    if _CONTROL.search(password):
        return "the password contains a control character, such as a newline or NUL, which no client can send"
    try:
        size = len(password.encode("utf-8"))
    except UnicodeEncodeError:
        return "the password contains a character that UTF-8 cannot express"
    if size > MAXIMUM_BYTES[scheme_name]:
        return f"the password has {size} bytes, and {scheme_name} takes {MAXIMUM_BYTES[scheme_name]} at most"
    if user is not None and (len(password) < SHORTEST or password.lower() == user.lower()):
        return (
            f"the password is too weak: it needs {SHORTEST} characters, and must not be the name. Give another one, or "
            "allow weak secrets (ollama_gateway_allow_weak_secrets)"
        )
    return None


def identify(hashed: str) -> Scheme | None:
    """The scheme of a hash, or None if it is none of ours."""
    found = _SHA512_CRYPT.match(hashed)
    if found:
        return Scheme("sha512_crypt", int(found.group(1) or 5000))
    if _APR1.match(hashed):
        return Scheme("apr1")
    found = _BCRYPT.match(hashed)
    if found:
        return Scheme("bcrypt", int(found.group(1)))
    return None


class Hasher:
    """Hashes and verifies by one scheme, in any thread. Raises MissingLibrary at once if this controller cannot."""

    def __init__(self, scheme: Scheme) -> None:
        self.scheme = scheme
        self._handler = _load(scheme)
        self._crypt = crypt.sha512_crypt() if scheme.name == "sha512_crypt" else None
        # passlib makes its tables with the first hash, and breaks if two threads are first.
        cheap = self._handler if scheme.rounds is None else self._handler.using(rounds=ROUNDS[scheme.name][0])
        cheap.hash("")

    def hash(self, password: str) -> str:
        hashed = None
        if self._crypt and self.scheme.rounds is not None:
            hashed = self._crypt(password, crypt.sha512_setting(self.scheme.rounds))
        return hashed or str(self._handler.hash(password))

    def verify(self, password: str, hashed: str) -> bool:
        """Whether `hashed` is of `password`; false for a hash that only looks like one of the scheme."""
        try:
            computed = self._crypt(password, hashed) if self._crypt and _SHA512_CRYPT.match(hashed) else None
            if computed is not None:
                return hmac.compare_digest(computed, hashed)
            return bool(self._handler.verify(password, hashed))
        except (TypeError, ValueError):
            return False


def _load(scheme: Scheme) -> t.Any:
    advice = "Install what the controller needs: pip install -r requirements.txt"
    # passlib 1.7 reports with a traceback that a newer bcrypt does not tell its version, and then works.
    logging.getLogger("passlib").setLevel(logging.ERROR)
    try:
        from passlib import hash as handlers
    except ImportError:
        raise MissingLibrary(f"Hashing passwords needs the Python library libpass. {advice}") from None
    if scheme.name == "apr1":
        return handlers.apr_md5_crypt
    if scheme.name == "sha512_crypt":
        return handlers.sha512_crypt.using(rounds=scheme.rounds)
    try:
        handlers.bcrypt.set_backend()
    except Exception as error:  # passlib 1.7 ends in ValueError with bcrypt 5, in its own MissingBackendError with none
        need = f"the Python library bcrypt in a version that passlib can use ({type(error).__name__})"
        raise MissingLibrary(f"The scheme bcrypt needs {need}. {advice}") from None
    # 2y: nginx has bcrypt checked by libcrypt. Every libcrypt with bcrypt knows 2y, the prefix that Apache's htpasswd
    # writes; 2b is unknown to older ones. Both stand for the same computation.
    return handlers.bcrypt.using(rounds=scheme.rounds, ident="2y")
