# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server: python3 -m standin.server, configured by the environment as `ollama serve` is."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from typing import NoReturn

from . import gates, routes_anthropic, routes_openai
from .completion import RunnerError
from .connection import Connection
from .errors import ApiError, BadBody, NativeError
from .exchange import JSON, App, Exchange
from .reqlog import RequestLog
from .router import Router, send_redirect
from .routes import ROUTES
from .runtime import Runtime
from .settings import Settings
from .store import Store
from .wire import Body, Head, Response

PLAIN = "text/plain"


class Server:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._app = App(settings, Store(settings.models), Runtime(settings))
        self._router = Router(ROUTES)
        self._log = RequestLog(settings.request_log)
        self._alive: set[Connection] = set()

    async def run(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        host = self.settings.host or None
        listener = await loop.create_server(
            lambda: Connection(self.handle, self._log, self._alive), host, self.settings.port, backlog=1024
        )
        shown = f"{self.settings.host or '[::]'}:{listener.sockets[0].getsockname()[1]}"
        print(f"Listening on {shown} (version {self.settings.version})", file=sys.stderr, flush=True)
        library = "CUDA" if self.settings.vram_share else "cpu"
        print(f'level=INFO msg="inference compute" library={library}', file=sys.stderr, flush=True)
        loop.add_signal_handler(signal.SIGUSR1, self._app.runtime.kill)
        await stop.wait()
        listener.close()
        # A stopping server does not finish its streams: it drops them.
        for connection in list(self._alive):
            connection.cut()
        await asyncio.sleep(0.01)

    async def handle(self, connection: Connection, request: Head, body: Body, response: Response) -> None:
        if request.method == "OPTIONS" and request.target == "*":
            await response.send(200)
            return
        if redirect := self._router.redirect(request):
            await send_redirect(request, response, *redirect)
            return
        found = self._router.find(request.method, request.path)
        if found is None and (allowed := self._router.allowed(request)):
            response.set("Allow", ", ".join(allowed))
            refusal = (405, b"405 method not allowed")
        else:
            refusal = (404, b"404 page not found")
        if not await gates.cross_origin(request, response, self.settings):
            return
        if not gates.host_allowed(request, self.settings):
            await response.send(403)
            return
        if found is None:
            await response.send(*refusal, PLAIN)
            return
        route, params = found
        exchange = Exchange(self._app, connection, request, body, response, params)
        try:
            await route.handler(exchange)
        except ApiError as problem:
            await _report(exchange, route.dialect, problem)
        except (AttributeError, KeyError, TypeError, ValueError):
            # A request of an unforeseen form; the real server survives its own mistakes in the same way.
            traceback.print_exc()
            if response.started:
                raise ConnectionAbortedError from None
            await response.send(500)


async def _report(exchange: Exchange, dialect: str, problem: ApiError) -> None:
    if dialect == "openai" and not isinstance(problem, NativeError):
        await routes_openai.error(exchange, problem)
    elif dialect == "anthropic" and not isinstance(problem, NativeError):
        await routes_anthropic.error(exchange, problem)
    else:
        empty = isinstance(problem, BadBody) and problem.empty
        message = "missing request body" if empty else problem.message
        if isinstance(problem, RunnerError) and exchange.streamed:
            await exchange.refuse_stream(problem.status, message)
            return
        await exchange.json({"error": message}, problem.status, JSON)


async def serve(settings: Settings) -> NoReturn:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await Server(settings).run(stop)
    # A transfer that hangs in its thread must not delay the end.
    os._exit(0)


def main() -> int:
    """Returns only where the server could not start."""
    try:
        settings = Settings.from_environment()
        asyncio.run(serve(settings))
    except OSError as error:
        address = f"{settings.host}:{settings.port}"
        bind = f"listen tcp {address}: bind: {os.strerror(error.errno or 0).lower()}"
        print(f"Error: {error if error.filename else bind}", file=sys.stderr)
    except ValueError as error:
        print(f"Error: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
