# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of the role ollama_gateway mean together."""

from __future__ import annotations

import datetime
import ipaddress
import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import (
    Client,
    Rules,
    present_keys,
    read_clients,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.memory import recall
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.orders import Names, read_orders
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.store import SecretStore
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.passwords.hashing import (
    Hasher,
    choose_scheme,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import MissingLibrary, SecretStoreError
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules import common, upstreams
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.addresses import is_address

PREFIX = "ollama_gateway_"
NAMES = Names(
    rotate=PREFIX + "rotate_keys",
    revoke=PREFIX + "revoke_keys",
    grace=PREFIX + "rotate_grace",
    secrets_dir=PREFIX + "secrets_dir",
)
# As nginx reads a size.
_SIZE = re.compile(r"([1-9][0-9]{0,15})([kmg]?)\Z", re.IGNORECASE | re.ASCII)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
# Bodies wait in so much memory; in half of the container's if that has a limit. One body may take half of that.
# vars/main/main.yml has the same numbers for the file system, bodies.lua says what each client may have.
_ROOM = 1 << 30
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+={0,2}\Z")
# What is sent as Origin: scheme, host and perhaps port. Hosts of HTTP come in small letters; those of other schemes,
# such as the id of an extension, as they are.
_ORIGIN = re.compile(
    r"(https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])|(?!https?:)[a-z][a-z0-9+.-]*://[A-Za-z0-9._-]+)(:[0-9]{1,5})?\Z"
)
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")
_LONGEST_NAME = 253
_URL = re.compile(r"https://[^/\s]+(/\S*)?\Z")
_EMAIL = re.compile(r"([^@\s]+@[^@\s]+)?\Z")
# Ollama may take so long to load a model.
_LOAD_TIMEOUT = 300
_LAST_PORT = 65535


def check(values: t.Mapping[str, t.Any], controller: common.Controller) -> common.Checked:
    if values["state"] == "absent":
        # What is removed need not be right in itself.
        return common.Checked(_place_problems(values))
    engine = values["engine"]
    if engine == "auto":
        engine = "nginx" if values["auth"] == "basic" else "openresty"
    # An ACME server looks at 80 whatever else is wanted.
    http_port = values["http_port"] or (80 if values["tls"] == "acme" else 0)
    values = {**values, "engine": engine, "http_port": http_port}
    bind = bind_problem(values["bind"], values["allow_plaintext"], values["tls"])
    body = body_problem(values["max_body_size"], values["memory_limit"], engine)
    return common.Checked(
        [
            *_place_problems(values),
            *_single_problems(values),
            *client_problems(values, controller),
            *tls_problems(values),
            *_folder_problems(values, controller),
            *filter(None, (bind, body)),
            *upstreams.problems(values["upstreams"]),
        ]
    )


def _place_problems(values: t.Mapping[str, t.Any]) -> list[str]:
    rights = {
        "dir": common.folder(values["dir"], "/opt/gatehouse/gateway"),
        "network": common.network(values["network"]),
    }
    return common.wrong(PREFIX, rights)


def _single_problems(values: t.Mapping[str, t.Any]) -> list[str]:
    """Values that cannot be, whatever the others are."""
    engine, auth = values["engine"], values["auth"]
    image = engine + "_image"
    counts = {
        "password_cache_ttl": "a number of seconds, or 0 to remember no password",
        "auth_failures": "a number of tries a minute, or 0 for no limit",
        "nginx_password_rate": "a number of requests a second, or 0 for no limit",
        "address_connections": "a number of requests at the same time, or 0 for no limit",
        "hsts": "a number of seconds, or 0 for no header",
    }
    origins = (
        "a list of origins as browsers and desktop programs send them, in small letters and without a path, such as "
        '["https://chat.example.com", "app://obsidian.md"]'
    )
    directory = "the URL of an ACME directory, such as https://acme-v02.api.letsencrypt.org/directory"
    rights = {
        **{name: common.count(values[name], right) for name, right in counts.items()},
        image: common.image(values[image], "docker.io/library/nginx:1.30.4"),
        "engine": common.unless(
            engine == "openresty" or auth == "basic",
            "auto or openresty where %sauth is bearer or both, since nginx takes passwords only" % PREFIX,
        ),
        "port": common.unless(1 <= values["port"] <= _LAST_PORT, "a port from 1 to 65535"),
        "read_timeout": common.unless(
            values["read_timeout"] > _LOAD_TIMEOUT,
            "more than the %d seconds that Ollama may take to load a model" % _LOAD_TIMEOUT,
        ),
        "max_body_size": common.unless(_size(values["max_body_size"]) is not None, "a size such as 64m"),
        "cors_origins": common.unless(
            all(isinstance(one, str) and _ORIGIN.match(one) for one in values["cors_origins"]), origins
        ),
        "memory_limit": common.memory(values["memory_limit"]),
        "cpu_limit": common.cpus(values["cpu_limit"]),
        "user_id": common.unless(
            1000 <= values["user_id"] <= common.MOST, "1000 or more, and no user or group of the host"
        ),
        "acme_directory": common.unless(_URL.match(values["acme_directory"]), directory),
        "acme_email": common.unless(_EMAIL.match(values["acme_email"]), "an email address, or empty"),
    }
    return common.wrong(PREFIX, rights)


def client_problems(values: t.Mapping[str, t.Any], controller: common.Controller) -> list[str]:
    """What is wrong with the clients, with orders about their keys, and with what is stored of those."""
    auth, scheme = values["auth"], values["password_scheme"]
    weak = values["allow_weak_secrets"]
    rules = Rules(scheme=scheme, keys=True, allow_weak_secrets=weak, allow_weak_passwords=weak)
    clients, problems = read_clients(values["clients"], PREFIX + "clients", rules)
    certificates = values["client_certificates"] if values["client_ca"] else "none"
    problems += auth_problems(clients, auth, values["engine"], certificates)
    options = {"rotate": values["rotate_keys"], "revoke": values["revoke_keys"], "grace": values["rotate_grace"]}
    now = datetime.datetime.now(datetime.timezone.utc)
    orders, more = read_orders(options, clients, controller.run, now, NAMES)
    problems += more
    try:
        store = SecretStore(controller.private_folder("secrets", values["secrets_dir"]))
    except SecretStoreError as error:
        problems.append(_problem("secrets_dir", str(error)))
    else:
        problems += recall(present_keys(clients), store, orders)[1] if auth != "basic" else []
    if auth != "bearer" and any(client.present and client.password is not None for client in clients):
        try:
            Hasher(choose_scheme(scheme))
        except MissingLibrary as error:
            problems.append(_problem("password_scheme", str(error)))
    return problems


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


def bind_problem(bind: str, allow_plaintext: bool, tls: str) -> str | None:
    """Whether credentials would travel unencrypted beyond this host, or the address is none."""
    try:
        address = ipaddress.ip_address(bind)
    except ValueError:
        return _problem("bind", "it must be an IP address, such as 127.0.0.1; Docker takes no host names here")
    if address.is_loopback or allow_plaintext or tls != "off":
        return None
    text = (
        "%s can be reached from other hosts, and passwords and keys would travel unencrypted. Either set %stls "
        "(self_signed, provided or acme), or, on a network that you trust, %sallow_plaintext: true"
    )
    return _problem("bind", text % (bind, PREFIX, PREFIX))


def body_problem(max_body_size: str, memory_limit: str, engine: str) -> str | None:
    """Whether the largest body does not fit into the memory in which OpenResty lets bodies wait; nginx passes them on.

    What is no size is for other rules to say.
    """
    size, limit = _size(max_body_size), common.memory_bytes(memory_limit)
    if engine != "openresty" or size is None or common.memory(memory_limit):
        return None
    most = (limit // 2 if limit else _ROOM) // 2
    if size <= most:
        return None
    if not limit:
        text = "it is %s, and without %smemory_limit at most 512m fit; set that to at least %dm, or make this less"
        return _problem("max_body_size", text % (max_body_size, PREFIX, -(-size * 4 >> 20)))
    text = "it is %s, a quarter of %smemory_limit (%s) at most; set that to at least %dm, or this to at most %dk"
    return _problem("max_body_size", text % (max_body_size, PREFIX, memory_limit, -(-size * 4 >> 20), most >> 10))


def _size(text: str) -> int | None:
    found = _SIZE.match(text)
    return int(found.group(1)) * _UNITS[found.group(2).lower()] if found else None


def tls_problems(options: t.Mapping[str, t.Any]) -> list[str]:
    """Variables of TLS that do not go together. `options` are those variables without their prefix."""
    mode = options["tls"]
    problems = [*_name_problems(options["server_names"], mode), *_port_problems(options, mode)]
    if mode == "provided":
        for variable in ("tls_certificate", "tls_private_key"):
            if not options[variable]:
                text = "%stls provided needs it: a path on the controller, or PEM" % PREFIX
                problems.append(_problem(variable, text))
    if mode == "acme":
        problems += _acme_problems(options)
    return problems + _client_ca_problems(options, mode)


def _folder_problems(values: t.Mapping[str, t.Any], controller: common.Controller) -> list[str]:
    try:
        if values["tls"] == "self_signed":
            controller.private_folder("ca", values["ca_dir"])
    except SecretStoreError as error:
        return [_problem("ca_dir", str(error))]
    return []


def _name_problems(names: t.Sequence[str], mode: str) -> list[str]:
    texts = []
    for name in names:
        kind = _kind(name)
        if kind is None:
            texts.append(_form_problem(name))
        elif mode == "acme" and kind != "dns":
            what = "an IP address" if kind == "address" else "a wildcard"
            texts.append("%s is %s, for which %stls acme gets no certificate here; leave it out" % (name, what, PREFIX))
        elif kind == "wildcard" and mode != "provided":
            texts.append("%s is a wildcard, which only %stls provided can have; name each host" % (name, PREFIX))
    texts += ["%s is there twice" % name for name in _doubles(names)]
    if mode == "acme" and not names:
        texts.append("%stls acme needs the DNS names that the certificate is to be for" % PREFIX)
    return [_problem("server_names", text) for text in texts]


def _kind(name: object) -> str | None:
    """What a name is: address, wildcard or dns; None if it is nothing of that."""
    if not isinstance(name, str):
        return None
    if is_address(name):
        # The zone of a link-local address means nothing to others.
        return None if "%" in name else "address"
    wildcard = name.startswith("*.")
    labels = name[2:].split(".") if wildcard else name.split(".")
    if len(name) > _LONGEST_NAME or not all(_LABEL.match(label) for label in labels) or labels[-1].isdigit():
        return None
    if wildcard:
        return "wildcard" if len(labels) > 1 else None
    return "dns"


def _form_problem(name: object) -> str:
    """What is wrong with a name of no kind."""
    text = str(name)
    if not text.isascii():
        hint = "; write it as DNS has it, with xn--"
    elif ":" in text or "/" in text or "[" in text:
        hint = "; leave out the scheme, the port, the path and brackets"
    elif text.endswith("."):
        hint = "; leave out the dot at its end"
    else:
        hint = ""
    return "%s is neither a DNS name nor an IP address%s" % (text, hint)


def _doubles(names: t.Iterable[str]) -> list[str]:
    """Names that are there before, in another spelling maybe."""
    seen = set()
    found = []
    for name in names:
        same = str(ipaddress.ip_address(name)) if _kind(name) == "address" else str(name).lower()
        if same in seen:
            found.append(name)
        seen.add(same)
    return found


def _port_problems(options: t.Mapping[str, t.Any], mode: str) -> list[str]:
    problems = []
    http_port, hsts = options["http_port"], options["hsts"]
    if not 0 <= http_port <= _LAST_PORT:
        problems.append(_problem("http_port", "it must be from 0 (none) to 65535"))
    elif http_port and http_port == options["port"]:
        text = "it is %d as %sport is; plain HTTP and TLS need a port each" % (http_port, PREFIX)
        problems.append(_problem("http_port", text))
    elif http_port and mode == "off":
        problems.append(_problem("http_port", "it leads to HTTPS, which %stls off has not; set it to 0" % PREFIX))
    if hsts > 0 and mode == "off":
        problems.append(_problem("hsts", "browsers heed it over TLS only; set %stls, or leave it 0" % PREFIX))
    if options["http3"] and mode == "off":
        problems.append(_problem("http3", "HTTP/3 is always encrypted; set %stls, or leave it false" % PREFIX))
    return problems


def _acme_problems(options: t.Mapping[str, t.Any]) -> list[str]:
    problems = []
    if not options["acme_terms_agreed"]:
        text = "it must be true, which says that you agree to the terms of the ACME server"
        problems.append(_problem("acme_terms_agreed", text))
    pair = ("acme_eab_key_id", "acme_eab_hmac_key")
    for one, other in (pair, pair[::-1]):
        if options[one] and not options[other]:
            problems.append(_problem(other, "%s%s needs it; the ACME server's operator gives out both" % (PREFIX, one)))
    key = options["acme_eab_hmac_key"]
    # Four signs are three bytes, so that one left over is none.
    if key and (not _BASE64URL.match(key) or len(key.rstrip("=")) % 4 == 1):
        problems.append(_problem("acme_eab_hmac_key", "it must be base64url, of A-Z, a-z, 0-9, - and _"))
    return problems


def _client_ca_problems(options: t.Mapping[str, t.Any], mode: str) -> list[str]:
    problems = []
    if options["client_ca"]:
        if mode == "off":
            problems.append(_problem("client_ca", "client certificates need TLS; set %stls" % PREFIX))
        if options["engine"] != "openresty":
            problems.append(_problem("client_ca", "client certificates need %sengine openresty" % PREFIX))
        return problems
    need = "it needs %sclient_ca, the CA that signs client certificates" % PREFIX
    if options["client_crl"]:
        problems.append(_problem("client_crl", need))
    if options["client_certificates"] == "all":
        problems.append(_problem("client_certificates", "all: %s" % need))
    return problems


def _problem(variable: str, text: str) -> str:
    return "%s%s: %s" % (PREFIX, variable, text)
