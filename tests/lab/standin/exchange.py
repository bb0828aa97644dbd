# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a handler works with: one request, its answer, and the application behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from . import gojson, zstd
from .bind import BindError, Type, bind
from .cloud import refuse_cloud
from .connection import Connection
from .errors import ApiError, BadBody
from .names import Name
from .runtime import Runtime
from .settings import Settings
from .store import Model, Store
from .wire import Body, Head, Response

JSON = "application/json; charset=utf-8"
NDJSON = "application/x-ndjson"


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
    # Whether the answer is, or would have been, a stream.
    streamed: bool = False

    async def bind(self, kind: Type) -> dict[str, Any]:
        content = await self.body.read_all()
        if self.request.get("content-encoding") == "zstd" and self.request.path.startswith("/v1/"):
            content = zstd.decode(content)
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

    async def refuse_stream(self, status: int, message: str) -> None:
        """An error in the place of a native stream, which has already been made ready."""
        await self.response.start_stream("application/json", status)
        await self.response.write(gojson.encode({"error": message}))
        await self.response.finish()

    def stream_events(self, wanted: bool) -> None:
        """The newer dialects announce a stream before they know whether it comes to one."""
        if wanted:
            self.response.set("Cache-Control", "no-cache")
            self.response.set("Connection", "keep-alive")

    def model(self, text: str, message: str = "model '{}' not found") -> Model:
        name = Name.parse_local(text)
        refuse_cloud(self.app.settings, name, self.request.path)
        if text and not name.valid:
            raise ApiError(400, "invalid model name")
        model = self.app.store.load(name)
        if model is None:
            raise ApiError(404, message.format(text))
        return model

    def model_shown(self, text: str) -> Model:
        """For the routes that describe a model: they name an unknown one in full."""
        return self.model(text, f"model '{Name.parse_local(text).short()}' not found")


def timestamp(nanoseconds: int) -> str:
    """RFC 3339 in UTC, with as many decimals as are needed."""
    seconds, rest = divmod(nanoseconds, 10**9)
    moment = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    decimals = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{moment}{decimals}Z"
