# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client's connection: requests one after another, and the moment the client goes away."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Awaitable, Callable, Iterator

from . import wire

if TYPE_CHECKING:
    from .reqlog import RequestLog


class ClientGone(Exception):
    """The client ended the connection before its answer was complete."""


Handler = Callable[["Connection", wire.Head, wire.Body, wire.Response], Awaitable[None]]


class Connection(asyncio.StreamReaderProtocol):
    def __init__(self, handler: Handler, log: RequestLog, alive: set[Connection]) -> None:
        super().__init__(asyncio.StreamReader(limit=wire.MAX_HEAD), self._serve)
        self._handler = handler
        self._log = log
        self._alive = alive
        self._gone = False
        self._watching: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None

    def eof_received(self) -> bool | None:
        self._notice()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._alive.discard(self)
        self._notice()
        super().connection_lost(exc)

    def _notice(self) -> None:
        self._gone = True
        if self._watching is not None:
            self._watching.cancel()

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Work that is pointless without its client: it is cancelled as soon as the client leaves."""
        if self._gone:
            raise ClientGone
        task = asyncio.current_task()
        self._watching = task
        try:
            yield
        except asyncio.CancelledError:
            if not self._gone or task is None:
                raise
            task.uncancel()
            raise ClientGone from None
        finally:
            self._watching = None

    def cut(self) -> None:
        """End the connection in the middle of whatever it is doing, as a stopping server does."""
        if self._writer is not None:
            self._writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._alive.add(self)
        self._writer = writer
        peer = writer.get_extra_info("peername")
        address = f"{peer[0]}:{peer[1]}" if peer else ""
        try:
            while await self._serve_one(reader, writer, address):
                pass
        except wire.WireError as error:
            writer.write(error.reply())
            await self._linger(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._alive.discard(self)
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> bool:
        head = await wire.read_head(reader)
        if head is None:
            return False
        body = wire.Body(head, reader, writer)
        response = wire.Response(head, body, writer)
        disconnected = True
        self._log.begin()
        try:
            await self._handler(self, head, body, response)
            disconnected = False
        except ClientGone:
            return False
        finally:
            self._log.write(head, body, response, peer, disconnected)
        if response.close:
            await self._linger(reader, writer)
        return not response.close

    async def _linger(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Closing with unread bytes would reset the connection and could swallow the answer."""
        with contextlib.suppress(ConnectionError, TimeoutError, OSError):
            await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
            async with asyncio.timeout(0.5):
                while await reader.read(64 << 10):
                    pass
