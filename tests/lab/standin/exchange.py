# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a handler works with: one request, its answer, and the application behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from . import gojson
from .bind import BindError, Type, bind
from .connection import Connection
from .names import Name
from .runtime import Runtime
from .settings import Settings
from .store import Model, Store
from .wire import Body, Head, Response

JSON = "application/json; charset=utf-8"
NDJSON = "application/x-ndjson"


class ApiError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class BadBody(ApiError):
    """The body could not be bound to the request type."""

    def __init__(self, message: str, empty: bool = False) -> None:
        super().__init__(400, message)
        self.empty = empty


@dataclass(frozen=True)
class App:
    settings: Settings
    store: Store
    runtime: Runtime


@dataclass
class Exchange:
    app: App
    connection: Connection
    request: Head
    body: Body
    response: Response
    params: dict[str, str] = field(default_factory=dict)

    async def bind(self, kind: Type) -> dict[str, Any]:
        content = await self.body.read_all()
        try:
            return dict(bind(gojson.decode(content), kind))
        except gojson.EmptyBody as error:
            raise BadBody(str(error), empty=True) from None
        except (gojson.GoSyntaxError, BindError) as error:
            raise BadBody(str(error)) from None

    async def json(self, value: Any, status: int = 200, content_type: str = JSON, newline: bool = False) -> None:
        await self.response.send(status, gojson.encode(value) + (b"\n" if newline else b""), content_type)

    async def line(self, value: Any) -> None:
        """One object of an NDJSON stream; the first one starts it."""
        if not self.response.started:
            await self.response.start_stream(NDJSON)
        await self.response.write(gojson.encode(value) + b"\n")

    def model(self, text: str, message: str = "model '{}' not found") -> Model:
        name = Name.parse(text)
        model = self.app.store.load(name) if name.valid else None
        if model is None:
            raise ApiError(404, message.format(text))
        return model


def timestamp(nanoseconds: int) -> str:
    """RFC 3339 in UTC, with as many decimals as are needed."""
    seconds, rest = divmod(nanoseconds, 10**9)
    moment = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    decimals = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{moment}{decimals}Z"
