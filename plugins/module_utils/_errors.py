# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong, told to the user. A message never holds a secret, nor the text of a line that may be one."""

from __future__ import annotations

import contextlib
import typing as t


class GatehouseError(Exception):
    """Base of all; becomes the failure of the task."""


class BadInput(GatehouseError):
    """One or more options are wrong; `problems` names each with its place."""

    def __init__(self, problems: t.Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


class Problems(t.List[str]):
    """What is wrong, each with its place: collected, so that the user sees all of it in one go."""

    def add(self, place: str, text: str | None) -> None:
        """Where there is no text, nothing is wrong."""
        if text:
            self.append(f"{place}: {text}")

    @contextlib.contextmanager
    def of(self, place: str) -> t.Iterator[None]:
        """Collect what goes wrong in there, which then ends."""
        try:
            yield
        except GatehouseError as error:
            self.add(place, str(error))

    def raise_any(self) -> None:
        if self:
            raise BadInput(self)


class DamagedFile(GatehouseError):
    """A file on the host cannot be understood at one line."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


class HostFileError(GatehouseError):
    """The file on the host cannot be read or written."""


class MissingLibrary(GatehouseError):
    """The controller lacks what hashing needs."""


class SecretStoreError(GatehouseError):
    """A stored secret on the controller cannot be used."""


class ServerError(GatehouseError):
    """Ollama, or what stands before it, refuses; `status` is that of HTTP, 0 if the words came in a stream."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class ServerUnreachable(ServerError):
    """Nobody answers there, or the connection ended before the answer did."""


class ServerStalled(ServerError):
    """The server is there, but nothing came of it for too long."""
