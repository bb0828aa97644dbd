# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that are given as PEM or in files of the controller, and what the gateway reads of them."""

from __future__ import annotations

import datetime
import re
import typing as t

from ansible.errors import AnsibleError, AnsibleFileNotFound
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.authority import (
    CLIENT_CA,
    CLIENT_CRL,
    VALKEY_CA,
    read_authorities,
    read_client_crl,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.certificate import pem
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.gateway_certificate import (
    CERTIFICATE,
    PRIVATE_KEY,
    read_server,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.pem import BEGIN, require_cryptography
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import Dict

if t.TYPE_CHECKING:
    from ansible.parsing.dataloader import DataLoader

VARIABLES = {
    "certificate": CERTIFICATE,
    "private_key": PRIVATE_KEY,
    "client_ca": CLIENT_CA,
    "client_crl": CLIENT_CRL,
    "valkey_ca": VALKEY_CA,
}
# A text that is taken for a path may be a key without its BEGIN. Base64 has no dot, and few file names have none.
_QUOTABLE = re.compile(r"(?=.*\.)[\w.~/ -]+\Z")
_LONGEST = 1 << 24


class Certificates(t.NamedTuple):
    """What was read: `result` is no secret, `pem` is one, with the private key; empty if no certificate was given."""

    result: Dict
    pem: str
    warnings: list[str]


def read_certificates(loader: DataLoader, given: t.Mapping[str, str], names: list[str]) -> Certificates:
    """Read what is given by the names of `VARIABLES`. Raises BadInput with all that is wrong, MissingLibrary."""
    require_cryptography()
    now = datetime.datetime.now(datetime.timezone.utc)
    problems, warnings = Problems(), Problems()
    found = _contents(loader, given, problems)
    server, authorities, lists, of_valkey = None, [], [], []
    if "certificate" in found and "private_key" in found:
        server = read_server(found["certificate"], found["private_key"], names, now, problems, warnings)
    if "client_ca" in found:
        authorities = read_authorities(found["client_ca"], CLIENT_CA, now, problems)
    if "client_crl" in found and authorities:
        lists = read_client_crl(found["client_crl"], authorities, now, problems)
    if "valkey_ca" in found:
        of_valkey = read_authorities(found["valkey_ca"], VALKEY_CA, now, problems)
    problems.raise_any()
    result: Dict = {
        "names": names or (server.names if server else []),
        "client_ca": pem(authorities),
        "client_crl": pem(lists),
        "valkey_ca": pem(of_valkey),
    }
    return Certificates(result, server.pem if server else "", warnings)


def _contents(loader: DataLoader, given: t.Mapping[str, str], problems: Problems) -> dict[str, bytes]:
    """What was given as PEM or in a file, by the option."""
    found = {}
    for option, variable in VARIABLES.items():
        value = given[option]
        if not value:
            continue
        try:
            found[option] = value.encode("utf-8", "replace") if BEGIN in value else _file(loader, value)
        except (AnsibleFileNotFound, ValueError):
            text = "it must be PEM or a path on the controller, and a relative one begins at the playbook's folder"
            problems.add(variable, f"{_missing(loader, value)}; {text}")
        except (AnsibleError, OSError):
            text = "cannot be read, or not be decrypted with the vault passwords of this run"
            problems.add(variable, f"{loader.path_dwim(value)} {text}")
    return found


def _file(loader: DataLoader, value: str) -> bytes:
    """The content of a file on the controller, decrypted if it is of ansible-vault."""
    real = loader.get_real_file(loader.path_dwim(value))
    try:
        with open(real, "rb") as f:
            return f.read(_LONGEST)
    finally:
        loader.cleanup_tmp_file(real)


def _missing(loader: DataLoader, value: str) -> str:
    if _QUOTABLE.match(value):
        return "there is no file %s" % loader.path_dwim(value)
    return "it is neither PEM nor the path of a file that is there"
