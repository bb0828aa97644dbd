# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the attacks in order: files, side doors and doors, the mirror, then the gateway itself."""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import os
import socket
import threading
import typing as t
from dataclasses import replace
from pathlib import Path

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.addresses import bracketed
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall import link
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attack import Attack, Expectation
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks import doors as side_doors
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks import (
    files,
    models,
    path_keys,
    quic,
    routes,
    server_doors,
    tls,
    tricks,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.credentials import (
    Credential,
    admins,
    limited,
    valid,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import (
    HOST,
    Address,
    Answer,
    named,
    request,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.run import Budget, Result, run
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.table import table

_ROUTES = Path("/proc/net/route")
_UNTRIED = "No credential counts, so it was not tried who is let in, what they may do, and what is passed on."
_NO_LISTS = "No client has a list of models (plain nginx has none), so it was not tried what is closed to one that has."
_LISTS = "%s: in with the models of its list, and refused with every other one."
_NO_HTTP3 = "HTTP/3 is on and was not tried: Python has no library for it. What is served there is that of HTTP/2."
_EXITED = b" exited on signal "
# Tries that are under way at once, two requests each, and some more: with a lower limit they go one by one.
_TOGETHER = 10
# As many contents follow one another: no look at the file finds the one that it found before.
_CONTENTS = 64

Options = t.Mapping[str, t.Any]
Mirror = t.Callable[[bytes], Answer]
Log = t.Callable[[], bytes]


class Wall:
    """The attacks that the options of the module ask for, on the gateway at `address` if there is one."""

    def __init__(
        self, address: Address | None, options: Options, mirror: Mirror | None, log: Log | None = None
    ) -> None:
        self._address = address
        self._options = options
        # What the gateway is asked by. Without TLS it has no name of its own.
        self._name = options.get("server_name") or (address.host if address and address.tls else HOST)
        self._mirror = mirror
        # All that the gateway wrote into its log so far.
        self._log = log
        # As the columns of the table of routes are called.
        columns = ("method", "path", "scope", "class", "model", "fields")
        self._routes = [
            routes.Route(*(one[column] for column in columns), own=one.get("own") or False) for one in options["routes"]
        ]
        self._credentials = [Credential(**one) for one in options["credentials"]]
        values = {one.encoded for one in self._credentials} | {one.value.encode() for one in self._credentials}
        self._secrets = sorted(values, key=len, reverse=True)

    def attack(self, budget: Budget) -> list[Result]:
        """All results, up to the end of the first class with a hole. Raises GatehouseError."""
        results: list[Result] = []
        for part in (self._files, self._side_doors, self._doors, self._passed_on, self._gateway):
            results.extend(part(budget))
            if not all(result.held for result in results):
                break
        return results

    def table(self, results: t.Sequence[Result], every: bool = False) -> list[str]:
        """Certificates by what doors said to them, or routes by credentials, where there were some.

        Routes are each in a line of its own if asked for.
        """
        return [*server_doors.lines(results, every), *self._gateway_table(results, every)]

    def _gateway_table(self, results: t.Sequence[Result], every: bool) -> list[str]:
        if self._address is None or not self._credentials:
            return []
        ended = [one.name for one in self._credentials if not one.valid]
        allowed = [one.name for one in valid(self._credentials)]
        malformed = ["malformed"] if admins(self._credentials) else []
        some = [one.name for one in limited(self._credentials)]
        columns = list(dict.fromkeys(["none", "wrong", *ended, *malformed, *some, *allowed]))
        remarks = [_NO_HTTP3] if self._options.get("http3") else []
        if not allowed:
            remarks.append(_UNTRIED)
        elif not some:
            remarks.append(_NO_LISTS)
        elif all(result.held for result in results):
            remarks.append(_LISTS % ", ".join(dict.fromkeys(some)))
        lines = table(results, [route.name for route in self._routes], columns, every)
        return [*lines, "", *remarks] if remarks else lines

    def _files(self, budget: Budget) -> t.Iterator[Result]:
        folder = self._options.get("folder")
        if folder:
            yield from files.attack(folder, *(self._options[name] for name in ("user_id", "tls", "acme")))

    def _side_doors(self, budget: Budget) -> t.Iterator[Result]:
        doors = {}
        for door in self._options["side_doors"]:
            beyond = door["place"] == "network" and is_own_network(door["host"])
            if not beyond and not (door["place"] == "host" and is_own_address(door["host"])):
                address = Address(door["host"], door["port"])
                doors[address.name] = side_doors.Door(address, door["place"] != "network", door["place"] == "here")
        servers = self._options.get("servers")
        if servers is not None:
            servers = [side_doors.Server(one["version"], frozenset(one["models"])) for one in servers]
        timeout = self._options["request_timeout"]
        return iter(side_doors.attack(list(doors.values()), servers, timeout, budget, self._secrets))

    def _doors(self, budget: Budget) -> t.Iterator[Result]:
        options = self._options
        places = itertools.product(options.get("doors") or [], options.get("door_ports") or [])
        doors = [Address(host, port) for host, port in places]
        shown = [server_doors.Certificate(**one) for one in options.get("door_certificates") or []]
        return server_doors.attack(doors, shown, options.get("door_ca"), options["request_timeout"], budget)

    def _passed_on(self, budget: Budget) -> t.Iterator[Result]:
        # Without a credential that is let in, nothing arrives.
        if self._mirror is None or not admins(self._credentials):
            return iter(())
        mirror = self._mirror
        sent = named(tricks.mirrored(self._credentials), bracketed(self._name))
        forbidden = [*self._secrets, tricks.COOKIE, tricks.ORIGIN]
        count = sent.raw.count(b"HTTP/1.1\r\n")

        def holds(answer: Answer) -> bool:
            return answer.statuses == [200] * count and not any(secret in answer.raw for secret in forbidden)

        wanted = f"{count} answers of the mirror, without credential, cookie, origin and unknown header"
        expects = Expectation(wanted, holds)
        attack = Attack("what is passed on", "headers that arrive at the server", sent, expects)
        return run([attack], lambda attack: mirror(attack.request.raw), budget, self._secrets)

    def _gateway(self, budget: Budget) -> t.Iterator[Result]:
        address = self._address
        if address is None:
            return
        timeout = self._options["request_timeout"]
        options = self._options
        links = link.links(address, self._name, options.get("certificate"), options.get("ca_file"), timeout)
        health = links.asked.send(request("GET", "/healthz", host=bracketed(self._name)).raw, timeout)
        if health.status != 200:
            said = health.shown().splitlines()[0]
            raise GatehouseError(f"{self._options['url']} does not answer /healthz as a gateway does ({said})")
        forgetting = Forgetting(self._options["rewrite"], self._options["auth_failures"])

        def try_one(attack: Attack) -> Answer:
            with forgetting.one_try():
                return (attack.link or links.usual).send(attack.request.raw, timeout)

        made = itertools.chain(self._on_tls(address, links) if address.tls else (), self._on_routes())
        by_name = (replace(one, request=named(one.request, bracketed(self._name))) for one in made)
        before = self._exits()
        yield from run(by_name, try_one, budget, self._secrets)
        if self._log is None:
            return
        if self._secrets:
            logged = self._log()
            count = sum(secret in logged for secret in self._secrets)
            came_back = f"{count} of them are in its log"
            yield Result("log", "the credentials that were sent", not count, "", came_back, "none in the gateway's log")
        exits = max(self._exits() - before, 0)
        came_back = f"{exits} ended on a signal, says its log"
        yield Result("workers", "the gateway's processes", not exits, "", came_back, "none that ended on a signal")

    def _exits(self) -> int:
        """How many of the gateway's processes crashed, as far back as its log goes."""
        return self._log().count(_EXITED) if self._log is not None else 0

    def _on_tls(self, address: Address, links: link.Links) -> t.Iterator[Attack]:
        """Before all others: should something else than the gateway listen there, no valid credential goes to it."""
        options = self._options
        yield from tls.handshakes(links)
        if not options.get("http3"):
            yield from quic.where_it_is_off(address)
        yield from tls.names(links.usual, self._name, self._credentials)
        pem = options.get("client_certificate")
        yield from tls.client_certificates(links.usual, self._name, pem, self._credentials)
        if options.get("http_port"):
            beside = Address(address.host, options["http_port"])
            yield from tls.plain_port(beside, self._name, self._routes, self._credentials)

    def _on_routes(self) -> t.Iterator[Attack]:
        closed = [] if self._options["allow_account_routes"] else ["account"]
        has_own = self._options.get("own_routes", True)
        served = [one for one in self._routes if one.scope not in closed and (has_own or not one.own)]
        yield from routes.without_right(self._routes, self._credentials)
        yield from tricks.path_tricks(self._credentials)
        yield from tricks.unlisted(self._credentials)
        yield from tricks.smuggling(self._credentials)
        yield from path_keys.keys_in_path(self._credentials, self._options.get("keys_in_path", False))
        yield from routes.without_scope(self._routes, served, self._credentials)
        yield from models.without_model(self._routes, served, self._credentials)
        yield from routes.with_scope(served, self._credentials)


class Forgetting:
    """Keeps a gateway that slows down who fails from hiding behind that: it judges each attack as if it were the first.

    Before each try the JSON file at `path` gets another content that says the same; not with a limit of 0.
    """

    def __init__(self, path: str | None, limit: int) -> None:
        self._path = path if limit > 0 else None
        self._count = itertools.count()
        self._writing = threading.Lock()
        self._lock: t.ContextManager[t.Any] = threading.Lock() if 0 < limit < _TOGETHER else contextlib.nullcontext()

    @contextlib.contextmanager
    def one_try(self) -> t.Iterator[None]:
        """A try that counts as the first."""
        with self._lock:
            if self._path is not None:
                try:
                    with self._writing:
                        self._rewrite(self._path)
                except OSError as error:
                    raise GatehouseError(f"{self._path}: it cannot be replaced: {error.strerror}") from None
            yield

    def _rewrite(self, path: str) -> None:
        new = path + ".new"
        with open(path, "rb") as file:
            content, there = file.read().rstrip(), os.fstat(file.fileno())
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content + b"\n" * (1 + next(self._count) % _CONTENTS))
            os.fchown(file.fileno(), there.st_uid, there.st_gid)
            os.fchmod(file.fileno(), there.st_mode & 0o777)
        os.replace(new, path)


def is_own_address(host: str) -> bool:
    """Whether this host has the address itself: only then it can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.bind((host, 0))
    except OSError:
        return False
    return True


def is_own_network(host: str, file: Path = _ROUTES) -> bool:
    """Whether this host reaches an IPv4 address without a router, or cannot tell (proc(5), /proc/net/route).

    A unique local IPv6 address is taken for one of its own, a global one is not: nobody else has it.
    """
    try:
        if ":" in host:
            return ipaddress.IPv6Address(host).is_private
        address = int(ipaddress.IPv4Address(host))
        lines = file.read_text().splitlines()[1:]
    except (ValueError, OSError):
        return True
    best = (-1, True)
    for line in lines:
        fields = line.split()
        # Hexadecimal, in the byte order of the machine, which is little-endian wherever Docker runs.
        network, router, mask = (int.from_bytes(bytes.fromhex(fields[column]), "little") for column in (1, 2, 7))
        if address & mask == network:
            best = max(best, (mask, router == 0))
    return best[1]
