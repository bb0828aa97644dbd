# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway must do before anybody is sent to it: refuse, let in, reach a server, and pass a stream on."""

from __future__ import annotations

import datetime
import json
import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.credentials import Credential, admins
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Answer, Header, request
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.link import Link

# The gateway says so where it has no server to ask.
_UNREACHED = (502, 503, 504)
# Loading a small model from a slow disk takes its time.
_PATIENCE = 120
# How often, and after how many seconds, the gateway is asked whether it reaches Valkey.
_STORE_TRIES, _STORE_TURN = 20, 0.5
_FOR_GOOD = 10 * 365 * 86400

Dict = t.Dict[str, t.Any]


class NotSound(GatehouseError):
    """The gateway does not do what it must; the text says what was seen and what was expected."""


def try_out(link: Link, credentials: t.Sequence[Credential], host: str, reaches: t.Callable[[], bool]) -> list[str]:
    """What could not be tried, and why. `reaches` tells whether a server takes connections of its network.

    Raises NotSound.
    """
    asks = _Asker(link, host)
    asks.expect(200, "GET", "/healthz")
    asks.expect(401, "GET", "/api/version")
    known = admins(credentials)
    if not known:
        return ["Nobody comes in without a certificate: nothing behind that was tried."]
    asks.header = known[0].header()
    first = asks.ask("GET", "/api/version")
    if first.status in _UNREACHED and not reaches():
        return ["No server takes connections: what passes through the gateway was not tried."]
    if first.status != 200 or "version" not in _json(first):
        expected = "with a credential, GET /api/version is to answer 200 with a version"
        raise NotSound(f"{expected}, and came back: {first.shown()}")
    model, stays = _model(asks)
    return _stream(asks, model, stays) if model else ["The server has no model: no stream was tried."]


def store_problem(said: t.Callable[[], str], refuses: bool, sleep: t.Callable[[float], None]) -> list[str]:
    """A warning where the gateway does not say within seconds that it reaches Valkey. `said` tells what it says, empty
    if that is nothing yet.

    Raises NotSound where clients with limits would be refused then.
    """
    text = ""
    for _turn in range(_STORE_TRIES):
        text = said()
        if text == "up":
            return []
        sleep(_STORE_TURN)
    problem = "Valkey is not reached, by which gateways share limits: %s." % (text or "the gateway says nothing of it")
    if refuses:
        raise NotSound(problem + " Clients with limits would be refused; nothing was changed")
    return [problem + " Each gateway limits for itself until it is."]


class _Asker:
    def __init__(self, link: Link, host: str) -> None:
        self.link, self.host = link, host
        self.header: Header | None = None

    def ask(self, method: str, path: str, body: bytes = b"", timeout: float = 20) -> Answer:
        headers = [self.header] if self.header else []
        sent = request(method, path, headers, body, self.host)
        return self.link.send(sent.raw, timeout)

    def expect(self, status: int, method: str, path: str) -> None:
        answer = self.ask(method, path)
        if answer.status != status:
            expected = f"without a credential, {method} {path} is to answer {status}"
            raise NotSound(f"{expected}, and came back: {answer.shown()}")


def _model(asks: _Asker) -> tuple[str, int]:
    """One that is loaded, and for how many seconds it stays; or the smallest, for which no other has to go."""
    for path in ("/api/ps", "/api/tags"):
        models = _json(asks.ask("GET", path)).get("models") or []
        known = [one for one in models if isinstance(one.get("size"), int) and one.get("name")]
        if known:
            model = min(known, key=lambda one: one["size"])
            return str(model["name"]), _stays(str(model.get("expires_at", "")))
    return "", 0


def _stays(expires: str) -> int:
    """Seconds until this time, for keep_alive; -1 for a model that stays for good, which Ollama shows as centuries."""
    try:
        end = datetime.datetime.strptime(expires[:19], "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return 0
    # The zone is left out: a model that stays some hours longer or shorter does no harm.
    left = (end - datetime.datetime.now()).total_seconds()
    return -1 if left > _FOR_GOOD else max(int(left), 0)


def _stream(asks: _Asker, model: str, stays: int) -> list[str]:
    asked = {"model": model, "prompt": "Hi", "options": {"num_predict": 2}, "keep_alive": stays}
    body = json.dumps(asked).encode()
    answer = asks.ask("POST", "/api/generate", body, _PATIENCE)
    if answer.status in (401, 403):
        raise NotSound(f"an admin is to use {model}, and came back: {answer.shown()}")
    if answer.status != 200:
        # One for embeddings, or one that does not fit: that is not the gateway's.
        return [f"{model} generates nothing ({answer.status}): no stream was tried."]
    if not re.search(rb'"done": ?true', answer.raw):
        raise NotSound(f"a stream of {model} is to come to its end, and came back: {answer.shown()}")
    return []


def _json(answer: Answer) -> Dict:
    """The object in a body, which may have come in pieces (RFC 9112, section 7.1); empty if there is none."""
    head, _blank, body = answer.raw.partition(b"\r\n\r\n")
    if re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
        body = _joined(body)
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _joined(body: bytes) -> bytes:
    whole = b""
    while True:
        size, _line, body = body.partition(b"\r\n")
        try:
            length = int(size.split(b";")[0], 16)
        except ValueError:
            return whole
        if length <= 0:
            return whole
        whole, body = whole + body[:length], body[length + 2 :]
