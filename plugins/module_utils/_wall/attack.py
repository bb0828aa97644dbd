# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an attack is, and what must come of it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Answer, Request
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.link import Link

# What the gateway itself says, and Ollama does not: who sees it was not let through.
GATEWAY_MESSAGES = (
    b"the request is malformed",
    b"this client may not do this",
    b"there is no such route",
    b"this method is not allowed",
    b"the request did not arrive in time",
    b"the request body is too large",
    b"the request line is too long",
    b"a body with a Content-Encoding cannot be judged",
    b"this gateway does not go by that name",
    b"this port speaks HTTPS only",
    b"the client certificate is not valid",
    b"there is no WebSocket here but plain HTTP",
    b"there are too many requests",
    b"the request headers are too large",
    b"the gateway has a fault that its log tells about",
    b"Ollama cannot be reached",
    b"the gateway is overloaded",
    b"Ollama is being replaced, try again later",
    b"Ollama did not answer in time",
)


@dataclass(frozen=True)
class Expectation:
    """What must come of an attack, in words and as a test."""

    text: str
    holds: t.Callable[[Answer], bool]
    # Whether it is to be let in.
    lets_in: bool = False


@dataclass(frozen=True)
class Attack:
    """One request, or what is none. `route` and `column` say where it stands in the table, if it does."""

    kind: str
    name: str
    request: Request
    expects: Expectation
    route: str = ""
    column: str = ""
    # How to connect, where that is not the usual way.
    link: Link | None = None


def _is_401(answer: Answer) -> bool:
    return answer.statuses == [401] and b"\r\nwww-authenticate: " in answer.raw.lower()


def all_are(answer: Answer, allowed: t.Container[int]) -> bool:
    """Whether it answered, and with these statuses only. Who says nothing may be a worker that the attack ended."""
    return bool(answer.statuses) and not answer.timed_out and all(one in allowed for one in answer.statuses)


def _is_refused(answer: Answer) -> bool:
    return all_are(answer, (400, 401, 413, 414, 421, 431))


def _is_judged(answer: Answer) -> bool:
    """For requests that may be understood in more than one way: whatever it was taken for, nothing was let through."""
    return all_are(answer, range(400, 500))


def is_gateways(answer: Answer) -> bool:
    """Whether the gateway said this itself."""
    return any(message in answer.raw for message in GATEWAY_MESSAGES)


def _is_unknown(answer: Answer) -> bool:
    """Said by the gateway: Ollama has its own 400, 404 and 405. An answer to HEAD has no body to tell them apart."""
    if answer.statuses == [404]:
        return is_gateways(answer) or answer.raw.endswith(b"\r\n\r\n")
    return is_gateways(answer) and answer.statuses in ([400], [405], [421])


def _is_served(answer: Answer) -> bool:
    return bool(answer.statuses) and answer.status not in (101, 401, 403) and not is_gateways(answer)


def got(answer: Answer, expects: Expectation, held: bool) -> str:
    """What an attack got, in a word: the status of a refusal, or "in" if it was let in."""
    let_in = expects.lets_in if held else _is_served(answer)
    return "in" if let_in else str(answer.status or "nothing")


def _is_closed(answer: Answer) -> bool:
    """Who takes the connection and says nothing in time may be slow: only an end shows that it is no server of HTTP."""
    if not answer.connected or answer.statuses == [401]:
        return True
    return not answer.timed_out and not answer.raw.startswith(b"HTTP/")


def one_of(text: str, *statuses: int) -> Expectation:
    """One answer, with one of these statuses."""
    return Expectation(text, lambda answer: len(answer.statuses) == 1 and answer.status in statuses)


UNAUTHORIZED = Expectation("401 with WWW-Authenticate", _is_401)
REFUSED = Expectation("401 or another refusal", _is_refused)
JUDGED = Expectation("nothing that was let through", _is_judged)
UNKNOWN = Expectation("404, there is no such route", _is_unknown)
FORBIDDEN = one_of("403", 403)
SERVED = Expectation("an answer of Ollama", _is_served, lets_in=True)
TURNED_AWAY = one_of("400, 401, 404, 405 or 421", 400, 401, 404, 405, 421)
CLOSED = Expectation("no connection, no answer of HTTP, or 401", _is_closed)
