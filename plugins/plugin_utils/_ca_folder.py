# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder on the controller with a CA: ca.pem and ca.key."""

from __future__ import annotations

import datetime
import os
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.private_folder import SecretFolder
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import HostFileError, Problems, SecretStoreError
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls import signing
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.certificate import pem, public_bytes
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.pem import read_certificates, read_private_key

_CERTIFICATE, _KEY = "ca.pem", "ca.key"
_WHAT = "the key of the CA"


def read_ca(path: str) -> tuple[t.Any, Problems]:
    """The certificate of a CA, None if there is none that can be read, and what is wrong with the file then."""
    problems = Problems()
    try:
        with open(path, "rb") as f:
            found = read_certificates(f.read(), path, problems)
    except FileNotFoundError:
        return None, problems
    except OSError as error:
        raise HostFileError(f"{path} on the controller cannot be read: {error.strerror}") from None
    return (None if problems else found[0]), problems


class CaFolder:
    """The CA in a folder, which is made where it is wanted and missing. All errors are GatehouseErrors."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._folder = SecretFolder(directory)

    def certificate(self) -> t.Any:
        """The certificate of the CA, None if there is none yet. A damaged one is never replaced: others trust it."""
        found, problems = read_ca(self._folder.path(_CERTIFICATE))
        if problems:
            raise SecretStoreError(f"{problems[0]}; put the right one back, or remove the folder to have another made")
        return found

    def has_key(self) -> bool:
        return os.path.exists(self._folder.path(_KEY))

    def have(self, common_name: str, now: datetime.datetime) -> t.Any:
        """The certificate of the CA, which is made if it is missing. Hosts take turns: one makes it."""
        with self._folder.lock():
            found = self.certificate()
            if found is None:
                key = self._key() if self.has_key() else signing.new_ca_key()
                found = signing.ca_certificate(key, common_name, now)
                # The certificate comes last: whoever finds it finds the key.
                if not self.has_key():
                    self._folder.write(_KEY, signing.key_pem(key), _WHAT)
                self._folder.write(_CERTIFICATE, pem([found]), "the certificate of the CA")
        return found

    def key_of(self, ca: t.Any) -> t.Any:
        """The key of the CA that has this certificate."""
        self._folder.is_there()
        key = self._key()
        if public_bytes(key.public_key()) != public_bytes(ca.public_key()):
            raise SecretStoreError(f"{self._folder.path(_KEY)}: it is not the key of the certificate in {_CERTIFICATE}")
        return key

    def _key(self) -> t.Any:
        path, problems = self._folder.path(_KEY), Problems()
        key = read_private_key((self._folder.read(_KEY, _WHAT) or "").encode("ascii", "replace"), path, problems)
        if problems:
            raise SecretStoreError(problems[0])
        return key
