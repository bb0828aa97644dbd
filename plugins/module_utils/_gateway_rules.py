# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the gateway that span several variables. Pure functions."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._clients import Client

PREFIX = "ollama_gateway_"


def auth_problems(clients: t.Iterable[Client], auth: str, engine: str, certificates: str = "none") -> list[str]:
    """Clients with a credential that the gateway does not accept, or without one that it does.

    `certificates`: none are accepted, any is enough, or all requests need one beside something else.
    """
    problems = []
    for client in clients:
        if not client.present:
            continue
        has_password = client.password is not None
        if client.has_keys and auth == "basic":
            text = "keys need %sauth bearer or both, and it is basic; remove the keys or change %sauth"
            problems.append("%s: %s" % (client.place, text % (PREFIX, PREFIX)))
        if has_password and auth == "bearer":
            text = "a password needs %sauth basic or both, and it is bearer; remove the password or change %sauth"
            problems.append("%s: %s" % (client.place, text % (PREFIX, PREFIX)))
        if "*" not in client.models and engine == "nginx":
            text = "models need %sengine openresty, since nginx reads no bodies; remove the models or change %sengine"
            problems.append("%s: %s" % (client.place, text % (PREFIX, PREFIX)))
        if client.certificates and certificates == "none":
            text = "certificates need %sclient_ca, the CA that signs them; remove the certificates or set %sclient_ca"
            problems.append("%s: %s" % (client.place, text % (PREFIX, PREFIX)))
        if not client.certificates and certificates == "all":
            text = 'with %sclient_certificates all a client needs a certificate, such as certificates: ["CN=%s"]'
            problems.append("%s: %s" % (client.place, text % (PREFIX, client.name)))
        # With none, the certificates are a problem already.
        is_known = client.certificates and certificates != "all"
        if not has_password and not client.has_keys and not is_known:
            need = {
                "basic": "needs a password",
                "bearer": "needs at least one key, such as keys: [{id: main}]",
                "both": "needs a password, or at least one key such as keys: [{id: main}]",
            }[auth]
            more = ", or a certificate" if certificates == "any" else ""
            problems.append("%s: with %sauth %s a client %s%s" % (client.place, PREFIX, auth, need, more))
    return problems


def bind_problem(bind: str, allow_plaintext: bool) -> str | None:
    """Whether credentials would travel unencrypted beyond this host, or the address is none."""
    variable = PREFIX + "bind"
    try:
        address = ipaddress.ip_address(bind)
    except ValueError:
        return "%s: it must be an IP address, such as 127.0.0.1; Docker takes no host names here" % variable
    if address.is_loopback or allow_plaintext:
        return None
    return (
        "%s: %s can be reached from other hosts, and passwords and keys would travel unencrypted, since the gateway "
        "does not speak TLS yet. Either keep %s on 127.0.0.1 and put a TLS proxy or a tunnel in front of it, or, on a "
        "network that you trust, set %sallow_plaintext: true" % (variable, bind, variable, PREFIX)
    )
