# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small client of Ollama's HTTP API.

Each request has a connection of its own, so that a client may be used from several threads. Timeouts count for each
read and write, not for a whole answer: a large model may take hours, as long as something moves. Redirects are not
followed, and no proxy is used: a key goes to the server that was named, and to nobody else.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
import typing as t
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import (
    BadInput,
    ServerError,
    ServerStalled,
    ServerUnreachable,
)

Dict = t.Dict[str, t.Any]
# Opens a connection, with a timeout in seconds; raises OSError.
Dial = t.Callable[[float], socket.socket]

# Loading is one silent answer. Ollama itself gives up after five minutes without progress (OLLAMA_LOAD_TIMEOUT).
LOAD_TIMEOUT = 600.0
# No description of a model and no list of models comes near.
_MOST_BYTES = 256 << 20
_BLOCK = 1 << 20
_EMBEDS_ONLY = "does not support generate"


@dataclass(frozen=True)
class Endpoint:
    """Where a server is, as its URL says. `path` is what stands before /api."""

    host: str
    port: int
    tls: bool = False
    path: str = ""

    @property
    def shown(self) -> str:
        name = "[%s]" % self.host if ":" in self.host else self.host
        return "%s://%s:%d%s" % ("https" if self.tls else "http", name, self.port, self.path)


def read_url(url: str) -> Endpoint:
    """The endpoint that a URL names. Raises BadInput, without quoting what may hold a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise BadInput(["url: it must be a URL such as https://llm.example.com:8880"])
    if parts.username is not None or parts.password is not None:
        raise BadInput(["url: it must not hold a name or a password; api_key takes a key"])
    tls = parts.scheme == "https"
    return Endpoint(parts.hostname, port or (443 if tls else 80), tls, parts.path.rstrip("/"))


@dataclass
class Client:
    """Talks to one server. `dial` opens connections where the endpoint's address is not simply to be connected to."""

    endpoint: Endpoint
    api_key: t.Optional[str] = field(default=None, repr=False)
    ca_path: t.Optional[str] = None
    timeout: float = 60.0
    dial: t.Optional[Dial] = field(default=None, repr=False)
    # For errors: which server it is, where its address says nothing to people.
    name: str = ""

    @property
    def shown(self) -> str:
        return self.name or "the server at %s" % self.endpoint.shown

    def version(self) -> str:
        return str(self._json("GET", "/api/version").get("version", ""))

    def tags(self) -> t.List[Dict]:
        """The installed models."""
        return _list(self._json("GET", "/api/tags"), "models")

    def ps(self) -> t.List[Dict]:
        """The loaded models."""
        return _list(self._json("GET", "/api/ps"), "models")

    def show(self, model: str) -> Dict:
        return self._json("POST", "/api/show", {"model": model})

    def copy(self, source: str, destination: str) -> None:
        self._json("POST", "/api/copy", {"source": source, "destination": destination})

    def delete(self, model: str) -> None:
        self._json("DELETE", "/api/delete", {"model": model})

    def load(self, model: str, keep_alive: t.Union[str, int, float]) -> None:
        """Load the model and keep it that long; 0 unloads it, a negative time keeps it for good."""
        wanted = {"model": model, "keep_alive": keep_alive, "stream": False}
        timeout = max(self.timeout, LOAD_TIMEOUT)
        try:
            self._json("POST", "/api/generate", wanted, timeout=timeout)
        except ServerError as error:
            if _EMBEDS_ONLY not in str(error):
                raise
            self._json("POST", "/api/embed", {"model": model, "keep_alive": keep_alive, "input": []}, timeout=timeout)

    def head_blob(self, digest: str) -> bool:
        """Whether the server has the blob `sha256:...`."""
        with self._answer("HEAD", "/api/blobs/" + digest) as answer:
            if answer.status == 404:
                return False
            self._judge(answer, b"")
            return True

    def upload_blob(self, digest: str, path: str, progress: t.Optional[t.Callable[[int], None]] = None) -> None:
        """Send a file, which must have that digest. `progress` is told the bytes that were sent."""
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            body = _Counted(file, progress)
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
            # The server answers when all of it is on its disk.
            with self._answer("POST", "/api/blobs/" + digest, body, headers) as answer:
                self._judge(answer, self._read(answer))

    def pull(self, model: str, insecure: bool = False) -> Stream:
        wanted: Dict = {"model": model, "stream": True}
        if insecure:
            wanted["insecure"] = True
        return Stream(self, "/api/pull", wanted)

    def create(self, model: str, options: Dict) -> Stream:
        """Make a model; `options` as the API has them: from, files, system, template, parameters and so on."""
        return Stream(self, "/api/create", {**options, "model": model, "stream": True})

    def _json(self, method: str, path: str, body: t.Optional[Dict] = None, timeout: t.Optional[float] = None) -> Dict:
        data = None if body is None else json.dumps(body).encode("utf-8")
        with self._answer(method, path, data, {"Content-Type": "application/json"}, timeout) as answer:
            content = self._read(answer)
            self._judge(answer, content)
        return self._object(content) if content.strip() else {}

    @contextlib.contextmanager
    def _answer(
        self,
        method: str,
        path: str,
        body: t.Any = None,
        headers: t.Optional[t.Dict[str, str]] = None,
        timeout: t.Optional[float] = None,
    ) -> t.Iterator[http.client.HTTPResponse]:
        """The answer, before its body was read. Whatever fails on the way, inside the block too, is a ServerError."""
        timeout = self.timeout if timeout is None else timeout
        sent = {"Accept": "application/json", "User-Agent": "gatehouse.ollama", **(headers or {})}
        if self.api_key:
            sent["Authorization"] = "Bearer " + self.api_key
        with self._told(timeout), contextlib.closing(self._connection(timeout)) as connection:
            # It may have refused before it had read all of it; then its answer says more.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, self.endpoint.path + path, body, sent)
            yield connection.getresponse()

    @contextlib.contextmanager
    def _told(self, timeout: float) -> t.Iterator[None]:
        try:
            yield
        except socket.timeout:
            raise ServerStalled("%s said nothing for %g seconds" % (self.shown, timeout)) from None
        except ssl.SSLCertVerificationError as error:
            reason = "its certificate is not trusted: %s; ca_path names the CA" % error.verify_message
            raise ServerUnreachable("%s cannot be asked: %s" % (self.shown, reason)) from None
        except ssl.SSLError as error:
            raise ServerUnreachable("%s cannot be asked: TLS fails: %s" % (self.shown, error.reason)) from None
        except OSError as error:
            raise ServerUnreachable("%s does not answer: %s" % (self.shown, error.strerror or error)) from None
        except http.client.HTTPException as error:
            reason = str(error) or type(error).__name__
            raise ServerUnreachable("%s broke off its answer (%s)" % (self.shown, reason)) from None

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        connection = _Connection(self.endpoint, timeout, self.dial)
        connection.context = self._context() if self.endpoint.tls else None
        return connection

    def _context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_path)
        except (OSError, ValueError):
            raise BadInput(["ca_path: %s: no certificates can be read from it" % self.ca_path]) from None

    def _read(self, answer: http.client.HTTPResponse) -> bytes:
        content = answer.read(_MOST_BYTES)
        if answer.length:
            raise http.client.IncompleteRead(content, answer.length)
        return content

    def _judge(self, answer: http.client.HTTPResponse, content: bytes) -> None:
        """Raise what the server says against the request."""
        if answer.status < 300:
            return
        if answer.status < 400:
            where = answer.getheader("Location") or "another address"
            message = "it sends us on to %s, which is not followed; name that server itself" % where
        else:
            message = _message(content) or "%d %s" % (answer.status, answer.reason)
        if answer.status in (401, 403):
            message += " (api_key gives the key for a gateway, which needs a scope for this)"
        raise ServerError("%s refuses: %s" % (self.shown, message), answer.status)

    def _object(self, content: bytes) -> Dict:
        try:
            found = json.loads(content)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ServerError("%s answers with what is no JSON object; is it Ollama?" % self.shown)
        return found


class Stream:
    """The lines of a streamed answer as dictionaries. One that reports an error, under status 200 as well, raises.

    `wait(seconds)` says how long the next line may take.
    """

    def __init__(self, client: Client, path: str, body: Dict) -> None:
        self._client = client
        self._path = path
        self._body = body
        self._socket: t.Optional[socket.socket] = None
        self.timeout = client.timeout

    def wait(self, seconds: float) -> None:
        self.timeout = seconds
        if self._socket is not None:
            self._socket.settimeout(seconds)

    def __iter__(self) -> t.Iterator[Dict]:
        client = self._client
        data = json.dumps(self._body).encode("utf-8")
        ended = False
        with client._answer("POST", self._path, data, {"Content-Type": "application/json"}, self.timeout) as answer:
            if answer.status >= 300:
                client._judge(answer, client._read(answer))
            self._socket = _socket_of(answer)
            while True:
                try:
                    line = answer.readline(_MOST_BYTES)
                except socket.timeout:
                    raise ServerStalled("%s said nothing for %g seconds" % (client.shown, self.timeout)) from None
                if not line:
                    break
                if not line.strip():
                    continue
                status = client._object(line)
                if "error" in status:
                    raise ServerError(_message(line) or "an error without words")
                ended = status.get("status") == "success"
                yield status
        if not ended:
            raise ServerUnreachable("%s broke off its answer" % client.shown)


class _Connection(http.client.HTTPConnection):
    context: t.Optional[ssl.SSLContext] = None

    def __init__(self, endpoint: Endpoint, timeout: float, dial: t.Optional[Dial]) -> None:
        super().__init__(endpoint.host, endpoint.port, timeout=timeout, blocksize=_BLOCK)
        self._seconds = timeout
        self._dial = dial
        if endpoint.tls:
            # Where it is not written into the header Host.
            self.default_port = 443

    def connect(self) -> None:
        if self._dial is not None:
            sock = self._dial(self._seconds)
        else:
            sock = socket.create_connection((self.host, self.port), self._seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context is not None:
            try:
                sock = self.context.wrap_socket(sock, server_hostname=self.host)
            except OSError:
                sock.close()
                raise
        self.sock = sock


class _Counted:
    """A file that tells how much of it was read."""

    def __init__(self, file: t.BinaryIO, progress: t.Optional[t.Callable[[int], None]]) -> None:
        self._file = file
        self._progress = progress
        self._count = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._count += len(data)
        if self._progress is not None and data:
            self._progress(self._count)
        return data


def _socket_of(answer: http.client.HTTPResponse) -> t.Optional[socket.socket]:
    """The connection behind an answer, which http.client lets go of where the server closes after it."""
    raw = getattr(answer.fp, "raw", None)
    return getattr(raw, "_sock", None)


def _message(content: bytes) -> str:
    """What an error says, in Ollama's dialect or OpenAI's; empty if nothing."""
    try:
        error = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        return ""
    if isinstance(error, dict):
        error = error.get("message")
    return str(error or "")


def _list(answer: Dict, key: str) -> t.List[Dict]:
    return [one for one in answer.get(key) or [] if isinstance(one, dict)]
