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
    Names,
    Rules,
    present_keys,
    read_clients,
    read_orders,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.memory import KeyMemory, recall
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.limits import (
    Limits,
    merged,
    named,
    patterns,
    read_limits,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.passwords.hashing import (
    Hasher,
    choose_scheme,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.patterns import overlap
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules import (
    common,
    proxies,
    shared_limits,
    upstreams,
    virtual_addresses,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.addresses import is_address
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.durations import read_days
from ansible_collections.gatehouse.ollama.plugins.module_utils._usage import days, report

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
_LONGEST_KEPT = 10000


def check(values: t.Mapping[str, t.Any], controller: common.Controller) -> common.Checked:
    problems = _place_problems(values)
    if values["state"] == "absent":
        # What is removed need not be right in itself.
        return common.Checked(problems)
    engine = values["engine"]
    if engine == "auto":
        engine = "nginx" if values["auth"] == "basic" else "openresty"
    # An ACME server looks at 80 whatever else is wanted.
    http_port = values["http_port"] or (80 if values["tls"] == "acme" else 0)
    values = {**values, "engine": engine, "http_port": http_port}
    problems += _single_problems(values)
    clients = judge_clients(values, controller, problems)
    defaults = read_limits(values["default_limits"], lambda text: problems.add(PREFIX + "default_limits", text))
    judge_limits(clients, defaults, engine, values["usage"], problems)
    judge_paths(clients, values["tls"], engine, problems)
    judge_tls(values, problems)
    if values["tls"] == "self_signed":
        with problems.of(PREFIX + "ca_dir"):
            controller.private_folder("ca", values["ca_dir"])
    judge_bind(values["bind"], values["allow_plaintext"], values["tls"], problems)
    proxies.judge(values, problems)
    shared_warnings = virtual_addresses.judge(values, problems)
    judge_body(values["max_body_size"], values["memory_limit"], engine, problems)
    judge_usage(values, problems)
    problems += upstreams.problems(values["upstreams"])
    problems += upstreams.door_problems(values["doors"], engine)
    shared_limits.judge(values, controller, problems)
    if values["doors"] or (values["valkey"] and not values["valkey_ca"]):
        with problems.of(PREFIX + "door_ca_dir"):
            controller.private_folder("door_ca", values["door_ca_dir"])
    limits = [merged(defaults, own) for own in ({}, *(client.limits for client in clients if client.present))]
    names = sorted({name for one in limits for name in named(one)})
    return common.Checked(problems, useless_limits(clients) + shared_warnings, {"limits": names})


def _place_problems(values: t.Mapping[str, t.Any]) -> Problems:
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
        "wait_timeout": "a number of seconds, or 0 to have no request wait",
        "auth_failures": "a number of tries a minute, or 0 for no limit",
        "nginx_password_rate": "a number of requests a second, or 0 for no limit",
        "address_connections": "a number of requests at the same time, or 0 for no limit",
        "hsts": "a number of seconds, or 0 for no header",
        "cold_penalty": "a number such as 4, or 0 to look at nothing but how busy servers are",
        "drain_timeout": "a number of seconds, or 0 to cut off what a gateway that is replaced still answers",
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
        "usage_keep": common.unless(
            1 <= (read_days(values["usage_keep"]) or 0) <= _LONGEST_KEPT,
            "a number of days from 1d to %dd, such as 400d" % _LONGEST_KEPT,
        ),
        "acme_directory": common.unless(_URL.match(values["acme_directory"]), directory),
        "acme_email": common.unless(_EMAIL.match(values["acme_email"]), "an email address, or empty"),
    }
    return common.wrong(PREFIX, rights)


def judge_clients(values: t.Mapping[str, t.Any], controller: common.Controller, problems: Problems) -> list[Client]:
    """The clients, the orders about their keys, and what is stored of those. Returns the clients."""
    auth, scheme = values["auth"], values["password_scheme"]
    weak = values["allow_weak_secrets"]
    rules = Rules(scheme=scheme, keys=True, allow_weak_secrets=weak, allow_weak_passwords=weak)
    clients = read_clients(values["clients"], PREFIX + "clients", rules, problems)
    certificates = values["client_certificates"] if values["client_ca"] else "none"
    judge_credentials(clients, auth, values["engine"], certificates, problems)
    options = {"rotate": values["rotate_keys"], "revoke": values["revoke_keys"], "grace": values["rotate_grace"]}
    orders = read_orders(options, clients, controller.run, NAMES, problems)
    with problems.of(PREFIX + "secrets_dir"):
        memory = KeyMemory(controller.private_folder("secrets", values["secrets_dir"]))
        if auth != "basic":
            recall(present_keys(clients), memory, orders, problems)
    if auth != "bearer" and any(client.present and client.password is not None for client in clients):
        with problems.of(PREFIX + "password_scheme"):
            Hasher(choose_scheme(scheme))
    return clients


def judge_limits(
    clients: t.Iterable[Client], defaults: Limits, engine: str, is_counted: bool, problems: Problems
) -> None:
    """Limits that cannot be kept here."""
    places = {PREFIX + "default_limits": defaults, **{one.place: one.limits for one in clients if one.present}}
    for place, limits in places.items():
        names = named(limits)
        if names and engine == "nginx":
            change = f"remove the limits or change {PREFIX}engine"
            problems.add(place, f"limits need {PREFIX}engine openresty, since nginx counts nothing; {change}")
        elif names and not is_counted:
            change = f"remove the limits or change {PREFIX}usage"
            problems.add(place, f"limits need {PREFIX}usage, and it is false; {change}")


def judge_paths(clients: t.Iterable[Client], tls: str, engine: str, problems: Problems) -> None:
    """Keys that may stand in the path where nothing keeps them secret, or nobody takes them."""
    for key in (key for key in present_keys(clients) if key.in_path):
        if tls == "off":
            text = f"in_path needs HTTPS, since everybody on the way reads a path; set {PREFIX}tls, or remove in_path"
            problems.add(key.place, text)
        if engine == "nginx":
            change = f"remove in_path or change {PREFIX}engine"
            problems.add(key.place, f"in_path needs {PREFIX}engine openresty, since nginx takes no keys; {change}")


def useless_limits(clients: t.Iterable[Client]) -> list[str]:
    """A warning for each pattern with limits that means no model of its client."""
    found = [(client, pattern) for client in clients if client.present for pattern in patterns(client.limits)]
    return [
        f"{client.place}: limits: {pattern} means none of the client's models ({', '.join(client.models)}), so that "
        "these limits never count; correct one of the two"
        for client, pattern in found
        if not any(overlap(pattern, model) for model in client.models)
    ]


def judge_credentials(
    clients: t.Iterable[Client], auth: str, engine: str, certificates: str, problems: Problems
) -> None:
    """Clients with a credential that the gateway does not accept, or without one that it does.

    `certificates`: none are accepted, any is enough, or all requests need one beside something else.
    """
    needs = {
        "basic": "a password",
        "bearer": "at least one key, such as keys: [{id: main}]",
        "both": "a password, or at least one key such as keys: [{id: main}]",
    }
    for client in (client for client in clients if client.present):
        place, has_password = client.place, client.password is not None
        if client.has_keys and auth == "basic":
            change = f"remove the keys or change {PREFIX}auth"
            problems.add(place, f"keys need {PREFIX}auth bearer or both, and it is basic; {change}")
        if has_password and auth == "bearer":
            change = f"remove the password or change {PREFIX}auth"
            problems.add(place, f"a password needs {PREFIX}auth basic or both, and it is bearer; {change}")
        if "*" not in client.models and engine == "nginx":
            change = f"remove the models or change {PREFIX}engine"
            problems.add(place, f"models need {PREFIX}engine openresty, since nginx reads no bodies; {change}")
        if "metrics" in client.scopes and engine == "nginx":
            change = f"remove the scope or change {PREFIX}engine"
            text = f"the scope metrics needs {PREFIX}engine openresty, since nginx counts nothing; {change}"
            problems.add(place, text)
        if client.certificates and certificates == "none":
            change = f"remove the certificates or set {PREFIX}client_ca"
            problems.add(place, f"certificates need {PREFIX}client_ca, the CA that signs them; {change}")
        if not client.certificates and certificates == "all":
            example = f'certificates: ["CN={client.name}"]'
            text = f"with {PREFIX}client_certificates all a client needs a certificate, such as {example}"
            problems.add(place, text)
        # With none, the certificates are a problem already.
        is_known = client.certificates and certificates != "all"
        if not has_password and not client.has_keys and not is_known:
            more = ", or a certificate" if certificates == "any" else ""
            problems.add(place, f"with {PREFIX}auth {auth} a client needs {needs[auth]}{more}")


def judge_bind(bind: str, allow_plaintext: bool, tls: str, problems: Problems) -> None:
    """Whether credentials would travel unencrypted beyond this host, or the address is none."""
    try:
        address = ipaddress.ip_address(bind)
    except ValueError:
        text = "it must be an IP address, such as 127.0.0.1; Docker takes no host names here"
        problems.add(PREFIX + "bind", text)
        return
    if not address.is_loopback and not allow_plaintext and tls == "off":
        problems.add(
            PREFIX + "bind",
            f"{bind} can be reached from other hosts, and passwords and keys would travel unencrypted. Either set "
            f"{PREFIX}tls (self_signed, provided or acme), or, on a network that you trust, {PREFIX}allow_plaintext: "
            "true",
        )


def judge_body(max_body_size: str, memory_limit: str, engine: str, problems: Problems) -> None:
    """Whether the largest body does not fit into the memory in which OpenResty lets bodies wait; nginx passes them on.

    What is no size is for other rules to say.
    """
    size, limit = _size(max_body_size), common.memory_bytes(memory_limit)
    if engine != "openresty" or size is None or common.memory(memory_limit):
        return
    most = (limit // 2 if limit else _ROOM) // 2
    if size <= most:
        return
    least = f"set that to at least {-(-size * 4 >> 20)}m"
    if limit:
        text = f"a quarter of {PREFIX}memory_limit ({memory_limit}) at most; {least}, or this to at most {most >> 10}k"
    else:
        text = f"and without {PREFIX}memory_limit at most 512m fit; {least}, or make this less"
    problems.add(PREFIX + "max_body_size", f"it is {max_body_size}, {text}")


def _size(text: str) -> int | None:
    found = _SIZE.match(text)
    return int(found.group(1)) * _UNITS[found.group(2).lower()] if found else None


def judge_usage(values: t.Mapping[str, t.Any], problems: Problems) -> None:
    """What the entry point usage is to show."""
    today = datetime.datetime.now(datetime.timezone.utc).date()
    days.read(values["usage_since"], values["usage_until"], today, problems, PREFIX + "usage_")
    problems.add(PREFIX + "usage_by", report.columns_problem(values["usage_by"]))
    names = [name for name in values["usage_clients"] if not isinstance(name, str)]
    problems.add(PREFIX + "usage_clients", "it must be a list of names of clients" if names else None)


def judge_tls(options: t.Mapping[str, t.Any], problems: Problems) -> None:
    """Variables of TLS that do not go together. `options` are those variables without their prefix."""
    mode = options["tls"]
    _judge_names(options["server_names"], mode, problems)
    _judge_ports(options, mode, problems)
    if mode == "provided":
        for variable in ("tls_certificate", "tls_private_key"):
            if not options[variable]:
                problems.add(PREFIX + variable, f"{PREFIX}tls provided needs it: a path on the controller, or PEM")
    if mode == "acme":
        _judge_acme(options, problems)
    _judge_client_ca(options, mode, problems)


def _judge_names(names: t.Sequence[str], mode: str, problems: Problems) -> None:
    texts = []
    for name in names:
        kind = _kind(name)
        if kind is None:
            texts.append(_form_problem(name))
        elif mode == "acme" and kind != "dns":
            what = "an IP address" if kind == "address" else "a wildcard"
            texts.append(f"{name} is {what}, for which {PREFIX}tls acme gets no certificate here; leave it out")
        elif kind == "wildcard" and mode != "provided":
            texts.append(f"{name} is a wildcard, which only {PREFIX}tls provided can have; name each host")
    texts += [f"{name} is there twice" for name in _doubles(names)]
    if mode == "acme" and not names:
        texts.append(f"{PREFIX}tls acme needs the DNS names that the certificate is to be for")
    for text in texts:
        problems.add(PREFIX + "server_names", text)


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


def _judge_ports(options: t.Mapping[str, t.Any], mode: str, problems: Problems) -> None:
    http_port, hsts = options["http_port"], options["hsts"]
    if not 0 <= http_port <= _LAST_PORT:
        problems.add(PREFIX + "http_port", "it must be from 0 (none) to 65535")
    elif http_port and http_port == options["port"]:
        text = f"it is {http_port} as {PREFIX}port is; plain HTTP and TLS need a port each"
        problems.add(PREFIX + "http_port", text)
    elif http_port and mode == "off":
        problems.add(PREFIX + "http_port", f"it leads to HTTPS, which {PREFIX}tls off has not; set it to 0")
    if hsts > 0 and mode == "off":
        problems.add(PREFIX + "hsts", f"browsers heed it over TLS only; set {PREFIX}tls, or leave it 0")
    if options["http3"] and mode == "off":
        problems.add(PREFIX + "http3", f"HTTP/3 is always encrypted; set {PREFIX}tls, or leave it false")


def _judge_acme(options: t.Mapping[str, t.Any], problems: Problems) -> None:
    if not options["acme_terms_agreed"]:
        text = "it must be true, which says that you agree to the terms of the ACME server"
        problems.add(PREFIX + "acme_terms_agreed", text)
    pair = ("acme_eab_key_id", "acme_eab_hmac_key")
    for one, other in (pair, pair[::-1]):
        if options[one] and not options[other]:
            problems.add(PREFIX + other, f"{PREFIX}{one} needs it; the ACME server's operator gives out both")
    key = options["acme_eab_hmac_key"]
    # Four signs are three bytes, so that one left over is none.
    if key and (not _BASE64URL.match(key) or len(key.rstrip("=")) % 4 == 1):
        problems.add(PREFIX + "acme_eab_hmac_key", "it must be base64url, of A-Z, a-z, 0-9, - and _")


def _judge_client_ca(options: t.Mapping[str, t.Any], mode: str, problems: Problems) -> None:
    if options["client_ca"]:
        if mode == "off":
            problems.add(PREFIX + "client_ca", f"client certificates need TLS; set {PREFIX}tls")
        if options["engine"] != "openresty":
            problems.add(PREFIX + "client_ca", f"client certificates need {PREFIX}engine openresty")
        return
    need = f"it needs {PREFIX}client_ca, the CA that signs client certificates"
    if options["client_crl"]:
        problems.add(PREFIX + "client_crl", need)
    if options["client_certificates"] == "all":
        problems.add(PREFIX + "client_certificates", f"all: {need}")
