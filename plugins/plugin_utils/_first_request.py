# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first request to a gateway, as lines to paste into a shell of the controller. Pure functions."""

from __future__ import annotations

import ipaddress
import shlex
import typing as t
from dataclasses import dataclass

from ansible_collections.gatehouse.ollama.plugins.module_utils._text.addresses import bracketed

_HERE = "127.0.0.1"
# Below, a port on this side is for root only.
_UNPRIVILEGED = 1024


@dataclass(frozen=True)
class Gateway:
    """Where it listens, and `names`, all by which it goes. Without any, it goes by every name.

    `shared`: it has an address together with others, by which people know it.
    """

    scheme: str
    bind: str
    port: int
    names: t.Sequence[str]
    main_name: str
    ca_file: str
    needs_certificate: bool
    shared: bool = False


@dataclass(frozen=True)
class Way:
    """How Ansible gets to the host of the gateway."""

    connection: str
    host: str
    user: str
    port: str

    @property
    def by_ssh(self) -> bool:
        return self.connection.rpartition(".")[2] in ("ssh", "smart", "paramiko", "paramiko_ssh")

    @property
    def is_local(self) -> bool:
        return self.connection.rpartition(".")[2] == "local"


def url(gateway: Gateway, way: Way) -> str:
    """Where it is asked, from where it can be: by the name that Ansible itself uses, if it goes by that alone."""
    everywhere = _is(gateway.bind, "is_unspecified")
    reached = everywhere and not gateway.shared and way.by_ssh and way.host in (gateway.names or [way.host])
    return f"{gateway.scheme}://{bracketed(way.host if reached else gateway.main_name)}:{gateway.port}"


def first_request(gateway: Gateway, way: Way, credential: str) -> list[str]:
    """The lines, `credential` being the option of curl."""
    closed = gateway.bind == "localhost" or _is(gateway.bind, "is_loopback")
    tunnel = closed and way.by_ssh
    curl = ["curl", "-i"]
    if gateway.ca_file:
        curl += ["--cacert", shlex.quote(gateway.ca_file)]
    if gateway.needs_certificate:
        curl += ["--cert", "client.pem", "--key", "client.key"]
    here = gateway.port if gateway.port >= _UNPRIVILEGED else 8000 + gateway.port
    address = url(gateway, way)
    if tunnel and _HERE in (gateway.names or [_HERE]):
        address = f"{gateway.scheme}://{_HERE}:{here}"
    elif tunnel:
        curl += ["--connect-to", f"::{_HERE}:{here}"]
    beside = closed and not way.by_ssh and not way.is_local
    if beside and "$(cat " in credential:
        # The file of the key is not there.
        credential = "--oauth2-bearer $KEY"
    # What everybody may ask who is let in.
    asked = shlex.quote(f"{address}/api/version")
    line = " ".join([*curl, *([credential] if credential else []), asked])
    if tunnel:
        return ["To try it, from here:", _tunnel(gateway, way, here), line]
    return ["To try it, on the host itself, KEY being a key from above:" if beside else "To try it:", line]


def _tunnel(gateway: Gateway, way: Way, here: int) -> str:
    port = ["-p", shlex.quote(way.port)] if way.port not in ("", "22") else []
    place = f"{way.user}@{way.host}" if way.user else way.host
    there = f"{here}:{bracketed(gateway.bind)}:{gateway.port}"
    return " ".join(["ssh", "-f", "-N", "-L", shlex.quote(there), *port, "--", shlex.quote(place)])


def credential_of(clients: t.Sequence[t.Any], auth: str, secrets_dir: str) -> str:
    """The option of curl for the first client that has what is asked for: a generated key, best of all.

    No secret is in it: a key is read from its file, a password is asked for by curl.
    """
    present = [one for one in clients if isinstance(one, dict) and one.get("state") != "absent" and one.get("name")]
    if auth != "basic":
        for client in present:
            for key in client.get("keys") or []:
                if not {"secret", "not_before", "expires"} & set(key) and key.get("state") != "absent":
                    file = f"{secrets_dir}/{client['name']}.{key.get('id')}"
                    return f"--oauth2-bearer $(cat {shlex.quote(file)})"
        if any(client.get("keys") for client in present):
            return "--oauth2-bearer $KEY"
    return next(("-u " + shlex.quote(one["name"]) for one in present if "password" in one), "")


def _is(address: str, what: str) -> bool:
    try:
        return bool(getattr(ipaddress.ip_address(address), what))
    except ValueError:
        return False
