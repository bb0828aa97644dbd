# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""crypt_r(3) of this machine's C library: the same hashes as passlib's, several times as fast, on all cores at once.

ctypes gives up the interpreter's lock during a call, and crypt_r keeps all its state in the caller's memory.
"""

from __future__ import annotations

import functools
import secrets
import string
import typing as t

# What crypt(3) makes of a password, given a setting or a hash that begins with one. None if it cannot.
Crypt = t.Callable[[str, str], t.Optional[str]]

# libxcrypt without and with the names of old glibc; then what the interpreter itself is linked to, as with musl.
# Not ctypes.util.find_library, which starts programs.
LIBRARIES = ("libcrypt.so.2", "libcrypt.so.1", None)
# No struct crypt_data is as large: glibc's had 128 KiB and some bytes, libxcrypt's has 32 KiB, musl's 260 bytes.
_STATE_BYTES = 256 * 1024
# 96 bits, the most that the scheme takes.
_SALT_LENGTH = 16
_SALT_ALPHABET = "./" + string.digits + string.ascii_uppercase + string.ascii_lowercase
# From the specification, "Unix crypt using SHA-256 and SHA-512" by Ulrich Drepper, with the fewest rounds there are.
_PHRASE = "the minimum number is still observed"
_ANSWER = (
    "$6$rounds=1000$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX."
)


@functools.lru_cache(maxsize=None)
def sha512_crypt() -> Crypt | None:
    """The first crypt_r(3) of this machine that gives the known answer of SHA-512-crypt; None if there is none."""
    for name in LIBRARIES:
        crypt = load(name)
        if crypt is not None and crypt(_PHRASE, _ANSWER) == _ANSWER:
            return crypt
    return None


def sha512_setting(rounds: int) -> str:
    """A setting with a new random salt. 5000 rounds, the default of the scheme, are left unsaid as passlib does."""
    salt = "".join(secrets.choice(_SALT_ALPHABET) for _number in range(_SALT_LENGTH))
    return "$6$%s%s$" % ("" if rounds == 5000 else "rounds=%d$" % rounds, salt)


def load(name: str | None) -> Crypt | None:
    """crypt_r(3) of a library; None if the library or the function is not there."""
    try:
        import ctypes  # some builds of Python come without

        crypt_r = ctypes.CDLL(name).crypt_r
    except (ImportError, OSError, AttributeError):
        return None
    crypt_r.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
    crypt_r.restype = ctypes.c_char_p

    def crypt(password: str, setting: str) -> str | None:
        phrase = password.encode("utf-8")
        if b"\0" in phrase or not setting.isascii():
            return None  # C would read up to the NUL only
        found: bytes | None = crypt_r(phrase, setting.encode("ascii"), ctypes.create_string_buffer(_STATE_BYTES))
        # Failure is NULL, or "*0" or "*1", which no hash begins with.
        return None if found is None or found.startswith(b"*") else found.decode("ascii")

    return crypt
